//! As much YAML as MLflow's `meta.yaml` files are: a map of texts, numbers and maps of these.
//!
//! Texts are kept as they stand, and what they mean is decided by who asks: so a run named `0o14`,
//! which is a number in YAML 1.2 and was none in the YAML 1.1 that wrote it, stays a name. Aliases are
//! refused: MLflow writes none, and a few of them can unfold to gigabytes.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// Deeper than any file of MLflow's.
const DEPTH: usize = 16;

/// A map, as it stands in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Map(BTreeMap<String, Node>);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Null,
    Text(String),
    Map(Map),
    /// Lists are read over: no list of MLflow's says anything that is not said elsewhere.
    List,
}

/// What is wrong, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) line: usize,
    pub(super) message: String,
}

impl Map {
    /// Reads a file that is one map.
    pub(super) fn parse(text: &str) -> Result<Self, Bad> {
        let mut parser = Parser::new_from_str(text);
        loop {
            let (event, span) = next(&mut parser)?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) => {}
                Event::MappingStart(..) => return map(&mut parser, 0),
                _ => return Err(bad(span, "is not a map")),
            }
        }
    }

    /// A text or number; `None` if it is absent or null.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number; `None` if it is absent, null or anything else.
    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    /// The texts of a map within this one.
    pub(super) fn texts(&self, key: &str) -> Vec<(&str, &str)> {
        let Some(Node::Map(inner)) = self.0.get(key) else {
            return Vec::new();
        };
        inner.0.keys().filter_map(|key| Some((key.as_str(), inner.text(key)?))).collect()
    }
}

fn map(parser: &mut Parser<'_, impl saphyr_parser::Input>, depth: usize) -> Result<Map, Bad> {
    let mut entries = BTreeMap::new();
    loop {
        let (event, span) = next(parser)?;
        let key = match event {
            Event::MappingEnd => return Ok(Map(entries)),
            Event::Scalar(text, ..) => text.into_owned(),
            _ => return Err(bad(span, "has a key that is not a text")),
        };
        let value = next(parser)?;
        entries.insert(key, node(parser, value, depth)?);
    }
}

fn node(
    parser: &mut Parser<'_, impl saphyr_parser::Input>,
    (event, span): (Event<'_>, Span),
    depth: usize,
) -> Result<Node, Bad> {
    if depth > DEPTH {
        return Err(bad(span, "is nested too deeply"));
    }
    match event {
        Event::Scalar(text, style, ..) => {
            let plain = style == ScalarStyle::Plain;
            let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
            Ok(if null { Node::Null } else { Node::Text(text.into_owned()) })
        }
        Event::MappingStart(..) => map(parser, depth + 1).map(Node::Map),
        Event::SequenceStart(..) => loop {
            let item = next(parser)?;
            if item.0 == Event::SequenceEnd {
                return Ok(Node::List);
            }
            node(parser, item, depth + 1)?;
        },
        Event::Alias(_) => Err(bad(span, "has an alias")),
        _ => Err(bad(span, "ends in the middle")),
    }
}

fn next<'i>(parser: &mut Parser<'i, impl saphyr_parser::Input>) -> Result<(Event<'i>, Span), Bad> {
    let of_scan = |e: ScanError| Bad { line: e.marker().line(), message: e.info().to_owned() };
    match parser.next_event() {
        Some(event) => event.map_err(of_scan),
        None => Err(Bad { line: 1, message: "is empty".to_owned() }),
    }
}

fn bad(span: Span, message: &str) -> Bad {
    Bad { line: span.start.line(), message: message.to_owned() }
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
        assert_eq!(Map::parse("a: &x [1]\nb: *x\n").unwrap_err().message, "has an alias");
        assert_eq!(Map::parse("").unwrap_err().message, "is not a map");
        let deep = format!("a: {}1{}", "{b: ".repeat(40), "}".repeat(40));
        assert!(Map::parse(&deep).unwrap_err().message.contains("deep"));
    }
}
