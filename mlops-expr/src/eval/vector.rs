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
        let mut out = Vec::with_capacity(rows);
        for i in 0..rows {
            out.push(or_null(f(self.get(i)), i, rows, nulls));
        }
        Values::Owned(out)
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
        let mut out = Vec::with_capacity(rows);
        for i in 0..rows {
            out.push(or_null(f(self.get(i), other.get(i)), i, rows, nulls));
        }
        Values::Owned(out)
    }
}

#[inline]
fn or_null<R: Default>(value: Option<R>, i: usize, rows: usize, nulls: &mut Option<Mask>) -> R {
    value.unwrap_or_else(|| {
        nulls.get_or_insert_with(|| Mask::zeros(rows)).set(i);
        R::default()
    })
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
