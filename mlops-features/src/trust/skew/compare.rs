//! Records of one service version, held against the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType, UInt64Type};
use mlops_core::features::{
    AsOf, Historical, KeyBatch, KnownAt, RowStatus, ServiceRef, Source, Status,
};
use mlops_core::{Error, Result};

use super::super::cells::{number, same, text};
use super::super::serving::{AT, Head, logged_column, online_column, status, status_column};
use super::Verify;
use super::report::{FeatureSkew, SkewExample, SkewReport};
use super::states::{Said, States};
use crate::define::{Resolved, ResolvedView};
use crate::features::{Ask, Features, key_columns};

const OPERATION: &str = "features.verify_skew";
/// Keys whose rows are in memory at once.
const KEYS: usize = 256;

/// Records that are played again.
pub(super) struct Replay<'a> {
    features: &'a Features,
    service: &'a ServiceRef,
    resolved: &'a Resolved,
    records: &'a RecordBatch,
    times: &'a ArrayRef,
    historical: Historical,
}

/// What was logged of one view.
struct Logged {
    statuses: Vec<RowStatus>,
    columns: Vec<ArrayRef>,
    /// How much of the log was online for certain.
    online: UInt64Array,
    /// How much of the log there was.
    there: UInt64Array,
}

/// What an answer turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Equal,
    Late,
    Behind,
    Mismatch,
}

