//! Text of unknown origin, safe in the form it is written into: one type a form.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

use super::words::integer;

/// What stands for a character that cannot be seen, or that turns the reading direction around.
///
/// The joiners U+200C and U+200D are left alone: names in some scripts are misspelt without them.
pub(super) fn unseen(c: char) -> Option<String> {
    match c {
        '\n' => Some("\\n".into()),
        '\r' => Some("\\r".into()),
        '\t' => Some("\\t".into()),
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => Some(c.escape_unicode().to_string()),
        _ if c.is_control() || u32::from(c) & 0xfffe == 0xfffe => {
            Some(c.escape_unicode().to_string())
        }
        _ => None,
    }
}

/// On one line, with nothing that cannot be seen.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| unseen(c).is_some()) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match unseen(c) {
            Some(name) => shown.push_str(&name),
            None => shown.push(c),
        }
    }
    shown.into()
}

/// The first `most` characters, and how many there are more.
pub(super) fn cut(text: &str, most: usize) -> (&str, usize) {
    match text.char_indices().nth(most) {
        None => (text, 0),
        Some((end, _)) => (&text[..end], text[end..].chars().count()),
    }
}

/// [`visible`] of at most `most` characters, saying how many there are more.
pub(super) fn short(text: &str, most: usize) -> Cow<'_, str> {
    match cut(text, most) {
        (whole, 0) => visible(whole),
        (start, more) => {
            format!("{}… ({} more characters)", visible(start), integer(more as u64)).into()
        }
    }
}

/// Within an XML or HTML element or a quoted attribute.
pub(super) struct Xml<T>(pub(super) T);

impl<T: AsRef<str>> Display for Xml<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.as_ref().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => match unseen(c) {
                    Some(name) => f.write_str(&name)?,
                    None => f.write_char(c)?,
                },
            }
        }
        Ok(())
    }
}

/// Words within a paragraph or a table cell of Markdown.
///
/// Besides the markup, what GitHub and GitLab make of plain words is taken apart: mentions, references
/// to issues, links, formulas. A pull request must not call in people that a cell of a table names.
pub(super) struct Prose<T>(pub(super) T);

impl<T: AsRef<str>> Display for Prose<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = visible(self.0.as_ref());
        let mut before = ' ';
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let next = rest.peek().copied().unwrap_or(' ');
            match c {
                // A space of no width, as Renovate's comments have it.
                '@' | '#' => write!(f, "{c}&#8203;")?,
                '_' if before.is_alphanumeric() && next.is_alphanumeric() => f.write_char(c)?,
                ':' if next == '/' => f.write_str("&#58;")?,
                '.' if before.eq_ignore_ascii_case(&'w') => f.write_str("&#46;")?,
                '&' | '<' | '>' | '`' | '*' | '_' | '[' | ']' | '|' | '\\' | '~' | '$' => {
                    entity(f, c)?;
                }
                c => f.write_char(c)?,
            }
            before = c;
        }
        Ok(())
    }
}

/// A name or value within a paragraph or a table cell of Markdown, in type of one width.
///
/// Backticks where nothing in the text can be mistaken, so that the comment reads well unrendered too.
/// Elsewhere an element, with every sign that means something written as its number: tables cut their
/// cells at bars before they look for backticks, and how a bar is escaped there differs.
pub(super) struct Code<T>(pub(super) T);

impl<T: AsRef<str>> Display for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = visible(self.0.as_ref());
        let plain = !text.is_empty()
            && text.trim().len() == text.len()
            && !text.contains(['`', '<', '&', '|', '\\']);
        if plain {
            return write!(f, "`{text}`");
        }
        f.write_str("<code>")?;
        for c in text.chars() {
            match c {
                '&' | '<' | '>' | '"' | '`' | '*' | '_' | '[' | ']' | '|' | '\\' | '~' | '$'
                | ':' | '@' | '#' | '!' => entity(f, c)?,
                c => f.write_char(c)?,
            }
        }
        f.write_str("</code>")
    }
}

fn entity(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    write!(f, "&#{};", u32::from(c))
}
