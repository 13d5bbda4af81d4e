//! The parsed expression: a value that is stored, printed and compared by its text.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::Schema;
use mlops_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ast::{Kind, Node};
use crate::bind::bind;
use crate::bound::Bound;
use crate::parameters::Parameters;
use crate::parse::parse;

/// A SQL scalar expression, parsed but not yet bound to columns.
///
/// Its `Display` is canonical: two texts that differ only in blanks, capitals of keywords and
/// needless parentheses are one expression. It is serialized as that text.
///
/// ```
/// use mlops_expr::Expr;
///
/// let expr: Expr = "shipped_at >= created_at and (state <> 'CA' or zip like '9%')".parse()?;
/// assert_eq!(
///     expr.to_string(),
///     "shipped_at >= created_at AND (state <> 'CA' OR zip LIKE '9%')",
/// );
/// assert_eq!(expr.columns(), ["shipped_at", "created_at", "state", "zip"]);
/// # Ok::<(), mlops_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Expr(Arc<Inner>);

struct Inner {
    /// As it was written, for the positions in errors.
    text: Box<str>,
    canonical: Box<str>,
    root: Node,
}

impl Expr {
    /// The names of its columns in order of appearance; of a struct's field the struct's name.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.0.root.walk(&mut |node| {
            if let Kind::Column(path) = &node.kind
                && !names.contains(&path[0].as_str())
            {
                names.push(&path[0]);
            }
        });
        names
    }

    /// The names of its `:name` placeholders in order of appearance.
    pub fn parameters(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.0.root.walk(&mut |node| {
            if let Kind::Parameter(name) = &node.kind
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        });
        names
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.0.text
    }

    /// The expression over the columns of a schema, with values for its parameters.
    ///
    /// Parameters that it does not name are ignored, so that one set serves many expressions.
    ///
    /// ```
    /// use mlops_core::arrow::datatypes::{DataType, Field, Schema};
    /// use mlops_expr::{Expr, Parameters};
    ///
    /// let schema = Schema::new(vec![
    ///     Field::new("state", DataType::Utf8, true),
    ///     Field::new("total", DataType::Int64, true),
    /// ]);
    /// let expr: Expr = "total > 5 AND stat = 'CA'".parse()?;
    /// assert_eq!(
    ///     expr.bind(&schema, &Parameters::new()).unwrap_err().to_string(),
    ///     "expression: invalid: no column `stat` at 1:15: total > 5 AND ^stat = 'CA' \
    ///      (position: 1:15); hint: did you mean `state`?",
    /// );
    /// # Ok::<(), mlops_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid`, with the position: a column or parameter that is not there, types that do not go
    /// together, a pattern that is not understood.
    pub fn bind(&self, schema: &Schema, parameters: &Parameters) -> Result<Bound> {
        let node = bind(&self.0.text, &self.0.root, schema, parameters)?;
        Ok(Bound::new(node, schema, self.clone()))
    }
}

impl FromStr for Expr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let root = parse(text)?;
        let canonical = root.to_string().into();
        Ok(Self(Arc::new(Inner { text: text.into(), canonical, root })))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.canonical)
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.0.canonical).finish()
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.0.canonical == other.0.canonical
    }
}

impl Eq for Expr {}

impl std::hash::Hash for Expr {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.canonical.hash(state);
    }
}

impl Serialize for Expr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
