//! Who must not depend on whom.
//!
//! The layers of the design as a table: top knows bottom, never the other way, and siblings meet only
//! above. The graph has every feature on, so an optional backend is held to the same rules.

use std::collections::{BTreeMap, VecDeque};

use crate::project::{Kind, Metadata, Package};

/// A forbidden direction; names may end in `*`.
struct Rule {
    /// Crates of this workspace.
    from: &'static [&'static str],
    /// Those of `from` that may.
    except: &'static [&'static str],
    /// Crates of anywhere; a crate never forbids itself.
    to: &'static [&'static str],
    reach: Reach,
    why: &'static str,
}

/// How far a rule looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// What the manifest names, for anything but tests.
    Names,
    /// What ends up in the same binary, directly or through others; and what the manifest names.
    Links,
    /// As `Links`; and what the tests name.
    Knows,
}

/// The crates beside one another above `mlops-core`.
const SIBLINGS: &[&str] = &["mlops-validate", "mlops-features", "mlops-registry", "mlops-recovery"];

/// What does input and output, starts a runtime, or is a backend; see also [`FILES`].
const OUTSIDE: &[&str] = &[
    "async-std",
    "duckdb",
    "fjall",
    "hyper",
    "hyper-*",
    "libsqlite3-sys",
    "memmap2",
    "mio",
    "postgres",
    "redb",
    "redis",
    "reqwest",
    "rusqlite",
    "rustix",
    "smol",
    "socket2",
    "sqlx",
    "sqlx-*",
    "sysinfo",
    "tempfile",
    "tokio-*",
    "ureq",
];

/// What reads files by URL, with the runtime that it is made for.
const FILES: &[&str] = &["object_store", "parquet", "tokio"];

const RULES: &[Rule] = &[
    Rule {
        from: &["mlops-core"],
        except: &[],
        to: &["mlops", "mlops-*"],
        reach: Reach::Knows,
        why: "the vocabulary is the bottom layer",
    },
    Rule {
        from: &["mlops-expr"],
        except: &[],
        to: &["mlops", "mlops-registry", "mlops-validate", "mlops-features", "mlops-recovery"],
        reach: Reach::Knows,
        why: "expressions know the vocabulary alone",
    },
    Rule {
        from: &["mlops-core", "mlops-expr"],
        except: &[],
        to: OUTSIDE,
        reach: Reach::Links,
        why: "contracts and pure engines: no input or output, no runtime, no backend",
    },
    Rule {
        from: &["mlops-core", "mlops-expr"],
        except: &[],
        to: FILES,
        reach: Reach::Links,
        why: "contracts and expressions read no files; validation does, with its feature `files`",
    },
    // What object_store was compiled for is linked with it; that is the program's choice, not the crate's.
    Rule {
        from: &["mlops-validate"],
        except: &[],
        to: OUTSIDE,
        reach: Reach::Names,
        why: "validation reads files through object_store, and has no other way out",
    },
    Rule {
        from: &["mlops-validate"],
        except: &[],
        to: &["tokio"],
        reach: Reach::Names,
        why: "validation is driven by the caller's executor, and starts none",
    },
    Rule {
        from: SIBLINGS,
        except: &[],
        to: SIBLINGS,
        reach: Reach::Knows,
        why: "siblings meet in mlops-core's types, in mlops-serve or in the facade",
    },
    Rule {
        from: SIBLINGS,
        except: &[],
        to: &["mlops-serve"],
        reach: Reach::Knows,
        why: "serving is a layer above",
    },
    Rule {
        from: &["*"],
        except: &["mlops-python"],
        to: &["mlops"],
        reach: Reach::Links,
        why: "the facade is the top; only the Python package stands on it",
    },
    Rule {
        from: &["*"],
        except: &[],
        to: &["mlops-testkit", "libtest-mimic", "proptest", "insta", "divan"],
        reach: Reach::Links,
        why: "for tests and benches only: a dev-dependency",
    },
    Rule {
        from: &["*"],
        except: &[],
        to: &["mlops-python", "xtask"],
        reach: Reach::Knows,
        why: "a program or an extension module: nothing stands on it",
    },
    Rule {
        from: &["*"],
        except: &["mlops-python"],
        to: &["pyo3", "pyo3-*", "numpy"],
        reach: Reach::Knows,
        why: "Python only in mlops-python",
    },
    Rule {
        from: &["*"],
        except: &["mlops-polars"],
        to: &["polars", "polars-*"],
        reach: Reach::Names,
        why: "Polars only in mlops-polars, for its weight",
    },
    Rule {
        from: &["mlops", "mlops-serve", "mlops-python", "mlops-polars"],
        except: &[],
        to: &["rusqlite", "tokio-postgres", "redb", "redis", "duckdb", "sqlx"],
        reach: Reach::Names,
        why: "a backend is one file of the crate whose trait it implements",
    },
    Rule {
        from: &["mlops-*"],
        except: &[],
        to: &["clap", "clap_*", "comfy-table", "indicatif"],
        reach: Reach::Names,
        why: "the command line is in the facade, behind a feature",
    },
    Rule {
        from: &["mlops", "mlops-*"],
        except: &[],
        to: &["anyhow", "eyre", "color-eyre", "lazy_static"],
        reach: Reach::Names,
        why: "a library has one error type, and no process-global state",
    },
    Rule {
        from: &["xtask"],
        except: &[],
        to: &["mlops", "mlops-*"],
        reach: Reach::Knows,
        why: "the checks must run while the library does not compile",
    },
];