/// Whether an answer is that of a state, and whether a store forgot that it is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    No,
    Yes,
    Forgotten,
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        features: &'a Features,
        head: &'a Head,
        resolved: &'a Resolved,
        records: &'a RecordBatch,
        options: &Verify,
    ) -> Result<Self> {
        let times = records.column_by_name(AT).ok_or_else(|| lacks(AT))?;
        let historical = Historical::default().threads(options.threads);
        Ok(Self { features, service: &head.service, resolved, records, times, historical })
    }

    pub(super) async fn run(&self, report: &mut SkewReport) -> Result<()> {
        for view in &self.resolved.views {
            self.view(view, report).await?;
        }
        self.computed(report)
    }

    async fn view(&self, view: &ResolvedView, report: &mut SkewReport) -> Result<()> {
        let logged = self.logged(view)?;
        let columns = key_columns(OPERATION, self.records, view)?;
        let keys = KeyBatch::from_columns(&columns, self.records.num_rows())?;
        let table = &view.view.table;
        // All looks see one log, whatever is appended meanwhile.
        let before = match table.source {
            Source::Log => Some(self.features.offline().manifest(&table.id, None).await?.next_seq),
            _ => None,
        };
        let ask = Ask {
            keys: columns,
            times: ArrayRef::clone(self.times),
            known_at: KnownAt::Now,
            position: None,
            before_seq: before,
            options: &self.historical,
        };
        let now = self.features.ask(view, ask).await?;
        let mut again: Vec<usize> = Vec::new();
        for row in 0..self.records.num_rows() {
            let said = of_join(&now, row);
            match logged.agrees(row, &said) {
                Match::Yes => {
                    self.count(view, &logged, row, &said, (Verdict::Equal, Match::Yes), report);
                }
                _ => again.push(row),
            }
        }
        // By key, so that the rows of each are read once.
        again.sort_by_key(|row| (keys.get(*row), *row));
        let mut left = again.as_slice();
        while !left.is_empty() {
            let mut wanted = BTreeSet::new();
            let full = left.iter().position(|row| {
                let key = keys.get(*row).unwrap_or_default();
                let more = !wanted.contains(key) && wanted.len() == KEYS;
                if !more {
                    wanted.insert(key);
                }
                more
            });
            let (rows, rest) = left.split_at(full.unwrap_or(left.len()));
            left = rest;
            let mut batch = KeyBatch::new();
            wanted.iter().try_for_each(|key| batch.push(key))?;
            let states = States::read(self.features, view, &Arc::new(batch), before).await?;
            for row in rows {
                let key = keys.get(*row);
                let joined = of_join(&now, *row);
                let (said, verdict, found) =
                    self.judge(&logged, &states, key, *row, joined, report)?;
                self.count(view, &logged, *row, &said, (verdict, found), report);
            }
        }
        Ok(())
    }

    /// What an answer is that is not that of the whole log.
    fn judge(
        &self,
        logged: &Logged,
        states: &States,
        key: Option<&[u8]>,
        row: usize,
        joined: Said,
        report: &mut SkewReport,
    ) -> Result<(Said, Verdict, Match)> {
        let t = self.at(row);
        let mark = |marks: &UInt64Array| marks.is_valid(row).then(|| marks.value(row));
        let whole = (states.at(key, t, None)?, Verdict::Equal);
        if logged.agrees(row, &whole.0) == Match::Yes {
            // The join says otherwise, and so would a training set: the skew is offline.
            return Ok((joined, Verdict::Mismatch, Match::No));
        }
        let (Some(online), Some(there)) = (mark(&logged.online), mark(&logged.there)) else {
            let found = logged.agrees(row, &whole.0);
            let verdict = if found == Match::No { Verdict::Mismatch } else { whole.1 };
            return Ok((whole.0, verdict, found));
        };
        let mut tries = vec![
            whole,
            (states.at(key, t, Some(there))?, Verdict::Late),
            (states.at(key, t, Some(online))?, Verdict::Behind),
        ];
        // A store that forgets is believed last: what it had not yet, it cannot have forgotten.
        let exact = |(said, _): &(Said, Verdict)| logged.agrees(row, said) == Match::Yes;
        if let Some(place) = tries.iter().position(exact) {
            let (said, verdict) = tries.swap_remove(place);
            return Ok((said, verdict, Match::Yes));
        }
        let (between, more) = states.after(key, t, online)?;
        let mut between = between.into_iter().map(|said| (said, Verdict::Behind));
        if let Some((said, verdict)) = between.find(|tried| exact(tried)) {
            return Ok((said, verdict, Match::Yes));
        }
        let forgotten = |(said, _): &(Said, Verdict)| logged.agrees(row, said) == Match::Forgotten;
        if let Some(place) = tries.iter().position(forgotten) {
            let (said, verdict) = tries.swap_remove(place);
            return Ok((said, verdict, Match::Forgotten));
        }
        report.untried += u64::from(more);
        let (certain, _) = tries.swap_remove(2);
        Ok((certain, Verdict::Mismatch, Match::No))
    }

    fn count(
        &self,
        view: &ResolvedView,
        logged: &Logged,
        row: usize,
        said: &Said,
        (verdict, found): (Verdict, Match),
        report: &mut SkewReport,
    ) {
        let (online_row, offline_row) = (logged.statuses[row], said.status);
        for (at, feature) in view.features.iter().enumerate() {
            let online = &logged.columns[at];
            let offline = said.cells[at].as_ref();
            let skew = report.feature(self.service, &feature.output);
            let null = offline.is_none_or(|(column, at)| column.is_null(*at));
            let (online_status, offline_status) =
                (Status::of(online_row, online.is_null(row)), Status::of(offline_row, null));
            let equal = cell_is(online, row, offline);
            // Of a row that differs, features may still be equal.
            let verdict = if verdict == Verdict::Mismatch && equal && online_row == offline_row {
                Verdict::Equal
            } else {
                verdict
            };
            skew.compared += 1;
            skew.forgotten += u64::from(found == Match::Forgotten);
            match verdict {
                Verdict::Equal => skew.equal += 1,
                Verdict::Late => skew.late += 1,
                Verdict::Behind => skew.behind += 1,
                Verdict::Mismatch => {
                    let is = |status: RowStatus| (online_row == status, offline_row == status);
                    skew.mismatch += 1;
                    skew.missing += u64::from(is(RowStatus::NotFound) == (true, false));
                    skew.extra += u64::from(is(RowStatus::NotFound) == (false, true));
                    let expired = is(RowStatus::Expired);
                    skew.expired += u64::from(expired.0 != expired.1);
                    if skew.first.is_none() {
                        skew.first = Some(SkewExample {
                            at: self.at(row),
                            key: self.key(row),
                            online: text(online, row),
                            online_status,
                            offline: offline.map_or_else(
                                || "null".to_owned(),
                                |(column, at)| text(column, *at),
                            ),
                            offline_status,
                            offline_event_time: said.event_time,
                        });
                    }
                }
            }
            if matches!(verdict, Verdict::Equal | Verdict::Mismatch) {
                numbers(skew, online, row, offline);
            }
        }
    }

    /// Computes on-demand features again, of what was logged.
    fn computed(&self, report: &mut SkewReport) -> Result<()> {
        let Some(compiled) = self.features.compiled(self.resolved)? else { return Ok(()) };
        let made = compiled.eval(self.records)?;
        for (field, made) in compiled.fields().iter().zip(made) {
            let logged = self.column(field.name())?;
            let skew = report.feature(self.service, field.name());
            for row in 0..made.len() {
                let offline = Some((ArrayRef::clone(&made), row));
                skew.compared += 1;
                numbers(skew, logged, row, offline.as_ref());
                if same(logged, row, &made, row) {
                    skew.equal += 1;
                    continue;
                }
                skew.mismatch += 1;
                if skew.first.is_none() {
                    skew.first = Some(SkewExample {
                        at: self.at(row),
                        key: self.key(row),
                        online: text(logged, row),
                        online_status: Status::of(RowStatus::Found, logged.is_null(row)),
                        offline: text(&made, row),
                        offline_status: Status::of(RowStatus::Found, made.is_null(row)),
                        offline_event_time: None,
                    });
                }
            }
        }
        Ok(())
    }

    fn logged(&self, view: &ResolvedView) -> Result<Logged> {
        let alias = view.used.prefix().as_str();
        let words = self.column(&status_column(alias))?;
        let words = words.as_string_opt::<i32>().ok_or_else(|| lacks(&status_column(alias)))?;
        let statuses = words.iter().map(|word| word.and_then(status));
        let statuses =
            statuses.collect::<Option<_>>().ok_or_else(|| lacks(&status_column(alias)))?;
        let columns = view.features.iter().map(|f| {
            let column = self.column(&f.output)?;
            if *column.data_type() == f.feature.data_type.arrow() {
                return Ok(ArrayRef::clone(column));
            }
            Err(lacks(&f.output).with("type", column.data_type()))
        });
        let marks = |name: String| {
            let marks = self.column(&name)?.as_primitive_opt::<UInt64Type>().cloned();
            marks.ok_or_else(|| lacks(&name))
        };
        Ok(Logged {
            statuses,
            columns: columns.collect::<Result<_>>()?,
            online: marks(online_column(alias))?,
            there: marks(logged_column(alias))?,
        })
    }

    fn column(&self, name: &str) -> Result<&ArrayRef> {
        self.records.column_by_name(name).ok_or_else(|| lacks(name))
    }

    fn at(&self, row: usize) -> i64 {
        self.times.as_primitive_opt::<TimestampMicrosecondType>().map_or(0, |at| at.value(row))
    }

    fn key(&self, row: usize) -> String {
        let parts = self.resolved.keys.iter().filter_map(|key| {
            Some(format!("{}={}", key.name, text(self.records.column_by_name(&key.name)?, row)))
        });
        parts.collect::<Vec<_>>().join(" ")
    }
}

