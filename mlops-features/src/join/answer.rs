//! From files and who asks to the answer.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use futures::{StreamExt, TryStreamExt, stream};
use mlops_core::features::{AsOf, Probe, RowStatus, Table, TableColumn, Visibility, WriteOrder};
use mlops_core::{Error, Result};

use super::file::{JoinFile, Layout, Opened};
use super::keys::NONE;
use super::scan::{self, Pass};
use super::slots::{Rule, Slots, Winner};
use super::ticks::Unit;
use super::values::{self, Read};

/// Footers that are read at a time.
const FOOTERS: usize = 8;

/// What was known of each key at each instant, by the rows of these files.
///
/// Rows are ordered by event time, creation time and their place in `files`; so segments come in the
/// order of their `seq`, and files of others in the order of the source. `position` is what the answer says.
///
/// # Errors
/// `Invalid` for columns that are missing or of another type, on either side; `NotFound` for a file that is gone,
/// `Corrupt` for one that is not what was written.
pub(crate) async fn as_of_files(
    table: &Table,
    files: Vec<JoinFile>,
    probe: &Probe,
    position: u64,
) -> Result<AsOf> {
    let columns = columns(table, probe)?;
    let files = open(table, files).await?;
    values::check(&files, &columns)?;

    let unit = unit(&files, probe);
    super::ticks::check_time("times", probe.times.data_type())?;
    let times = unit.ticks(&probe.times, "times")?;
    let slots = Arc::new(Slots::new(&table.keys, &probe.keys, &times)?);
    let rule = Rule::new(probe.visibility, probe.known_at, unit);
    let with_created = with_created(&files, rule, unit);
    let keys = table.keys.clone();
    let pass = Arc::new(Pass { keys, slots: Arc::clone(&slots), rule, unit });
    let winners = scan::winners(pass, &files, &with_created, probe).await?;

    let visibility = Visibility { ttl: unit.micros(probe.visibility.ttl), ..probe.visibility };
    let expired =
        |slot: usize, winner: Winner| visibility.expired(winner.event_time, slots.time(slot));
    let late: Vec<bool> = files
        .iter()
        .zip(&with_created)
        .map(|(file, with)| file.created.is_some() && !with)
        .collect();
    let chosen = Chosen::new(&files, &late, &winners, expired);
    let read = values::read(&files, &late, &columns, unit, &chosen.places, probe.threads).await?;
    let created = chosen.created(&winners, unit, &read)?;
    answer(&slots, &winners, expired, &chosen, &created, unit, &columns, &read, position)
}

fn columns(table: &Table, probe: &Probe) -> Result<Vec<TableColumn>> {
    let find = |name: &String| {
        table.columns.iter().find(|column| column.name == *name).cloned().ok_or_else(|| {
            let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
            Error::invalid("features.as_of", "the table has no such column")
                .with("table", &table.id)
                .with("column", name)
                .with("columns", names.join(", "))
        })
    };
    probe.columns.iter().map(find).collect()
}

async fn open(table: &Table, files: Vec<JoinFile>) -> Result<Vec<Arc<Opened>>> {
    let mut opened: Vec<Opened> =
        stream::iter(files).map(|file| file.open(table)).buffered(FOOTERS).try_collect().await?;
    let mut first = 0;
    for file in &mut opened {
        file.first = first;
        first += file.rows();
    }
    Ok(opened.into_iter().map(Arc::new).collect())
}

fn unit(files: &[Arc<Opened>], probe: &Probe) -> Unit {
    let times = files.iter().flat_map(|file| {
        [Some(file.event_time), file.created]
            .into_iter()
            .flatten()
            .map(|column| file.data_type(column))
    });
    Unit::of(times.chain([probe.times.data_type()]))
}

/// Of which files the first pass needs the times of creation: of all, if they decide what can be seen; of
/// files whose rows are in no order; and of segments that may have rows of the same event time.
fn with_created(files: &[Arc<Opened>], rule: Rule, unit: Unit) -> Vec<bool> {
    let ranges: Vec<(i64, i64)> =
        files.iter().map(|file| super::prune::event_times(file, unit)).collect();
    let meets = |at: usize| {
        let (least, greatest) = ranges[at];
        ranges
            .iter()
            .enumerate()
            .any(|(other, range)| other != at && range.0 <= greatest && least <= range.1)
    };
    files
        .iter()
        .enumerate()
        .map(|(at, file)| {
            file.created.is_some()
                && (!rule.sees_all() || file.file.layout == Layout::Foreign || meets(at))
        })
        .collect()
}

