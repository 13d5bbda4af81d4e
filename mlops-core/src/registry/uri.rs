//! How a version is named: by its number, an alias, a stage, or as the latest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::lineage::{Node, NodeKind};
use crate::{Alias, Error, ModelName, Result};

/// One version of one model, for ever; prints and parses as `churn/3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionId {
    /// The model.
    pub model: ModelName,
    /// The version's number: 1, 2, 3, …
    pub number: u64,
}

impl VersionId {
    /// Version `number` of `model`.
    pub fn new(model: ModelName, number: u64) -> Self {
        Self { model, number }
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.model, self.number)
    }
}

impl FromStr for VersionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid("version_id", "is not of the form model/number")
                .with("id", text.escape_debug())
                .with_hint("such as churn/3")
        };
        let (model, number) = text.rsplit_once('/').ok_or_else(invalid)?;
        let number = number_of(number).ok_or_else(invalid)?;
        Ok(Self { model: ModelName::new(model)?, number })
    }
}

impl TryFrom<String> for VersionId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<VersionId> for String {
    fn from(id: VersionId) -> Self {
        id.to_string()
    }
}

impl From<&VersionId> for Node {
    fn from(id: &VersionId) -> Self {
        Self::new(NodeKind::ModelVersion, id.to_string())
    }
}

impl From<&ModelName> for Node {
    fn from(name: &ModelName) -> Self {
        Self::new(NodeKind::Model, name.as_str())
    }
}

/// Which version of a model is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Selector {
    /// The one with this number.
    Number(u64),
    /// The one that the alias names.
    Alias(Alias),
    /// The one in this stage; of several the one that came there last.
    Stage(Stage),
    /// The one with the greatest number that is not in the trash.
    Latest,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "/{number}"),
            Self::Alias(alias) => write!(f, "@{alias}"),
            Self::Stage(stage) => write!(f, "/{stage}"),
            Self::Latest => f.write_str("/latest"),
        }
    }
}

/// A model and which of its versions, as it stands in configurations.
///
/// The scheme may be left out.
///
/// ```
/// use mlops_core::registry::{ModelUri, Selector, Stage};
///
/// let uri: ModelUri = "models:/churn@champion".parse().unwrap();
/// assert_eq!(uri.selector, Selector::Alias("champion".parse().unwrap()));
/// assert_eq!("churn/3".parse::<ModelUri>().unwrap().selector, Selector::Number(3));
/// assert_eq!(
///     "models:/churn/production".parse::<ModelUri>().unwrap().selector,
///     Selector::Stage(Stage::Production),
/// );
/// assert_eq!("models:/churn/latest".parse::<ModelUri>().unwrap().to_string(), "models:/churn/latest");
/// for bad in ["churn", "models:/churn/0", "models:/churn/../3", "models://churn/3", "runs:/a/3"] {
///     assert!(bad.parse::<ModelUri>().is_err(), "{bad}");
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelUri {
    /// The model.
    pub model: ModelName,
    /// Which of its versions.
    pub selector: Selector,
}

impl fmt::Display for ModelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "models:/{}{}", self.model, self.selector)
    }
}

impl From<VersionId> for ModelUri {
    fn from(id: VersionId) -> Self {
        Self { model: id.model, selector: Selector::Number(id.number) }
    }
}

impl FromStr for ModelUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |message: &'static str| {
            Error::invalid("model_uri", message)
                .with("uri", text.escape_debug())
                .with_hint("write models:/churn/3, models:/churn@champion, models:/churn/Production or models:/churn/latest")
        };
        let rest = text.strip_prefix("models:/").unwrap_or(text);
        if let Some((model, alias)) = rest.split_once('@') {
            let (model, alias) = (ModelName::new(model)?, Alias::new(alias)?);
            return Ok(Self { model, selector: Selector::Alias(alias) });
        }
        let (model, which) =
            rest.split_once('/').ok_or_else(|| invalid("does not say which version"))?;
        let selector = if which == "latest" {
            Selector::Latest
        } else if let Some(number) = number_of(which) {
            Selector::Number(number)
        } else if let Ok(stage) = which.parse() {
            Selector::Stage(stage)
        } else {
            return Err(invalid("names a version that is no number, stage or `latest`"));
        };
        Ok(Self { model: ModelName::new(model)?, selector })
    }
}

/// A version's number: 1 and up, in plain digits.
fn number_of(text: &str) -> Option<u64> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| plain && i64::try_from(*number).is_ok())
}
