//! The rows of some keys, and what any state of the log would have answered of them: the plain way.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType, UInt64Type};
use futures::TryStreamExt;
use mlops_core::features::{Feature, KeyBatch, KnownAt, RowStatus, Scan, Visibility, WriteOrder};
use mlops_core::{Error, ErrorKind, Result};

use crate::define::ResolvedView;
use crate::features::{Features, internal};
use crate::window::{WindowJoin, WindowPlan};

const OPERATION: &str = "features.verify_skew";
/// Most states of the log that are tried for one answer of an aggregated view.
const STATES: usize = 256;

/// What a state of the log answers: the status, the event time, and for each feature a cell.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) status: RowStatus,
    pub(super) event_time: Option<i64>,
    /// Of each feature the column and its row; none is null.
    pub(super) cells: Vec<Option<(ArrayRef, usize)>>,
}

/// All rows of some keys of one view.
pub(super) struct States {
    visibility: Visibility,
    /// For an aggregated view.
    windows: Option<Arc<WindowPlan>>,
    /// Which of the plan's features are used, or which column of the rows each feature is.
    places: Vec<usize>,
    rows: RecordBatch,
    orders: Vec<WriteOrder>,
    of_key: HashMap<Vec<u8>, Vec<u32>>,
}

impl States {
    /// Reads the rows of these keys with a `seq` below `before`.
    pub(super) async fn read(
        features: &Features,
        view: &ResolvedView,
        keys: &Arc<KeyBatch>,
        before: Option<u64>,
    ) -> Result<Self> {
        let definition = &view.view.definition;
        let table = &view.view.table;
        let windows = definition
            .is_aggregated()
            .then(|| WindowPlan::new(table, &definition.features).map(Arc::new))
            .transpose()?;
        let (columns, places) = if let Some(plan) = &windows {
            let place = |feature: &Feature| {
                definition.features.iter().position(|there| there.name == feature.name)
            };
            (plan.columns(), view.features.iter().filter_map(|f| place(&f.feature)).collect())
        } else {
            let columns = view.features.iter().map(|f| f.feature.column().to_owned());
            let first = table.keys.len() + 3;
            (columns.collect(), (first..first + view.features.len()).collect())
        };
        let mut scan = Scan::default();
        scan.columns = Some(columns);
        scan.keys = Some(Arc::clone(keys));
        scan.before_seq = before;
        let batches: Vec<RecordBatch> =
            features.offline().scan(table, scan).await?.try_collect().await?;
        let visibility = Visibility::new(definition.ttl, definition.boundary);
        let mut states = Self {
            visibility,
            windows,
            places,
            rows: RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())),
            orders: Vec::new(),
            of_key: HashMap::new(),
        };
        if let Some(first) = batches.first() {
            states.rows = concat_batches(&first.schema(), &batches).map_err(|e| internal(&e))?;
            states.index(table.keys.len())?;
        }
        Ok(states)
    }

    fn index(&mut self, width: usize) -> Result<()> {
        let broken = || Error::new(ErrorKind::Internal, OPERATION, "a scan returned other columns");
        let times = |at: usize| {
            let column = self.rows.columns().get(at);
            column.and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>()).ok_or_else(broken)
        };
        let seqs = self.rows.columns().get(width + 2);
        let seqs = seqs.and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(broken)?;
        let (events, created) = (times(width)?, times(width + 1)?);
        let keys = KeyBatch::from_columns(&self.rows.columns()[..width], self.rows.num_rows())?;
        for row in 0..self.rows.num_rows() {
            let known = created.is_valid(row);
            self.orders.push(WriteOrder {
                event_time: events.value(row),
                created: if known { created.value(row) } else { WriteOrder::UNKNOWN },
                seq: seqs.value(row),
            });
            if let Some(key) = keys.get(row) {
                self.of_key.entry(key.to_vec()).or_default().push(row as u32);
            }
        }
        Ok(())
    }

    /// What the log of rows with a `seq` below `before` answers.
    pub(super) fn at(&self, key: Option<&[u8]>, t: i64, before: Option<u64>) -> Result<Said> {
        let kept = self
            .kept(key, t)
            .filter(|row| before.is_none_or(|before| self.orders[*row as usize].seq < before));
        match &self.windows {
            Some(plan) => self.windowed(plan, key, t, &kept.collect::<Vec<_>>()),
            None => Ok(self.row(kept.max_by_key(|row| self.orders[*row as usize]), t)),
        }
    }

    /// What states between one of rows below `from` and the whole log may answer, each after that of
    /// `from`; and whether there are more than were tried.
    pub(super) fn after(&self, key: Option<&[u8]>, t: i64, from: u64) -> Result<(Vec<Said>, bool)> {
        let seq = |row: u32| self.orders[row as usize].seq;
        if let Some(plan) = &self.windows {
            let kept: Vec<u32> = self.kept(key, t).collect();
            let mut cuts: Vec<u64> =
                kept.iter().map(|row| seq(*row)).filter(|s| *s >= from).collect();
            cuts.sort_unstable();
            let more = cuts.len() > STATES;
            cuts.truncate(STATES);
            let states = cuts.into_iter().map(|cut| {
                let rows: Vec<u32> = kept.iter().copied().filter(|row| seq(*row) <= cut).collect();
                self.windowed(plan, key, t, &rows)
            });
            return Ok((states.collect::<Result<_>>()?, more));
        }
        // Rows may have come online in any order: whatever row is greater than what was there for certain.
        let least = self.kept(key, t).filter(|row| seq(*row) < from);
        let least = least.map(|row| self.orders[row as usize]).max();
        let greater = self.kept(key, t).filter(|row| {
            seq(*row) >= from && least.is_none_or(|least| self.orders[*row as usize] > least)
        });
        Ok((greater.map(|row| self.row(Some(row), t)).collect(), false))
    }

    /// The rows of a key that can be seen at an instant, their age aside.
    fn kept(&self, key: Option<&[u8]>, t: i64) -> impl Iterator<Item = u32> {
        let rows = key.and_then(|key| self.of_key.get(key)).map_or(&[][..], Vec::as_slice);
        rows.iter().copied().filter(move |row| {
            let order = self.orders[*row as usize];
            self.visibility.visible(order.event_time, order.created, t, None)
        })
    }

    fn row(&self, row: Option<u32>, t: i64) -> Said {
        let Some(row) = row else {
            let cells = vec![None; self.places.len()];
            return Said { status: RowStatus::NotFound, event_time: None, cells };
        };
        let event_time = self.orders[row as usize].event_time;
        let expired = self.visibility.expired(event_time, t);
        let status = if expired { RowStatus::Expired } else { RowStatus::Found };
        let cells = self.places.iter().map(|place| {
            (!expired).then(|| (ArrayRef::clone(self.rows.column(*place)), row as usize))
        });
        Said { status, event_time: Some(event_time), cells: cells.collect() }
    }

    fn windowed(
        &self,
        plan: &Arc<WindowPlan>,
        key: Option<&[u8]>,
        t: i64,
        rows: &[u32],
    ) -> Result<Said> {
        let mut asked = KeyBatch::new();
        match key {
            Some(key) => asked.push(key)?,
            None => asked.end(false)?,
        }
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![t]));
        let boundary = self.visibility.boundary;
        let mut join = WindowJoin::new(Arc::clone(plan), &asked, &times, boundary, KnownAt::Now)?;
        if !rows.is_empty() {
            let rows = UInt32Array::from(rows.to_vec());
            join.push(&take_record_batch(&self.rows, &rows).map_err(|e| internal(&e))?)?;
        }
        let answer = join.finish()?;
        let newest = answer.event_time.as_primitive_opt::<Int64Type>();
        let cells = self.places.iter().map(|at| Some((ArrayRef::clone(&answer.columns[*at]), 0)));
        Ok(Said {
            status: answer.rows.first().copied().unwrap_or(RowStatus::NotFound),
            event_time: newest.filter(|newest| newest.is_valid(0)).map(|newest| newest.value(0)),
            cells: cells.collect(),
        })
    }
}
