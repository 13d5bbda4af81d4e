//! Text to tokens, and the one place that words an error with its position.
//!
//! The non-obvious decision: a word takes every character that a metric's key may have, `-`, `/` and
//! `:` among them, because `metrics.val/top-1` is a usual name and subtraction is not in the grammar.
//! So a number must be followed by something else than such a character: `1-2` and an unquoted
//! `2024-01-05` are errors here and not two tokens that fail later with a worse message.

use std::borrow::Cow;
use std::fmt::Display;

use crate::{Error, Result};

/// The longest text that is parsed.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// The characters that an error's excerpt shows to either side.
const EXCERPT: usize = 24;
/// The characters that an error shows of the offending piece.
const PIECE: usize = 40;

/// A text being parsed, and the operation that its errors name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    operation: &'static str,
    text: &'a str,
}

/// A token and the piece of the text that it is.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    /// Byte offset.
    pub(super) at: usize,
    pub(super) text: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    /// A keyword, an attribute or `prefix.key`.
    Word(&'a str),
    /// `prefix."key"`, unquoted.
    Keyed(&'a str, Cow<'a, str>),
    /// Something in `'`, `"` or `` ` ``, unquoted.
    Quoted(char, Cow<'a, str>),
    Number(f64),
    Operator(Operator),
    Open,
    Close,
    Comma,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Token<'_> {
    /// Whether this is the keyword, in any case.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self.kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The piece as an error shows it.
    pub(super) fn shown(&self) -> String {
        if self.kind == Kind::End { "the end".to_owned() } else { shown(self.text) }
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(operation: &'static str, text: &'a str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            return Err(Error::invalid(operation, "the text is longer than 64 KiB")
                .with("bytes", text.len()));
        }
        Ok(Self { operation, text })
    }

    /// An error about what begins at byte `at`: one line, with the place in an excerpt after a `^`.
    #[cold]
    pub(super) fn fail(self, at: usize, problem: impl Display) -> Error {
        let (before, after) = self.text.split_at(at);
        let position = before.chars().count() + 1;
        let skipped = before.char_indices().rev().nth(EXCERPT - 1).map_or(0, |(i, _)| i);
        let open = if skipped > 0 { "…" } else { "" };
        let excerpt = format!("{open}{}^{}", flat(&before[skipped..]), cut(after, EXCERPT));
        Error::invalid(
            self.operation,
            format!("{problem} at position {position}: {}", excerpt.trim()),
        )
        .with("position", position)
    }

    /// An error that something else was expected in the place of `found`.
    #[cold]
    pub(super) fn expected(self, wanted: impl Display, found: &Token<'_>) -> Error {
        self.fail(found.at, format_args!("expected {wanted}, found {}", found.shown()))
    }

    /// All tokens; the last one, and no other, is [`Kind::End`].
    pub(super) fn tokens(self) -> Result<Vec<Token<'a>>> {
        let mut tokens = Vec::new();
        let mut at = 0;
        loop {
            at += self.text[at..].len() - self.text[at..].trim_start().len();
            let (kind, len) = self.token(at)?;
            let done = kind == Kind::End;
            tokens.push(Token { kind, at, text: &self.text[at..at + len] });
            if done {
                return Ok(tokens);
            }
            at += len;
        }
    }

    /// The token that begins at byte `at`, and its length.
    fn token(self, at: usize) -> Result<(Kind<'a>, usize)> {
        let rest = &self.text[at..];
        let bytes = rest.as_bytes();
        let Some(first) = rest.chars().next() else {
            return Ok((Kind::End, 0));
        };
        let second = bytes.get(1).copied();
        Ok(match (first, second) {
            ('(', _) => (Kind::Open, 1),
            (')', _) => (Kind::Close, 1),
            (',', _) => (Kind::Comma, 1),
            ('=', Some(b'=')) => (Kind::Operator(Operator::Eq), 2),
            ('=', _) => (Kind::Operator(Operator::Eq), 1),
            ('!', Some(b'=')) | ('<', Some(b'>')) => (Kind::Operator(Operator::Ne), 2),
            ('<', Some(b'=')) => (Kind::Operator(Operator::Le), 2),
            ('<', _) => (Kind::Operator(Operator::Lt), 1),
            ('>', Some(b'=')) => (Kind::Operator(Operator::Ge), 2),
            ('>', _) => (Kind::Operator(Operator::Gt), 1),
            ('\'' | '"' | '`', _) => {
                let (text, len) = self.quoted(at, first)?;
                (Kind::Quoted(first, text), len)
            }
            ('0'..='9', _) | ('+' | '-' | '.', Some(b'0'..=b'9')) => self.number(at)?,
            ('+' | '-', Some(b'.')) if bytes.get(2).is_some_and(u8::is_ascii_digit) => {
                self.number(at)?
            }
            // `-inf` is a word, so that the parser can say what is wrong with it.
            ('+' | '-', Some(letter)) if letter.is_ascii_alphabetic() => {
                let len = 1 + word_len(&rest[1..]);
                (Kind::Word(&rest[..len]), len)
            }
            _ if first.is_alphanumeric() || first == '_' => self.word(at)?,
            _ => return Err(self.stray(at, first)),
        })
    }

    fn word(self, at: usize) -> Result<(Kind<'a>, usize)> {
        let rest = &self.text[at..];
        let len = word_len(rest);
        let (word, after) = rest.split_at(len);
        let Some(quote @ ('"' | '`' | '\'')) = after.chars().next() else {
            return Ok((Kind::Word(word), len));
        };
        let Some(prefix) = word.strip_suffix('.') else {
            return Ok((Kind::Word(word), len));
        };
        if quote == '\'' || prefix.contains('.') {
            return Err(self
                .fail(at + len, "a key is quoted as a whole")
                .with_hint("with double quotes or backticks: `metrics.\"val loss\"`"));
        }
        let (key, quoted) = self.quoted(at + len, quote)?;
        Ok((Kind::Keyed(prefix, key), len + quoted))
    }

    /// What is between quotes; a doubled quote is the quote itself.
    fn quoted(self, at: usize, quote: char) -> Result<(Cow<'a, str>, usize)> {
        let body = &self.text[at + 1..];
        let mut end = 0;
        let mut doubled = false;
        while let Some(found) = body[end..].find(quote) {
            end += found;
            if !body[end + 1..].starts_with(quote) {
                let inner = &body[..end];
                let text = if doubled {
                    Cow::Owned(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
                } else {
                    Cow::Borrowed(inner)
                };
                return Ok((text, end + 2));
            }
            doubled = true;
            end += 2;
        }
        Err(self
            .fail(at, format_args!("the quote {quote} is not closed"))
            .with_hint("inside quotes, a quote is written twice"))
    }

    fn number(self, at: usize) -> Result<(Kind<'a>, usize)> {
        let rest = &self.text[at..];
        let len = number_len(rest);
        let malformed = word_len(&rest[len..]);
        if malformed > 0 {
            let piece = shown(&rest[..len + malformed]);
            return Err(self
                .fail(at, format_args!("{piece} is not a number"))
                .with_hint("strings, dates and ids are quoted: '2024-01-05'"));
        }
        match rest[..len].parse::<f64>() {
            Ok(number) if number.is_finite() => Ok((Kind::Number(number), len)),
            _ => Err(self.fail(at, format_args!("{} is out of range", shown(&rest[..len])))),
        }
    }

    fn stray(self, at: usize, stray: char) -> Error {
        let error = self.fail(at, format_args!("unexpected {}", shown(&stray.to_string())));
        match stray {
            '!' => error.with_hint("write `not`, or `!=`"),
            '&' => error.with_hint("write `and`"),
            '|' => error.with_hint("write `or`"),
            _ => error,
        }
    }
}

/// Whether a bare key may contain this character.
pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':')
}

/// A piece of the text as an error shows it: one line, not too long, in backticks.
pub(super) fn shown(piece: &str) -> String {
    format!("`{}`", brief(piece))
}

/// The same without backticks.
pub(super) fn brief(piece: &str) -> String {
    cut(piece, PIECE)
}

fn word_len(text: &str) -> usize {
    text.find(|c| !is_word_char(c)).unwrap_or(text.len())
}

/// The length of `[+-]digits[.digits][e[+-]digits]` at the start of `text`, which begins so.
fn number_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = digits(usize::from(matches!(bytes[0], b'+' | b'-')));
    if bytes.get(len) == Some(&b'.') {
        len = digits(len + 1);
    }
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let end = digits(len + 1 + sign);
        if end > len + 1 + sign {
            len = end;
        }
    }
    len
}

fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }).collect()
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => flat(&text[..end]) + "…",
        None => flat(text),
    }
}
