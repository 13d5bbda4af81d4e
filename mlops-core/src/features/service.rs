//! A feature service: the named, versioned set of features that a model uses.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::types::FeatureName;
use crate::{Error, Result};

/// The features that a model uses; its version is recorded with the model's.
///
/// ```
/// use mlops_core::features::{FeatureService, ViewUse};
///
/// let service = FeatureService::new("eta")?
///     .with(ViewUse::all("driver_stats")?)
///     .with(ViewUse::some("weather", ["wind", "rain"])?.aliased("origin")?.keyed("airport", "origin"));
/// assert_eq!(service.views[1].prefix().as_str(), "origin");
/// # Ok::<(), mlops_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FeatureService {
    /// Its name.
    pub name: FeatureName,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The views, in the order of the answer's columns.
    pub views: Vec<ViewUse>,
    /// Names of on-demand transforms, computed of the views' features and of the request, in this order;
    /// a later one may use what an earlier one made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_demand: Vec<FeatureName>,
    /// Whether each column is called `view__feature`. If not, two columns of one name are an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_names: bool,
}

/// A view as a service uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ViewUse {
    /// The view's name.
    pub view: FeatureName,
    /// Which of its features, in this order; all, if none are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureName>,
    /// What it is called here, so that one view can be used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<FeatureName>,
    /// Join key of the view → column of the rows that ask, where they are called otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
}

impl FeatureService {
    /// A service without views.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        Ok(Self {
            name: FeatureName::new(name)?,
            description: String::new(),
            owner: String::new(),
            tags: BTreeMap::new(),
            views: Vec::new(),
            on_demand: Vec::new(),
            full_names: false,
        })
    }

    /// Adds a view.
    pub fn with(mut self, view: ViewUse) -> Self {
        self.views.push(view);
        self
    }

    /// Adds an on-demand transform.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn with_on_demand(mut self, name: impl AsRef<str>) -> Result<Self> {
        self.on_demand.push(FeatureName::new(name)?);
        Ok(self)
    }

    /// Calls each column `view__feature`.
    pub fn with_full_names(mut self) -> Self {
        self.full_names = true;
        self
    }

    /// Says what it is for.
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Says who answers for it.
    pub fn owned_by(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }
}

impl ViewUse {
    /// All features of a view.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn all(view: impl AsRef<str>) -> Result<Self> {
        Self::some(view, [""; 0])
    }

    /// Some features of a view.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn some<F: AsRef<str>>(
        view: impl AsRef<str>,
        features: impl IntoIterator<Item = F>,
    ) -> Result<Self> {
        Ok(Self {
            view: FeatureName::new(view)?,
            features: features.into_iter().map(FeatureName::new).collect::<Result<_>>()?,
            alias: None,
            keys: BTreeMap::new(),
        })
    }

    /// Calls it otherwise here.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn aliased(mut self, alias: impl AsRef<str>) -> Result<Self> {
        self.alias = Some(FeatureName::new(alias)?);
        Ok(self)
    }

    /// Takes a join key of the view from this column of the rows that ask.
    pub fn keyed(mut self, join_key: impl Into<String>, column: impl Into<String>) -> Self {
        self.keys.insert(join_key.into(), column.into());
        self
    }

    /// What stands before `__` in full names: the alias, or the view's name.
    pub fn prefix(&self) -> &FeatureName {
        self.alias.as_ref().unwrap_or(&self.view)
    }
}

/// Names a service, `eta`, or one version of it, `eta@3`.
///
/// ```
/// use mlops_core::features::ServiceRef;
/// let pinned: ServiceRef = "eta@3".parse().unwrap();
/// assert_eq!((pinned.name.as_str(), pinned.version), ("eta", Some(3)));
/// assert_eq!(pinned.to_string(), "eta@3");
/// assert!("eta@0".parse::<ServiceRef>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceRef {
    /// The service.
    pub name: FeatureName,
    /// Which version; the last, if not said.
    pub version: Option<u32>,
}

impl ServiceRef {
    /// One version of a service.
    pub fn version(name: FeatureName, version: u32) -> Self {
        Self { name, version: Some(version) }
    }
}

impl From<FeatureName> for ServiceRef {
    fn from(name: FeatureName) -> Self {
        Self { name, version: None }
    }
}

impl fmt::Display for ServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for ServiceRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((name, version)) = text.split_once('@') else {
            return Ok(FeatureName::new(text)?.into());
        };
        let version = version.parse().ok().filter(|version| *version > 0).ok_or_else(|| {
            Error::invalid("features.service", "has a version that is no number from 1 on")
                .with("service", text.chars().take(120).collect::<String>().escape_debug())
                .with_hint("such as eta or eta@3")
        })?;
        Ok(Self { name: FeatureName::new(name)?, version: Some(version) })
    }
}

impl TryFrom<String> for ServiceRef {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ServiceRef> for String {
    fn from(service: ServiceRef) -> Self {
        service.to_string()
    }
}
