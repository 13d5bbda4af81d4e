//! What is wrong with data, or with another signature, as a list for people and for programs.

use std::collections::HashMap;
use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};

use super::{Column, ColumnType, nulls};
use crate::{Error, Result};

/// Most lines that an error message repeats; the check itself has them all.
const MAX_LINES: usize = 20;

/// Which side of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureSide {
    /// What the model takes.
    Input,
    /// What the model gives.
    Output,
}

/// One column that is not as the signature has it.
///
/// `Display` is one line: `input column "dep_hour": expected int64, found utf8`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Whether the model takes or gives the column.
    pub side: SignatureSide,
    /// Its name.
    pub column: String,
    /// What is different.
    #[serde(flatten)]
    pub kind: MismatchKind,
}

/// What is different about a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum MismatchKind {
    /// It is not there.
    Missing {
        /// The type that it should have.
        expected: ColumnType,
        /// Whether that is accepted: a nullable input, which then counts as null.
        optional: bool,
    },
    /// It is of another type.
    WrongType {
        /// The type in the signature.
        expected: ColumnType,
        /// The type that was found; as text, for it may be one that no signature can hold.
        found: String,
        /// Whether a cast from `found` to `expected` loses nothing: [`ColumnType::widens_into`].
        widens: bool,
    },
    /// It has nulls, or may have some, where the signature has none.
    Null {
        /// Where in the column: empty for its values, `[]` for the items of a list, `.name` for a
        /// field of a struct, and so on inwards: `[].name`.
        part: String,
        /// How many there are; `None` if only the schema is known, which allows them.
        count: Option<u64>,
    },
    /// Several columns have this name, so that none can be chosen.
    Duplicate {
        /// How many.
        count: usize,
    },
    /// The signature has no such column.
    Extra,
}

/// The answer of a check: what is wrong, and what is merely worth knowing.
///
/// `Display` is one line each, faults first, in the order of the signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureCheck {
    /// What must be corrected.
    pub faults: Vec<Mismatch>,
    /// What is accepted: extra columns, missing nullable inputs, inputs that must be widened.
    pub notes: Vec<Mismatch>,
}

impl SignatureCheck {
    /// Whether there is no fault.
    pub fn is_ok(&self) -> bool {
        self.faults.is_empty()
    }

    /// The notes, if there is no fault.
    ///
    /// # Errors
    /// `Invalid` in `operation`, with the first twenty faults in its message.
    pub fn into_result(self, operation: &'static str) -> Result<Vec<Mismatch>> {
        if self.is_ok() {
            return Ok(self.notes);
        }
        let mut lines: Vec<_> =
            self.faults.iter().take(MAX_LINES).map(ToString::to_string).collect();
        if self.faults.len() > MAX_LINES {
            lines.push(format!("and {} more", self.faults.len() - MAX_LINES));
        }
        let message = format!("data does not fit the signature: {}", lines.join("; "));
        Err(Error::invalid(operation, message))
    }
}

impl fmt::Display for SignatureCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.faults.iter().try_for_each(|fault| writeln!(f, "{fault}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

impl SignatureSide {
    /// The side as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

impl fmt::Display for SignatureSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} column {:?}: {}", self.side, self.column, self.kind)
    }
}

impl fmt::Display for MismatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { expected, optional } => {
                let then = if *optional { ", which counts as null" } else { "" };
                write!(f, "expected {expected}, found no such column{then}")
            }
            Self::WrongType { expected, found, widens } => {
                let then = if *widens { ", which widens without loss" } else { "" };
                write!(f, "expected {expected}, found {found}{then}")
            }
            Self::Null { part, count } => {
                f.write_str("expected no nulls")?;
                if !part.is_empty() {
                    write!(f, " in {part}")?;
                }
                match count {
                    Some(count) => write!(f, ", found {count}"),
                    None => f.write_str(", found it nullable"),
                }
            }
            Self::Duplicate { count } => write!(f, "expected once, found {count} times"),
            Self::Extra => f.write_str("is not in the signature"),
        }
    }
}

/// Checks `given` against `expected`, with the nullability that the schema declares.
pub(super) fn by_flag(side: SignatureSide, expected: &[Column], given: &Schema) -> SignatureCheck {
    compare(side, expected, given, |column, at| {
        let field = given.field(at);
        nulls::allowed(column, field)
    })
}

/// Checks `given` against `expected`, with the nulls that are in it.
pub(super) fn by_count(
    side: SignatureSide,
    expected: &[Column],
    given: &RecordBatch,
) -> SignatureCheck {
    compare(side, expected, given.schema_ref(), |column, at| {
        nulls::counted(column, given.column(at))
    })
}

/// `nulls` says where the given column at an index has nulls that the expected one has not; it is
/// asked only where the types fit.
fn compare(
    side: SignatureSide,
    expected: &[Column],
    given: &Schema,
    nulls: impl Fn(&Column, usize) -> Vec<(String, Option<u64>)>,
) -> SignatureCheck {
    let mut by_name: HashMap<&str, (usize, usize)> = HashMap::with_capacity(given.fields().len());
    for (at, field) in given.fields().iter().enumerate() {
        by_name.entry(field.name()).or_insert((at, 0)).1 += 1;
    }
    let mut check = SignatureCheck::default();
    for column in expected {
        let mismatch = |kind| Mismatch { side, column: column.name.to_string(), kind };
        let at = match by_name.remove(column.name.as_str()) {
            Some((at, 1)) => at,
            Some((_, count)) => {
                check.faults.push(mismatch(MismatchKind::Duplicate { count }));
                continue;
            }
            None => {
                let optional = column.nullable && side == SignatureSide::Input;
                let expected = column.data_type.clone();
                let missing = mismatch(MismatchKind::Missing { expected, optional });
                if optional { &mut check.notes } else { &mut check.faults }.push(missing);
                continue;
            }
        };
        if let Some((found, widens)) = other_type(column, given.field(at).data_type()) {
            let expected = column.data_type.clone();
            let accepted = widens && side == SignatureSide::Input;
            let wrong = mismatch(MismatchKind::WrongType { expected, found, widens });
            if accepted { &mut check.notes } else { &mut check.faults }.push(wrong);
            if !accepted {
                continue;
            }
        }
        let nulls = nulls(column, at).into_iter();
        check
            .faults
            .extend(nulls.map(|(part, count)| mismatch(MismatchKind::Null { part, count })));
    }
    for field in given.fields() {
        if by_name.remove(field.name().as_str()).is_some() {
            let column = field.name().clone();
            check.notes.push(Mismatch { side, column, kind: MismatchKind::Extra });
        }
    }
    check
}

/// The type that was found if it is not that of `column`, and whether it widens into it.
fn other_type(column: &Column, found: &arrow::datatypes::DataType) -> Option<(String, bool)> {
    match ColumnType::from_arrow(found) {
        Err(_) => Some((found.to_string(), false)),
        Ok(found) if found.same(&column.data_type) => None,
        Ok(found) => Some((found.to_string(), found.widens_into(&column.data_type))),
    }
}
