//! Cells into which a column is counted, fixed once from a profile of good data.
//!
//! Two samples can be compared when both are counted into the same cells. For numbers and instants
//! these are about equally probable in the reference, cut at the edges of histogram cells, so that the
//! reference's own counts are exact without its rows. What is no number has a cell of its own, and so
//! have values that the reference did not have: a shift to null, NaN or a new category is a shift.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use arrow::array::Array;
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::profile::{ColumnProfile, hex, type_text};
use super::select::{Selected, Values, with_selected};

const OPERATION: &str = "validate.bins";
/// More cells than this say nothing that fewer do not.
const MAX_BINS: usize = 1_000;

/// The cells of a column.
///
/// | column | cells, in this order |
/// |---|---|
/// | numbers, instants | −∞, the bins from low to high, +∞, NaN, NULL |
/// | text, bytes, truth values | the known values, OTHER (rare ones of the reference), UNSEEN, NULL |
///
/// ```
/// use mlops_core::arrow::array::{Array, Float64Array, StringArray};
/// use mlops_core::arrow::datatypes::{DataType, Field};
/// use mlops_validate::stats::{Bins, ColumnProfile};
///
/// # fn main() -> mlops_core::Result<()> {
/// let good = Float64Array::from_iter_values((0..1000).map(f64::from));
/// let mut profile = ColumnProfile::of(&Field::new("x", DataType::Float64, true));
/// profile.update(&good, None)?;
/// let bins = Bins::freeze(&profile, 4)?;
/// assert_eq!(bins.reference().counts(), [0, 250, 250, 252, 248, 0, 0, 0]);
///
/// let today = Float64Array::from(vec![Some(-5.0), Some(999.0), Some(f64::NAN), None]);
/// assert_eq!(bins.count(&today, None)?.counts(), [0, 1, 0, 0, 1, 0, 1, 1]);
///
/// let good = StringArray::from(vec!["UA", "UA", "AA", "AA", "OO"]);
/// let mut profile = ColumnProfile::of(&Field::new("carrier", DataType::Utf8, true));
/// profile.update(&good, None)?;
/// let bins = Bins::freeze(&profile, 2)?;
/// assert_eq!(bins.labels(), ["AA", "UA", "OTHER", "UNSEEN", "NULL"]);
/// let today = StringArray::from(vec![Some("UA"), Some("OO"), Some("ZZ"), None]);
/// assert_eq!(bins.count(&today, None)?.counts(), [0, 1, 1, 1, 1]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Bins {
    data_type: String,
    cells: Cells,
    reference: BinCounts,
}

/// Counts of the cells of one [`Bins`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinCounts(Vec<u64>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cells {
    /// The lower ends of all bins but the first, rising.
    Numbers { scale: i8, edges: Vec<f64> },
    /// Sorted values: those with a cell, and the rare ones.
    Categories { known: Vec<String>, other: Vec<String> },
}

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "type")]
    data_type: String,
    cells: Cells,
    reference: BinCounts,
}

