//! What the words left of a comparison mean, to each subject.
//!
//! The non-obvious decision: a subject has its own table of names, and what is printed is the same
//! for all. So `created` of a version and `started` of a run are one [`Attribute`], which a backend
//! has one column for, and `run_id` is a run's own id but the source of a version. Each table has the
//! canonical name among the others, so what is printed is understood; the first name of a row is the
//! one that hints show.

use super::lexer::{Kind, Source, Token, brief, shown};
use super::{Aggregate, Attribute, DatasetField, Field, Member, Subject};
use crate::{Error, Result};

const RUN: &[(Plain, &[&str])] = &[
    (Plain::Attribute(Attribute::Id), &["id", "run_id"]),
    (Plain::Attribute(Attribute::Name), &["name", "run_name", "run name"]),
    (Plain::Attribute(Attribute::Status), &["status"]),
    (Plain::Attribute(Attribute::User), &["user", "user_id"]),
    (Plain::Attribute(Attribute::Started), &["started", "start_time", "created", "creation_time"]),
    (Plain::Attribute(Attribute::Ended), &["ended", "end_time"]),
    (Plain::Attribute(Attribute::Duration), &["duration"]),
    (Plain::Attribute(Attribute::Note), &["note"]),
    (Plain::Attribute(Attribute::Parent), &["parent", "parent_id", "parent_run_id"]),
    (Plain::Attribute(Attribute::Experiment), &["experiment", "experiment_id"]),
];

const MODEL: &[(Plain, &[&str])] = &[
    (Plain::Attribute(Attribute::Name), &["name"]),
    (Plain::Attribute(Attribute::Started), CREATED),
    // MLflow's `order_by` of models has it as `timestamp`.
    (
        Plain::Attribute(Attribute::Updated),
        &["updated", "last_updated_timestamp", "last_updated_time", "timestamp"],
    ),
    (Plain::Attribute(Attribute::Note), &["note", "description"]),
    (Plain::Member(Member::Alias), ALIAS),
    (Plain::Member(Member::Stage), STAGE),
];

const VERSION: &[(Plain, &[&str])] = &[
    (Plain::Attribute(Attribute::Name), &["name", "model", "model_name"]),
    (Plain::Attribute(Attribute::Version), &["version", "version_number"]),
    (Plain::Attribute(Attribute::SourceRun), &["run_id", "source_run", "run"]),
    (Plain::Attribute(Attribute::User), &["user", "user_id", "author"]),
    (Plain::Attribute(Attribute::Started), CREATED),
    (
        Plain::Attribute(Attribute::Updated),
        &["updated", "last_updated_timestamp", "last_updated_time"],
    ),
    (Plain::Attribute(Attribute::Note), &["note", "description"]),
    (Plain::Attribute(Attribute::Digest), &["digest"]),
    (Plain::Member(Member::Alias), ALIAS),
    (Plain::Member(Member::Stage), STAGE),
];

const CREATED: &[&str] = &["created", "creation_timestamp", "creation_time", "started"];
const ALIAS: &[&str] = &["alias", "aliases"];
const STAGE: &[&str] = &["stage", "current_stage"];

const PREFIXES: [(Prefix, &[&str]); 5] = [
    (Prefix::Metric, &["metrics", "metric"]),
    (Prefix::Param, &["params", "param", "parameters", "parameter"]),
    (Prefix::Tag, &["tags", "tag"]),
    (Prefix::Attribute, &["attributes", "attribute", "attr", OF_RUN]),
    (Prefix::Dataset, &["datasets", "dataset"]),
];

/// The prefix that only runs have: `run.name` of a version would be taken for the name of its run.
const OF_RUN: &str = "run";

const AGGREGATES: [Aggregate; 4] =
    [Aggregate::Last, Aggregate::Min, Aggregate::Max, Aggregate::Count];

const DATASET_FIELDS: [DatasetField; 3] =
    [DatasetField::Name, DatasetField::Digest, DatasetField::Context];

/// A field whose name has no prefix.
#[derive(Debug, Clone, Copy)]
enum Plain {
    Attribute(Attribute),
    Member(Member),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Metric,
    Param,
    Tag,
    Attribute,
    Dataset,
}

impl Subject {
    /// The word for one of them in errors.
    fn noun(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Model => "model",
            Self::Version => "version",
        }
    }

    /// Every name of every field without a prefix.
    fn names(self) -> &'static [(Plain, &'static [&'static str])] {
        match self {
            Self::Run => RUN,
            Self::Model => MODEL,
            Self::Version => VERSION,
        }
    }

    fn has(self, prefix: Prefix) -> bool {
        self != Self::Model || matches!(prefix, Prefix::Tag | Prefix::Attribute)
    }

    /// The prefixes that it has; their first names are the ones to show.
    fn prefixes(self) -> impl Iterator<Item = (Prefix, &'static [&'static str])> {
        PREFIXES.into_iter().filter(move |(prefix, _)| self.has(*prefix))
    }
}

/// The name that is printed, which every subject that has the attribute knows.
pub(super) fn canonical(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::Id => "id",
        Attribute::Name => "name",
        Attribute::Status => "status",
        Attribute::User => "user",
        Attribute::Started => "started",
        Attribute::Ended => "ended",
        Attribute::Duration => "duration",
        Attribute::Note => "note",
        Attribute::Parent => "parent",
        Attribute::Experiment => "experiment",
        Attribute::Version => "version",
        Attribute::SourceRun => "run_id",
        Attribute::Digest => "digest",
        Attribute::Updated => "updated",
    }
}

