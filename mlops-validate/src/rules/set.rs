//! `in_set` and `not_in_set`.
//!
//! A few short texts, which most sets are, become numbers in a table without collisions
//! ([`ShortSet`]); others are hashed.

use std::collections::HashSet;
use std::fmt::Debug;

use arrow::array::{Array, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{ArrowNativeType, i256};
use mlops_core::Result;
use mlops_core::validation::NanPolicy;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::column::ValueRule;
use super::range::not_of;
use crate::bits;
use crate::kernel::Judged;
use crate::text::strings::{Rows, Visitor, visit};

/// Values of a type whose native form is its value.
#[derive(Debug)]
pub(crate) struct NativeSet<T: ArrowPrimitiveType> {
    /// Sorted.
    pub(crate) values: Vec<T::Native>,
    /// Whether a value of the set is what fails.
    pub(crate) forbidden: bool,
}

/// Up to so many values are compared one after the other, which needs no branch.
const FEW: usize = 8;

impl<T: ArrowPrimitiveType + Debug> ValueRule for NativeSet<T>
where
    T::Native: Ord + Debug,
{
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        let values = values.as_primitive_opt::<T>().ok_or_else(|| not_of(values.data_type()))?;
        let (set, forbidden) = (&self.values[..], self.forbidden);
        if set.len() <= FEW {
            bits::or_failing(&mut out.failed, values.values(), |value| {
                set.iter().fold(0, |found, member| found | u8::from(*member == value))
                    == u8::from(forbidden)
            });
        } else {
            bits::or_failing(&mut out.failed, values.values(), |value| {
                set.binary_search(&value).is_ok() == forbidden
            });
        }
        Ok(())
    }
}

/// Floats.
#[derive(Debug)]
pub(crate) struct FloatSet<T: ArrowPrimitiveType> {
    /// Sorted by `total_cmp`, no NaN, no −0.0.
    pub(crate) values: Vec<f64>,
    pub(crate) forbidden: bool,
    pub(crate) nan: NanPolicy,
    pub(crate) of: std::marker::PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType + Debug> ValueRule for FloatSet<T>
where
    T::Native: Into<f64>,
{
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        let values = values.as_primitive_opt::<T>().ok_or_else(|| not_of(values.data_type()))?;
        let nan_fails = self.nan == NanPolicy::Fail;
        bits::or_failing(&mut out.failed, values.values(), |value| {
            let value: f64 = value.into();
            if value.is_nan() {
                return nan_fails;
            }
            // −0.0 + 0.0 is 0.0.
            let found = self.values.binary_search_by(|member| member.total_cmp(&(value + 0.0)));
            found.is_ok() == self.forbidden
        });
        if self.nan == NanPolicy::Skip {
            bits::or_failing(&mut out.skipped, values.values(), |value| {
                let value: f64 = value.into();
                value.is_nan()
            });
        }
        Ok(())
    }

    fn nan(&self) -> NanPolicy {
        self.nan
    }
}

/// True, false, or both.
#[derive(Debug)]
pub(crate) struct BoolSet {
    pub(crate) allows_true: bool,
    pub(crate) allows_false: bool,
}

impl ValueRule for BoolSet {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        let bools = values.as_boolean_opt().ok_or_else(|| not_of(values.data_type()))?;
        let (on_true, on_false) =
            (u64::MAX * u64::from(!self.allows_true), u64::MAX * u64::from(!self.allows_false));
        for (word, value) in out.failed.iter_mut().zip(bools.values().bit_chunks().iter_padded()) {
            *word |= value & on_true | !value & on_false;
        }
        bits::trim(&mut out.failed, bools.len());
        Ok(())
    }
}

/// Text.
#[derive(Debug)]
pub(crate) struct TextSet {
    members: Members,
    forbidden: bool,
}

#[derive(Debug)]
enum Members {
    /// All are short and few.
    Short(ShortSet),
    /// Any others.
    Any(HashSet<Box<[u8]>, Xxh3DefaultBuilder>),
}

impl TextSet {
    /// A set of these texts.
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>, forbidden: bool) -> Self {
        let texts: HashSet<&str> = texts.into_iter().collect();
        let members = match ShortSet::new(&texts) {
            Some(short) => Members::Short(short),
            None => Members::Any(texts.into_iter().map(|text| text.as_bytes().into()).collect()),
        };
        Self { members, forbidden }
    }
}

/// Text of at most [`SHORT`] bytes as one number: its bytes, zeros behind, and its length on top.
type Short = u128;