impl Bins {
    /// At most `n` bins of about equal counts, or the `n` most frequent categories, of a profile.
    ///
    /// A value that alone makes up more than one `n`th of the rows gets a wider share, and there are
    /// fewer bins. Of categories that are equally frequent the lesser by bytes come first.
    ///
    /// # Errors
    /// `Invalid` for a profile without rows, for `n` of 0 or over 1,000, for text or bytes with more
    /// values than a profile counts, and for nested types.
    pub fn freeze(profile: &ColumnProfile, n: usize) -> Result<Self> {
        let refuse = |message: &'static str| {
            Error::invalid(OPERATION, message)
                .with("column", profile.name())
                .with("type", profile.data_type())
        };
        if n == 0 || n > MAX_BINS {
            return Err(refuse("a column has between 1 and 1,000 cells").with("bins", n));
        }
        if profile.rows() == 0 {
            return Err(refuse("a profile without rows says nothing about cells"));
        }
        let (cells, counts) = if let Some(histogram) = profile.histogram() {
            let finite = histogram.cells().filter(|cell| cell.lo.is_finite());
            let (edges, inner) = equal_shares(finite.map(|cell| (cell.lo, cell.count)), n);
            let [plus, minus] = histogram.infinite();
            let mut counts = vec![minus];
            counts.extend(inner);
            counts.extend([plus, histogram.nan(), profile.nulls()]);
            (Cells::Numbers { scale: profile.scale(), edges }, counts)
        } else if let Some(categories) = profile.categories() {
            let (known, other) = most_frequent(categories, n);
            let sum = |values: &[String]| {
                let counts = values.iter().filter_map(|value| categories.get(value));
                counts.fold(0, |total: u64, count| total.saturating_add(*count))
            };
            let mut counts: Vec<u64> =
                known.iter().filter_map(|v| categories.get(v)).copied().collect();
            counts.extend([sum(&other), 0, profile.nulls()]);
            (Cells::Categories { known, other }, counts)
        } else {
            return Err(refuse("a column of this type, or of so many values, has no cells")
                .with_hint(
                    "numbers, instants, truth values, and text of at most 1,000 values have",
                ));
        };
        let data_type = profile.data_type().to_owned();
        Ok(Self { data_type, cells, reference: BinCounts(counts) })
    }

    /// Counts the values of `array`, or those at the rows of a bit mask.
    ///
    /// # Errors
    /// `Invalid` for an array of another type than the reference, or a mask of another length.
    pub fn count(&self, array: &dyn Array, eligible: Option<&[u64]>) -> Result<BinCounts> {
        let found = type_text(array.data_type());
        if found != self.data_type {
            return Err(Error::invalid(OPERATION, "a column has another type than the reference")
                .with("reference", &self.data_type)
                .with("found", found));
        }
        with_selected(array, eligible, |selected| self.count_selected(&selected))
    }

    fn count_selected(&self, selected: &Selected<'_>) -> BinCounts {
        let mut counts = self.empty();
        let last = counts.0.len() - 1;
        counts.0[last] = selected.nulls;
        match &self.cells {
            Cells::Numbers { scale, edges } => {
                let values = selected.values.doubles(*scale).unwrap_or_default();
                for &value in &*values {
                    counts.0[number_cell(value, edges)] += 1;
                }
            }
            Cells::Categories { known, other } => {
                let mut cells: HashMap<&str, usize> =
                    known.iter().enumerate().map(|(i, value)| (value.as_str(), i)).collect();
                cells.extend(other.iter().map(|value| (value.as_str(), known.len())));
                let unseen = known.len() + 1;
                let mut add = |value: &str| {
                    counts.0[cells.get(value).copied().unwrap_or(unseen)] += 1;
                };
                match &selected.values {
                    Values::Texts(values) => values.iter().for_each(|value| add(value)),
                    Values::Bytes(values) => values.iter().for_each(|value| add(&hex(value))),
                    Values::Bools(values) => {
                        for value in values {
                            add(if *value { "true" } else { "false" });
                        }
                    }
                    _ => {}
                }
            }
        }
        counts
    }

    /// Counts of nothing, to merge others into.
    pub fn empty(&self) -> BinCounts {
        BinCounts(vec![0; self.len()])
    }

    /// The counts of the data that the cells were made of.
    pub fn reference(&self) -> &BinCounts {
        &self.reference
    }

    /// How many cells there are; at least four.
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Numbers { edges, .. } => edges.len() + 5,
            Cells::Categories { known, .. } => known.len() + 3,
        }
    }

    /// Never: there is a cell for nulls.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The cells that have an order, from −∞ to +∞; none for categories.
    pub fn ordered(&self) -> Range<usize> {
        match &self.cells {
            Cells::Numbers { edges, .. } => 0..edges.len() + 3,
            Cells::Categories { .. } => 0..0,
        }
    }

    /// A name for each cell.
    pub fn labels(&self) -> Vec<String> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        match &self.cells {
            Cells::Numbers { edges, .. } => {
                let mut labels = own(&["-inf"]);
                let ends = edges.iter().map(|edge| Some(*edge));
                let mut from = None;
                for to in ends.chain([None]) {
                    labels.push(match (from, to) {
                        (None, None) => "finite".to_owned(),
                        (None, Some(to)) => format!("< {to}"),
                        (Some(from), None) => format!(">= {from}"),
                        (Some(from), Some(to)) => format!("{from} .. < {to}"),
                    });
                    from = to;
                }
                labels.extend(own(&["+inf", "NaN", "NULL"]));
                labels
            }
            Cells::Categories { known, .. } => {
                let mut labels = known.clone();
                labels.extend(own(&["OTHER", "UNSEEN", "NULL"]));
                labels
            }
        }
    }
}

