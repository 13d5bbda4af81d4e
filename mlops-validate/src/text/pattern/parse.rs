//! From text to a syntax tree, or to an error that shows the place.

use mlops_core::{Error, Result};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};

const OPERATION: &str = "validate.pattern";

/// Longest pattern.
const MAX_BYTES: usize = 64 * 1024;

/// How deep groups may be nested.
const MAX_NESTING: u32 = 100;

/// How many characters an error shows on each side of the place.
const EXCERPT: usize = 30;

/// The tree of a pattern; with `full`, of one that must match the text from end to end.
pub(super) fn parse(text: &str, full: bool) -> Result<Hir> {
    if text.len() > MAX_BYTES {
        return Err(Error::invalid(OPERATION, "the pattern is longer than 64 KiB")
            .with("bytes", text.len()));
    }
    let hir = ParserBuilder::new()
        .nest_limit(MAX_NESTING)
        .build()
        .parse(text)
        .map_err(|error| refused(text, &error))?;
    Ok(if full {
        Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)])
    } else {
        hir
    })
}

/// An error for a pattern that would need too much memory.
#[cold]
pub(super) fn too_large(text: &str) -> Error {
    Error::invalid(OPERATION, "the pattern needs too much memory")
        .with("pattern", cut(text, 2 * EXCERPT))
        .with_hint(
            "lower the counts of its repetitions, or use ASCII classes such as `[0-9]` for `\\d`",
        )
}

#[cold]
fn refused(text: &str, error: &regex_syntax::Error) -> Error {
    use regex_syntax::Error::{Parse, Translate};
    use regex_syntax::ast::ErrorKind::{UnsupportedBackreference, UnsupportedLookAround};
    let (at, problem, hint) = match error {
        Parse(error) => {
            let at = error.span().start.offset;
            match error.kind() {
                UnsupportedLookAround => (
                    at,
                    format!("look-around `{}` is not supported", construct(&text[at..])),
                    Some(
                        "such patterns can take exponential time; use two checks, or a negated \
                         class such as `[^,]`",
                    ),
                ),
                UnsupportedBackreference => (
                    at,
                    format!("backreference `{}` is not supported", cut(&text[at..], 2)),
                    Some(
                        "such patterns can take exponential time; compare two columns or use a \
                         function instead",
                    ),
                ),
                kind => (at, kind.to_string(), None),
            }
        }
        Translate(error) => (error.span().start.offset, error.kind().to_string(), None),
        _ => (0, "the pattern is not valid".to_owned(), None),
    };
    let refused = place(text, at, &problem);
    match hint {
        Some(hint) => refused.with_hint(hint),
        None => refused,
    }
}

/// `(?<!` and its kind.
fn construct(text: &str) -> &str {
    ["(?<=", "(?<!", "(?=", "(?!"].into_iter().find(|look| text.starts_with(look)).unwrap_or("(?")
}

/// One line, with the place in an excerpt after a `^`.
fn place(text: &str, at: usize, problem: &str) -> Error {
    let at = (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let (before, after) = text.split_at(at);
    let position = before.chars().count() + 1;
    let skipped = before.char_indices().rev().nth(EXCERPT - 1).map_or(0, |(i, _)| i);
    let open = if skipped > 0 { "…" } else { "" };
    let excerpt = format!("{open}{}^{}", flat(&before[skipped..]), cut(after, EXCERPT));
    Error::invalid(OPERATION, format!("{problem} at position {position}: {excerpt}"))
        .with("position", position)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => flat(&text[..end]) + "…",
        None => flat(text),
    }
}

fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
