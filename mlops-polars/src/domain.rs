//! The values that an enum of Polars may have.
//!
//! Arrow has no such type, so Polars writes the values beside the field, and believes what it finds
//! there: text that it cannot take apart ends the process, and a value outside becomes null in silence.
//! Batches come from files, so it is looked at first.

use std::collections::HashSet;

use arrow::datatypes::Field;

/// The keys under which Polars writes the values, the newer first.
pub(crate) const KEYS: [&str; 2] = ["_PL_ENUM_VALUES2", "_PL_ENUM_VALUES"];

/// What a field says of its values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Domain<'a> {
    /// Nothing: any text will do.
    Open,
    /// These and no others.
    Closed(HashSet<&'a str>),
    /// Something that cannot be read.
    Malformed,
}

impl<'a> Domain<'a> {
    /// Of a dictionary's field.
    pub(crate) fn of(field: &'a Field) -> Self {
        let text = KEYS.iter().find_map(|key| field.metadata().get(*key));
        let Some(text) = text else { return Self::Open };
        parse(text).map_or(Self::Malformed, Self::Closed)
    }
}

/// `3;new4;paid`: each value after its length in bytes.
fn parse(mut text: &str) -> Option<HashSet<&str>> {
    let mut values = HashSet::new();
    while !text.is_empty() {
        let (length, rest) = text.split_once(';')?;
        let (value, rest) = rest.split_at_checked(length.parse().ok()?)?;
        if !values.insert(value) {
            return None;
        }
        text = rest;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_their_lengths_in_bytes() {
        assert_eq!(parse("3;new4;a;b0;2;é"), None);
        assert_eq!(parse("3;new3;a;b0;2;é"), Some(HashSet::from(["new", "a;b", "", "é"])));
        assert_eq!(parse(""), Some(HashSet::new()));
    }

    #[test]
    fn what_polars_would_panic_on_is_malformed() {
        for text in ["new", "9;new", "x;new", "-1;new", "1;é", "1;a1;a", "18446744073709551616;a"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
