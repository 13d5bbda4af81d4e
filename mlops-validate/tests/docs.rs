//! The page about all rules, `docs/checks.md`, says what the code does: its YAML is read by the reader
//! of suites, and no rule and no field of one is left out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mlops_core::validation::{Check, Rule};
use mlops_core::{Error, Result};
use mlops_validate::suite::{Include, Template};
use serde_json::json;

/// Longest line of the page.
const MAX_COLUMNS: usize = 110;

/// A block of YAML; the heading that it stands under, and the file's name if it has one.
struct Block {
    line: usize,
    heading: String,
    file: Option<String>,
    text: String,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/checks.md");
    fs::read_to_string(path).unwrap()
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut heading, mut open) = (String::new(), false);
    for (number, line) in page.lines().enumerate() {
        match (open, line.strip_prefix("```")) {
            (true, Some(_)) => open = false,
            (true, None) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (false, Some(info)) => {
                let mut words = info.split_whitespace();
                assert_eq!(words.next(), Some("yaml"), "line {}: all blocks are YAML", number + 1);
                let file = words.next().map(str::to_owned);
                let heading = heading.clone();
                blocks.push(Block { line: number + 1, heading, file, text: String::new() });
                open = true;
            }
            (false, None) => {
                if let Some(found) = line.strip_prefix('#') {
                    found.trim_start_matches('#').trim().clone_into(&mut heading);
                }
            }
        }
    }
    assert!(!open, "the last block does not end");
    blocks
}

/// The checks of a block: a whole file, or the list under `checks`. A block with a name is there to be
/// included.
fn checks(block: &Block, all: &[Block]) -> Result<Vec<Check>> {
    let text = if block.text.starts_with("suite:") {
        block.text.clone()
    } else {
        format!("suite: docs\nchecks:\n{}", block.text)
    };
    let origin = format!("checks.md:{}", block.line);
    let template = Template::parse_with(&text, &origin, |path, _| {
        let file = all.iter().find(|block| block.file.as_deref() == Some(path));
        let file = file.ok_or_else(|| Error::invalid("docs", "no such file").with("path", path))?;
        Ok(Include { origin: path.to_owned(), text: file.text.clone() })
    })?;
    Ok(template.bind(&BTreeMap::new())?.checks)
}

/// The fields of a rule, by what its reader says that it knows.
fn fields(rule: &str) -> Vec<String> {
    let error = Rule::of_fields(rule, json!({"no such": 0})).unwrap().unwrap_err().to_string();
    let known = error.split('`').skip(1).step_by(2).skip(1);
    let known: Vec<String> = known.map(str::to_owned).collect();
    assert!(!known.is_empty(), "{rule}: {error}");
    known
}

#[test]
fn every_block_of_the_page_is_a_suite_or_its_checks() {
    let page = page();
    let blocks = blocks(&page);
    assert!(blocks.len() > Rule::NAMES.len());
    for block in blocks.iter().filter(|block| block.file.is_none()) {
        let found = checks(block, &blocks);
        assert!(found.is_ok(), "line {}: {}", block.line, found.unwrap_err());
    }
}

#[test]
fn every_rule_has_a_row_and_a_section_with_an_example_of_all_its_fields() {
    let page = page();
    let blocks = blocks(&page);
    for name in Rule::NAMES {
        assert_eq!(page.matches(&format!("\n| `{name}` |")).count(), 1, "a row about {name}");
        assert_eq!(page.matches(&format!("\n### `{name}`\n")).count(), 1, "a section: {name}");
        let heading = format!("`{name}`");
        let own: Vec<&Block> = blocks.iter().filter(|block| block.heading == heading).collect();
        let found: Vec<Check> =
            own.iter().flat_map(|block| checks(block, &blocks).unwrap()).collect();
        assert!(!found.is_empty(), "an example of {name}");
        assert!(found.iter().all(|check| check.rule.name() == *name), "only {name} in its section");
        for field in fields(name) {
            let shown = own.iter().any(|block| {
                block.text.lines().any(|line| {
                    line.trim_start_matches(['-', ' ']).starts_with(&format!("{field}:"))
                })
            });
            assert!(shown, "the example of {name} shows `{field}`");
        }
    }
}

#[test]
fn every_field_that_all_checks_have_is_shown_and_no_line_is_too_long() {
    let page = page();
    for field in Check::FIELDS {
        assert!(page.contains(&format!("\n    {field}: ")), "{field}");
    }
    for (number, line) in page.lines().enumerate() {
        let columns = line.chars().count();
        assert!(columns <= MAX_COLUMNS, "line {} has {columns} columns", number + 1);
    }
}
