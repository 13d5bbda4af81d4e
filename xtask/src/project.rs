//! The workspace that is checked: its folders, its `cargo metadata`, and how strict to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process;

/// Where the workspace is and what cargo says about it; read once for all steps.
#[derive(Debug)]
pub(crate) struct Project {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// Every package of the lock file, all features on.
    pub(crate) metadata: Metadata,
    /// Leave out what takes long.
    pub(crate) fast: bool,
    /// Something that is absent fails.
    pub(crate) strict: bool,
}

impl Project {
    /// Reads the workspace that the current folder is in.
    pub(crate) fn load(fast: bool) -> Result<Self, String> {
        // xtask's own folder at compile time is not good enough: target folders are shared by clones.
        let here = std::env::current_dir().map_err(|error| error.to_string())?;
        let arguments = ["metadata", "--format-version", "1", "--all-features"];
        let text = process::read(process::cargo(&here, &arguments))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(Self {
            root: PathBuf::from(text_of(&value, "workspace_root")),
            target: PathBuf::from(text_of(&value, "target_directory")),
            metadata: Metadata::new(&value),
            fast,
            strict: strict(),
        })
    }

    /// The path below the root, as the reader knows it.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// The part of `cargo metadata` that the checks need.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    /// By package id.
    pub(crate) packages: BTreeMap<String, Package>,
}

/// One package of the lock file.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// One of this workspace.
    pub(crate) member: bool,
    pub(crate) license: Option<String>,
    /// `None` for a package on disk.
    pub(crate) source: Option<String>,
    pub(crate) manifest: PathBuf,
    /// The root files of its library and programs.
    pub(crate) roots: Vec<PathBuf>,
    /// Not linked into what depends on it.
    pub(crate) proc_macro: bool,
    /// It has default features.
    pub(crate) has_default: bool,
    /// What its manifest names, optional or not.
    pub(crate) declared: Vec<Declared>,
    /// The ids that it links: normal dependencies only.
    pub(crate) links: Vec<String>,
}

/// A dependency as a manifest names it.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) requirement: String,
    /// From a source other than the default registry.
    pub(crate) elsewhere: bool,
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Metadata {
    /// Reads the answer of `cargo metadata --format-version 1`.
    pub(crate) fn new(value: &Value) -> Self {
        let members: Vec<&str> =
            list(value, "workspace_members").iter().filter_map(Value::as_str).collect();
        let mut packages: BTreeMap<String, Package> = list(value, "packages")
            .iter()
            .map(|value| {
                let package = Package::new(value, &members);
                (package.id.clone(), package)
            })
            .collect();
        for node in list(&value["resolve"], "nodes") {
            if let Some(package) = packages.get_mut(text_of(node, "id")) {
                package.links = list(node, "deps")
                    .iter()
                    .filter(|dep| list(dep, "dep_kinds").iter().any(|kind| kind["kind"].is_null()))
                    .map(|dep| text_of(dep, "pkg").to_owned())
                    .collect();
            }
        }
        Self { packages }
    }

    /// The packages of this workspace, by name.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.member)
    }
}

impl Package {
    fn new(value: &Value, members: &[&str]) -> Self {
        let kinds = |target: &Value| -> Vec<String> {
            list(target, "kind").iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let targets = list(value, "targets");
        Self {
            id: text_of(value, "id").to_owned(),
            name: text_of(value, "name").to_owned(),
            version: text_of(value, "version").to_owned(),
            member: members.contains(&text_of(value, "id")),
            license: value["license"].as_str().map(str::to_owned),
            source: value["source"].as_str().map(str::to_owned),
            manifest: PathBuf::from(text_of(value, "manifest_path")),
            roots: targets
                .iter()
                .filter(|target| {
                    let roots = ["lib", "rlib", "cdylib", "bin", "proc-macro"];
                    kinds(target).iter().any(|kind| roots.contains(&kind.as_str()))
                })
                .map(|target| PathBuf::from(text_of(target, "src_path")))
                .collect(),
            proc_macro: targets
                .iter()
                .any(|target| kinds(target).iter().any(|k| k == "proc-macro")),
            has_default: !list(&value["features"], "default").is_empty(),
            declared: list(value, "dependencies").iter().map(Declared::new).collect(),
            links: Vec::new(),
        }
    }
}

impl Declared {
    fn new(value: &Value) -> Self {
        Self {
            name: text_of(value, "name").to_owned(),
            kind: match value["kind"].as_str() {
                Some("dev") => Kind::Dev,
                Some("build") => Kind::Build,
                _ => Kind::Normal,
            },
            requirement: text_of(value, "req").to_owned(),
            elsewhere: value["registry"].is_string(),
        }
    }
}

/// The list under `key`, or an empty one.
fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The string under `key`, or an empty one.
fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Strict unless the developer says otherwise: a green run means that everything was looked at.
#[expect(clippy::disallowed_methods, reason = "the one variable that xtask reads")]
fn strict() -> bool {
    std::env::var_os("MLOPS_TEST_STRICT").is_none_or(|value| value != "0")
}
