//! A tree as canonical text: capital keywords, no needless parentheses, one spelling for each thing.
//!
//! The law that its tests hold: the text parses to a tree that prints the same text.

use std::fmt::{Display, Formatter, Result, Write as _};

use crate::ast::{CastType, Kind, Literal, Node};
use crate::calendar;
use crate::parse::{is_reserved, is_word};
use crate::source::quote;

/// How tightly a node holds together; the parser's levels, and 12 for what needs no parentheses.
fn strength(node: &Node) -> u8 {
    use crate::ast::Binary::{Add, Concat, Divide, Modulo, Multiply, Subtract};
    use crate::ast::Comparison::{Distinct, NotDistinct};
    match &node.kind {
        Kind::Or(_) => 1,
        Kind::And(_) => 2,
        Kind::Not(_) => 3,
        Kind::Is(..) | Kind::Compare(Distinct | NotDistinct, ..) => 4,
        Kind::Compare(..) => 5,
        Kind::Between(..) | Kind::In(..) | Kind::Like(_) => 6,
        Kind::Binary(Concat, ..) => 7,
        Kind::Binary(Add | Subtract, ..) => 8,
        Kind::Binary(Multiply | Divide | Modulo, ..) => 9,
        // `-(-5)`, because `--` begins a comment.
        Kind::Negate(_) | Kind::Literal(Literal::Exact(i128::MIN..0, _)) => 10,
        Kind::Literal(Literal::Float(value)) if value.is_sign_negative() => 10,
        _ => 12,
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            Kind::Literal(literal) => literal.fmt(f),
            Kind::Column(path) => {
                for (i, name) in path.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "." })?;
                    write_name(f, name)?;
                }
                Ok(())
            }
            Kind::Parameter(name) => write!(f, ":{name}"),
            Kind::Negate(a) => {
                f.write_str("-")?;
                // A number would take the sign into itself.
                let number = matches!(a.kind, Kind::Literal(_) | Kind::Negate(_));
                below(f, a, if number { 13 } else { 10 })
            }
            Kind::Not(a) => {
                f.write_str("NOT ")?;
                below(f, a, 3)
            }
            Kind::And(terms) => joined(f, terms, " AND ", 3),
            Kind::Or(terms) => joined(f, terms, " OR ", 2),
            Kind::Binary(operator, a, b) => {
                let own = strength(self);
                below(f, a, own)?;
                write!(f, " {} ", operator.sign())?;
                below(f, b, own + 1)
            }
            Kind::Compare(operator, a, b) => {
                let own = strength(self);
                below(f, a, if own == 4 { 4 } else { 6 })?;
                write!(f, " {} ", operator.sign())?;
                below(f, b, own + 1)
            }
            Kind::Is(a, is, not) => {
                below(f, a, 4)?;
                write!(f, " IS {}{}", if *not { "NOT " } else { "" }, is.word())
            }
            Kind::Between(a, low, high, not) => {
                below(f, a, 6)?;
                f.write_str(if *not { " NOT BETWEEN " } else { " BETWEEN " })?;
                below(f, low, 7)?;
                f.write_str(" AND ")?;
                below(f, high, 7)
            }
            Kind::In(a, list, not) => {
                below(f, a, 6)?;
                f.write_str(if *not { " NOT IN (" } else { " IN (" })?;
                joined(f, list, ", ", 0)?;
                f.write_str(")")
            }
            Kind::Like(like) => {
                below(f, &like.value, 6)?;
                write!(f, " {} ", like.style.sign(like.negated))?;
                below(f, &like.pattern, 7)?;
                if let Some(escape) = like.escape {
                    f.write_str(" ESCAPE ")?;
                    quote(f, '\'', escape.encode_utf8(&mut [0; 4]))?;
                }
                Ok(())
            }
            Kind::Case(operand, arms, last) => {
                f.write_str("CASE")?;
                if let Some(operand) = operand {
                    write!(f, " {operand}")?;
                }
                for (when, then) in arms {
                    write!(f, " WHEN {when} THEN {then}")?;
                }
                if let Some(last) = last {
                    write!(f, " ELSE {last}")?;
                }
                f.write_str(" END")
            }
            Kind::Cast(a, to, quiet) => {
                write!(f, "{}CAST({a} AS {to})", if *quiet { "TRY_" } else { "" })
            }
            Kind::Extract(part, a) => write!(f, "EXTRACT({} FROM {a})", part.to_ascii_uppercase()),
            Kind::Call(name, arguments) => {
                write!(f, "{name}(")?;
                joined(f, arguments, ", ", 0)?;
                f.write_str(")")
            }
        }
    }
}

/// `node`, in parentheses if it holds together less than `floor`.
fn below(f: &mut Formatter<'_>, node: &Node, floor: u8) -> Result {
    if strength(node) < floor { write!(f, "({node})") } else { node.fmt(f) }
}

fn joined(f: &mut Formatter<'_>, nodes: &[Node], between: &str, floor: u8) -> Result {
    for (i, node) in nodes.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { between })?;
        below(f, node, floor)?;
    }
    Ok(())
}

/// A name, in quotes if it would not be read back without.
pub(crate) fn write_name(f: &mut impl std::fmt::Write, name: &str) -> Result {
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    if name.is_empty() || digit || is_reserved(name) || !name.chars().all(is_word) {
        return quote(f, '"', name);
    }
    f.write_str(name)
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut text = String::new();
        match self {
            Self::Null => return f.write_str("NULL"),
            Self::Bool(true) => return f.write_str("TRUE"),
            Self::Bool(false) => return f.write_str("FALSE"),
            Self::Exact(value, scale) => {
                write_decimal(&mut text, *value, i32::from(*scale));
                return f.write_str(&text);
            }
            // Always with an exponent: digits alone are exact.
            Self::Float(value) if value.is_finite() => return write!(f, "{value:e}"),
            Self::Float(value) => return write!(f, "CAST('{value}' AS DOUBLE)"),
            Self::Text(value) => return quote(f, '\'', value),
            Self::Date(day) => {
                f.write_str("DATE ")?;
                calendar::write_date(&mut text, i64::from(*day));
            }
            Self::Timestamp(nanos, zoned) => {
                f.write_str("TIMESTAMP ")?;
                calendar::write_timestamp(&mut text, *nanos);
                text.push_str(if *zoned { "Z" } else { "" });
            }
            Self::Interval(interval) => {
                f.write_str("INTERVAL ")?;
                calendar::write_interval(&mut text, *interval);
            }
        }
        quote(f, '\'', &text)
    }
}

impl Display for CastType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Bool => f.write_str("BOOLEAN"),
            Self::Int(8) => f.write_str("TINYINT"),
            Self::Int(16) => f.write_str("SMALLINT"),
            Self::Int(32) => f.write_str("INT"),
            Self::Int(_) => f.write_str("BIGINT"),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Float32 => f.write_str("REAL"),
            Self::Float64 => f.write_str("DOUBLE"),
            Self::Text => f.write_str("TEXT"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp(digits, zoned) => {
                write!(f, "TIMESTAMP({digits}){}", if *zoned { " WITH TIME ZONE" } else { "" })
            }
        }
    }
}

/// Writes `value / 10^scale` with all its digits.
pub(crate) fn write_decimal(out: &mut String, value: i128, scale: i32) {
    let digits = value.unsigned_abs().to_string();
    let scale = usize::try_from(scale).unwrap_or(0);
    out.push_str(if value < 0 { "-" } else { "" });
    if scale == 0 {
        out.push_str(&digits);
        return;
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let _ = write!(out, "{whole}.{fraction}");
}
