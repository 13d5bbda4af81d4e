//! LIKE and regular expressions: compiled once, linear in the text.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::ast::LikeStyle;

/// Bytes that a compiled pattern may take.
const SIZE: usize = 1 << 20;

/// What a text is matched with.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Equals(Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Contains(Box<str>),
    Regex(Regex),
}

impl Pattern {
    /// The pattern; the error is what is wrong with it.
    pub(crate) fn new(text: &str, style: LikeStyle, escape: Option<char>) -> Result<Self, String> {
        match style {
            LikeStyle::Regex => regex(text, false),
            LikeStyle::IRegex => regex(text, true),
            LikeStyle::Like | LikeStyle::ILike => {
                like(text, style == LikeStyle::ILike, escape.unwrap_or('\\'))
            }
        }
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Equals(whole) => text == &**whole,
            Self::StartsWith(piece) => text.starts_with(&**piece),
            Self::EndsWith(piece) => text.ends_with(&**piece),
            Self::Contains(piece) => text.contains(&**piece),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

fn regex(pattern: &str, any_case: bool) -> Result<Pattern, String> {
    let config = Regex::config().nfa_size_limit(Some(SIZE)).hybrid_cache_capacity(SIZE);
    let syntax = syntax::Config::new().case_insensitive(any_case).nest_limit(64);
    match Regex::builder().configure(config).syntax(syntax).build(pattern) {
        Ok(regex) => Ok(Pattern::Regex(regex)),
        Err(error) => Err(match (error.syntax_error(), error.size_limit()) {
            (Some(error), _) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.strip_prefix("error: ").unwrap_or(last).to_owned()
            }
            (_, Some(limit)) => format!("it needs more than {limit} bytes when compiled"),
            _ => error.to_string(),
        }),
    }
}

/// A piece of a LIKE pattern.
enum Piece {
    Char(char),
    One,
    Any,
}

fn like(pattern: &str, any_case: bool, escape: char) -> Result<Pattern, String> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            c if c == escape => {
                Piece::Char(chars.next().ok_or("it ends with its escape character")?)
            }
            '%' => Piece::Any,
            '_' => Piece::One,
            c => Piece::Char(c),
        });
    }
    let open = pieces.iter().take_while(|piece| matches!(piece, Piece::Any)).count();
    let close = pieces[open..].iter().rev().take_while(|piece| matches!(piece, Piece::Any)).count();
    let middle = &pieces[open..pieces.len() - close];
    let text: Option<String> = middle
        .iter()
        .map(|piece| if let Piece::Char(c) = piece { Some(*c) } else { None })
        .collect();
    if let (Some(text), false) = (text, any_case) {
        let text = text.into_boxed_str();
        return Ok(match (open > 0, close > 0) {
            // Of `%` alone both ends are the same one.
            _ if text.is_empty() && open > 0 => Pattern::Contains(text),
            (false, false) => Pattern::Equals(text),
            (false, true) => Pattern::StartsWith(text),
            (true, false) => Pattern::EndsWith(text),
            (true, true) => Pattern::Contains(text),
        });
    }
    let mut source = String::from(r"(?s)\A");
    for piece in pieces {
        match piece {
            // `.` many times over means no more than once.
            Piece::Any if source.ends_with(".*") => {}
            Piece::Any => source.push_str(".*"),
            Piece::One => source.push_str("(?:.)"),
            Piece::Char(c) if c.is_alphanumeric() || !c.is_ascii() => source.push(c),
            Piece::Char(c) => {
                use std::fmt::Write as _;
                let _ = write!(source, r"\x{{{:x}}}", u32::from(c));
            }
        }
    }
    source.push_str(r"\z");
    regex(&source, any_case)
}
