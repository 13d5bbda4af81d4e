//! What an operation takes and gives: a value for each row, lent by Arrow or owned.

use std::sync::Arc;

use arrow::array::{LargeStringArray, StringArray, StringViewArray};

use super::mask::Mask;
use crate::ast::Interval;

/// The longest text that a row may grow to; beyond it the value is null.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// A column while it is evaluated. Where a row is null its value is anything, but a bit is 0.
#[derive(Debug)]
pub(crate) struct Vector<'a> {
    pub(crate) data: Data<'a>,
    /// The rows that are null; `None`: none is.
    pub(crate) nulls: Option<Mask>,
}

#[derive(Debug)]
pub(crate) enum Data<'a> {
    /// Null in each row.
    Null,
    Bool(Mask),
    I64(Values<'a, i64>),
    I128(Values<'a, i128>),
    F64(Values<'a, f64>),
    Text(Texts<'a>),
    /// Something that may only be asked whether it is null.
    Opaque,
}

#[derive(Debug)]
pub(crate) enum Values<'a, T: Copy> {
    Lent(&'a [T]),
    Owned(Vec<T>),
    /// The same value in each row.
    Same(T),
}

#[derive(Debug)]
pub(crate) enum Texts<'a> {
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
    /// Keys (of null rows: 0) into a dictionary; without values, if no row has one.
    Dictionary(Vec<u32>, Box<Texts<'a>>),
    /// The end of each row's text in the bytes.
    Owned(String, Vec<usize>),
    Same(Arc<str>),
}

/// A value of a literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    I64(i64),
    I128(i128),
    F64(f64),
    Text(Arc<str>),
    Interval(Interval),
}

impl<T: Copy> Values<'_, T> {
    #[inline]
    pub(crate) fn get(&self, i: usize) -> T {
        match self {
            Self::Lent(values) => values[i],
            Self::Owned(values) => values[i],
            Self::Same(value) => *value,
        }
    }

    pub(crate) fn same(&self) -> Option<T> {
        if let Self::Same(value) = self { Some(*value) } else { None }
    }

    pub(crate) fn slice(&self) -> &[T] {
        match self {
            Self::Lent(values) => values,
            Self::Owned(values) => values,
            Self::Same(_) => &[],
        }
    }

    pub(crate) fn map<R: Copy>(&self, f: impl Fn(T) -> R) -> Values<'static, R> {
        match self {
            Self::Same(value) => Values::Same(f(*value)),
            other => Values::Owned(other.slice().iter().map(|value| f(*value)).collect()),
        }
    }

    /// `f` of each row, null where there is no result.
    pub(crate) fn try_map<R: Copy + Default>(
        &self,
        rows: usize,
        nulls: &mut Option<Mask>,
        f: impl Fn(T) -> Option<R>,
    ) -> Values<'static, R> {
        match self.same() {
            Some(value) => same_or_null(f(value), rows, nulls),
            None => collect(self.slice().iter().map(|value| f(*value)), rows, nulls),
        }
    }

    /// `f` of each pair.
    pub(crate) fn zip<U: Copy, R: Copy>(
        &self,
        other: &Values<'_, U>,
        f: impl Fn(T, U) -> R,
    ) -> Values<'static, R> {
        match (self.same(), other.same()) {
            (Some(a), Some(b)) => Values::Same(f(a, b)),
            (Some(a), None) => other.map(|b| f(a, b)),
            (None, Some(b)) => self.map(|a| f(a, b)),
            (None, None) => Values::Owned(
                self.slice().iter().zip(other.slice()).map(|(a, b)| f(*a, *b)).collect(),
            ),
        }
    }

    /// `f` of each pair, null where there is no result.
    pub(crate) fn try_zip<U: Copy, R: Copy + Default>(
        &self,
        other: &Values<'_, U>,
        rows: usize,
        nulls: &mut Option<Mask>,
        f: impl Fn(T, U) -> Option<R>,
    ) -> Values<'static, R> {
        match (self.same(), other.same()) {
            (Some(a), Some(b)) => same_or_null(f(a, b), rows, nulls),
            (Some(a), None) => collect(other.slice().iter().map(|b| f(a, *b)), rows, nulls),
            (None, Some(b)) => collect(self.slice().iter().map(|a| f(*a, b)), rows, nulls),
            (None, None) => {
                let pairs = self.slice().iter().zip(other.slice());
                collect(pairs.map(|(a, b)| f(*a, *b)), rows, nulls)
            }
        }
    }
}

