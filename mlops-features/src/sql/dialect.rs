//! Where engines differ: how a name is quoted, and how an instant becomes a number.

use mlops_core::Result;

use super::bad;

/// Whose SQL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// DuckDB, from 1.4 on.
    DuckDb,
    /// PostgreSQL, from 14 on.
    Postgres,
    /// Spark, from 3.4 on.
    Spark,
}

/// PostgreSQL cuts longer names off, and then two may be one.
const POSTGRES_BYTES: usize = 63;

impl Dialect {
    /// Refuses what is no name.
    pub(super) fn check(self, name: &str) -> Result<()> {
        let why = if name.is_empty() {
            "a name is empty"
        } else if name.contains('\0') {
            "a name has a zero byte"
        } else if self == Self::Postgres && name.len() > POSTGRES_BYTES {
            "a name is longer than PostgreSQL's 63 bytes"
        } else {
            return Ok(());
        };
        Err(bad(why).with("name", name.escape_debug()))
    }

    /// A name as an identifier, whatever is in it.
    pub(super) fn name(self, name: &str) -> String {
        match self {
            Self::DuckDb | Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::Spark => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// A name of several parts.
    pub(super) fn path(self, parts: &[String]) -> String {
        parts.iter().map(|part| self.name(part)).collect::<Vec<_>>().join(".")
    }

    /// An instant as microseconds since 1970, exactly.
    pub(super) fn micros(self, instant: &str) -> String {
        match self {
            Self::DuckDb => format!("epoch_us({instant})"),
            Self::Postgres => format!("(extract(epoch FROM {instant}) * 1000000)"),
            Self::Spark => format!("unix_micros({instant})"),
        }
    }

    /// A struct of these fields.
    pub(super) fn pack(self, fields: &[(String, String)]) -> String {
        let field = |(name, value): &(String, String)| match self {
            Self::DuckDb | Self::Postgres => format!("{name} := {value}"),
            Self::Spark => format!("'{name}', {value}"),
        };
        let fields = fields.iter().map(field).collect::<Vec<_>>().join(", ");
        match self {
            Self::DuckDb | Self::Postgres => format!("struct_pack({fields})"),
            Self::Spark => format!("named_struct({fields})"),
        }
    }
}
