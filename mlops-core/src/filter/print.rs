//! The tree as canonical text: what is printed parses to the same tree.
//!
//! That holds for every tree that the parser makes and for [`Filter::and`] of them. A tree made by
//! hand may be one that no text says (`And` of one, an infinite literal); it is printed as text that
//! means the same where there is one. The non-obvious decision: an instant is printed in ISO 8601,
//! since milliseconds, the grammar's number for it, would lose its microseconds. What is printed does
//! not say its subject: a filter is read back with the subject that it was parsed for, which knows
//! each of its names.

use std::fmt::{self, Display, Formatter, Write};

use super::lexer::is_word_char;
use super::{
    Aggregate, Attribute, Comparison, DatasetField, Field, Filter, Literal, Member, OrderBy, check,
    names,
};
use crate::time::from_micros_lossy;

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Term(field, comparison) => term(f, field, "", comparison),
            Self::And(all) => {
                join(f, all, " and ", |inner| matches!(inner, Self::And(_) | Self::Or(_)))
            }
            Self::Or(any) => join(f, any, " or ", |inner| matches!(inner, Self::Or(_))),
            Self::Not(inner) => match &**inner {
                Self::Term(field, comparison) if has_negation(comparison) => {
                    term(f, field, "not ", comparison)
                }
                inner => {
                    f.write_str("not ")?;
                    operand(f, inner, matches!(inner, Self::And(_) | Self::Or(_)))
                }
            },
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(attribute) => write!(f, "{attribute}"),
            Self::Metric(Aggregate::Last, name) => key(f, "metrics.", name),
            Self::Metric(aggregate, name) => {
                write!(f, "{aggregate}(")?;
                key(f, "metrics.", name)?;
                f.write_char(')')
            }
            Self::Param(name) => key(f, "params.", name),
            Self::Tag(name) => key(f, "tags.", name),
            Self::Dataset(field) => write!(f, "datasets.{field}"),
            Self::Member(member) => write!(f, "{member}"),
        }
    }
}

impl Display for OrderBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.field, if self.descending { " desc" } else { "" })
    }
}

impl Display for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(names::canonical(*self))
    }
}

impl Display for Member {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alias => "alias",
            Self::Stage => "stage",
        })
    }
}

impl Display for DatasetField {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Digest => "digest",
            Self::Context => "context",
        })
    }
}

fn join(
    f: &mut Formatter<'_>,
    filters: &[Filter],
    between: &str,
    grouped: fn(&Filter) -> bool,
) -> fmt::Result {
    if filters.is_empty() {
        // No text says it; these are false of every record, and true of every record. `id` is a name
        // that models and versions do not have: of them, such a tree cannot be read back.
        let none = if between == " or " { "and" } else { "or" };
        return write!(f, "(id is null {none} id is not null)");
    }
    for (i, inner) in filters.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { between })?;
        operand(f, inner, grouped(inner))?;
    }
    Ok(())
}

fn operand(f: &mut Formatter<'_>, filter: &Filter, grouped: bool) -> fmt::Result {
    match filter {
        Filter::All => join(f, &[], " and ", |_| false),
        _ if grouped => write!(f, "({filter})"),
        _ => write!(f, "{filter}"),
    }
}

fn has_negation(comparison: &Comparison) -> bool {
    matches!(
        comparison,
        Comparison::Between(..)
            | Comparison::In(_)
            | Comparison::Like(_)
            | Comparison::ILike(_)
            | Comparison::IsNull
    )
}

fn term(f: &mut Formatter<'_>, field: &Field, not: &str, comparison: &Comparison) -> fmt::Result {
    write!(f, "{field} ")?;
    let mut binary = |operator: &str, value: &Literal| {
        write!(f, "{operator} ")?;
        literal(f, field, value)
    };
    match comparison {
        Comparison::Eq(value) => binary("=", value),
        Comparison::Ne(value) => binary("!=", value),
        Comparison::Lt(value) => binary("<", value),
        Comparison::Le(value) => binary("<=", value),
        Comparison::Gt(value) => binary(">", value),
        Comparison::Ge(value) => binary(">=", value),
        Comparison::Between(low, high) => {
            write!(f, "{not}between ")?;
            literal(f, field, low)?;
            f.write_str(" and ")?;
            literal(f, field, high)
        }
        Comparison::In(list) => {
            write!(f, "{not}in (")?;
            for (i, value) in list.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                literal(f, field, value)?;
            }
            f.write_char(')')
        }
        Comparison::Like(pattern) => {
            write!(f, "{not}like ")?;
            quoted(f, '\'', pattern)
        }
        Comparison::ILike(pattern) => {
            write!(f, "{not}ilike ")?;
            quoted(f, '\'', pattern)
        }
        Comparison::IsNull => write!(f, "is {not}null"),
    }
}

fn literal(f: &mut Formatter<'_>, field: &Field, literal: &Literal) -> fmt::Result {
    let instant = matches!(field, Field::Attribute(attribute) if attribute.is_instant());
    match literal {
        Literal::Text(text) => quoted(f, '\'', text),
        Literal::Number(micros) if instant => {
            if micros.fract() == 0.0 && (0.0..=check::LAST_MICROS).contains(micros) {
                let instant = from_micros_lossy(*micros as i64);
                let text = instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
                quoted(f, '\'', &text)
            } else {
                number(f, micros / 1_000.0)
            }
        }
        Literal::Number(value) => number(f, *value),
    }
}

/// The shortest decimal that parses to the same number; with an exponent where it has many zeros.
fn number(f: &mut Formatter<'_>, number: f64) -> fmt::Result {
    if number == 0.0 || (1e-5..1e16).contains(&number.abs()) {
        write!(f, "{number}")
    } else {
        write!(f, "{number:e}")
    }
}

fn key(f: &mut Formatter<'_>, prefix: &str, name: &str) -> fmt::Result {
    f.write_str(prefix)?;
    if !name.is_empty() && name.chars().all(is_word_char) {
        f.write_str(name)
    } else {
        quoted(f, '"', name)
    }
}

fn quoted(f: &mut Formatter<'_>, quote: char, text: &str) -> fmt::Result {
    f.write_char(quote)?;
    for c in text.chars() {
        if c == quote {
            f.write_char(quote)?;
        }
        f.write_char(c)?;
    }
    f.write_char(quote)
}
