//! Which literals a field may be compared with, and how.
//!
//! Everything that can be wrong with a term is found here or in `names`, while its position is known,
//! so backends get only terms that make sense. The non-obvious decision: literals are brought to the
//! stored form at once (an instant to microseconds, a status to lower case, a stage to its name, an id
//! to 32 hexadecimal digits), so that no backend has a second opinion about what `'2024-01-05'` or
//! `'FINISHED'` is.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use uuid::Uuid;

use super::lexer::{Kind, Source, Token, brief, shown};
use super::{Attribute, Field, Literal, Member};
use crate::registry::Stage;
use crate::time::MAX_MICROS;
use crate::{Error, Result};

/// The longest pattern of `like`: matching costs up to pattern × text.
const MAX_PATTERN: usize = 1024;

/// The greatest double before the year 10000: [`MAX_MICROS`] would be rounded into it.
pub(super) const LAST_MICROS: f64 = (MAX_MICROS - 31) as f64;

const STATUSES: [&str; 5] = ["running", "finished", "failed", "killed", "lost"];

/// What a field may be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Text,
    NumberOrText,
    Status,
    Stage,
    Id,
    Digest,
    Instant,
}

impl Class {
    fn of(field: &Field) -> Self {
        match field {
            Field::Attribute(attribute) => Self::of_attribute(*attribute),
            Field::Metric(..) => Self::Number,
            Field::Param(_) => Self::NumberOrText,
            Field::Tag(_) | Field::Dataset(_) | Field::Member(Member::Alias) => Self::Text,
            Field::Member(Member::Stage) => Self::Stage,
        }
    }

    fn of_attribute(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Duration | Attribute::Version => Self::Number,
            Attribute::Status => Self::Status,
            Attribute::Id | Attribute::Parent | Attribute::Experiment | Attribute::SourceRun => {
                Self::Id
            }
            Attribute::Started | Attribute::Ended | Attribute::Updated => Self::Instant,
            Attribute::Digest => Self::Digest,
            Attribute::Name | Attribute::User | Attribute::Note => Self::Text,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::NumberOrText => "a number or a quoted string",
            Self::Text | Self::Status | Self::Stage | Self::Id | Self::Digest => "a quoted string",
            Self::Instant => "an ISO 8601 string or milliseconds since 1970",
        }
    }
}

/// The literal in the form in which `field` is stored.
pub(super) fn literal(source: Source<'_>, field: &Field, token: &Token<'_>) -> Result<Literal> {
    let class = Class::of(field);
    let is_not = |what: &str| {
        let field = brief(&field.to_string());
        source.fail(token.at, format_args!("{field} is {what}, and {} is not", shown(token.text)))
    };
    match (&token.kind, class) {
        (Kind::Number(number), Class::Number | Class::NumberOrText) => Ok(Literal::Number(*number)),
        (Kind::Number(millis), Class::Instant) => {
            let micros = millis * 1_000.0;
            if millis.fract() != 0.0 || !(0.0..=LAST_MICROS).contains(&micros) {
                return Err(is_not("an instant of 1970 to 9999 in whole milliseconds")
                    .with_hint("an ISO 8601 string is clearer: '2024-01-05T12:00:00Z'"));
            }
            Ok(instant(micros as i64))
        }
        (Kind::Number(_), _) => {
            Err(is_not("text").with_hint(format!("quote it: '{}'", brief(token.text))))
        }
        (Kind::Quoted('\'' | '"', text), Class::Text | Class::NumberOrText) => {
            Ok(Literal::Text(text.to_string()))
        }
        (Kind::Quoted('\'' | '"', text), Class::Status) => {
            let status = text.to_ascii_lowercase();
            if STATUSES.contains(&status.as_str()) {
                return Ok(Literal::Text(status));
            }
            Err(source
                .fail(token.at, format_args!("unknown status {}", shown(text)))
                .with_hint(format!("known statuses: {}", STATUSES.join(", "))))
        }
        (Kind::Quoted('\'' | '"', text), Class::Stage) => {
            let stage = text.parse::<Stage>().map(|stage| Literal::Text(stage.to_string()));
            stage.map_err(|_| {
                source.fail(token.at, format_args!("unknown stage {}", shown(text))).with_hint(
                    format!("known stages: {}", Stage::ALL.map(Stage::as_str).join(", ")),
                )
            })
        }
        (Kind::Quoted('\'' | '"', text), Class::Digest) => {
            Ok(Literal::Text(text.to_ascii_lowercase()))
        }
        (Kind::Quoted('\'' | '"', text), Class::Id) => match Uuid::try_parse(text) {
            Ok(id) if matches!(text.len(), 32 | 36) => Ok(Literal::Text(id.simple().to_string())),
            _ => Err(is_not("an id of 32 hexadecimal digits or a UUID")),
        },
        (Kind::Quoted('\'' | '"', text), Class::Instant) => match iso_micros(text) {
            Some(micros) => Ok(instant(micros)),
            None => Err(is_not("an instant of 1970 to 9999 in ISO 8601")
                .with_hint("for example '2024-01-05' or '2024-01-05T12:00:00Z'")),
        },
        (Kind::Quoted('\'' | '"', _), Class::Number) => {
            Err(is_not("a number").with_hint("write the number without quotes"))
        }
        (Kind::Word(word), _) => Err(not_a_literal(source, token, word, class)),
        (Kind::Quoted(..), _) => Err(source
            .expected(class.wanted(), token)
            .with_hint("backticks quote keys; strings have single or double quotes")),
        _ => Err(source.expected(class.wanted(), token)),
    }
}

