//! A reader of XML that takes nothing else: enough to say that what was written is well-formed.

/// What may stand in a page.
const ELEMENTS: &str = "html head meta title style body header main section footer article figure \
     figcaption svg rect details summary table caption thead tbody tr th td dl div dt dd ul li h1 h2 \
     h3 p a b i br small strong code time";

/// What an element of a page may have.
const ATTRIBUTES: &str = "lang charset http-equiv content name id class href datetime viewBox \
     preserveAspectRatio aria-hidden aria-label role tabindex scope x width height";

/// The names of the elements, in order, if `xml` is well-formed.
pub(super) fn elements(xml: &str) -> Result<Vec<String>, String> {
    let tags = tags(xml)?;
    Ok(tags.into_iter().map(|tag| tag.name).collect())
}

/// Whether `page` is well-formed, of elements that do nothing, and loads nothing.
pub(super) fn is_a_page(page: &str) -> Result<(), String> {
    for tag in tags(page)? {
        if !ELEMENTS.split_whitespace().any(|name| name == tag.name) {
            return Err(format!("an element <{}>", tag.name));
        }
        for (name, value) in tag.attributes {
            if !ATTRIBUTES.split_whitespace().any(|known| known == name) {
                return Err(format!("an attribute {name} of <{}>", tag.name));
            }
            if name == "href" && !value.starts_with('#') {
                return Err(format!("a link to {value}"));
            }
        }
    }
    let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next());
    match style {
        Some(style) if !style.contains("url(") && !style.contains("@import") => Ok(()),
        _ => Err("a style sheet that loads".into()),
    }
}

/// Whether a comment has no elements but its own, and every line of a table as many cells as its head.
pub(super) fn is_a_comment(markdown: &str) -> Result<(), String> {
    for tag in markdown.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default().trim_start_matches('/');
        if !["details", "summary", "code", "sub"].contains(&tag) {
            return Err(format!("an element <{tag}>"));
        }
    }
    let mut cells = None;
    for line in markdown.lines() {
        let here = line.matches('|').count();
        match cells {
            _ if !line.starts_with('|') && here > 0 => return Err(format!("a bar in {line}")),
            _ if here == 0 => cells = None,
            None => cells = Some(here),
            Some(head) if head != here => return Err(format!("{here} bars, not {head}: {line}")),
            Some(_) => {}
        }
    }
    Ok(())
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

fn tags(xml: &str) -> Result<Vec<Tag>, String> {
    let allowed = |c: char| c == '\n' || c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}');
    if let Some(c) = xml.chars().find(|c| !allowed(*c)) {
        return Err(format!("a character {c:?}"));
    }
    let mut rest = xml;
    for start in ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE html>"] {
        rest = rest.strip_prefix(start).unwrap_or(rest);
    }
    let (mut open, mut found) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        is_text(&rest[..at])?;
        let end = rest[at..].find('>').ok_or("a tag without an end")? + at;
        let inside = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes another"));
            }
            continue;
        }
        let (inside, empty) = inside.strip_suffix('/').map_or((inside, false), |tag| (tag, true));
        let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(format!("a tag of the name {name:?}"));
        }
        if !empty {
            open.push(name);
        }
        found.push(Tag { name: name.to_owned(), attributes: attributes_of(attributes)? });
    }
    is_text(rest)?;
    if open.is_empty() { Ok(found) } else { Err(format!("{open:?} are not closed")) }
}

fn attributes_of(text: &str) -> Result<Vec<(String, String)>, String> {
    let (mut rest, mut found) = (text.trim(), Vec::new());
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").ok_or_else(|| format!("no value: {rest}"))?;
        let (value, after) = after.split_once('"').ok_or_else(|| format!("no end: {after}"))?;
        if name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            return Err(format!("an attribute {name:?}"));
        }
        is_text(value)?;
        found.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    Ok(found)
}

/// Whether every `&` begins one of the entities that are used, and nothing looks like markup.
fn is_text(text: &str) -> Result<(), String> {
    for after in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        if !known.iter().any(|entity| after.starts_with(entity)) {
            return Err(format!("an entity &{}", after.chars().take(10).collect::<String>()));
        }
    }
    if text.contains("]]>") { Err("the end of a section".into()) } else { Ok(()) }
}
