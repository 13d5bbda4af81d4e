//! Where each column of a list stands in a packed row.

use mlops_core::features::{FeatureType, TableColumn};
use mlops_core::{Error, Result};
use xxhash_rust::xxh3::Xxh3;

/// The first byte of a packed row.
pub const ROW_VERSION: u8 = 1;
/// Bytes before the bits of what is not null.
pub(super) const HEAD: usize = 8;
/// Most columns of a table: as many as make a row of fixed width below half a megabyte.
const MAX_COLUMNS: usize = 1 << 16;

/// Where the columns of one list stand.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) columns: Vec<TableColumn>,
    /// One for each column.
    pub(super) places: Vec<Place>,
    /// The first eight bytes of each row.
    pub(super) head: u64,
    /// Where the ends of the values of variable width begin.
    pub(super) ends: usize,
    /// Where those values begin.
    pub(super) heap: usize,
}

/// Where a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The byte with its bit.
    pub(super) byte: u32,
    /// Its bit.
    pub(super) mask: u8,
    /// Its value, if of fixed width; else where its value's end stands.
    pub(super) at: u32,
    /// Where the end of the value before it stands, if it is of variable width and not the first.
    pub(super) before: Option<u32>,
    /// Where values of variable width begin.
    pub(super) heap: u32,
}

impl Layout {
    pub(super) fn new(columns: &[TableColumn]) -> Result<Self> {
        if columns.len() > MAX_COLUMNS {
            return Err(Error::invalid("features.codec", "a table has too many columns")
                .with("columns", columns.len())
                .with("at_most", MAX_COLUMNS));
        }
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::invalid("features.codec", "a table has two columns of one name")
                .with("column", twice[0]));
        }
        let bits = HEAD + columns.len().div_ceil(8);
        let fixed: usize = columns.iter().filter_map(|column| width(column.data_type)).sum();
        let ends = bits + fixed;
        let vars = columns.iter().filter(|column| width(column.data_type).is_none()).count();
        let heap = ends + 4 * vars;
        let (mut next, mut next_end, mut before) = (bits, ends, None);
        let places = columns.iter().enumerate().map(|(index, column)| {
            let bit = (HEAD + index / 8, 1 << (index % 8));
            let mut place =
                Place { byte: bit.0 as u32, mask: bit.1, at: 0, before: None, heap: heap as u32 };
            if let Some(width) = width(column.data_type) {
                place.at = next as u32;
                next += width;
            } else {
                (place.at, place.before) = (next_end as u32, before);
                before = Some(next_end as u32);
                next_end += 4;
            }
            place
        });
        let places = places.collect();
        Ok(Self { head: head(columns), columns: columns.to_vec(), places, ends, heap })
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether a row that begins with this layout's head has the length that it must have.
    #[inline]
    pub(super) fn fits(&self, row: &[u8]) -> bool {
        if self.heap == self.ends {
            return row.len() == self.ends;
        }
        let Some(heap) = row.len().checked_sub(self.heap) else { return false };
        read_u32(row, self.heap - 4).is_some_and(|end| end as usize == heap)
    }
}

/// How many bytes a value has, if always as many.
pub(super) fn width(data_type: FeatureType) -> Option<usize> {
    match data_type {
        FeatureType::Int | FeatureType::Float | FeatureType::Timestamp => Some(8),
        FeatureType::Float32 | FeatureType::Date => Some(4),
        FeatureType::Bool => Some(1),
        _ => None,
    }
}

#[inline]
pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_le_bytes(*word))
}

/// The version, and 56 bits of the hash of the list, as one word, so that one comparison reads both.
fn head(columns: &[TableColumn]) -> u64 {
    let mut hash = Xxh3::new();
    for column in columns {
        for part in [column.name.as_str(), column.data_type.as_str()] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.digest() << 8 | u64::from(ROW_VERSION)
}
