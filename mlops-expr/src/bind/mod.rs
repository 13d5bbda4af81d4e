//! Binding: from what was written to what is computed, with every type known.
//!
//! All errors of types are found here, before any row; afterwards nothing about data can fail.
//! Literals take the type of what they meet, and what is known before any row is computed once.

mod arith;
mod call;
mod condition;
mod operand;

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use mlops_core::{Error, Result};

use crate::ast::{self, Comparison, Kind, Literal};
use crate::eval::vector::Scalar;
use crate::eval::{Node, Op, Rows};
use crate::parameters::{Parameter, Parameters};
use crate::source::{Source, cut, listed, nearest};
use crate::types::{INT, Type};

/// The typed form of an expression.
pub(crate) fn bind(
    text: &str,
    root: &ast::Node,
    schema: &Schema,
    parameters: &Parameters,
) -> Result<Node> {
    let binder = Binder { source: Source(text), schema, parameters };
    let typed = binder.bind(root)?;
    if typed.node.ty == Type::Interval {
        return Err(binder.fail(&typed, "an interval is no value of its own"));
    }
    if let (Op::Column(_, path), Type::Struct(_) | Type::Other(_)) = (&typed.node.op, typed.ty())
        && !path.is_empty()
    {
        return Err(
            binder.fail(&typed, format_args!("a field of type {} cannot be had alone", typed.ty()))
        );
    }
    Ok(typed.node)
}

struct Binder<'a> {
    source: Source<'a>,
    schema: &'a Schema,
    parameters: &'a Parameters,
}

/// A typed node and where it was written.
#[derive(Debug, Clone)]
struct Typed {
    node: Node,
    at: usize,
    /// What was written, if it was a literal: it may still take another type.
    free: Option<Literal>,
}

impl Typed {
    fn ty(&self) -> &Type {
        &self.node.ty
    }
}

