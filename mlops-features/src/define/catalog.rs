//! Reading definitions from the catalog, and writing them.

use std::collections::BTreeMap;

use mlops_core::features::{Entity, FeatureName, OnDemand, Registered, ServiceRecord, ViewRecord};
use mlops_core::registry::{Catalog, Document, PutDocument};
use mlops_core::tracking::Digest;
use mlops_core::{Error, Key, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::digest::base_digest;
use super::policy::Policy;

pub(super) const ENTITY: &str = "feature_entity";
pub(super) const VIEW: &str = "feature_view";
pub(super) const ON_DEMAND: &str = "feature_on_demand";
pub(super) const SERVICE: &str = "feature_service";
const POLICY: &str = "feature_policy";
const POLICY_NAME: &str = "default";

/// All that is defined, with what is needed to change it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loaded {
    /// All that is defined.
    pub(crate) registered: Registered,
    /// The version of each document, by kind and name.
    pub(crate) versions: BTreeMap<(&'static str, FeatureName), u64>,
    /// What definitions must say of themselves, if that is set.
    pub(crate) policy: Option<Policy>,
}

impl Loaded {
    /// Digest of all that is defined.
    pub(crate) fn base(&self) -> Digest {
        base_digest(&self.registered, self.policy.as_ref())
    }
}

/// Reads all that is defined.
///
/// # Errors
/// `Corrupt` for a document that does not say what its kind should.
pub(crate) async fn load(catalog: &dyn Catalog) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    let versions = &mut loaded.versions;
    let registered = &mut loaded.registered;
    // Services first: what they name was stored before them, so that it is there when it is read after.
    registered.services = read_all(catalog, SERVICE, versions).await?;
    registered.on_demand = read_all(catalog, ON_DEMAND, versions).await?;
    registered.views = read_all(catalog, VIEW, versions).await?;
    registered.entities = read_all(catalog, ENTITY, versions).await?;
    loaded.policy = match catalog.document(&Key::new(POLICY)?, &Key::new(POLICY_NAME)?).await? {
        Some(Document { body: Some(body), .. }) => Some(read(POLICY, POLICY_NAME, body)?),
        _ => None,
    };
    Ok(loaded)
}

/// Stores what every definition must say of itself.
pub(crate) async fn set_policy(catalog: &dyn Catalog, policy: &Policy) -> Result<()> {
    let body = super::apply::body(policy)?;
    let change = PutDocument::new(Key::new(POLICY)?, Key::new(POLICY_NAME)?, body);
    catalog.put_document(change).await.map(drop)
}

/// Stores one document of which this version was seen, or none.
///
/// # Errors
/// `Conflict` if it was changed since.
pub(super) async fn put(
    catalog: &dyn Catalog,
    kind: &'static str,
    name: &FeatureName,
    body: Value,
    seen: Option<u64>,
) -> Result<()> {
    let (kind, name) = (Key::new(kind)?, Key::new(name)?);
    let seen = match seen {
        Some(version) => version,
        // Somebody may have deleted it: what is not there can have a last version all the same.
        None => catalog.document_history(&kind, &name).await?.last().map_or(0, |last| last.version),
    };
    catalog.put_document(PutDocument::new(kind, name, body).expecting(seen)).await.map(drop)
}

/// What a document of one kind must be, beside being read.
trait Kept: DeserializeOwned {
    /// The name and, of what has versions, their names and numbers.
    fn kept(&self) -> (Option<&FeatureName>, Vec<(&FeatureName, u32)>);
}

impl Kept for Entity {
    fn kept(&self) -> (Option<&FeatureName>, Vec<(&FeatureName, u32)>) {
        (Some(&self.name), Vec::new())
    }
}

impl Kept for OnDemand {
    fn kept(&self) -> (Option<&FeatureName>, Vec<(&FeatureName, u32)>) {
        (Some(&self.name), Vec::new())
    }
}

impl Kept for ViewRecord {
    fn kept(&self) -> (Option<&FeatureName>, Vec<(&FeatureName, u32)>) {
        (None, self.versions.iter().map(|v| (&v.definition.name, v.version)).collect())
    }
}

impl Kept for ServiceRecord {
    fn kept(&self) -> (Option<&FeatureName>, Vec<(&FeatureName, u32)>) {
        (None, self.versions.iter().map(|v| (&v.definition.name, v.version)).collect())
    }
}

async fn read_all<T: Kept>(
    catalog: &dyn Catalog,
    kind: &'static str,
    versions: &mut BTreeMap<(&'static str, FeatureName), u64>,
) -> Result<BTreeMap<FeatureName, T>> {
    let mut all = BTreeMap::new();
    for document in catalog.documents(&Key::new(kind)?).await? {
        let Some(body) = document.body else { continue };
        let bad = |problem: &str| corrupt(kind, &document.name).with("problem", problem);
        let name = FeatureName::new(&document.name).map_err(|_| bad("its name is none"))?;
        let read: T = read(kind, &name, body)?;
        match read.kept() {
            (Some(own), _) if *own == name => {}
            (None, kept) if kept.is_empty() => return Err(bad("it has no version")),
            (None, kept) => {
                if kept.iter().zip(1..).any(|((own, version), n)| **own != name || *version != n) {
                    return Err(bad("its versions are not 1, 2, 3, … of that name"));
                }
            }
            _ => return Err(bad("it is about another name")),
        }
        versions.insert((kind, name.clone()), document.version);
        all.insert(name, read);
    }
    Ok(all)
}

fn read<T: DeserializeOwned>(kind: &'static str, name: &str, body: Value) -> Result<T> {
    T::deserialize(body).map_err(|e| corrupt(kind, name).with("problem", &e).with_source(e))
}

fn corrupt(kind: &'static str, name: &str) -> Error {
    Error::corrupt("features.load", "a document does not say what its kind should")
        .with("document", format!("{kind}/{name}"))
        .with_hint("the catalog's history of the document has what it was before")
}
