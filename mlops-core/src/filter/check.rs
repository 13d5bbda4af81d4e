//! What the words mean: the names of fields, and which literals a field may be compared with.
//!
//! Everything that can be wrong with a term is found here, while its position is known, so backends
//! get only terms that make sense. The non-obvious decision: literals are brought to the stored form
//! at once (an instant to microseconds, a status to lower case, an id to 32 hexadecimal digits), so
//! that no backend has a second opinion about what `'2024-01-05'` or `'FINISHED'` is.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use uuid::Uuid;

use super::lexer::{Kind, Source, Token, brief, shown};
use super::{Aggregate, Attribute, DatasetField, Field, Literal};
use crate::time::MAX_MICROS;
use crate::{Error, Result};

/// The longest pattern of `like`: matching costs up to pattern × text.
const MAX_PATTERN: usize = 1024;

/// The greatest double before the year 10000: [`MAX_MICROS`] would be rounded into it.
pub(super) const LAST_MICROS: f64 = (MAX_MICROS - 31) as f64;

/// Every name of every attribute; the canonical one first.
const ATTRIBUTES: [(Attribute, &[&str]); 10] = [
    (Attribute::Id, &["id", "run_id"]),
    (Attribute::Name, &["name", "run_name", "run name"]),
    (Attribute::Status, &["status"]),
    (Attribute::User, &["user", "user_id"]),
    (Attribute::Started, &["started", "start_time", "created", "creation_time"]),
    (Attribute::Ended, &["ended", "end_time"]),
    (Attribute::Duration, &["duration"]),
    (Attribute::Note, &["note"]),
    (Attribute::Parent, &["parent", "parent_id", "parent_run_id"]),
    (Attribute::Experiment, &["experiment", "experiment_id"]),
];

const AGGREGATES: [Aggregate; 4] =
    [Aggregate::Last, Aggregate::Min, Aggregate::Max, Aggregate::Count];

const DATASET_FIELDS: [DatasetField; 3] =
    [DatasetField::Name, DatasetField::Digest, DatasetField::Context];

const PREFIXES: [(Prefix, &[&str]); 5] = [
    (Prefix::Metric, &["metrics", "metric"]),
    (Prefix::Param, &["params", "param", "parameters", "parameter"]),
    (Prefix::Tag, &["tags", "tag"]),
    (Prefix::Attribute, &["attributes", "attribute", "attr", "run"]),
    (Prefix::Dataset, &["datasets", "dataset"]),
];

const STATUSES: [&str; 5] = ["running", "finished", "failed", "killed", "lost"];

#[derive(Debug, Clone, Copy)]
enum Prefix {
    Metric,
    Param,
    Tag,
    Attribute,
    Dataset,
}

/// What a field may be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Text,
    NumberOrText,
    Status,
    Id,
    Instant,
}

impl Class {
    fn of(field: &Field) -> Self {
        match field {
            Field::Metric(..) | Field::Attribute(Attribute::Duration) => Self::Number,
            Field::Param(_) => Self::NumberOrText,
            Field::Attribute(Attribute::Status) => Self::Status,
            Field::Attribute(Attribute::Id | Attribute::Parent | Attribute::Experiment) => Self::Id,
            Field::Attribute(Attribute::Started | Attribute::Ended) => Self::Instant,
            Field::Attribute(Attribute::Name | Attribute::User | Attribute::Note)
            | Field::Tag(_)
            | Field::Dataset(_) => Self::Text,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::NumberOrText => "a number or a quoted string",
            Self::Text | Self::Status | Self::Id => "a quoted string",
            Self::Instant => "an ISO 8601 string or milliseconds since 1970",
        }
    }
}

/// The name that is printed.
pub(super) fn attribute_name(attribute: Attribute) -> &'static str {
    ATTRIBUTES.iter().find(|(known, _)| *known == attribute).map_or("", |(_, names)| names[0])
}

/// The aggregate of that name.
pub(super) fn aggregate(name: &str) -> Option<Aggregate> {
    AGGREGATES.into_iter().find(|known| known.to_string().eq_ignore_ascii_case(name))
}

