//! What begins with a word: literals with a type, CASE, CAST, EXTRACT and calls.

use std::sync::Arc;

use mlops_core::Result;

use super::lexer::{Kind as Lexeme, Token};
use super::{NOT, Parser, is_reserved};
use crate::ast::{CastType, Kind, Literal, Node};
use crate::calendar;

/// The number that a text of digits is: exact, unless it has an exponent or too many digits.
pub(crate) fn number(text: &str) -> Option<Literal> {
    exact(text)
        .or_else(|| text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Literal::Float))
}

/// The exact number of digits with at most one dot, if 38 digits hold it.
pub(crate) fn exact(text: &str) -> Option<Literal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').len();
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty();
    if !plain || significant > 38 || fraction.len() > 38 {
        return None;
    }
    Some(Literal::Exact(digits.parse().ok()?, fraction.len() as u8))
}

pub(crate) fn negated(number: Literal) -> Option<Literal> {
    match number {
        Literal::Exact(value, scale) => Some(Literal::Exact(-value, scale)),
        Literal::Float(value) => Some(Literal::Float(-value)),
        _ => None,
    }
}

impl<'a> Parser<'a> {
    pub(super) fn word(&mut self, token: &Token<'a>) -> Result<Node> {
        let at = token.at;
        let word = token.text.to_ascii_lowercase();
        let literal = match word.as_str() {
            "null" => Some(Literal::Null),
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            _ => None,
        };
        if let Some(literal) = literal {
            self.take();
            return self.node(at, Kind::Literal(literal));
        }
        if word == "not" {
            self.take();
            let inner = self.expression(NOT - 1)?;
            return self.node(at, Kind::Not(inner.into()));
        }
        if word == "case" {
            self.take();
            return self.case(at);
        }
        if word == "select" || word == "exists" && self.second().is_sign("(") {
            return Err(self.subquery());
        }
        if is_reserved(&word) {
            return Err(self
                .expected("an expression", token)
                .with_hint(format!("if it is a column, write \"{}\"", token.text)));
        }
        let second = self.second().clone();
        if let Lexeme::Text(text) = &second.kind
            && let Some(typed) = typed(&word)
        {
            self.take();
            self.take();
            let literal = (typed.parse)(text).ok_or_else(|| {
                self.source
                    .fail(second.at, format_args!("this is no {word}"))
                    .with_hint(typed.example)
            })?;
            return self.node(at, Kind::Literal(literal));
        }
        if second.is_sign("(") {
            self.take();
            self.take();
            return self.call(at, word, token.text);
        }
        self.column()
    }

    /// `CASE [x] WHEN a THEN b … [ELSE c] END`
    fn case(&mut self, at: usize) -> Result<Node> {
        let operand =
            if self.peek().is("when") { None } else { Some(Box::new(self.expression(0)?)) };
        let mut arms = Vec::new();
        while self.eat("when") {
            let when = self.expression(0)?;
            self.need("then")?;
            arms.push((when, self.expression(0)?));
        }
        if arms.is_empty() {
            return Err(self.expected("WHEN", self.peek()));
        }
        let last = if self.eat("else") { Some(Box::new(self.expression(0)?)) } else { None };
        self.need("end")?;
        self.node(at, Kind::Case(operand, arms, last))
    }

    /// The rest of a call, after its `(`. The forms with words inside are those of the standard.
    fn call(&mut self, at: usize, name: String, written: &str) -> Result<Node> {
        match name.as_str() {
            "cast" | "try_cast" => {
                let inner = self.expression(0)?;
                self.need("as")?;
                let to = self.cast_type()?;
                self.need_sign(")")?;
                return self.node(at, Kind::Cast(inner.into(), to, name == "try_cast"));
            }
            "extract" => {
                let part = self.take();
                let (Lexeme::Word | Lexeme::Text(_)) = part.kind else {
                    return Err(self.expected("a part such as YEAR", &part));
                };
                self.need("from")?;
                let inner = self.expression(0)?;
                self.need_sign(")")?;
                let part = part.text.trim_matches('\'').to_ascii_lowercase();
                return self.node(at, Kind::Extract(part, inner.into()));
            }
            _ => {}
        }
        if self.peek().is_sign("*") || self.peek().is("distinct") || self.peek().is("select") {
            let what = format_args!("{} of rows", crate::source::cut(written, 40));
            return Err(self.source.fail(at, what).with_hint(ONE_ROW));
        }
        let mut arguments = if self.eat_sign(")") { Vec::new() } else { self.arguments(&name)? };
        if name == "position" && arguments.len() == 3 {
            // `position(a IN b)` is `strpos(b, a)`.
            arguments.truncate(2);
            arguments.swap(0, 1);
            return self.node(at, Kind::Call("strpos".into(), arguments));
        }
        let name = match name.as_str() {
            "substr" => "substring".into(),
            "pow" => "power".into(),
            "ceiling" => "ceil".into(),
            "char_length" | "character_length" => "length".into(),
            "btrim" => "trim".into(),
            "date_part" | "datepart" => "date_part".into(),
            _ => name,
        };
        self.node(at, Kind::Call(name, arguments))
    }

