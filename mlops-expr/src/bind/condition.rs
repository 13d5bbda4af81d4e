//! Conditions: BETWEEN, IN, LIKE, CASE.
//!
//! The value that is compared several times is computed once. Only a literal is not shared: it may
//! take another type for each of its comparisons.

use std::sync::Arc;

use mlops_core::Result;

use super::{Binder, Typed};
use crate::ast::{self, Comparison, Is, Like};
use crate::eval::compare::Class;
use crate::eval::matching::Pattern;
use crate::eval::vector::Scalar;
use crate::eval::{Node, Op};
use crate::types::Type;

impl Binder<'_> {
    pub(super) fn negated(&self, at: usize, a: &ast::Node) -> Result<Typed> {
        let a = self.condition(a)?;
        let nullable = a.nullable;
        self.make(at, Op::Not(a.into()), Type::Bool, nullable)
    }

    pub(super) fn is(&self, at: usize, a: &ast::Node, is: Is, negated: bool) -> Result<Typed> {
        let typed = self.bind(a)?;
        if is != Is::Null {
            self.need_bool(&typed)?;
        }
        self.make(at, Op::Is(typed.node.into(), is, negated), Type::Bool, false)
    }

    pub(super) fn between(
        &self,
        at: usize,
        [a, b, c]: [&ast::Node; 3],
        negated: bool,
    ) -> Result<Typed> {
        let (mut value, mut low, mut high) = (self.bind(a)?, self.bind(b)?, self.bind(c)?);
        if value.free.is_some() {
            // A literal takes another type for each side; there is nothing to compute twice.
            let low = self.compare(at, Comparison::Ge, value.clone(), low)?;
            let high = self.compare(at, Comparison::Le, value, high)?;
            return self.joined(at, vec![low, high], Op::And, negated);
        }
        let low_class = self.class(at, &mut value, &mut low)?;
        let high_class = self.class(at, &mut value, &mut high)?;
        let all = [value.node, low.node, high.node];
        let nullable = all.iter().any(|node| node.nullable);
        let op = Op::Between(low_class, high_class, all.into(), negated);
        self.make(at, op, Type::Bool, nullable)
    }

    /// Conditions joined by AND or OR, and perhaps NOT of that.
    pub(super) fn joined(
        &self,
        at: usize,
        terms: Vec<Typed>,
        op: fn(Vec<Node>) -> Op,
        negated: bool,
    ) -> Result<Typed> {
        let nullable = terms.iter().any(|term| term.node.nullable);
        let terms = terms.into_iter().map(|term| term.node).collect();
        let joined = self.make(at, op(terms), Type::Bool, nullable)?;
        if !negated {
            return Ok(joined);
        }
        self.make(at, Op::Not(joined.node.into()), Type::Bool, nullable)
    }

    pub(super) fn within(
        &self,
        at: usize,
        value: &ast::Node,
        list: &[ast::Node],
        negated: bool,
    ) -> Result<Typed> {
        let mut value = self.bind(value)?;
        if value.free.is_some() {
            let equal = |item| self.compare(at, Comparison::Eq, value.clone(), self.bind(item)?);
            let terms = list.iter().map(equal).collect::<Result<Vec<_>>>()?;
            return self.joined(at, terms, Op::Or, negated);
        }
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let mut item = self.bind(item)?;
            let class = self.class(at, &mut value, &mut item)?;
            items.push((class, item.node));
        }
        let nullable = value.node.nullable || items.iter().any(|(_, item)| item.nullable);
        let value = Box::new(value.node);
        let ints: Option<Vec<i64>> = items
            .iter()
            .map(|(class, item)| match (class, item.literal()) {
                (Class::I64, Some(Scalar::I64(value))) => Some(*value),
                _ => None,
            })
            .collect();
        let texts: Option<Vec<Arc<str>>> = items
            .iter()
            .map(|(_, item)| match item.literal() {
                Some(Scalar::Text(text)) => Some(text.clone()),
                _ => None,
            })
            .collect();
        let op = match (ints, texts) {
            (Some(mut ints), _) => {
                ints.sort_unstable();
                Op::InInts(value, ints, negated)
            }
            (_, Some(mut texts)) => {
                texts.sort_unstable();
                Op::InTexts(value, texts, negated)
            }
            _ => Op::In(value, items, negated),
        };
        self.make(at, op, Type::Bool, nullable)
    }

    pub(super) fn like(&self, at: usize, like: &Like) -> Result<Typed> {
        let value = self.text(&like.value)?;
        let pattern = self.text(&like.pattern)?;
        self.matching(
            at,
            value,
            &pattern,
            |text| Pattern::new(text, like.style, like.escape),
            like.negated,
        )
    }

    /// A match with a pattern that is known now.
    pub(super) fn matching(
        &self,
        at: usize,
        value: Typed,
        pattern: &Typed,
        compile: impl FnOnce(&str) -> Result<Pattern, String>,
        negated: bool,
    ) -> Result<Typed> {
        let pattern = match pattern.node.literal() {
            Some(Scalar::Text(text)) => compile(text).map_err(|problem| {
                self.fail(pattern, format_args!("this pattern is not understood: {problem}"))
            })?,
            Some(_) => return self.make(at, Op::Literal(Scalar::Null), Type::Bool, true),
            None => {
                return Err(self
                    .fail(pattern, "a pattern has to be known before any row")
                    .with_hint(
                        "a text or a parameter; or starts_with(), ends_with(), contains()",
                    ));
            }
        };
        let nullable = value.node.nullable;
        self.make(at, Op::Match(value.node.into(), pattern, negated), Type::Bool, nullable)
    }

    pub(super) fn case(
        &self,
        at: usize,
        operand: Option<&ast::Node>,
        arms: &[(ast::Node, ast::Node)],
        last: Option<&ast::Node>,
    ) -> Result<Typed> {
        let mut operand = operand.map(|operand| self.bind(operand)).transpose()?;
        let mut whens = Vec::with_capacity(arms.len());
        let mut thens = Vec::with_capacity(arms.len() + 1);
        for (when, then) in arms {
            whens.push(match &mut operand {
                None => (Class::Bool, self.condition(when)?),
                Some(operand) if operand.free.is_some() => {
                    let when = self.bind(when)?;
                    let equal = self.compare(when.at, Comparison::Eq, operand.clone(), when)?;
                    (Class::Bool, equal.node)
                }
                Some(operand) => {
                    let mut when = self.bind(when)?;
                    (self.class(when.at, operand, &mut when)?, when.node)
                }
            });
            thens.push(self.bind(then)?);
        }
        if let Some(last) = last {
            thens.push(self.bind(last)?);
        }
        let has_last = last.is_some();
        let (mut thens, ty) = self.unify(thens)?;
        let nullable = !has_last || thens.iter().any(|then| then.nullable);
        let last = if has_last { thens.pop().map(Box::new) } else { None };
        let arms = whens.into_iter().zip(thens).map(|((class, when), then)| (class, when, then));
        let operand = operand.filter(|operand| operand.free.is_none());
        let op = Op::Case(operand.map(|operand| operand.node.into()), arms.collect(), last);
        self.make(at, op, ty, nullable)
    }
}