/// Longest text that is one number.
const SHORT: usize = 15;

/// By length: the bytes that count, and the length where it stands.
const MASKS: [(u128, u128); SHORT + 1] = {
    let mut masks = [(0, 0); SHORT + 1];
    let mut length = 0;
    while length <= SHORT {
        masks[length] = ((1 << (8 * length as u32)) - 1, (length as u128) << 120);
        length += 1;
    }
    masks
};

#[inline]
fn short(window: [u8; 16], length: usize) -> Option<Short> {
    let (mask, length) = MASKS.get(length)?;
    Some(u128::from_le_bytes(window) & mask | length)
}

/// A few short texts in a table in which each has a place of its own, found by trying: so one
/// multiplication and one comparison answer, without a branch that data could make the processor
/// guess wrong.
#[derive(Debug)]
struct ShortSet {
    odd: u64,
    shift: u32,
    table: Vec<Short>,
}

/// What stands in a place that is nobody's: no text has this length.
const NOBODY: Short = u128::MAX;

impl ShortSet {
    fn new(texts: &HashSet<&str>) -> Option<Self> {
        const MOST: usize = 64;
        let mut members = Vec::with_capacity(texts.len());
        for text in texts {
            let mut window = [0; 16];
            window.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
            members.push(short(window, text.len())?);
        }
        if members.len() > MOST {
            return None;
        }
        let least = (members.len() * 2).next_power_of_two().trailing_zeros();
        (least..least + 5).flat_map(|bits| (0..200_u64).map(move |seed| (bits, seed))).find_map(
            |(bits, seed)| {
                let odd = (seed * 2 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
                let mut set = Self { odd, shift: 64 - bits, table: vec![NOBODY; 1 << bits] };
                members.iter().all(|member| set.claim(*member)).then_some(set)
            },
        )
    }

    fn claim(&mut self, member: Short) -> bool {
        let place = self.place(member);
        let free = self.table[place] == NOBODY;
        self.table[place] = member;
        free
    }

    #[inline]
    fn place(&self, text: Short) -> usize {
        let folded = (text as u64).wrapping_mul(self.odd) ^ (text >> 64) as u64;
        (folded.wrapping_mul(self.odd) >> self.shift) as usize
    }

    #[inline]
    fn contains(&self, rows: &impl Rows, row: usize) -> bool {
        let mut window = [0; 16];
        rows.window(row, 0, &mut window);
        short(window, rows.length(row)).is_some_and(|text| self.table[self.place(text)] == text)
    }
}

impl ValueRule for TextSet {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        struct Test<'a>(&'a TextSet, &'a mut [u64]);

        impl Visitor for Test<'_> {
            type Output = ();

            fn visit(self, rows: &impl Rows) {
                let Self(TextSet { members, forbidden }, failed) = self;
                match members {
                    Members::Short(set) => {
                        or_rows(failed, rows.count(), |row| set.contains(rows, row) == *forbidden);
                    }
                    Members::Any(set) => or_rows(failed, rows.count(), |row| {
                        set.contains(rows.bytes(row)) == *forbidden
                    }),
                }
            }
        }

        visit(values, Test(self, &mut out.failed))
    }
}

/// Sets the bits of the rows that fail.
#[inline]
fn or_rows(mask: &mut [u64], rows: usize, fails: impl Fn(usize) -> bool) {
    for (index, word) in mask.iter_mut().enumerate() {
        for row in index * 64..(index * 64 + 64).min(rows) {
            *word |= u64::from(fails(row)) << (row % 64);
        }
    }
}

/// A decimal's or integer's native value, if the type can hold it.
pub(crate) trait Fits: ArrowNativeType {
    /// `whole`, if it fits.
    fn fit(whole: i256) -> Option<Self>;
    /// The least and the greatest value.
    fn ends() -> (Self, Self);
}

macro_rules! fits {
    ($($native:ty),*) => {$(
        impl Fits for $native {
            fn fit(whole: i256) -> Option<Self> {
                whole.to_i128().and_then(|whole| whole.try_into().ok())
            }
            fn ends() -> (Self, Self) {
                (<$native>::MIN, <$native>::MAX)
            }
        }
    )*};
}

fits!(i8, i16, i32, i64, i128, u8, u16, u32, u64);

impl Fits for i256 {
    fn fit(whole: i256) -> Option<Self> {
        Some(whole)
    }

    fn ends() -> (Self, Self) {
        (i256::MIN, i256::MAX)
    }
}