impl Logged {
    fn agrees(&self, row: usize, said: &Said) -> Match {
        let cells = self.columns.iter().zip(&said.cells);
        if !cells.into_iter().all(|(column, cell)| cell_is(column, row, cell.as_ref())) {
            return Match::No;
        }
        match (self.statuses[row], said.status) {
            (online, offline) if online == offline => Match::Yes,
            (RowStatus::NotFound, RowStatus::Expired) => Match::Forgotten,
            _ => Match::No,
        }
    }
}

/// What the join answers to a row.
fn of_join(now: &AsOf, row: usize) -> Said {
    let times = now.event_time.as_primitive_opt::<Int64Type>();
    Said {
        status: now.rows[row],
        event_time: times.filter(|times| times.is_valid(row)).map(|times| times.value(row)),
        cells: now.columns.iter().map(|column| Some((ArrayRef::clone(column), row))).collect(),
    }
}

fn cell_is(column: &ArrayRef, row: usize, cell: Option<&(ArrayRef, usize)>) -> bool {
    match cell {
        Some((other, at)) => same(column, row, other, *at),
        None => column.is_null(row),
    }
}

fn numbers(
    skew: &mut FeatureSkew,
    online: &ArrayRef,
    row: usize,
    cell: Option<&(ArrayRef, usize)>,
) {
    let offline = cell.and_then(|(column, at)| number(column, *at));
    if let (Some(online), Some(offline)) = (number(online, row), offline) {
        skew.numbers(online, offline);
    }
}

fn lacks(column: &str) -> Error {
    Error::corrupt(OPERATION, "the records of a serving log lack a column, or it is another")
        .with("column", column)
}
