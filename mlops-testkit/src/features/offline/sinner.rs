//! An offline store that does one thing wrong, around one that does it right.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use mlops_core::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use mlops_core::arrow::compute::{cast, concat_batches, filter_record_batch, is_not_null, take};
use mlops_core::arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use mlops_core::features::{
    Append, Appended, AsOf, Boundary, CompactReport, Compaction, Erased, KeyBatch, KnownAt,
    Manifest, OfflineStore, Probe, RowStatus, Scan, Source, Table, TableId,
};
use mlops_core::validation::BatchStream;
use mlops_core::{Error, ErrorKind, Result};

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfflineSin {
    /// Nothing: the wrapper itself is right.
    None,
    /// Rows that ask in vain are missing from the answer.
    DropsUnmatched,
    /// However old a row is, it answers.
    IgnoresTtl,
    /// A ttl is cut to whole seconds, so that half a second is unlimited.
    TruncatesTtl,
    /// Of equal times the first row of the source wins.
    FirstOfTies,
    /// Where the winner has null, an older value answers.
    CarriesNullBack,
    /// Corrections are seen before they were known.
    IgnoresCutOff,
    /// A null in a key is read as zero or empty.
    NullIsZero,
    /// A row of the very instant is never seen.
    AlwaysStrict,
    /// A row of the very instant is always seen.
    NeverStrict,
    /// Nanoseconds of those who ask are cut to microseconds.
    TruncatesAsks,
    /// Text keys are read as numbers where numbers are the keys.
    GuessesKeys,
    /// A token is not looked at.
    ForgetsTokens,
    /// Rows with null keys are left out when they are appended, and nobody is told.
    SkipsBadRows,
    /// A position of before is answered as of now.
    ForgetsPositions,
    /// Rows that came later answer what is asked of the log as it was.
    IgnoresBeforeSeq,
    /// A filter on times takes the end too.
    ClosedRange,
    /// An erasure says that it was done.
    ErasesNothing,
}

/// The store that sins.
#[derive(Debug)]
pub(super) struct Sinner {
    pub(super) sin: OfflineSin,
    pub(super) inner: Arc<dyn OfflineStore>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl OfflineStore for Sinner {
    async fn append(
        &self,
        table: &Table,
        mut batch: RecordBatch,
        mut options: Append,
    ) -> Result<Appended> {
        match self.sin {
            OfflineSin::ForgetsTokens => options.token = None,
            OfflineSin::SkipsBadRows => {
                for key in &table.keys {
                    if let Some(column) = batch.column_by_name(&key.name) {
                        batch = filter_record_batch(&batch, &is_not_null(column).unwrap()).unwrap();
                    }
                }
            }
            OfflineSin::GuessesKeys => batch = guess_columns(table, batch),
            _ => {}
        }
        self.inner.append(table, batch, options).await
    }

    async fn manifest(&self, table: &TableId, position: Option<u64>) -> Result<Manifest> {
        let position = position.filter(|_| self.sin != OfflineSin::ForgetsPositions);
        self.inner.manifest(table, position).await
    }

    async fn scan(&self, table: &Table, mut scan: Scan) -> Result<BatchStream> {
        match self.sin {
            OfflineSin::ForgetsPositions => scan.position = None,
            OfflineSin::IgnoresBeforeSeq => scan.before_seq = None,
            OfflineSin::ClosedRange => scan.until = scan.until.map(|until| until + 1),
            _ => {}
        }
        self.inner.scan(table, scan).await
    }

    async fn as_of(&self, table: &Table, mut probe: Probe) -> Result<AsOf> {
        const SECOND: i64 = 1_000_000;
        let ttl = &mut probe.visibility.ttl;
        match self.sin {
            OfflineSin::IgnoresTtl => *ttl = 0,
            OfflineSin::TruncatesTtl => *ttl = *ttl / SECOND * SECOND,
            OfflineSin::IgnoresCutOff => probe.known_at = KnownAt::Now,
            OfflineSin::AlwaysStrict => probe.visibility.boundary = Boundary::Strict,
            OfflineSin::NeverStrict => probe.visibility.boundary = Boundary::Inclusive,
            OfflineSin::ForgetsPositions => probe.position = None,
            OfflineSin::IgnoresBeforeSeq => probe.before_seq = None,
            OfflineSin::NullIsZero => probe.keys = probe.keys.iter().map(zeroed).collect(),
            OfflineSin::GuessesKeys => probe.keys = guess(table, &probe.keys),
            OfflineSin::TruncatesAsks => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
                let fine =
                    |unit: &DataType| matches!(unit, DataType::Timestamp(TimeUnit::Nanosecond, _));
                if fine(probe.times.data_type()) {
                    probe.times = cast(&probe.times, &micros).unwrap();
                }
            }
            _ => {}
        }
        let found = self.inner.as_of(table, probe.clone()).await?;
        let appended = table.source == Source::Log;
        match self.sin {
            OfflineSin::DropsUnmatched => Ok(matched(&found)),
            OfflineSin::FirstOfTies if appended => self.worse(table, &probe, found).await,
            OfflineSin::CarriesNullBack if appended && probe.known_at == KnownAt::Now => {
                self.worse(table, &probe, found).await
            }
            _ => Ok(found),
        }
    }