    /// Arguments up to the `)`; `substring(x FROM a FOR b)` and `position(a IN b)` too. The latter
    /// comes back with a third argument as its mark.
    fn arguments(&mut self, name: &str) -> Result<Vec<Node>> {
        if name == "position" {
            let at = self.peek().at;
            let needle = self.expression(super::MATCH)?;
            if self.eat("in") {
                let text = self.expression(0)?;
                self.need_sign(")")?;
                let mark = self.node(at, Kind::Literal(Literal::Null))?;
                return Ok(vec![needle, text, mark]);
            }
            return Err(self
                .expected("IN", self.peek())
                .with_hint("position('a' IN x), or strpos(x, 'a')"));
        }
        let first = self.expression(0)?;
        if name.starts_with("subst") && self.eat("from") {
            let mut arguments = vec![first, self.expression(0)?];
            if self.eat("for") {
                arguments.push(self.expression(0)?);
            }
            self.need_sign(")")?;
            return Ok(arguments);
        }
        let mut arguments = vec![first];
        if self.eat_sign(",") {
            arguments.extend(self.list()?);
        } else {
            self.need_sign(")")?;
        }
        Ok(arguments)
    }

    /// Expressions up to the `)`.
    pub(super) fn list(&mut self) -> Result<Vec<Node>> {
        let mut list = vec![self.expression(0)?];
        while self.eat_sign(",") {
            list.push(self.expression(0)?);
        }
        if !self.peek().is_sign(")") {
            return Err(self.expected("`,` or `)`", self.peek()));
        }
        self.take();
        Ok(list)
    }

    /// The name of a type.
    pub(super) fn cast_type(&mut self) -> Result<CastType> {
        let token = self.take();
        if token.kind != Lexeme::Word {
            return Err(self.expected("a type", &token));
        }
        Ok(match token.text.to_ascii_lowercase().as_str() {
            "bool" | "boolean" => CastType::Bool,
            "tinyint" | "int1" => CastType::Int(8),
            "smallint" | "int2" => CastType::Int(16),
            "int" | "integer" | "int4" => CastType::Int(32),
            "bigint" | "int8" => CastType::Int(64),
            "real" | "float4" => CastType::Float32,
            "float" | "float8" => CastType::Float64,
            "double" => {
                self.eat("precision");
                CastType::Float64
            }
            "text" | "varchar" | "string" => CastType::Text,
            "date" => CastType::Date,
            "timestamptz" => CastType::Timestamp(self.precision()?, true),
            "timestamp" => {
                let digits = self.precision()?;
                let zoned = self.eat("with");
                if zoned || self.eat("without") {
                    self.need("time")?;
                    self.need("zone")?;
                }
                CastType::Timestamp(digits, zoned)
            }
            "decimal" | "numeric" => {
                self.need_sign("(")?;
                let precision = self.small(1, 38)?;
                let scale = if self.eat_sign(",") { self.small(0, precision)? } else { 0 };
                self.need_sign(")")?;
                CastType::Decimal(precision, scale as i8)
            }
            _ => {
                return Err(self.expected("a type", &token).with_hint(
                    "types: BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, DECIMAL(p, s), REAL, DOUBLE, TEXT, \
                     DATE, TIMESTAMP[(0|3|6|9)] [WITH TIME ZONE]",
                ));
            }
        })
    }

    /// The digits after the second: `(3)`, or 6 if there is nothing.
    fn precision(&mut self) -> Result<u8> {
        if !self.eat_sign("(") {
            return Ok(6);
        }
        let at = self.peek().at;
        let digits = self.small(0, 9)?;
        self.need_sign(")")?;
        if digits % 3 != 0 {
            return Err(self
                .source
                .fail(at, "a timestamp has 0, 3, 6 or 9 digits after the second"));
        }
        Ok(digits)
    }

    fn small(&mut self, low: u8, high: u8) -> Result<u8> {
        let token = self.take();
        match token.text.parse::<u8>() {
            Ok(value) if (low..=high).contains(&value) => Ok(value),
            _ => Err(self.expected(&format!("a number from {low} to {high}"), &token)),
        }
    }
}

pub(crate) const ONE_ROW: &str =
    "an expression is about one row: sums and counts of rows are checks of their own";

/// A literal that begins with its type.
struct Typed {
    parse: fn(&str) -> Option<Literal>,
    example: &'static str,
}

fn typed(word: &str) -> Option<Typed> {
    Some(match word {
        "date" => Typed {
            parse: |text| calendar::parse_date(text).map(Literal::Date),
            example: "such as DATE '2024-02-29'",
        },
        "timestamp" | "timestamptz" => Typed {
            parse: |text| {
                calendar::parse_timestamp(text).map(|(at, zone)| Literal::Timestamp(at, zone))
            },
            example: "such as TIMESTAMP '2024-02-29 13:45:00', with Z or +02:00 for an instant",
        },
        "interval" => Typed {
            parse: |text| calendar::parse_interval(text).map(Literal::Interval),
            example: "such as INTERVAL '3 days' or INTERVAL '1 month 12:30:00'",
        },
        _ => return None,
    })
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }
}
