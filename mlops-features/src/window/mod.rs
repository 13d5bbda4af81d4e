//! Windowed aggregates: sums, counts and the like over the rows of a key in a window of time.
//!
//! The meaning is [`Aggregate`](mlops_core::features::Aggregate)'s. There is one kind of state, the tile: the
//! rows of a key in a stretch of one resolution, each aggregate as something that merges exactly, in any
//! order. Offline ([`WindowJoin`]) a window of tiles slides over the log of a key; online ([`Folder`],
//! [`Answers`]) the tiles of a key are kept as the payload of its one row. Because merging is exact, both
//! have the same bits.
//!
//! | aggregate | state |
//! |---|---|
//! | count | a number |
//! | sum, mean of `int` | 128 bits, and the count |
//! | sum, mean of floats | the exact sum, rounded when asked, and the count |
//! | min, max | the value; −0.0 is 0.0, and there is one NaN, above all |
//! | distinct | hashes of 64 bits up to 256 of them, then 4,096 registers |
//! | last | the value, and its place in the order of writes |
//!
//! A NaN is a value: it is counted, and a sum with it is NaN; so is one of +∞ and −∞.
//!
//! `NotFound` is the status of a row if none of the key's rows can be seen in the view's longest window. Its
//! values are those of no rows.
//!
//! What it does not do: a cut-off of knowledge online; a window that ends before `t`.

mod acc;
mod answer;
mod bytes;
mod distinct;
mod exact;
mod fold;
mod join;
mod log;
mod plan;
mod read;
mod rows;
mod sliding;
mod state;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use self::fold::{Folder, KeyRows};
pub(crate) use self::join::WindowJoin;
pub(crate) use self::plan::WindowPlan;
pub(crate) use self::read::Answers;
pub(crate) use self::state::payload;
