//! Versions are written once, in `[workspace.dependencies]`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::Found;
use crate::project::Project;

/// What says where a package comes from, and so belongs in the workspace's table.
const PLACES: [&str; 7] = ["version", "git", "path", "registry", "branch", "tag", "rev"];

/// One line for each dependency with a version of its own.
pub(super) fn check(project: &Project) -> Result<Found, String> {
    let root = parse(&project.root.join("Cargo.toml"))?;
    let mut used = BTreeSet::new();
    let mut findings = Vec::new();
    for package in project.metadata.members() {
        let manifest = parse(&package.manifest)?;
        let name = project.relative(&package.manifest).display().to_string();
        findings.extend(member(&name, &manifest, &mut used));
    }
    let table = root
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(Value::as_table)
        .ok_or("Cargo.toml has no [workspace.dependencies]")?;
    findings.extend(workspace(table));
    let unused: Vec<&str> =
        table.keys().map(String::as_str).filter(|name| !used.contains(*name)).collect();
    let notes = if unused.is_empty() {
        Vec::new()
    } else {
        vec![format!("in [workspace.dependencies], used by none: {}", unused.join(", "))]
    };
    Ok(Found { findings, notes })
}

fn parse(path: &Path) -> Result<Table, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", path.display()))
}

/// The dependencies of a member's manifest that do not say `workspace = true`, or say more.
fn member(manifest: &str, table: &Table, used: &mut BTreeSet<String>) -> Vec<String> {
    let targets = table.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut findings = Vec::new();
    for table in tables.chain([table]) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(kind).and_then(Value::as_table) else {
                continue;
            };
            for (name, value) in dependencies {
                let inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
                if inherited && !PLACES.iter().any(|key| value.get(key).is_some()) {
                    used.insert(name.clone());
                } else {
                    findings.push(format!(
                        "{manifest}: {name} in [{kind}] has a version or place of its own: write it \
                         in [workspace.dependencies], and here `workspace = true`"
                    ));
                }
            }
        }
    }
    findings
}

/// The entries that do not say which version, and are not a folder of this workspace.
fn workspace(table: &Table) -> Vec<String> {
    let version = |value: &Value| value.is_str() || value.get("version").is_some();
    table
        .iter()
        .filter(|(_, value)| !version(value) && value.get("path").is_none())
        .map(|(name, _)| format!("Cargo.toml: {name} in [workspace.dependencies] has no version"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_a_member_is_found_in_every_table() {
        let manifest = r#"
            [dependencies]
            good.workspace = true
            alone = "1"
            [target.'cfg(unix)'.dev-dependencies]
            folder = { path = "../folder" }
            both = { workspace = true, features = ["x"] }
        "#;
        let mut used = BTreeSet::new();
        let table = manifest.parse().expect("toml");
        let found = member("m/Cargo.toml", &table, &mut used);
        assert_eq!(used.into_iter().collect::<Vec<_>>(), ["both", "good"]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("folder") && found[1].contains("alone"), "{found:?}");
    }

    #[test]
    fn a_workspace_entry_needs_a_version_or_a_folder() {
        let table = "a = '1'\nb = { path = 'b' }\nc = { git = 'g' }".parse().expect("toml");
        assert_eq!(workspace(&table).len(), 1);
    }
}
