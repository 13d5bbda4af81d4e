//! `deny.toml` against the lock file: licences, banned crates, sources.

use std::fs;

use toml::{Table, Value};

use super::{Found, licence, lock};
use crate::project::{Metadata, Package, Project};

/// Reads `deny.toml` and applies it.
pub(super) fn check(project: &Project) -> Result<Found, String> {
    let path = project.root.join("deny.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("deny.toml: {error}"))?;
    let rules: Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
    Ok(apply(&rules, &project.metadata))
}

fn apply(rules: &Table, metadata: &Metadata) -> Found {
    let section =
        |name: &str| rules.get(name).and_then(Value::as_table).cloned().unwrap_or_default();
    let mut found = Found::default();
    licenses(&section("licenses"), metadata, &mut found);
    bans(&section("bans"), metadata, &mut found);
    sources(&section("sources"), metadata, &mut found);
    found
}

fn licenses(rules: &Table, metadata: &Metadata, found: &mut Found) {
    let allow = strings(rules.get("allow"));
    let exceptions: Vec<(&str, Vec<&str>)> = tables(rules.get("exceptions"))
        .filter_map(|table| Some((table.get("crate")?.as_str()?, strings(table.get("allow")))))
        .collect();
    for package in metadata.packages.values() {
        let accepted = |name: &str| {
            allow.contains(&name)
                || exceptions.iter().any(|(of, more)| *of == package.name && more.contains(&name))
        };
        let problem = match &package.license {
            None => "has no licence in its manifest".to_owned(),
            Some(expression) if licence::satisfied(expression, &accepted) => continue,
            Some(expression) => format!("is under {expression}, which deny.toml does not allow"),
        };
        found.findings.push(format!("{} {problem}", named(package)));
    }
}

fn bans(rules: &Table, metadata: &Metadata, found: &mut Found) {
    for table in tables(rules.get("deny")) {
        let text = |key: &str| table.get(key).and_then(Value::as_str);
        let Some(name) = text("crate") else { continue };
        let wrappers = strings(table.get("wrappers"));
        let reason = text("reason").unwrap_or("no reason given");
        for package in metadata.packages.values().filter(|package| package.name == name) {
            let by: Vec<&str> = metadata
                .packages
                .values()
                .filter(|other| other.declared.iter().any(|declared| declared.name == name))
                .map(|other| other.name.as_str())
                .filter(|other| !wrappers.contains(other))
                .collect();
            if !by.is_empty() {
                let (name, by) = (named(package), by.join(", "));
                found.findings.push(format!("{name} (by {by}) is banned: {reason}"));
            }
        }
    }
    if rules.get("wildcards").and_then(Value::as_str) == Some("deny") {
        for package in metadata.members() {
            let local = |name: &str| metadata.members().any(|member| member.name == name);
            for declared in &package.declared {
                if declared.requirement == "*" && !local(&declared.name) {
                    let (from, to) = (&package.name, &declared.name);
                    found.findings.push(format!("{from} → {to}: any version (`*`) will do"));
                }
            }
        }
    }
    let twice: Vec<&str> = lock::versions(metadata)
        .into_iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, _)| name)
        .collect();
    if !twice.is_empty() {
        let line = format!("in more than one version: {}", twice.join(", "));
        match rules.get("multiple-versions").and_then(Value::as_str) {
            Some("deny") => found.findings.push(line),
            Some("warn") => found.notes.push(line),
            _ => {}
        }
    }
}

/// Only the default registry, this workspace, and git repositories that are named.
fn sources(rules: &Table, metadata: &Metadata, found: &mut Found) {
    let git = strings(rules.get("allow-git"));
    let denied = |key: &str| rules.get(key).and_then(Value::as_str) == Some("deny");
    let members: Vec<&Package> = metadata.members().collect();
    for package in metadata.packages.values() {
        match package.source.as_deref() {
            None if !package.member => {
                let folder = package.manifest.display();
                found.findings.push(format!("{} is a folder outside: {folder}", named(package)));
            }
            Some(source) if source.starts_with("git+") && denied("unknown-git") => {
                let address = source.trim_start_matches("git+");
                if !git.iter().any(|allowed| address.starts_with(allowed)) {
                    found.findings.push(format!("{} comes from {source}", named(package)));
                }
            }
            _ => {}
        }
    }
    if denied("unknown-registry") {
        for package in members {
            for declared in package.declared.iter().filter(|declared| declared.elsewhere) {
                let (from, to) = (&package.name, &declared.name);
                found.findings.push(format!("{from} → {to}: from another registry"));
            }
        }
    }
}

fn named(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

/// The strings of a list.
fn strings(value: Option<&Value>) -> Vec<&str> {
    let list = value.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The tables of a list.
fn tables(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    let list = value.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "font", allow = ["OFL-1.1"] }]
        [bans]
        multiple-versions = "warn"
        wildcards = "deny"
        deny = [{ crate = "openssl-sys", wrappers = ["allowed"], reason = "no system library" }]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
        allow-git = []
    "#;

    fn findings(packages: &serde_json::Value) -> Vec<String> {
        let metadata =
            Metadata::new(&json!({"packages": packages, "workspace_members": ["mlops"]}));
        apply(&RULES.parse().expect("toml"), &metadata).findings
    }

    #[test]
    fn licences_are_held_to_the_list_and_its_exceptions() {
        let found = findings(&json!([
            {"id": "1", "name": "good", "version": "1.0.0", "license": "MIT", "source": "registry+x"},
            {"id": "2", "name": "font", "version": "1.0.0", "license": "MIT AND OFL-1.1",
             "source": "registry+x"},
            {"id": "3", "name": "bad", "version": "1.0.0", "license": "GPL-3.0-only",
             "source": "registry+x"},
            {"id": "4", "name": "mute", "version": "1.0.0", "source": "registry+x"},
        ]));
        assert_eq!(
            found,
            [
                "bad 1.0.0 is under GPL-3.0-only, which deny.toml does not allow",
                "mute 1.0.0 has no licence in its manifest",
            ]
        );
    }

    #[test]
    fn a_banned_crate_names_who_brought_it_and_why() {
        let brought = |name: &str| {
            findings(&json!([
                {"id": "1", "name": "openssl-sys", "version": "0.9.0", "license": "MIT",
                 "source": "registry+x"},
                {"id": "2", "name": name, "version": "1.0.0", "license": "MIT",
                 "source": "registry+x", "dependencies": [{"name": "openssl-sys"}]},
            ]))
        };
        assert_eq!(brought("tls"), ["openssl-sys 0.9.0 (by tls) is banned: no system library"]);
        assert_eq!(brought("allowed"), [""; 0]);
    }

    #[test]
    fn only_the_default_registry_is_a_source() {
        let found = findings(&json!([
            {"id": "1", "name": "forked", "version": "1.0.0", "license": "MIT",
             "source": "git+https://example.org/forked"},
            {"id": "2", "name": "beside", "version": "1.0.0", "license": "MIT",
             "manifest_path": "/elsewhere/Cargo.toml"},
            {"id": "mlops", "name": "mlops", "version": "1.0.0", "license": "MIT",
             "dependencies": [{"name": "private", "req": "^1", "registry": "https://example.org"},
                              {"name": "loose", "req": "*"}]},
        ]));
        assert_eq!(
            found,
            [
                "mlops → loose: any version (`*`) will do",
                "forked 1.0.0 comes from git+https://example.org/forked",
                "beside 1.0.0 is a folder outside: /elsewhere/Cargo.toml",
                "mlops → private: from another registry",
            ]
        );
    }
}
