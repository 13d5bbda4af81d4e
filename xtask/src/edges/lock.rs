//! What must be in the lock file in one version only.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::Metadata;

/// One of these in two versions means that their types no longer fit, or (pyo3) do not link.
fn single(name: &str) -> bool {
    let families = ["arrow", "pyo3"];
    ["parquet", "object_store"].contains(&name)
        || families.iter().any(|family| {
            name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
}

/// One line for each crate that is there twice.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    versions(metadata)
        .into_iter()
        .filter(|(name, versions)| single(name) && versions.len() > 1)
        .map(|(name, versions)| {
            let versions: Vec<&str> = versions.into_iter().collect();
            format!("{name} is in Cargo.lock as {}: it must be one version", versions.join(" and "))
        })
        .collect()
}

/// The versions of each package.
pub(super) fn versions(metadata: &Metadata) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata.packages.values() {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_arrows_are_found_and_two_syns_are_not() {
        let metadata = Metadata::new(&json!({"packages": [
            {"id": "a", "name": "arrow-schema", "version": "59.3.2"},
            {"id": "b", "name": "arrow-schema", "version": "60.1.0"},
            {"id": "c", "name": "syn", "version": "2.0.0"},
            {"id": "d", "name": "syn", "version": "1.0.0"},
            {"id": "e", "name": "arrowhead", "version": "1.0.0"},
            {"id": "f", "name": "arrowhead", "version": "2.0.0"},
        ]}));
        let found = "arrow-schema is in Cargo.lock as 59.3.2 and 60.1.0: it must be one version";
        assert_eq!(check(&metadata), [found]);
    }
}