/// The rows whose values are read.
struct Chosen {
    /// Their places, ascending, each once.
    places: Vec<u64>,
    /// Which of them each slot has; [`NONE`] for none.
    of_slot: Vec<u32>,
}

impl Chosen {
    fn new(
        files: &[Arc<Opened>],
        late: &[bool],
        winners: &[Winner],
        expired: impl Fn(usize, Winner) -> bool,
    ) -> Self {
        let is_late = |place: u64| {
            let after = files.partition_point(|file| file.first <= place);
            after.checked_sub(1).is_some_and(|file| late[file])
        };
        // What is expired is read only for its time of creation.
        let any_late = late.contains(&true);
        let mut pairs: Vec<(u64, u32)> = winners
            .iter()
            .enumerate()
            .filter_map(|(slot, winner)| {
                let place = winner.place()?;
                let needed = !expired(slot, *winner) || (any_late && is_late(place));
                needed.then_some((place, slot as u32))
            })
            .collect();
        pairs.sort_unstable();
        let mut places = Vec::with_capacity(pairs.len());
        let mut of_slot = vec![NONE; winners.len()];
        for (place, slot) in pairs {
            if places.last() != Some(&place) {
                places.push(place);
            }
            of_slot[slot as usize] = places.len() as u32 - 1;
        }
        Self { places, of_slot }
    }

    /// When the winner of each slot became known, in microseconds.
    fn created(&self, winners: &[Winner], unit: Unit, read: &Read) -> Result<Vec<Option<i64>>> {
        let known = |winner: &Winner| {
            (winner.created != WriteOrder::UNKNOWN).then(|| unit.to_micros(winner.created))
        };
        let mut created: Vec<Option<i64>> = winners.iter().map(known).collect();
        if read.created.is_empty() {
            return Ok(created);
        }
        let mut late: Vec<Option<i64>> = vec![None; self.places.len()];
        for (chosen, array) in &read.created {
            let micros = values::micros(array)?;
            let Range { start, end } = *chosen;
            for (late, micros) in late[start..end].iter_mut().zip(micros) {
                *late = micros;
            }
        }
        for (created, chosen) in created.iter_mut().zip(&self.of_slot) {
            *created = created.or_else(|| *late.get(*chosen as usize)?);
        }
        Ok(created)
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one answer, called once")]
fn answer(
    slots: &Slots,
    winners: &[Winner],
    expired: impl Fn(usize, Winner) -> bool,
    chosen: &Chosen,
    created: &[Option<i64>],
    unit: Unit,
    columns: &[TableColumn],
    read: &Read,
    position: u64,
) -> Result<AsOf> {
    let count = slots.rows().len();
    let mut rows = Vec::with_capacity(count);
    let mut times = Vec::with_capacity(count);
    let mut made = Vec::with_capacity(count);
    let mut indices = Vec::with_capacity(count);
    for slot in slots.rows() {
        let at = *slot as usize;
        let winner = winners.get(at).copied().filter(|winner| winner.place().is_some());
        let Some(winner) = winner else {
            rows.push(RowStatus::NotFound);
            times.push(None);
            made.push(None);
            indices.push(NONE);
            continue;
        };
        let too_old = expired(at, winner);
        rows.push(if too_old { RowStatus::Expired } else { RowStatus::Found });
        times.push(Some(unit.to_micros(winner.event_time)));
        made.push(created[at]);
        indices.push(if too_old { NONE } else { chosen.of_slot[at] });
    }
    let found: NullBuffer = indices.iter().map(|index| *index != NONE).collect();
    let indices: Vec<u32> =
        indices.into_iter().map(|index| if index == NONE { 0 } else { index }).collect();
    let indices = UInt32Array::new(indices.into(), Some(found));
    let columns: Vec<ArrayRef> = columns
        .iter()
        .zip(&read.columns)
        .map(|(column, values)| values::spread(values, &indices, column))
        .collect::<Result<_>>()?;
    let event_time = Arc::new(Int64Array::from(times));
    let created = Arc::new(Int64Array::from(made));
    Ok(AsOf::new(rows, columns, event_time, created, position))
}
