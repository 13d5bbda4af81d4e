//! Text to tokens.
//!
//! The non-obvious decision: keywords are ordinary words here. The parser asks for them where the
//! grammar has them, so a column may be called `date`, `left` or `interval` without quotes.

use std::borrow::Cow;

use mlops_core::Result;

use crate::source::{Source, cut};

/// A token and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) at: usize,
    pub(super) text: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    /// A name or keyword without quotes.
    Word,
    /// A name in double quotes.
    Quoted(Cow<'a, str>),
    /// A text in single quotes.
    Text(Cow<'a, str>),
    Number,
    /// `:name`.
    Parameter(&'a str),
    /// An operator, a bracket, a comma or a dot.
    Sign,
    End,
}

/// Longer ones first.
const SIGNS: [&str; 25] = [
    "!~*", "!~", "~*", "<>", "!=", "<=", ">=", "==", "||", "::", "~", "=", "<", ">", "+", "-", "*",
    "/", "%", "(", ")", ",", ".", "[", "]",
];

impl Token<'_> {
    /// Whether this is the keyword, in any case.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// The token as an error shows it.
    pub(super) fn shown(&self) -> String {
        if self.kind == Kind::End { "the end".into() } else { format!("`{}`", cut(self.text, 40)) }
    }
}

/// All tokens; the last one, and no other, is [`Kind::End`].
pub(super) fn tokens(source: Source<'_>) -> Result<Vec<Token<'_>>> {
    let text = source.0;
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        if rest.starts_with("/*") {
            let end = rest.find("*/").ok_or_else(|| source.fail(at, "this comment has no end"))?;
            at += end + 2;
            continue;
        }
        let (kind, len) = token(source, at)?;
        let done = kind == Kind::End;
        tokens.push(Token { kind, at, text: &text[at..at + len] });
        if done {
            return Ok(tokens);
        }
        at += len;
    }
}

fn token(source: Source<'_>, at: usize) -> Result<(Kind<'_>, usize)> {
    let rest = &source.0[at..];
    let Some(first) = rest.chars().next() else {
        return Ok((Kind::End, 0));
    };
    let second = rest.as_bytes().get(1).copied().unwrap_or(b' ');
    if first == '\'' || first == '"' {
        let (text, len) = quoted(source, at, first)?;
        return Ok((if first == '"' { Kind::Quoted(text) } else { Kind::Text(text) }, len));
    }
    if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
        let len = number_len(rest.as_bytes());
        if rest[len..].starts_with(is_word) {
            let end = len + rest[len..].find(|c| !is_word(c)).unwrap_or(rest.len() - len);
            return Err(source
                .fail(at, format_args!("`{}` is no number", cut(&rest[..end], 40)))
                .with_hint("a name that begins with a digit stands in double quotes"));
        }
        return Ok((Kind::Number, len));
    }
    if is_word(first) {
        return Ok((Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())));
    }
    if first == ':' && second != b':' {
        let name = &rest[1..];
        let len = name.find(|c| !is_word(c)).unwrap_or(name.len());
        if len > 0 {
            return Ok((Kind::Parameter(&name[..len]), len + 1));
        }
    }
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Kind::Sign, sign.len()));
    }
    let error = source.fail(at, format_args!("`{}` means nothing here", first.escape_debug()));
    Err(match first {
        '`' => error.with_hint("names are quoted with \"double quotes\""),
        ';' => error.with_hint("one expression, without `;`"),
        '&' => error.with_hint("write AND"),
        '|' => error.with_hint("write OR"),
        '!' => error.with_hint("write NOT"),
        _ => error,
    })
}

/// What a name without quotes is made of.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '@' || c == '#'
}

fn number_len(bytes: &[u8]) -> usize {
    let digits =
        |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
        }
    }
    end
}

/// The text between two quotes, doubled quotes inside undone, and the length with the quotes.
fn quoted(source: Source<'_>, at: usize, quote: char) -> Result<(Cow<'_, str>, usize)> {
    let inner = &source.0[at + 1..];
    let mut end = 0;
    loop {
        let Some(next) = inner[end..].find(quote) else {
            return Err(source.fail(at, format_args!("this {quote} has no second one")));
        };
        end += next;
        if !inner[end + 1..].starts_with(quote) {
            break;
        }
        end += 2;
    }
    let raw = &inner[..end];
    let text = if raw.contains(quote) {
        let doubled: String = [quote, quote].iter().collect();
        Cow::Owned(raw.replace(&doubled, quote.encode_utf8(&mut [0; 4])))
    } else {
        Cow::Borrowed(raw)
    };
    Ok((text, end + 2))
}
