//! A bit for each row: bit `i % 64` of word `i / 64`; bits past the last row are 0.

use arrow::buffer::{BooleanBuffer, Buffer};

/// One bit a row. Up to 64 rows need no allocation, which is what one row at serving time is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mask {
    One(u64),
    Many(Vec<u64>),
}

/// The bits of the last word that are rows.
pub(crate) fn tail(rows: usize) -> u64 {
    if rows.is_multiple_of(64) { u64::MAX } else { (1 << (rows % 64)) - 1 }
}

impl Mask {
    pub(crate) fn zeros(rows: usize) -> Self {
        if rows <= 64 { Self::One(0) } else { Self::Many(vec![0; rows.div_ceil(64)]) }
    }

    pub(crate) fn ones(rows: usize) -> Self {
        Self::zeros(rows).not(rows)
    }

    /// The bits of words that come in order; there are `rows.div_ceil(64)` of them or more.
    pub(crate) fn of_words(rows: usize, mut words: impl Iterator<Item = u64>) -> Self {
        if rows <= 64 {
            let word = words.next().unwrap_or(0);
            return Self::One(if rows == 0 { 0 } else { word & tail(rows) });
        }
        let mut words: Vec<u64> = words.take(rows.div_ceil(64)).collect();
        if let Some(last) = words.last_mut() {
            *last &= tail(rows);
        }
        Self::Many(words)
    }

    pub(crate) fn of_bits(bits: &BooleanBuffer) -> Self {
        Self::of_words(bits.len(), bits.bit_chunks().iter_padded())
    }

    pub(crate) fn of_fn(rows: usize, mut f: impl FnMut(usize) -> bool) -> Self {
        Self::of_words(
            rows,
            (0..rows.div_ceil(64)).map(|word| {
                let from = word * 64;
                (from..rows.min(from + 64)).fold(0, |bits, i| bits | u64::from(f(i)) << (i - from))
            }),
        )
    }

    pub(crate) fn words(&self) -> &[u64] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Many(words) => words,
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match self {
            Self::One(word) => std::slice::from_mut(word),
            Self::Many(words) => words,
        }
    }

    pub(crate) fn get(&self, i: usize) -> bool {
        self.words()[i / 64] >> (i % 64) & 1 == 1
    }

    pub(crate) fn set(&mut self, i: usize) {
        self.words_mut()[i / 64] |= 1 << (i % 64);
    }

    pub(crate) fn any(&self) -> bool {
        self.words().iter().any(|word| *word != 0)
    }

    pub(crate) fn not(mut self, rows: usize) -> Self {
        let words = self.words_mut();
        for word in words.iter_mut() {
            *word = !*word;
        }
        if let Some(last) = words.last_mut() {
            *last &= if rows == 0 { 0 } else { tail(rows) };
        }
        self
    }

    /// `f` of each pair of words; it has to keep 0 and 0 at 0.
    pub(crate) fn zip(mut self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        for (a, b) in self.words_mut().iter_mut().zip(other.words()) {
            *a = f(*a, *b);
        }
        self
    }

    pub(crate) fn or(self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(crate) fn and(self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(crate) fn without(self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub(crate) fn into_bits(self, rows: usize) -> BooleanBuffer {
        let words = match self {
            Self::One(word) => vec![word.to_le()],
            Self::Many(words) => words.into_iter().map(u64::to_le).collect(),
        };
        BooleanBuffer::new(Buffer::from_vec(words), 0, rows)
    }
}

/// Either's bits; `None` is all zeros.
pub(crate) fn either(a: Option<Mask>, b: Option<&Mask>) -> Option<Mask> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.or(b)),
        (None, Some(b)) => Some(b.clone()),
        (a, None) => a,
    }
}
