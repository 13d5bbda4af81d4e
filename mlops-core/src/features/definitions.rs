//! What is defined: entities, views, on-demand transforms and services, as one document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::service::FeatureService;
use super::types::{FeatureName, FeatureType, KeyType};
use super::view::FeatureView;
use crate::{Error, Result, yaml};

/// What features are about: a driver, an airport, a flight on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entity {
    /// Its name.
    pub name: FeatureName,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The columns that tell one from another, in order.
    pub keys: Vec<JoinKey>,
}

/// One column of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct JoinKey {
    /// The column's name, in sources and in the rows that ask.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: KeyType,
}

/// Features that are computed when they are asked for, of other features and of the request.
///
/// The same code runs over a million training rows and over the one row of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OnDemand {
    /// Its name.
    pub name: FeatureName,
    /// What it computes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Columns that the rows that ask must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<RequestField>,
    /// What is computed. Expressions name columns of the answer and of the request.
    pub features: Vec<OnDemandFeature>,
}

/// A column that the rows that ask must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RequestField {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: FeatureType,
}

/// One feature of a transform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OnDemandFeature {
    /// Its name, and of its column in answers.
    pub name: FeatureName,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: FeatureType,
    /// A SQL scalar expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// A function of the program, by the name and version that it is registered under: `distance@1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The function's inputs: columns of the answer and of the request, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// What it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it tells something of a person, if that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pii: Option<bool>,
}

/// A set of definitions, as a file has them.
///
/// ```
/// use mlops_core::features::{Definitions, Span};
///
/// let definitions = Definitions::from_yaml("
/// entities:
///   - {name: driver, keys: [{name: driver_id, type: int}]}
/// views:
///   - name: driver_stats
///     entities: [driver]
///     ttl: 7d
///     features:
///       - {name: trips, type: int}
/// services:
///   - {name: eta, views: [{view: driver_stats}]}
/// ")?;
/// assert_eq!(definitions.views[0].ttl, Span::days(7));
/// assert_eq!(Definitions::from_yaml(&definitions.to_yaml())?, definitions);
///
/// let wrong = Definitions::from_yaml("views: [{name: a, featurs: []}]").unwrap_err();
/// assert!(wrong.to_string().contains("unknown field `featurs`"), "{wrong}");
/// # Ok::<(), mlops_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Definitions {
    /// What features are about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Entity>,
    /// Tables of features.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<FeatureView>,
    /// Transforms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_demand: Vec<OnDemand>,
    /// What models use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<FeatureService>,
}

impl Definitions {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entity.
    pub fn entity(mut self, entity: Entity) -> Self {
        self.entities.push(entity);
        self
    }

    /// Adds a view.
    pub fn view(mut self, view: FeatureView) -> Self {
        self.views.push(view);
        self
    }

    /// Adds a transform.
    pub fn on_demand(mut self, transform: OnDemand) -> Self {
        self.on_demand.push(transform);
        self
    }

    /// Adds a service.
    pub fn service(mut self, service: FeatureService) -> Self {
        self.services.push(service);
        self
    }

    /// Reads YAML, or JSON, which is YAML too.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong and where.
    pub fn from_yaml(text: &str) -> Result<Self> {
        let bad = |problem: String| {
            Error::invalid("features.definitions", "are not understood").with("problem", problem)
        };
        let value = yaml::read_document(text).map_err(|e| bad(e.to_string()))?;
        if value.is_null() {
            return Ok(Self::default());
        }
        if !value.is_object() {
            return Err(bad("no map of entities, views, on_demand and services".to_owned()));
        }
        // One definition at a time, so that a mistake is said with the name of what it is in.
        if let Value::Object(map) = &value {
            for (list, items) in map {
                for item in items.as_array().into_iter().flatten() {
                    let read = match list.as_str() {
                        "entities" => Entity::deserialize(item).err(),
                        "views" => FeatureView::deserialize(item).err(),
                        "on_demand" => OnDemand::deserialize(item).err(),
                        "services" => FeatureService::deserialize(item).err(),
                        _ => None,
                    };
                    if let Some(problem) = read {
                        let name = item.get("name").and_then(Value::as_str).unwrap_or("?");
                        return Err(bad(format!("{list}, {name:?}: {problem}")));
                    }
                }
            }
        }
        Self::deserialize(value).map_err(|e| bad(e.to_string()))
    }

    /// As YAML.
    pub fn to_yaml(&self) -> String {
        yaml::write_in_order(&serde_json::to_value(self).unwrap_or_default(), &["name"])
    }
}

impl Entity {
    /// An entity with one key column of its own name and `_id`: `driver` → `driver_id`.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn new(name: impl AsRef<str>, data_type: KeyType) -> Result<Self> {
        let name = FeatureName::new(name)?;
        let key = JoinKey::new(format!("{name}_id"), data_type);
        Ok(Self { keys: vec![key], ..Self::with_keys(name, [])? })
    }

    /// An entity with these key columns.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn with_keys(
        name: impl AsRef<str>,
        keys: impl IntoIterator<Item = JoinKey>,
    ) -> Result<Self> {
        Ok(Self {
            name: FeatureName::new(name)?,
            description: String::new(),
            owner: String::new(),
            tags: BTreeMap::new(),
            keys: keys.into_iter().collect(),
        })
    }

    /// Says what it is.
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

impl JoinKey {
    /// A column of a key.
    pub fn new(name: impl Into<String>, data_type: KeyType) -> Self {
        Self { name: name.into(), data_type }
    }
}

impl OnDemand {
    /// A transform without features.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        Ok(Self {
            name: FeatureName::new(name)?,
            description: String::new(),
            owner: String::new(),
            tags: BTreeMap::new(),
            request: Vec::new(),
            features: Vec::new(),
        })
    }

    /// Adds a column that the rows that ask must have.
    pub fn request(mut self, name: impl Into<String>, data_type: FeatureType) -> Self {
        self.request.push(RequestField { name: name.into(), data_type });
        self
    }

    /// Adds a feature that is a SQL scalar expression.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn expr(
        mut self,
        name: impl AsRef<str>,
        data_type: FeatureType,
        expr: impl Into<String>,
    ) -> Result<Self> {
        let feature = OnDemandFeature::new(name, data_type)?;
        self.features.push(OnDemandFeature { expr: Some(expr.into()), ..feature });
        Ok(self)
    }

    /// Adds a feature that is a function of the program: `distance@1` of these columns.
    ///
    /// # Errors
    /// `Invalid` for what is no name.
    pub fn function<I: Into<String>>(
        mut self,
        name: impl AsRef<str>,
        data_type: FeatureType,
        function: impl Into<String>,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<Self> {
        let feature = OnDemandFeature::new(name, data_type)?;
        let inputs = inputs.into_iter().map(Into::into).collect();
        self.features.push(OnDemandFeature { function: Some(function.into()), inputs, ..feature });
        Ok(self)
    }
}

impl OnDemandFeature {
    fn new(name: impl AsRef<str>, data_type: FeatureType) -> Result<Self> {
        Ok(Self {
            name: FeatureName::new(name)?,
            data_type,
            expr: None,
            function: None,
            inputs: Vec::new(),
            description: String::new(),
            pii: None,
        })
    }
}