/// The pattern of `like` or `ilike`.
pub(super) fn pattern(
    source: Source<'_>,
    field: &Field,
    like: &Token<'_>,
    token: &Token<'_>,
) -> Result<String> {
    let class = Class::of(field);
    if matches!(class, Class::Number | Class::Instant) {
        let field = brief(&field.to_string());
        return Err(source.fail(like.at, format_args!("{field} is not text, which `like` needs")));
    }
    let Kind::Quoted('\'' | '"', text) = &token.kind else {
        return Err(source
            .expected("a quoted pattern", token)
            .with_hint("`%` is any text and `_` one character: 'resnet%'"));
    };
    if text.chars().nth(MAX_PATTERN).is_some() {
        return Err(source.fail(token.at, "the pattern is longer than 1024 characters"));
    }
    Ok(match class {
        // They are stored in lower case, and their case does not matter.
        Class::Status | Class::Id | Class::Digest => text.to_ascii_lowercase(),
        _ => text.to_string(),
    })
}

/// Refuses `<` and its like where they mean nothing.
pub(super) fn ordered(source: Source<'_>, field: &Field, operator: &Token<'_>) -> Result<()> {
    if matches!(field, Field::Attribute(Attribute::Status) | Field::Member(_)) {
        let problem = format_args!("{field} has no order, which {} needs", operator.shown());
        return Err(source.fail(operator.at, problem).with_hint("use `=`, `!=` or `in`"));
    }
    Ok(())
}

fn not_a_literal(source: Source<'_>, token: &Token<'_>, word: &str, class: Class) -> Error {
    let error = source.expected(class.wanted(), token);
    let lower = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
    match lower.as_str() {
        "null" => error.with_hint("write `is null` or `is not null`"),
        "nan" | "inf" | "infinity" => error.with_hint(
            "literals are finite; `> 1e308` finds infinity, and no comparison finds NaN",
        ),
        _ if class == Class::Number => error,
        _ => error.with_hint(format!("quote strings: '{}'", brief(word))),
    }
}

/// The literal of an instant. Beyond the year 2255 a double no longer holds each microsecond.
fn instant(micros: i64) -> Literal {
    Literal::Number((micros as f64).min(LAST_MICROS))
}

/// Microseconds since 1970 of an ISO 8601 text; UTC where it names no offset.
fn iso_micros(text: &str) -> Option<i64> {
    let naive = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let micros = if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        instant.timestamp_micros()
    } else {
        naive("%Y-%m-%dT%H:%M:%S%.f")
            .or_else(|| naive("%Y-%m-%dT%H:%M"))
            .or_else(|| {
                let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                Some(date.and_time(NaiveTime::MIN))
            })?
            .and_utc()
            .timestamp_micros()
    };
    (0..=MAX_MICROS).contains(&micros).then_some(micros)
}