impl Binder<'_> {
    #[cold]
    fn fail(&self, at: &Typed, problem: impl std::fmt::Display) -> Error {
        self.source.fail(at.at, problem)
    }

    /// A node of children; computed now, if all of them are literals.
    #[expect(clippy::unused_self, reason = "it reads like the others, which need the source")]
    fn make(&self, at: usize, op: Op, ty: Type, nullable: bool) -> Result<Typed> {
        let constant = match &op {
            Op::Literal(_) | Op::Column(..) => false,
            Op::Not(a) | Op::Is(a, ..) | Op::Match(a, ..) | Op::Negate(a) | Op::Convert(a) => {
                known(a)
            }
            Op::InInts(a, ..) | Op::InTexts(a, ..) | Op::Shift(a, ..) => known(a),
            Op::And(all) | Op::Or(all) | Op::Call(_, all) => all.iter().all(known),
            Op::Compare(_, _, ab) | Op::Arith(_, _, ab) => ab.iter().all(known),
            Op::Between(_, _, all, _) => all.iter().all(known),
            Op::In(a, list, _) => known(a) && list.iter().all(|(_, item)| known(item)),
            Op::Case(a, arms, last) => {
                a.as_deref().is_none_or(known)
                    && last.as_deref().is_none_or(known)
                    && arms.iter().all(|(_, when, then)| known(when) && known(then))
            }
        };
        let mut node = Node { op, ty, nullable };
        if constant && !matches!(node.ty, Type::Struct(_) | Type::Other(_) | Type::Interval) {
            let value = node.eval(Rows::one())?.first();
            node.nullable = value == Scalar::Null;
            node.op = Op::Literal(value);
        }
        Ok(Typed { node, at, free: None })
    }

    fn bind(&self, node: &ast::Node) -> Result<Typed> {
        let at = node.at;
        match &node.kind {
            Kind::Literal(literal) => self.literal(at, literal),
            Kind::Column(path) => self.column(at, path),
            Kind::Parameter(name) => self.parameter(at, name),
            Kind::Negate(a) => self.negate(at, self.bind(a)?),
            Kind::Not(a) => self.negated(at, a),
            Kind::And(terms) => self.chain(at, terms, Op::And),
            Kind::Or(terms) => self.chain(at, terms, Op::Or),
            Kind::Binary(op, a, b) => self.binary(at, *op, self.bind(a)?, self.bind(b)?),
            Kind::Compare(op, a, b) => self.compare(at, *op, self.bind(a)?, self.bind(b)?),
            Kind::Is(a, is, negated) => self.is(at, a, *is, *negated),
            Kind::Between(a, low, high, negated) => self.between(at, [a, low, high], *negated),
            Kind::In(value, list, negated) => self.within(at, value, list, *negated),
            Kind::Like(like) => self.like(at, like),
            Kind::Case(operand, arms, last) => {
                self.case(at, operand.as_deref(), arms, last.as_deref())
            }
            Kind::Cast(a, to, _) => self.cast(at, self.bind(a)?, *to),
            Kind::Extract(part, a) => self.extract(at, part, self.bind(a)?),
            Kind::Call(name, arguments) => self.call(at, name, arguments),
        }
    }

    /// A literal with the type that it has alone.
    fn literal(&self, at: usize, literal: &Literal) -> Result<Typed> {
        let (scalar, ty) = match literal {
            Literal::Null => (Scalar::Null, Type::Null),
            Literal::Bool(value) => (Scalar::Bool(*value), Type::Bool),
            Literal::Exact(value, 0) if i64::try_from(*value).is_ok() => {
                (Scalar::I64(*value as i64), INT)
            }
            Literal::Exact(value, scale) => {
                let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as u8 + 1;
                (Scalar::I128(*value), Type::Decimal(digits.max(*scale), *scale))
            }
            Literal::Float(value) => (Scalar::F64(*value), Type::Float64),
            Literal::Text(value) => (Scalar::Text(value.clone()), Type::Text),
            Literal::Date(day) => (Scalar::I64((*day).into()), Type::Date),
            Literal::Timestamp(nanos, zoned) => {
                let (value, unit) = operand::in_unit(*nanos, None)
                    .ok_or_else(|| self.source.fail(at, "no 64 bits hold this timestamp"))?;
                (Scalar::I64(value), Type::Timestamp(unit, zoned.then(|| Arc::from("UTC"))))
            }
            Literal::Interval(interval) => (Scalar::Interval(*interval), Type::Interval),
        };
        let nullable = scalar == Scalar::Null;
        let node = Node { op: Op::Literal(scalar), ty, nullable };
        Ok(Typed { node, at, free: Some(literal.clone()) })
    }

    fn parameter(&self, at: usize, name: &str) -> Result<Typed> {
        let literal = match self.parameters.get(name) {
            Some(Parameter::Bool(value)) => Literal::Bool(*value),
            Some(Parameter::Int(value)) => Literal::Exact((*value).into(), 0),
            Some(Parameter::Float(value)) => Literal::Float(*value),
            Some(Parameter::Text(value)) => Literal::Text(value.as_str().into()),
            None => {
                let problem = format!("no value for parameter `:{}`", cut(name, 40));
                let error = self.source.fail(at, problem);
                let near = nearest(name, self.parameters.names());
                return Err(match near {
                    Some(near) => error.with_hint(format!("did you mean `:{near}`?")),
                    None if self.parameters.is_empty() => {
                        error.with_hint("no parameters are given")
                    }
                    None => error.with_hint(format!("given: {}", listed(self.parameters.names()))),
                });
            }
        };
        self.literal(at, &literal)
    }

    fn column(&self, at: usize, path: &[String]) -> Result<Typed> {
        let fields = self.schema.fields();
        let index = self.field(at, "column", &path[0], fields)?;
        let mut field = &fields[index];
        let mut nullable = field.is_nullable();
        let mut indices = Vec::new();
        for name in &path[1..] {
            let Type::Struct(fields) = Type::of(field.data_type()) else {
                let problem = format!(
                    "`{}` has no fields: it is {}",
                    cut(field.name(), 40),
                    field.data_type()
                );
                return Err(self
                    .source
                    .fail(at, problem)
                    .with_hint("a name with a dot stands in \"double quotes\""));
            };
            let index = self.field(at, "field", name, &fields)?;
            indices.push(index);
            // The fields are kept alive by the schema; they are looked up in it again.
            field = child(field, index)
                .ok_or_else(|| self.source.fail(at, "fields of this encoding cannot be reached"))?;
            nullable |= field.is_nullable();
        }
        let ty = Type::of(field.data_type());
        let nullable = nullable || ty == Type::Null;
        Ok(Typed { node: Node { op: Op::Column(index, indices), ty, nullable }, at, free: None })
    }

    fn field(&self, at: usize, what: &str, name: &str, fields: &[FieldRef]) -> Result<usize> {
        let mut found = fields.iter().enumerate().filter(|(_, field)| field.name() == name);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(self
                .source
                .fail(at, format_args!("two {what}s are called `{}`", cut(name, 40)))),
            (None, _) => {
                let problem = format!("no {what} `{}`", cut(name, 40));
                let error = self.source.fail(at, problem);
                let names = || fields.iter().map(|field| field.name().as_str());
                Err(match nearest(name, names()) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error.with_hint(format!("{what}s: {}", listed(names()))),
                })
            }
        }
    }

    /// A node that has to be a condition.
    fn condition(&self, node: &ast::Node) -> Result<Node> {
        let typed = self.bind(node)?;
        self.need_bool(&typed)?;
        Ok(typed.node)
    }

    fn need_bool(&self, typed: &Typed) -> Result<()> {
        match typed.ty() {
            Type::Bool | Type::Null => Ok(()),
            other => {
                let error = self.fail(typed, format_args!("expected a condition, found {other}"));
                Err(if other.is_number() { error.with_hint("compare it: x <> 0") } else { error })
            }
        }
    }

    fn chain(&self, at: usize, terms: &[ast::Node], op: fn(Vec<Node>) -> Op) -> Result<Typed> {
        let terms = terms.iter().map(|term| self.condition(term)).collect::<Result<Vec<_>>>()?;
        let nullable = terms.iter().any(|term| term.nullable);
        self.make(at, op(terms), Type::Bool, nullable)
    }

    fn compare(&self, at: usize, op: Comparison, mut a: Typed, mut b: Typed) -> Result<Typed> {
        let class = self.class(at, &mut a, &mut b)?;
        let never = matches!(op, Comparison::Distinct | Comparison::NotDistinct);
        let nullable = !never && (a.node.nullable || b.node.nullable);
        self.make(at, Op::Compare(op, class, [a.node, b.node].into()), Type::Bool, nullable)
    }

    /// A node that has to be a text.
    fn text(&self, node: &ast::Node) -> Result<Typed> {
        let typed = self.bind(node)?;
        self.need_text(&typed)?;
        Ok(typed)
    }

    fn need_text(&self, typed: &Typed) -> Result<()> {
        match typed.ty() {
            Type::Text | Type::Null => Ok(()),
            other => Err(self
                .fail(typed, format_args!("expected a text, found {other}"))
                .with_hint("CAST(x AS TEXT) makes one")),
        }
    }
}

fn known(node: &Node) -> bool {
    matches!(node.op, Op::Literal(_))
}

/// A field of a struct.
fn child(field: &FieldRef, index: usize) -> Option<&FieldRef> {
    match field.data_type() {
        arrow::datatypes::DataType::Struct(fields) => fields.get(index),
        _ => None,
    }
}
