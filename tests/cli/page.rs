//! A page of the documentation as a test: blocks that are run, and files that they need.
//!
//! A block of `console` is commands, each after `$ `, with what they print. A block with a second word
//! after its language is a file of that name (`yaml policy.yaml`), or, if that word is `pipeline`, the
//! definition of a pipeline, whose lines that call `mlops` are run.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::store::Store;

/// A page, cut where its blocks begin and end.
pub(crate) struct Page {
    name: &'static str,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

/// A block between fences, or the text between two blocks.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The heading of the section that it is in.
    pub(crate) section: String,
    /// What it is.
    pub(crate) kind: Kind,
    pub(crate) lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not run; the fences of the other blocks belong to it.
    Text,
    Console,
    File(String),
    Pipeline,
}

impl Page {
    pub(crate) fn read(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        let text = fs::read_to_string(path).unwrap();
        let mut section = String::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = Kind::Text;
        let mut fenced = false;
        let mut push = |kind: &Kind, section: &str, line: &str| match blocks.last_mut() {
            Some(last) if last.kind == *kind => last.lines.push(line.to_owned()),
            _ => blocks.push(Block {
                section: section.to_owned(),
                kind: kind.clone(),
                lines: vec![line.to_owned()],
            }),
        };
        for line in text.lines() {
            if let Some(info) = line.strip_prefix("```") {
                fenced = !fenced;
                open = match info.split_once(' ') {
                    _ if fenced && info == "console" => Kind::Console,
                    Some((_, "pipeline")) => Kind::Pipeline,
                    Some((_, file)) => Kind::File(file.to_owned()),
                    None => Kind::Text,
                };
                push(&Kind::Text, &section, line);
                continue;
            }
            if !fenced && let Some(heading) = line.strip_prefix("## ") {
                heading.clone_into(&mut section);
            }
            push(&open, &section, line);
        }
        Self { name, text, blocks }
    }

    /// Compares what the blocks print now with the page.
    pub(crate) fn is_what_was_found(&self, found: Vec<Vec<String>>) {
        let found: String = found.into_iter().flatten().map(|line| line + "\n").collect();
        if found == self.text {
            return;
        }
        let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(self.name);
        fs::write(&actual, &found).unwrap();
        let first = found.lines().zip(self.text.lines()).find(|(found, stated)| found != stated);
        panic!(
            "docs/{} differs from {}, first at (found, stated) {first:#?}",
            self.name,
            actual.display()
        );
    }
}

/// Runs a block, and returns it with what was printed, where that is not what stands there.
pub(crate) fn run(block: &Block, store: &Store, variables: &[(&str, &str)]) -> Vec<String> {
    match &block.kind {
        Kind::Text => block.lines.clone(),
        Kind::Console => console(block, store, variables),
        Kind::File(name) => {
            let path = store.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, block.lines.join("\n") + "\n").unwrap();
            block.lines.clone()
        }
        Kind::Pipeline => {
            for (line, code) in calls(block) {
                let (printed, found) = store.shell_with(&line, variables);
                assert_eq!(found, code, "{}: {line}\n{printed}", block.section);
            }
            block.lines.clone()
        }
    }
}

/// The calls of `mlops` in a pipeline, each with the exit code that it states: `# exit code 2`.
pub(crate) fn calls(block: &Block) -> Vec<(String, i32)> {
    let calls = block.lines.iter().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("- ").unwrap_or(line);
        let line = line.strip_prefix("run: ").unwrap_or(line);
        let line = line.strip_prefix("sh '").map_or(line, |line| line.trim_end_matches('\''));
        line.starts_with("mlops ").then(|| {
            let (call, remark) = line.split_once("  # ").unwrap_or((line, ""));
            let code = remark.strip_prefix("exit code ").map_or(0, |code| code.parse().unwrap());
            (call.trim().to_owned(), code)
        })
    });
    calls.collect()
}

fn console(block: &Block, store: &Store, variables: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = block.lines.iter().peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").expect("a block is commands, each with its output");
        let mut stated = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            stated.push(line);
        }
        let (mut printed, code) = store.shell_with(command, variables);
        if code != 0 {
            writeln!(printed, "[exit code {code}]").unwrap();
        }
        found.push(line.clone());
        for (at, line) in printed.lines().enumerate() {
            let same = stated.get(at).filter(|stated| fits(stated, line));
            found.push(same.map_or_else(|| line.to_owned(), |line| (*line).clone()));
        }
    }
    found
}

/// Whether a printed line is the stated one, in which `[..]` stands for anything.
fn fits(stated: &str, printed: &str) -> bool {
    let mut parts = stated.split("[..]");
    let Some(mut rest) = printed.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        if at + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else {
            return false;
        };
        rest = &rest[found + part.len()..];
    }
    rest.is_empty()
}