    async fn compact(&self, table: &Table, options: Compaction) -> Result<CompactReport> {
        self.inner.compact(table, options).await
    }

    async fn erase(&self, table: &Table, keys: &KeyBatch) -> Result<Erased> {
        if self.sin != OfflineSin::ErasesNothing {
            return self.inner.erase(table, keys).await;
        }
        let position = self.inner.manifest(&table.id, None).await?.position;
        let mut erased = Erased::default();
        erased.position = position;
        Ok(erased)
    }
}

impl Sinner {
    /// The answer with the values of the rows that a sinner takes instead of the winners.
    async fn worse(&self, table: &Table, probe: &Probe, mut found: AsOf) -> Result<AsOf> {
        let mut scan = Scan::default();
        (scan.columns, scan.position) = (Some(probe.columns.clone()), Some(found.position));
        let batches: Vec<_> = self.inner.scan(table, scan).await?.try_collect().await?;
        let Some(first) = batches.first() else { return Ok(found) };
        let all = concat_batches(&first.schema(), &batches)
            .map_err(|e| Error::new(ErrorKind::Internal, "sinner", "batches").with_source(e))?;
        let fixed = table.keys.len();
        let keys = KeyBatch::from_columns(&all.columns()[..fixed], all.num_rows())?;
        let asked = KeyBatch::from_columns(&probe.keys, found.rows.len())?;
        let event_times = all.column(fixed).as_primitive::<TimestampMicrosecondType>();
        let created = all.column(fixed + 1).as_primitive::<TimestampMicrosecondType>();
        let seqs = all.column(fixed + 2).as_primitive::<UInt64Type>();
        let winner = |i: usize| {
            let of = |column: &ArrayRef| micros(column.as_primitive::<Int64Type>(), i);
            (of(&found.event_time), of(&found.created))
        };
        let order = |row: usize| (Some(event_times.value(row)), known(created, row));
        for (at, column) in found.columns.iter_mut().enumerate() {
            let values = all.column(fixed + 3 + at);
            let taken = |i: usize| {
                let mut same = (0..all.num_rows()).filter(|row| asked.get(i) == keys.get(*row));
                if found.rows[i] != RowStatus::Found {
                    None
                } else if self.sin == OfflineSin::FirstOfTies {
                    same.filter(|row| order(*row) == winner(i)).min_by_key(|row| seqs.value(*row))
                } else {
                    let taken = |row: &usize| order(*row) <= winner(i) && values.is_valid(*row);
                    let older: Vec<_> = same.by_ref().filter(taken).collect();
                    older.into_iter().max_by_key(|row| (order(*row), seqs.value(*row)))
                }
            };
            let rows: UInt64Array =
                (0..found.rows.len()).map(|i| taken(i).map(|row| row as u64)).collect();
            *column = take(values, &rows, None).unwrap();
        }
        Ok(found)
    }
}

fn micros(column: &Int64Array, i: usize) -> Option<i64> {
    column.is_valid(i).then(|| column.value(i))
}

fn known(column: &TimestampMicrosecondArray, i: usize) -> Option<i64> {
    column.is_valid(i).then(|| column.value(i))
}

fn zeroed(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Int64 => {
            let numbers = column.as_primitive::<Int64Type>().iter();
            Arc::new(
                numbers
                    .map(Option::unwrap_or_default)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .collect::<Int64Array>(),
            )
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>().iter();
            Arc::new(texts.map(|text| Some(text.unwrap_or_default())).collect::<StringArray>())
        }
        _ => Arc::clone(column),
    }
}

/// Keys cast to the type of the table's, whatever they were.
fn guess(table: &Table, keys: &[ArrayRef]) -> Vec<ArrayRef> {
    let guess = |(key, column): (_, &ArrayRef)| -> ArrayRef {
        let key: &mlops_core::features::TableKey = key;
        cast(column, &key.data_type.arrow()).unwrap_or_else(|_| Arc::clone(column))
    };
    if keys.len() == table.keys.len() {
        table.keys.iter().zip(keys).map(guess).collect()
    } else {
        keys.to_vec()
    }
}

fn guess_columns(table: &Table, batch: RecordBatch) -> RecordBatch {
    let column = |(field, column): (&Arc<mlops_core::arrow::datatypes::Field>, &ArrayRef)| {
        let key = table.keys.iter().find(|key| key.name == *field.name());
        let cast = key.and_then(|key| cast(column, &key.data_type.arrow()).ok());
        (field.name().clone(), cast.unwrap_or_else(|| Arc::clone(column)))
    };
    super::build::record(batch.schema().fields().iter().zip(batch.columns()).map(column).collect())
}

fn matched(found: &AsOf) -> AsOf {
    let rows = (0_u64..).zip(&found.rows);
    let rows: UInt64Array =
        rows.filter(|(_, status)| **status == RowStatus::Found).map(|(at, _)| at).collect();
    let of = |column: &ArrayRef| take(column, &rows, None).unwrap();
    AsOf::new(
        vec![RowStatus::Found; rows.len()],
        found.columns.iter().map(of).collect(),
        of(&found.event_time),
        of(&found.created),
        found.position,
    )
}
