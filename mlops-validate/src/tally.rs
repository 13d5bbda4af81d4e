//! What is counted for every rule that judges rows.

use arrow::array::{Array, ArrayRef, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mlops_core::validation::{Counts, NullPolicy, Sample};
use serde::{Deserialize, Serialize};

use crate::bits;
use crate::kernel::{Chunk, Judged};

/// Longest text of one value in a sample, in characters.
const SAMPLE_CHARS: usize = 256;

/// What stands in the place of a value that may not be shown.
const REDACTED: &str = "(redacted)";

/// Counts and first failing rows of one check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// The failing rows of the smallest numbers, in no order.
    pub(crate) samples: Vec<RowSample>,
    pub(crate) by_statistics: u64,
    /// Failing rows of which only the number is known.
    pub(crate) failed_unread: u64,
    pub(crate) nanos: u64,
}

/// A failing row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RowSample {
    pub(crate) row: u64,
    pub(crate) values: Vec<Option<String>>,
}

impl Tally {
    /// Counts a chunk. `judged.failed` becomes the rows that fail in the end: null policy and filter
    /// applied.
    pub(crate) fn count(
        &mut self,
        judged: &mut Judged,
        eligible: Option<&[u64]>,
        nulls: NullPolicy,
        rows: usize,
    ) {
        let Judged { failed, null, skipped } = judged;
        match nulls {
            NullPolicy::Skip => {
                bits::and_not(failed, null);
                bits::or(skipped, null);
            }
            NullPolicy::Fail => {
                bits::or(failed, null);
                bits::and_not(skipped, null);
            }
            NullPolicy::Pass => {
                bits::and_not(failed, null);
                bits::and_not(skipped, null);
            }
        }
        bits::and_not(failed, skipped);
        let rows = rows as u64;
        let eligible_rows = match eligible {
            Some(eligible) => {
                bits::and(failed, eligible);
                bits::and(skipped, eligible);
                bits::count(eligible)
            }
            None => rows,
        };
        let skipped = bits::count(skipped);
        self.counts.judged += eligible_rows - skipped;
        self.counts.skipped += skipped;
        self.counts.filtered += rows - eligible_rows;
        self.counts.failed += bits::count(failed);
    }

    /// Counts rows that were not read.
    pub(crate) fn count_proved(&mut self, rows: u64, failed: u64, null: u64, nulls: NullPolicy) {
        let (failed, skipped) = match nulls {
            NullPolicy::Skip => (failed, null),
            NullPolicy::Fail => (failed + null, 0),
            NullPolicy::Pass => (failed, 0),
        };
        self.counts.judged += rows - skipped;
        self.counts.skipped += skipped;
        self.counts.failed += failed;
        self.failed_unread += failed;
        self.by_statistics += rows;
    }

    /// Keeps the failing rows of the smallest numbers.
    pub(crate) fn sample(
        &mut self,
        failed: &[u64],
        chunk: &Chunk<'_>,
        columns: &[SampleColumn],
        most: usize,
    ) {
        for row in bits::rows(failed) {
            let number = chunk.first_row + row as u64;
            if self.samples.len() >= most {
                let Some(last) = (0..self.samples.len()).max_by_key(|i| self.samples[*i].row)
                else {
                    return;
                };
                if self.samples[last].row < number {
                    // Rows of a chunk come in order: no later one is smaller.
                    return;
                }
                self.samples.swap_remove(last);
            }
            let values = columns
                .iter()
                .map(|column| {
                    if column.redacted {
                        return Some(REDACTED.to_owned());
                    }
                    display(chunk.columns[column.slot].as_ref()?, row)
                })
                .collect();
            self.samples.push(RowSample { row: number, values });
        }
    }

    /// Both together.
    pub(crate) fn merge(mut self, other: Self, most: usize) -> Self {
        self.counts.judged += other.counts.judged;
        self.counts.failed += other.counts.failed;
        self.counts.skipped += other.counts.skipped;
        self.counts.filtered += other.counts.filtered;
        self.by_statistics += other.by_statistics;
        self.failed_unread += other.failed_unread;
        self.nanos += other.nanos;
        self.samples.extend(other.samples);
        self.samples.sort_unstable();
        self.samples.truncate(most);
        self
    }

    /// The samples in the order of their rows.
    pub(crate) fn take_samples(&mut self) -> Vec<Sample> {
        self.samples.sort_unstable();
        std::mem::take(&mut self.samples)
            .into_iter()
            .map(|sample| Sample { row: Some(sample.row), values: sample.values, count: None })
            .collect()
    }
}

/// A column that samples show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampleColumn {
    pub(crate) slot: usize,
    pub(crate) redacted: bool,
}

/// A value as text; null is nothing. An instant of any zone is shown in UTC.
pub(crate) fn display(column: &ArrayRef, row: usize) -> Option<String> {
    let null = match column.data_type() {
        // The null may be one of the dictionary's values.
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) => {
            column.slice(row, 1).logical_null_count() > 0
        }
        _ => column.is_null(row),
    };
    if null {
        return None;
    }
    if let DataType::Dictionary(_, values) = column.data_type() {
        // As the value would be shown that it stands for.
        return display(&cast(&column.slice(row, 1), values).ok()?, 0);
    }
    if let DataType::Timestamp(unit, Some(_)) = column.data_type() {
        // Names of zones would need a table of them; the values are UTC whatever the name.
        let plain = DataType::Timestamp(*unit, None);
        let data = column.slice(row, 1).to_data().into_builder().data_type(plain).build().ok()?;
        return display(&make_array(data), 0).map(|text| text + "Z");
    }
    let options = FormatOptions::new().with_display_error(true);
    let formatter = ArrayFormatter::try_new(column, &options).ok()?;
    let mut text = String::new();
    std::fmt::Write::write_fmt(&mut text, format_args!("{}", formatter.value(row))).ok()?;
    if let Some((end, _)) = text.char_indices().nth(SAMPLE_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    Some(text)
}