/// One line for each forbidden edge, with the way it goes and the reason.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let mut findings = Vec::new();
    for package in metadata.members() {
        let rules: Vec<&Rule> = RULES.iter().filter(|rule| rule.binds(&package.name)).collect();
        let linked = ways(metadata, package);
        for rule in rules {
            for (target, way) in edges(package, &linked, rule.reach) {
                if rule.forbids(&package.name, target) {
                    findings.push(format!("{way}: {}", rule.why));
                }
            }
        }
    }
    findings
}

impl Rule {
    fn binds(&self, from: &str) -> bool {
        // The test kit is for tests: what they may use, it may link.
        let tests = from == "mlops-testkit" && self.to.contains(&"proptest");
        matches(self.from, from) && !self.except.contains(&from) && !tests
    }

    fn forbids(&self, from: &str, to: &str) -> bool {
        from != to && matches(self.to, to)
    }
}

/// Each crate that the package reaches as far as `reach`, once, with the way to it.
fn edges<'a>(
    package: &'a Package,
    linked: &'a BTreeMap<&'a str, String>,
    reach: Reach,
) -> BTreeMap<&'a str, String> {
    let mut edges = BTreeMap::new();
    if reach != Reach::Names {
        edges.extend(linked.iter().map(|(name, way)| (*name, way.clone())));
    }
    for declared in &package.declared {
        if declared.kind == Kind::Dev && reach != Reach::Knows {
            continue;
        }
        let tests = if declared.kind == Kind::Dev { " (tests)" } else { "" };
        edges
            .entry(&declared.name)
            .or_insert_with(|| format!("{} → {}{tests}", package.name, declared.name));
    }
    edges
}

/// The shortest way to each crate that is linked with the package.
fn ways<'a>(metadata: &'a Metadata, package: &'a Package) -> BTreeMap<&'a str, String> {
    let mut ways: BTreeMap<&str, String> = BTreeMap::new();
    let mut queue = VecDeque::from([(package, package.name.clone())]);
    while let Some((package, way)) = queue.pop_front() {
        for next in package.links.iter().filter_map(|id| metadata.packages.get(id)) {
            // A proc-macro runs in the compiler; what it uses is not linked.
            if next.proc_macro || ways.contains_key(next.name.as_str()) {
                continue;
            }
            let way = format!("{way} → {}", next.name);
            ways.insert(&next.name, way.clone());
            queue.push_back((next, way));
        }
    }
    ways
}

