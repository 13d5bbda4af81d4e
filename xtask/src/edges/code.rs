//! Rust source without its comments and the contents of its strings, line by line as it was.
//!
//! Enough of a lexer that `unsafe` in a sentence is not taken for the keyword; not a parser.

/// Blanks comments, strings and characters; line breaks stay.
pub(super) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(source, at);
        if end > at {
            code.extend(source[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            let c = source[at..].chars().next().unwrap_or(' ');
            // A word is taken whole, so that the `r` of `for"…"` opens no raw string.
            let word = source[at..].chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
            let end = at + if word > 0 { word } else { c.len_utf8() };
            code.push_str(&source[at..end]);
            at = end;
        }
    }
    code
}

/// The code with the items under `#[cfg(test)]` blanked.
pub(super) fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    while let Some(start) = kept.find("#[cfg(test)]") {
        let end = item_end(&kept, start);
        let blank: String =
            kept[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        kept.replace_range(start..end, &blank);
    }
    kept
}

/// Whether the word occurs, not as part of a longer one.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the comment, string or character that starts at `at` ends; `at` if none does.
fn skipped(source: &str, at: usize) -> usize {
    let rest = &source[at..];
    let length = if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if rest.starts_with('\'') {
        character(rest)
    } else {
        let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
            let after = rest.strip_prefix(prefix).unwrap_or_default();
            let raw = prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"');
            raw || after.starts_with('"')
        });
        prefix.map_or(0, |prefix| string(rest, prefix))
    };
    at + length
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `'a'`, `'\n'`, `'\u{1f}'`; a lifetime is none.
fn character(rest: &str) -> usize {
    let mut inner = rest[1..].char_indices();
    match inner.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(0, |end| end + 4),
        Some((_, _)) => match inner.next() {
            Some((at, '\'')) => at + 2,
            _ => 0,
        },
        None => 0,
    }
}

fn string(rest: &str, prefix: &str) -> usize {
    let hashes = rest[prefix.len()..].chars().take_while(|c| *c == '#').count();
    let start = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        return rest[start..].find(&close).map_or(rest.len(), |at| start + at + close.len());
    }
    let mut escaped = false;
    for (at, c) in rest[start..].char_indices() {
        match c {
            '"' if !escaped => return start + at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Where the item after the attribute at `start` ends: its `;`, or the brace that closes it.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[start..].char_indices() {
        match c {
            ';' if depth == 0 => return start + at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return start + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_comments_and_strings_are_not_code() {
        let source = r##"
            // unsafe
            /* unsafe /* unsafe */ unsafe */
            let a = "unsafe \" unsafe"; let b = r#"unsafe " unsafe"#; let c = '"'; let d = '\'';
            fn e<'a>(f: &'a str) { for x in ["unsafe"] {} } let g = b"unsafe"; let h = '\u{22}';
        "##;
        let code = code_only(source);
        assert!(!code.contains("unsafe"), "{code}");
        assert_eq!(code.lines().count(), source.lines().count());
        assert!(code.contains("fn e<'a>(f: &'a str) { for x in ["), "{code}");
        assert!(code.contains("let h = "), "{code}");
    }

    #[test]
    fn code_stays() {
        assert_eq!(code_only("unsafe { 'a: loop { b\"x\" } }"), "unsafe { 'a: loop {      } }");
    }

    #[test]
    fn items_for_tests_are_left_out_and_nothing_more() {
        let code = "#[cfg(test)]\nmod tests;\nfn a() { dbg!(1) }\n\
            #[cfg(test)]\nmod b { fn c() { todo!() } }\nfn d() {}";
        let kept = without_tests(code);
        assert!(
            kept.contains("dbg!") && kept.contains("fn d") && !kept.contains("todo!"),
            "{kept}"
        );
    }

    #[test]
    fn a_word_is_not_part_of_a_longer_one() {
        assert!(has_word("unsafe {", "unsafe") && has_word("(unsafe)", "unsafe"));
        assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
    }
}
