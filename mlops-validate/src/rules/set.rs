//! `in_set` and `not_in_set`.
//!
//! A set of text is a table that is looked up by a hash of the length and the first and last eight
//! bytes: two loads, whatever the set's size; only what shares all three is compared in full. Numbers
//! are looked up by their bits, after what has two forms (−0.0, NaN) has got one.

use std::collections::HashSet;
use std::fmt::Debug;

use arrow::array::{Array, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{ArrowNativeType, i256};
use mlops_core::Result;
use mlops_core::validation::NanPolicy;

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
                set.iter().fold(false, |found, member| found | (*member == value)) == forbidden
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
    /// A power of two of places, at least twice the members: 0 is empty, else the member's number + 1.
    places: Vec<u32>,
    members: Vec<Box<[u8]>>,
    forbidden: bool,
}

impl TextSet {
    /// A set of these texts.
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>, forbidden: bool) -> Self {
        let texts: HashSet<&str> = texts.into_iter().collect();
        let mut members: Vec<Box<[u8]>> = texts.into_iter().map(|t| t.as_bytes().into()).collect();
        members.sort_unstable();
        let mut places = vec![0; (members.len() * 4).next_power_of_two().max(16)];
        for (number, member) in members.iter().enumerate() {
            let mut place = hash(member) as usize & (places.len() - 1);
            while places[place] != 0 {
                place = (place + 1) & (places.len() - 1);
            }
            places[place] = number as u32 + 1;
        }
        Self { places, members, forbidden }
    }

    #[inline]
    fn contains(&self, text: &[u8]) -> bool {
        let mask = self.places.len() - 1;
        let mut place = hash(text) as usize & mask;
        loop {
            match self.places[place] {
                0 => return false,
                number if *self.members[number as usize - 1] == *text => return true,
                _ => place = (place + 1) & mask,
            }
        }
    }
}

/// Of the length and both ends: what differs only in the middle collides, and is compared in full.
#[inline]
fn hash(text: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let (first, last) = if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk())
    {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else {
        let at = |i: usize| u64::from(text.get(i).copied().unwrap_or(0));
        (at(0) | at(1) << 8 | at(2) << 16, 0)
    };
    let mixed = (first ^ last.rotate_left(23) ^ text.len() as u64).wrapping_mul(ODD);
    mixed ^ mixed >> 32
}

impl ValueRule for TextSet {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        struct Test<'a>(&'a TextSet, &'a mut [u64]);

        impl Visitor for Test<'_> {
            type Output = ();

            fn visit(self, rows: &impl Rows) {
                let count = rows.count();
                for (index, word) in self.1.iter_mut().enumerate() {
                    let mut failed = 0;
                    for row in index * 64..(index * 64 + 64).min(count) {
                        let fails = self.0.contains(rows.bytes(row)) == self.0.forbidden;
                        failed |= u64::from(fails) << (row % 64);
                    }
                    *word |= failed;
                }
            }
        }

        visit(values, Test(self, &mut out.failed))
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