/// The values, and a null for each that is none.
#[inline]
fn collect<R: Copy + Default>(
    values: impl Iterator<Item = Option<R>>,
    rows: usize,
    nulls: &mut Option<Mask>,
) -> Values<'static, R> {
    let mut out = Vec::with_capacity(rows);
    out.extend(values.enumerate().map(|(i, value)| {
        value.unwrap_or_else(|| {
            nulls.get_or_insert_with(|| Mask::zeros(rows)).set(i);
            R::default()
        })
    }));
    Values::Owned(out)
}

fn same_or_null<R: Copy + Default>(
    value: Option<R>,
    rows: usize,
    nulls: &mut Option<Mask>,
) -> Values<'static, R> {
    if value.is_none() {
        *nulls = Some(Mask::ones(rows));
    }
    Values::Same(value.unwrap_or_default())
}

impl Texts<'_> {
    #[inline]
    pub(crate) fn get(&self, i: usize) -> &str {
        match self {
            Self::Utf8(array) => array.value(i),
            Self::Large(array) => array.value(i),
            Self::View(array) => array.value(i),
            Self::Dictionary(keys, values) => values.get(keys[i] as usize),
            Self::Owned(text, ends) => &text[if i == 0 { 0 } else { ends[i - 1] }..ends[i]],
            Self::Same(text) => text,
        }
    }
}

impl Texts<'_> {
    /// A bit for each text; the layout is looked at once, not for each row.
    pub(crate) fn test(&self, rows: usize, f: impl Fn(&str) -> bool) -> Mask {
        match self {
            Self::Utf8(array) => Mask::of_fn(rows, |i| f(array.value(i))),
            Self::Large(array) => Mask::of_fn(rows, |i| f(array.value(i))),
            Self::View(array) => Mask::of_fn(rows, |i| f(array.value(i))),
            Self::Same(text) if f(text) => Mask::ones(rows),
            Self::Same(_) => Mask::zeros(rows),
            // The words of a dictionary are asked once, if that is less work.
            Self::Dictionary(keys, words) => match keys.iter().max() {
                Some(most) if (*most as usize) < rows => {
                    let known = words.test(*most as usize + 1, f);
                    Mask::of_fn(rows, |i| known.get(keys[i] as usize))
                }
                _ => Mask::of_fn(rows, |i| f(self.get(i))),
            },
            Self::Owned(..) => Mask::of_fn(rows, |i| f(self.get(i))),
        }
    }
}

/// Builds texts row by row.
#[derive(Debug, Default)]
pub(crate) struct TextBuilder {
    pub(crate) text: String,
    ends: Vec<usize>,
}

impl TextBuilder {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { text: String::new(), ends: Vec::with_capacity(rows) }
    }

    /// Ends the row; what was written since the last end is its text. False, and an empty text, if
    /// that is too long.
    pub(crate) fn end(&mut self) -> bool {
        let start = self.ends.last().copied().unwrap_or(0);
        let fits = self.text.len() - start <= MAX_TEXT;
        if !fits {
            self.text.truncate(start);
        }
        self.ends.push(self.text.len());
        fits
    }

    pub(crate) fn finish(self) -> Data<'static> {
        Data::Text(Texts::Owned(self.text, self.ends))
    }
}

impl Vector<'_> {
    pub(crate) fn null() -> Self {
        Self { data: Data::Null, nulls: None }
    }

    pub(crate) fn of(scalar: &Scalar, rows: usize) -> Vector<'static> {
        let data = match scalar {
            Scalar::Null | Scalar::Interval(_) => Data::Null,
            Scalar::Bool(false) => Data::Bool(Mask::zeros(rows)),
            Scalar::Bool(true) => Data::Bool(Mask::ones(rows)),
            Scalar::I64(value) => Data::I64(Values::Same(*value)),
            Scalar::I128(value) => Data::I128(Values::Same(*value)),
            Scalar::F64(value) => Data::F64(Values::Same(*value)),
            Scalar::Text(value) => Data::Text(Texts::Same(value.clone())),
        };
        Vector { data, nulls: None }
    }

    /// The rows that are null.
    pub(crate) fn unknown(&self, rows: usize) -> Option<Mask> {
        match self.data {
            Data::Null => Some(Mask::ones(rows)),
            _ => self.nulls.clone(),
        }
    }

    /// The value of the first row.
    pub(crate) fn first(&self) -> Scalar {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.get(0)) {
            return Scalar::Null;
        }
        match &self.data {
            Data::Null | Data::Opaque => Scalar::Null,
            Data::Bool(bits) => Scalar::Bool(bits.get(0)),
            Data::I64(values) => Scalar::I64(values.get(0)),
            Data::I128(values) => Scalar::I128(values.get(0)),
            Data::F64(values) => Scalar::F64(values.get(0)),
            Data::Text(texts) => Scalar::Text(texts.get(0).into()),
        }
    }
}
