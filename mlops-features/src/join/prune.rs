//! Which row groups, and which pages of them, can have a row that someone asks for.
//!
//! By the statistics in the footer and in the page index, where a file has them. What is not known is kept,
//! so that pruning changes how much is read, never an answer. Rows that are too old stay: whether
//! a row that asks finds nothing or something expired depends on them.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type};
use mlops_core::features::KnownAt;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::ParquetError;

use super::error::guarded;
use super::file::Opened;
use super::slots::{Rule, Slots};
use super::ticks::Unit;

/// Decides what is read of files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pruner<'a> {
    pub(super) slots: &'a Slots,
    pub(super) rule: Rule,
    pub(super) unit: Unit,
}

/// The least and the greatest value of each row group, or of each page.
struct Ranges {
    least: ArrayRef,
    greatest: ArrayRef,
}

impl Pruner<'_> {
    /// For each row group, whether it can have a row that someone asks for.
    pub(super) fn groups(self, file: &Opened) -> Vec<bool> {
        let groups = file.metadata().num_row_groups();
        let mut keep = vec![self.slots.len() > 0; groups];
        for (column, test) in Self::tests(file) {
            if let Some(ranges) = group_ranges(file, column) {
                for (group, keep) in keep.iter_mut().enumerate() {
                    *keep &= test(self, &ranges, group, file.name(column));
                }
            }
        }
        keep
    }

    /// The rows of a row group that can be asked for, by its pages; `None` for all.
    pub(super) fn pages(self, file: &Opened, group: usize) -> Option<Vec<Range<usize>>> {
        let rows = file.group_rows(group);
        let mut selection: Option<RowSelection> = None;
        for (column, test) in Self::tests(file) {
            let Some((ranges, starts)) = page_ranges(file, group, column) else { continue };
            let ends = starts.iter().skip(1).copied().chain([rows]);
            let kept: Vec<Range<usize>> = starts
                .iter()
                .zip(ends)
                .enumerate()
                .filter(|(page, _)| test(self, &ranges, *page, file.name(column)))
                .map(|(_, (start, end))| *start..end.max(*start))
                .collect();
            if kept.len() < starts.len() {
                let kept = RowSelection::from_consecutive_ranges(kept.into_iter(), rows);
                selection = Some(match selection {
                    Some(known) => known.intersection(&kept),
                    None => kept,
                });
            }
        }
        selection.map(|selection| selected(&selection))
    }

    /// The columns that have something to say, and what they say of one range.
    #[expect(clippy::type_complexity, reason = "named once")]
    fn tests(file: &Opened) -> Vec<(usize, fn(Self, &Ranges, usize, &str) -> bool)> {
        let mut tests: Vec<(usize, fn(Self, &Ranges, usize, &str) -> bool)> = Vec::new();
        if let [key] = file.keys.as_slice() {
            tests.push((*key, Self::key));
        }
        tests.push((file.event_time, Self::event_time));
        if let Some(created) = file.created {
            tests.push((created, Self::created));
        }
        tests
    }

    fn key(self, ranges: &Ranges, at: usize, _: &str) -> bool {
        if !ranges.least.data_type().is_integer() {
            return true;
        }
        match (whole(&ranges.least, at), whole(&ranges.greatest, at)) {
            (Some(least), Some(greatest)) => self.slots.keys.asks_between(least, greatest),
            _ => true,
        }
    }

    fn event_time(self, ranges: &Ranges, at: usize, name: &str) -> bool {
        let least = self.unit.ticks(&ranges.least, name).ok().and_then(|ticks| ticks.get(at));
        least.is_none_or(|least| self.rule.in_time(least).is_some_and(|from| self.asks(from)))
    }

    fn created(self, ranges: &Ranges, at: usize, name: &str) -> bool {
        let least = self.unit.ticks(&ranges.least, name).ok().and_then(|ticks| ticks.get(at));
        least.is_none_or(|least| match self.rule.known_at {
            KnownAt::EventTime => self.asks(least),
            KnownAt::Instant(known) => least <= known,
            _ => true,
        })
    }

    /// Whether anyone asks at this instant or later.
    fn asks(self, from: i64) -> bool {
        from <= self.slots.latest()
    }
}

/// The least and the greatest event time of a file, in ticks; the widest, where it is not known.
pub(super) fn event_times(file: &Opened, unit: Unit) -> (i64, i64) {
    let all = (i64::MIN, i64::MAX);
    let Some(ranges) = group_ranges(file, file.event_time) else { return all };
    let ticks = |values| unit.ticks(values, file.name(file.event_time)).ok();
    let (Some(least), Some(greatest)) = (ticks(&ranges.least), ticks(&ranges.greatest)) else {
        return all;
    };
    let groups = 0..file.metadata().num_row_groups();
    let known = groups.map(|group| Some((least.get(group)?, greatest.get(group)?)));
    known.collect::<Option<Vec<_>>>().map_or(all, |known| {
        known.iter().fold((i64::MAX, i64::MIN), |(least, greatest), range| {
            (least.min(range.0), greatest.max(range.1))
        })
    })
}

/// The rows that a selection has, as ranges.
fn selected(selection: &RowSelection) -> Vec<Range<usize>> {
    let (mut ranges, mut at) = (Vec::new(), 0);
    for selector in selection.iter() {
        if !selector.skip && selector.row_count > 0 {
            ranges.push(at..at + selector.row_count);
        }
        at += selector.row_count;
    }
    ranges
}

fn whole(values: &ArrayRef, at: usize) -> Option<i64> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let values = cast_with_options(values, &DataType::Int64, &options).ok()?;
    let values = values.as_primitive::<Int64Type>();
    values.is_valid(at).then(|| values.value(at))
}

fn converter(file: &Opened, column: usize) -> Result<StatisticsConverter<'_>, ParquetError> {
    let schema = file.arrow.schema();
    StatisticsConverter::try_new(file.name(column), schema, file.arrow.parquet_schema())
}

fn group_ranges(file: &Opened, column: usize) -> Option<Ranges> {
    // A file whose statistics cannot be read is read without them.
    guarded(|| {
        let (converter, groups) = (converter(file, column)?, file.metadata().row_groups());
        Ok(Ranges {
            least: converter.row_group_mins(groups)?,
            greatest: converter.row_group_maxes(groups)?,
        })
    })
    .ok()
}

/// The ranges of a column's pages in a row group, and the first row of each page.
fn page_ranges(file: &Opened, group: usize, column: usize) -> Option<(Ranges, Vec<usize>)> {
    let (columns, offsets) = (file.metadata().column_index()?, file.metadata().offset_index()?);
    guarded(|| {
        let converter = converter(file, column)?;
        let leaf = converter.parquet_column_index().ok_or_else(missing)?;
        let pages = offsets.get(group).and_then(|offsets| offsets.get(leaf)).ok_or_else(missing)?;
        let starts: Vec<usize> =
            pages.page_locations().iter().map(|page| page.first_row_index as usize).collect();
        let (least, greatest) = (
            converter.data_page_mins(columns, offsets, &[group])?,
            converter.data_page_maxes(columns, offsets, &[group])?,
        );
        if least.len() != starts.len() || !starts.is_sorted() || starts.first() != Some(&0) {
            return Err(missing());
        }
        Ok((Ranges { least, greatest }, starts))
    })
    .ok()
}

fn missing() -> ParquetError {
    ParquetError::General("no page index".to_owned())
}
