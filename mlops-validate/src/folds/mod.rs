//! Rules that need more than a row: each a [`Fold`](crate::kernel::Fold) that takes rows in, and a
//! [`Conclude`](crate::plan::Conclude) that says what they come to.

pub(crate) mod bins;
pub(crate) mod dependency;
pub(crate) mod foreign_key;
pub(crate) mod keyed;
pub(crate) mod metric;
pub(crate) mod ordered;
pub(crate) mod unique;
