//! Functions of texts. Positions and lengths count Unicode scalar values.

use super::mask::{Mask, either};
use super::vector::{Data, TextBuilder, Texts, Values, Vector};

/// A function from texts to a text, with at most two more arguments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Edit {
    Lower,
    Upper,
    Trim { left: bool, right: bool },
    Replace,
}

/// A question about one text and a second one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
    StartsWith,
    EndsWith,
    Contains,
}

pub(crate) fn length(a: &Vector<'_>, bytes: bool, rows: usize) -> Vector<'static> {
    count(a, rows, |text| if bytes { text.len() } else { text.chars().count() })
}

fn count(a: &Vector<'_>, rows: usize, f: impl Fn(&str) -> usize) -> Vector<'static> {
    let Data::Text(texts) = &a.data else {
        return Vector::null();
    };
    let data = Values::Owned((0..rows).map(|i| f(texts.get(i)) as i64).collect());
    Vector { data: Data::I64(data), nulls: a.nulls.clone() }
}

/// The texts and their nulls, if all are texts.
fn all<'v>(vectors: &'v [Vector<'_>], rows: usize) -> Option<(Vec<&'v Texts<'v>>, Option<Mask>)> {
    let mut nulls = None;
    let mut texts = Vec::with_capacity(vectors.len());
    for vector in vectors {
        let Data::Text(text) = &vector.data else {
            return None;
        };
        texts.push(text);
        nulls = either(nulls, vector.unknown(rows).as_ref());
    }
    Some((texts, nulls))
}

/// Builds a text for each row that is not null; null too, if it gets too long.
fn build(
    rows: usize,
    mut nulls: Option<Mask>,
    mut f: impl FnMut(&mut String, usize),
) -> Vector<'static> {
    let mut out = TextBuilder::with_capacity(rows);
    for i in 0..rows {
        if nulls.as_ref().is_none_or(|nulls| !nulls.get(i)) {
            f(&mut out.text, i);
        }
        if !out.end() {
            nulls.get_or_insert_with(|| Mask::zeros(rows)).set(i);
        }
    }
    Vector { data: out.finish(), nulls }
}

pub(crate) fn edit(edit: Edit, arguments: &[Vector<'_>], rows: usize) -> Vector<'static> {
    let Some((texts, nulls)) = all(arguments, rows) else {
        return Vector::null();
    };
    let second = |i| texts.get(1).map_or(" ", |set| set.get(i));
    build(rows, nulls, |out, i| {
        let text = texts[0].get(i);
        match edit {
            Edit::Lower => out.push_str(&text.to_lowercase()),
            Edit::Upper => out.push_str(&text.to_uppercase()),
            Edit::Trim { left, right } => {
                let set = second(i);
                let text = if left { text.trim_start_matches(|c| set.contains(c)) } else { text };
                out.push_str(if right { text.trim_end_matches(|c| set.contains(c)) } else { text });
            }
            Edit::Replace => replace(out, text, second(i), texts.get(2).map_or("", |to| to.get(i))),
        }
    })
}

/// Stops when the text is too long anyway.
fn replace(out: &mut String, text: &str, from: &str, to: &str) {
    if from.is_empty() {
        out.push_str(text);
        return;
    }
    let start = out.len();
    let mut last = 0;
    for (at, found) in text.match_indices(from) {
        out.push_str(&text[last..at]);
        out.push_str(to);
        last = at + found.len();
        if out.len() - start > super::vector::MAX_TEXT {
            return;
        }
    }
    out.push_str(&text[last..]);
}

/// `a || b`, null if one is; or `concat(a, b, …)`, in which null is empty.
pub(crate) fn concat(arguments: &[Vector<'_>], skip_nulls: bool, rows: usize) -> Vector<'static> {
    let mut nulls = None;
    if !skip_nulls {
        for vector in arguments {
            nulls = either(nulls, vector.unknown(rows).as_ref());
        }
    }
    build(rows, nulls, |out, i| {
        for vector in arguments {
            let null = vector.nulls.as_ref().is_some_and(|nulls| nulls.get(i));
            if let (Data::Text(texts), false) = (&vector.data, null) {
                out.push_str(texts.get(i));
            }
        }
    })
}

pub(crate) fn part(part: Part, arguments: &[Vector<'_>], rows: usize) -> Vector<'static> {
    let Some((texts, nulls)) = all(arguments, rows) else {
        return Vector::null();
    };
    test(rows, nulls, |i| {
        let (text, piece) = (texts[0].get(i), texts[1].get(i));
        match part {
            Part::StartsWith => text.starts_with(piece),
            Part::EndsWith => text.ends_with(piece),
            Part::Contains => text.contains(piece),
        }
    })
}

/// A question about each text.
pub(crate) fn ask(a: &Vector<'_>, rows: usize, f: impl Fn(&str) -> bool) -> Vector<'static> {
    let Data::Text(texts) = &a.data else {
        return Vector::null();
    };
    super::known(texts.test(rows, f), a.nulls.clone(), false, rows)
}

fn test(rows: usize, nulls: Option<Mask>, f: impl Fn(usize) -> bool) -> Vector<'static> {
    let truth = Mask::of_fn(rows, f);
    let truth = match &nulls {
        Some(nulls) => truth.without(nulls),
        None => truth,
    };
    Vector { data: Data::Bool(truth), nulls }
}

/// Where the second text begins in the first, from 1; 0 if nowhere.
pub(crate) fn position(arguments: &[Vector<'_>], rows: usize) -> Vector<'static> {
    let Some((texts, nulls)) = all(arguments, rows) else {
        return Vector::null();
    };
    let at = |i: usize| {
        let text = texts[0].get(i);
        let found = text.find(texts[1].get(i));
        found.map_or(0, |at| text[..at].chars().count() as i64 + 1)
    };
    Vector { data: Data::I64(Values::Owned((0..rows).map(at).collect())), nulls }
}

/// `substring(x, from[, count])`: the characters at positions from `from`, `count` of them.
pub(crate) fn substring(arguments: &[Vector<'_>], rows: usize) -> Vector<'static> {
    let mut nulls = None;
    for vector in arguments {
        nulls = either(nulls, vector.unknown(rows).as_ref());
    }
    let [Vector { data: Data::Text(texts), .. }, Vector { data: Data::I64(from), .. }, rest @ ..] =
        arguments
    else {
        return Vector::null();
    };
    let count = match rest {
        [Vector { data: Data::I64(count), .. }] => Some(count),
        [] => None,
        _ => return Vector::null(),
    };
    if let Some(count) = count {
        for i in (0..rows).filter(|i| count.get(*i) < 0) {
            nulls.get_or_insert_with(|| Mask::zeros(rows)).set(i);
        }
    }
    build(rows, nulls, |out, i| {
        let from = from.get(i);
        let end = count.map_or(i64::MAX, |count| from.saturating_add(count.get(i)));
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(0);
        let take = usize::try_from(end.saturating_sub(from.max(1))).unwrap_or(0);
        out.extend(texts.get(i).chars().skip(skip).take(take));
    })
}