/// Whether a name is among the patterns.
fn matches(patterns: &[&str], name: &str) -> bool {
    patterns.iter().any(|pattern| {
        pattern.strip_suffix('*').map_or(*pattern == name, |prefix| name.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Metadata of crates with dependencies, each `(crate, dependency, kind)`; `mlops*` are members.
    fn made_up(edges: &[(&str, &str, Option<&str>)]) -> Metadata {
        let mut names: Vec<&str> = edges.iter().flat_map(|edge| [edge.0, edge.1]).collect();
        names.sort_unstable();
        names.dedup();
        let of = |name| edges.iter().filter(move |edge| edge.0 == name);
        let packages: Vec<Value> = names
            .iter()
            .map(|name| {
                let dependencies: Vec<Value> =
                    of(*name).map(|edge| json!({"name": edge.1, "kind": edge.2})).collect();
                json!({"id": name, "name": name, "dependencies": dependencies})
            })
            .collect();
        let nodes: Vec<Value> = names
            .iter()
            .map(|name| {
                let deps: Vec<Value> = of(*name)
                    .map(|edge| json!({"pkg": edge.1, "dep_kinds": [{"kind": edge.2}]}))
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        let members: Vec<&str> = names
            .into_iter()
            .filter(|name| name.starts_with("mlops") || *name == "xtask")
            .collect();
        Metadata::new(&json!({
            "packages": packages, "workspace_members": members, "resolve": {"nodes": nodes},
        }))
    }

    fn only(edge: (&str, &str, Option<&str>)) -> Vec<String> {
        check(&made_up(&[edge]))
    }

    #[test]
    fn the_design_is_allowed() {
        let metadata = made_up(&[
            ("mlops", "mlops-registry", None),
            ("mlops", "clap", None),
            ("mlops-registry", "mlops-core", None),
            ("mlops-registry", "rusqlite", None),
            ("mlops-validate", "mlops-expr", None),
            ("mlops-validate", "parquet", None),
            ("mlops-validate", "object_store", None),
            ("mlops-validate", "tokio", Some("dev")),
            ("object_store", "tokio", None),
            ("mlops-registry", "mlops-testkit", Some("dev")),
            ("mlops-serve", "mlops-registry", None),
            ("mlops-serve", "mlops-validate", None),
            ("mlops-testkit", "mlops-registry", None),
            ("mlops-testkit", "proptest", None),
            ("mlops-python", "mlops", None),
            ("mlops-python", "pyo3", None),
            ("mlops-core", "proptest", Some("dev")),
        ]);
        assert_eq!(check(&metadata), [""; 0]);
    }

    #[test]
    fn a_runtime_below_the_contracts_is_found_through_others() {
        let found =
            check(&made_up(&[("mlops-core", "nice-crate", None), ("nice-crate", "tokio", None)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("mlops-core → nice-crate → tokio: contracts"), "{found:?}");
    }

    #[test]
    fn siblings_do_not_know_one_another_even_in_tests() {
        for kind in [None, Some("dev"), Some("build")] {
            let found = only(("mlops-validate", "mlops-features", kind));
            assert!(found[0].contains("siblings meet"), "{kind:?}: {found:?}");
        }
    }

    #[test]
    fn an_optional_dependency_that_is_off_is_found() {
        let metadata = Metadata::new(&json!({
            "packages": [{"id": "c", "name": "mlops-core", "dependencies": [{"name": "redis"}]}],
            "workspace_members": ["c"],
        }));
        assert_eq!(check(&metadata).len(), 1);
    }

    #[test]
    fn each_other_rule_has_an_edge_that_breaks_it() {
        let edges = [
            ("mlops-core", "mlops-testkit", Some("dev")),
            ("mlops-recovery", "mlops-serve", None),
            ("mlops-expr", "parquet", None),
            ("mlops-expr", "mlops-validate", None),
            ("mlops-validate", "tokio", None),
            ("mlops-validate", "rusqlite", None),
            ("mlops-serve", "mlops", None),
            ("mlops-registry", "mlops-testkit", None),
            ("mlops", "mlops-python", None),
            ("mlops-registry", "pyo3-arrow", None),
            ("mlops", "polars", None),
            ("mlops", "rusqlite", None),
            ("mlops-registry", "clap", None),
            ("mlops-features", "anyhow", None),
            ("xtask", "mlops-core", None),
        ];
        for edge in edges {
            assert!(!only(edge).is_empty(), "{edge:?}");
        }
    }
}
