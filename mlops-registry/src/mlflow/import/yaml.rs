//! MLflow's `meta.yaml` files: a map of texts, numbers and maps of these.
//!
//! Texts are kept as they stand, and what they mean is decided by who asks: so a run named `0o14`,
//! which is a number in YAML 1.2 and was none in the YAML 1.1 that wrote it, stays a name.

use mlops_core::yaml::{self, Scalars};
use serde_json::Value;

/// A map, as it stands in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Map(serde_json::Map<String, Value>);

/// What is wrong, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) line: usize,
    pub(super) message: String,
}

impl Map {
    /// Reads a file that is one map.
    pub(super) fn parse(text: &str) -> Result<Self, Bad> {
        match yaml::read(text, Scalars::AsText) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Bad { line: 1, message: "is not a map".to_owned() }),
            Err(bad) => Err(Bad { line: bad.line, message: bad.message }),
        }
    }

    /// A text or number; `None` if it is absent or null.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// A whole number; `None` if it is absent, null or anything else.
    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    /// The texts of a map within this one.
    pub(super) fn texts(&self, key: &str) -> Vec<(&str, &str)> {
        let Some(Value::Object(inner)) = self.0.get(key) else {
            return Vec::new();
        };
        inner.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pyyaml_writes_is_read() {
        let text = "artifact_uri: file:///x/0/artifacts\nend_time: null\nexperiment_id: '0'\n\
                    name: \"b\\xFCrd \\u2713 a very long name that is \\\n  \\ folded\"\n\
                    source: '{\"a\": \"it''s\"}'\nstatus: 3\ntags: []\nstart_time: 1700000000000\n\
                    labels:\n  mlflow.data.context: training\n  n: '1'\nodd: 0o14\nempty: ''\n";
        let map = Map::parse(text).unwrap();
        assert_eq!(map.text("artifact_uri"), Some("file:///x/0/artifacts"));
        assert_eq!((map.text("end_time"), map.integer("end_time")), (None, None));
        assert_eq!(map.text("name"), Some("bürd ✓ a very long name that is  folded"));
        assert_eq!(map.text("source"), Some("{\"a\": \"it's\"}"));
        assert_eq!(map.integer("start_time"), Some(1_700_000_000_000));
        assert_eq!(map.texts("labels"), [("mlflow.data.context", "training"), ("n", "1")]);
        assert_eq!((map.text("odd"), map.text("empty")), (Some("0o14"), Some("")));
        assert!(map.texts("tags").is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(Map::parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err().line, 3);
        assert_eq!(Map::parse("- a\n").unwrap_err().message, "is not a map");
        assert!(Map::parse("a: &x [1]\nb: *x\n").unwrap_err().message.starts_with("has an alias"));
        assert_eq!(Map::parse("").unwrap_err().message, "is not a map");
        let deep = format!("a: {}1{}", "{b: ".repeat(100), "}".repeat(100));
        assert!(Map::parse(&deep).unwrap_err().message.contains("deep"));
    }
}