impl BinCounts {
    /// The counts, cell by cell.
    pub fn counts(&self) -> &[u64] {
        &self.0
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |total: u64, count| total.saturating_add(*count))
    }

    /// Adds counts of the same cells.
    ///
    /// # Errors
    /// `Invalid` for another number of cells; nothing was added.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.0.len() != other.0.len() {
            return Err(Error::invalid(OPERATION, "counts of different cells do not add up")
                .with("cells", self.0.len())
                .with("other", other.0.len()));
        }
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
        Ok(())
    }
}

fn number_cell(value: f64, edges: &[f64]) -> usize {
    if value.is_finite() {
        return 1 + edges.partition_point(|edge| *edge <= value);
    }
    let plus = edges.len() + 2;
    if value.is_nan() {
        plus + 1
    } else if value > 0.0 {
        plus
    } else {
        0
    }
}

/// Cuts sorted cells (lower end, count) into at most `n` shares: the lower ends of all but the first,
/// and the counts.
fn equal_shares(cells: impl Iterator<Item = (f64, u64)>, n: usize) -> (Vec<f64>, Vec<u64>) {
    let cells: Vec<(f64, u64)> = cells.collect();
    let total: u128 = cells.iter().map(|(_, count)| u128::from(*count)).sum();
    let (mut edges, mut counts) = (Vec::new(), vec![0u64]);
    let (mut before, mut closed) = (0u128, 0u128);
    for (lo, count) in cells {
        let reached = (before * n as u128).checked_div(total).unwrap_or(0);
        if reached > closed {
            edges.push(lo);
            counts.push(0);
            closed = reached;
        }
        before += u128::from(count);
        if let Some(last) = counts.last_mut() {
            *last = last.saturating_add(count);
        }
    }
    (edges, counts)
}

/// The `n` most frequent values and the others, each sorted.
fn most_frequent(categories: &BTreeMap<String, u64>, n: usize) -> (Vec<String>, Vec<String>) {
    let mut ranked: Vec<(&String, u64)> = categories.iter().map(|(v, c)| (v, *c)).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut values = ranked.into_iter().map(|(value, _)| value.clone());
    let mut known: Vec<String> = values.by_ref().take(n).collect();
    let mut other: Vec<String> = values.collect();
    known.sort_unstable();
    other.sort_unstable();
    (known, other)
}

impl From<Bins> for Stored {
    fn from(Bins { data_type, cells, reference }: Bins) -> Self {
        Self { data_type, cells, reference }
    }
}

impl TryFrom<Stored> for Bins {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { data_type, cells, reference } = stored;
        let bins = Self { data_type, cells, reference };
        if bins.reference.0.len() != bins.len() {
            return Err("the reference has another number of cells");
        }
        match &bins.cells {
            // Written so that NaN is refused as well.
            Cells::Numbers { edges, .. } if !edges.is_sorted_by(|a, b| a < b) => {
                Err("the edges of the cells do not rise")
            }
            _ => Ok(bins),
        }
    }
}

#[cfg(test)]
mod tests;