/// The field that a word or quoted name is.
pub(super) fn field(source: Source<'_>, token: &Token<'_>) -> Result<Field> {
    match &token.kind {
        Kind::Keyed(prefix, key) => keyed(source, token, prefix, key),
        Kind::Word(word) => match word.split_once('.') {
            Some((prefix, key)) => keyed(source, token, prefix, key),
            None => attribute(source, token, word),
        },
        Kind::Quoted('"' | '`', name) => attribute(source, token, name),
        Kind::Quoted(..) | Kind::Number(_) => Err(source
            .expected("a field", token)
            .with_hint("the field stands left of the comparison: `metrics.auc > 0.9`")),
        _ => Err(source.expected("a field", token)),
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
        // Both are stored in lower case, and their case does not matter.
        Class::Status | Class::Id => text.to_ascii_lowercase(),
        _ => text.to_string(),
    })
}

/// Refuses `<` and its like where they mean nothing.
pub(super) fn ordered(source: Source<'_>, field: &Field, operator: &Token<'_>) -> Result<()> {
    if Class::of(field) == Class::Status {
        let problem = format_args!("status has no order, which {} needs", operator.shown());
        return Err(source.fail(operator.at, problem).with_hint("use `=`, `!=` or `in`"));
    }
    Ok(())
}

fn keyed(source: Source<'_>, token: &Token<'_>, prefix: &str, key: &str) -> Result<Field> {
    let known =
        PREFIXES.iter().find(|(_, names)| names.iter().any(|n| n.eq_ignore_ascii_case(prefix)));
    let Some((known, _)) = known else {
        let error = source.fail(token.at, format_args!("unknown prefix {}", shown(prefix)));
        let names = PREFIXES.iter().flat_map(|(_, names)| names.iter().copied());
        return Err(error.with_hint(match nearest(prefix, names) {
            Some(near) => format!("did you mean `{near}.{}`?", brief(key)),
            None => "known prefixes: metrics, params, tags, attributes, datasets".to_owned(),
        }));
    };
    if key.is_empty() {
        return Err(source.fail(token.at, format_args!("{} has no key", shown(token.text))));
    }
    match known {
        Prefix::Metric => Ok(Field::Metric(Aggregate::Last, key.to_owned())),
        Prefix::Param => Ok(Field::Param(key.to_owned())),
        Prefix::Tag => Ok(Field::Tag(key.to_owned())),
        Prefix::Attribute => attribute(source, token, key),
        Prefix::Dataset => DATASET_FIELDS
            .into_iter()
            .find(|known| known.to_string().eq_ignore_ascii_case(key))
            .map(Field::Dataset)
            .ok_or_else(|| {
                source
                    .fail(token.at, format_args!("a dataset has no {}", shown(key)))
                    .with_hint("a dataset has name, digest and context")
            }),
    }
}

fn attribute(source: Source<'_>, token: &Token<'_>, name: &str) -> Result<Field> {
    let names = || ATTRIBUTES.iter().flat_map(|(_, names)| names.iter().copied());
    for (attribute, names) in &ATTRIBUTES {
        if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(Field::Attribute(*attribute));
        }
    }
    let error = source.fail(token.at, format_args!("unknown attribute {}", shown(name)));
    if let Some(near) = nearest(name, names()) {
        return Err(error.with_hint(format!("did you mean `{near}`?")));
    }
    let canonical: Vec<_> = ATTRIBUTES.iter().map(|(_, names)| names[0]).collect();
    Err(error.with_hint(format!(
        "known attributes: {}; others have a prefix: `metrics.`, `params.`, `tags.`, `datasets.`",
        canonical.join(", ")
    )))
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

/// The known name that `word` is a misspelling of: at most two edits, and not half of the word.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(32).collect();
    known
        .map(|name| (edits(&word, name), name))
        .filter(|(edits, _)| *edits <= 2 && edits * 2 < word.len())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn edits(word: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, wanted) in name.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, c) in word.iter().enumerate() {
            let cost = (diagonal + usize::from(*c != wanted)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[word.len()]
}