/// The aggregate that `token`, the word before a parenthesis, is.
pub(super) fn aggregate(
    source: Source<'_>,
    subject: Subject,
    token: &Token<'_>,
) -> Result<Aggregate> {
    let Some(aggregate) = AGGREGATES.into_iter().find(|known| token.is(&known.to_string())) else {
        let error = source.fail(token.at, format_args!("unknown aggregate {}", token.shown()));
        return Err(error.with_hint(match subject {
            Subject::Run => "known aggregates: last, min, max, count",
            Subject::Model => "a model has no metrics",
            Subject::Version => "known aggregates: last",
        }));
    };
    match subject {
        Subject::Model => Err(none(source, subject, token, "metrics")),
        Subject::Version if aggregate != Aggregate::Last => {
            let problem =
                format_args!("a version has no {aggregate} of a metric, only its last value");
            Err(source
                .fail(token.at, problem)
                .with_hint("write `metrics.loss`; its run has the history: search runs"))
        }
        _ => Ok(aggregate),
    }
}

/// The field that a word or quoted name is.
pub(super) fn field(source: Source<'_>, subject: Subject, token: &Token<'_>) -> Result<Field> {
    match &token.kind {
        Kind::Keyed(prefix, key) => keyed(source, subject, token, prefix, key),
        Kind::Word(word) => match word.split_once('.') {
            Some((prefix, key)) => keyed(source, subject, token, prefix, key),
            None => plain(source, subject, token, word),
        },
        Kind::Quoted('"' | '`', name) => plain(source, subject, token, name),
        Kind::Quoted(..) | Kind::Number(_) => Err(source
            .expected("a field", token)
            .with_hint("the field stands left of the comparison: `metrics.auc > 0.9`")),
        _ => Err(source.expected("a field", token)),
    }
}

/// Refuses to order by what a record may have several of.
pub(super) fn orders(
    source: Source<'_>,
    subject: Subject,
    field: &Field,
    token: &Token<'_>,
) -> Result<()> {
    let hint = match field {
        Field::Dataset(_) => format!("a {} may have several datasets", subject.noun()),
        Field::Member(Member::Alias) => format!("a {} may have several aliases", subject.noun()),
        Field::Member(Member::Stage) => "stages have no order".to_owned(),
        _ => return Ok(()),
    };
    Err(source.fail(token.at, format_args!("{field} gives no order")).with_hint(hint))
}

fn keyed(
    source: Source<'_>,
    subject: Subject,
    token: &Token<'_>,
    prefix: &str,
    key: &str,
) -> Result<Field> {
    let usable = |name: &&str| *name != OF_RUN || subject == Subject::Run;
    let known = PREFIXES.iter().find(|(_, names)| {
        names.iter().filter(|name| usable(name)).any(|name| name.eq_ignore_ascii_case(prefix))
    });
    let Some((known, names)) = known else {
        let error = source.fail(token.at, format_args!("unknown prefix {}", shown(prefix)));
        let names = subject.prefixes().flat_map(|(_, names)| names.iter().copied()).filter(usable);
        if let Some(near) = nearest(prefix, names) {
            return Err(error.with_hint(format!("did you mean `{near}.{}`?", brief(key))));
        }
        let names: Vec<_> = subject.prefixes().map(|(_, names)| names[0]).collect();
        return Err(error.with_hint(format!("known prefixes: {}", names.join(", "))));
    };
    if !subject.has(*known) {
        return Err(none(source, subject, token, names[0]));
    }
    if key.is_empty() {
        return Err(source.fail(token.at, format_args!("{} has no key", shown(token.text))));
    }
    match known {
        Prefix::Metric => Ok(Field::Metric(Aggregate::Last, key.to_owned())),
        Prefix::Param => Ok(Field::Param(key.to_owned())),
        Prefix::Tag => Ok(Field::Tag(key.to_owned())),
        Prefix::Attribute => plain(source, subject, token, key),
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

fn plain(source: Source<'_>, subject: Subject, token: &Token<'_>, name: &str) -> Result<Field> {
    for (known, names) in subject.names() {
        if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(match known {
                Plain::Attribute(attribute) => Field::Attribute(*attribute),
                Plain::Member(member) => Field::Member(*member),
            });
        }
    }
    let error = source.fail(token.at, format_args!("unknown attribute {}", shown(name)));
    let names = subject.names().iter().flat_map(|(_, names)| names.iter().copied());
    if let Some(near) = nearest(name, names) {
        return Err(error.with_hint(format!("did you mean `{near}`?")));
    }
    let names: Vec<_> = subject.names().iter().map(|(_, names)| names[0]).collect();
    let prefixes: Vec<_> = subject
        .prefixes()
        .filter(|(prefix, _)| *prefix != Prefix::Attribute)
        .map(|(_, names)| format!("`{}.`", names[0]))
        .collect();
    Err(error.with_hint(format!(
        "known attributes: {}; others have a prefix: {}",
        names.join(", "),
        prefixes.join(", ")
    )))
}

/// An error that a model has none of what its versions have.
fn none(source: Source<'_>, subject: Subject, token: &Token<'_>, what: &str) -> Error {
    source
        .fail(token.at, format_args!("a {} has no {what}", subject.noun()))
        .with_hint("its versions have them: search model versions")
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
