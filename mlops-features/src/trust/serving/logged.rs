//! [`LoggedService`]: answers requests, and keeps a sample of the answers.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
    new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field};
use mlops_core::features::{OnlineAnswer, RowStatus, ServiceRef, Source, TableId};
use mlops_core::{Error, Result};

use super::head::{AT, Head, logged_column, online_column, status_column};
use super::log::ServingLog;
use crate::bucket::bucket_of;
use crate::define::{Resolved, resolve_service};
use crate::features::{Features, PreparedService, all_keys, internal, online_table, whole};
use crate::offline::coerce::{coerce_asked_keys, coerce_column};

const OPERATION: &str = "features.serving_log";

/// A service that is ready to be asked, and whose answers are kept.
#[derive(Debug, Clone)]
pub struct LoggedService {
    features: Features,
    prepared: PreparedService,
    log: ServingLog,
    head: Arc<Head>,
    resolved: Arc<Resolved>,
    /// Of each view its log and its online table; none for a view of files.
    tables: Arc<[Option<(TableId, TableId)>]>,
    /// The last mark, and when it was made.
    last: Arc<Mutex<Option<(i64, ServingMark)>>>,
}

/// How much of each view's log was online, and how much there was, at some instant.
///
/// Taken *before* an answer is read, it is a bound that holds: the answer knows all of what was online
/// then, and perhaps more. Taken afterwards, a materialization in between would make a right answer look
/// wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingMark(Arc<[Option<Mark>]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    online: u64,
    logged: u64,
}

impl Features {
    /// Prepares a service whose answers are kept in a serving log.
    ///
    /// # Errors
    /// As [`Features::prepare`]; `Invalid` if a column of the request has the name of one of the log's own.
    pub async fn logged(&self, service: &ServiceRef, log: &ServingLog) -> Result<LoggedService> {
        let prepared = self.prepare(service).await?;
        let registered = self.load().await?;
        let resolved = resolve_service(&registered, prepared.service(), self.now())?;
        let head = Arc::new(Head::new(&resolved, &registered.entities));
        let own = resolved.views.iter().map(|view| view.used.prefix().as_str());
        let own: Vec<String> = own
            .flat_map(|alias| [status_column(alias), online_column(alias), logged_column(alias)])
            .chain([AT.to_owned()])
            .collect();
        if let Some(field) = resolved.request.iter().find(|field| own.contains(&field.name)) {
            return Err(Error::invalid(OPERATION, "a column of the request is one of the log's")
                .with("service", prepared.service())
                .with("column", &field.name));
        }
        let tables = resolved.views.iter().map(|view| match view.view.table.source {
            Source::Log => Some((view.view.table.id.clone(), online_table(&view.view))),
            _ => None,
        });
        Ok(LoggedService {
            features: self.clone(),
            prepared,
            log: log.clone(),
            head,
            tables: tables.collect(),
            resolved: Arc::new(resolved),
            last: Arc::default(),
        })
    }
}

impl LoggedService {
    /// The service that answers.
    pub fn prepared(&self) -> &PreparedService {
        &self.prepared
    }

    /// The log that keeps the answers.
    pub fn log(&self) -> &ServingLog {
        &self.log
    }

    /// Answers as [`PreparedService::answer`], and keeps the sampled rows. An answer that cannot be kept is
    /// an answer all the same; what is missing in the log is counted, see [`ServingLog::dropped`].
    ///
    /// # Errors
    /// As [`PreparedService::answer`].
    pub async fn answer(&self, rows: &RecordBatch, now: i64) -> Result<OnlineAnswer> {
        let sampled = self.sample(rows)?;
        let wanted = sampled.true_count();
        if wanted == 0 {
            return self.prepared.answer(rows, now).await;
        }
        let mark = self.recent_mark().await;
        let answer = self.prepared.answer(rows, now).await?;
        match mark.and_then(|mark| self.records(&mark, &sampled, rows, &answer, now)) {
            // What the log leaves out it counts itself.
            Ok(records) => drop(self.log.take(&self.head, records).await),
            Err(_) => self.log.drop_records(wanted),
        }
        Ok(answer)
    }

    /// How much of each view's log is online now, for an answer that is read afterwards.
    ///
    /// # Errors
    /// Those of the stores.
    pub async fn mark(&self) -> Result<ServingMark> {
        let mut marks = Vec::with_capacity(self.tables.len());
        for tables in self.tables.iter() {
            marks.push(match tables {
                None => None,
                Some((log, online)) => {
                    let online = self.features.online_store().watermark(online).await?.next_seq;
                    let logged = self.features.offline().manifest(log, None).await?.next_seq;
                    Some(Mark { online, logged })
                }
            });
        }
        Ok(ServingMark(marks.into()))
    }

    /// Keeps the sampled rows of an answer that was read at `now` after `mark`, and returns how many they
    /// are.
    ///
    /// # Errors
    /// `Invalid` for rows that are not those of the answer; those of the store, if the buffer was full.
    pub async fn keep(
        &self,
        mark: &ServingMark,
        rows: &RecordBatch,
        answer: &OnlineAnswer,
        now: i64,
    ) -> Result<usize> {
        let sampled = self.sample(rows)?;
        if sampled.true_count() == 0 {
            return Ok(0);
        }
        let records = self.records(mark, &sampled, rows, answer, now)?;
        self.log.take(&self.head, records).await
    }

    async fn recent_mark(&self) -> Result<ServingMark> {
        let now = self.features.now().timestamp_micros();
        let held = |last: &Mutex<Option<(i64, ServingMark)>>| {
            let last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let (at, mark) = last.as_ref()?;
            let recent = (0..self.log.options().mark_for.micros()).contains(&(now - at));
            recent.then(|| mark.clone())
        };
        if let Some(mark) = held(&self.last) {
            return Ok(mark);
        }
        let mark = self.mark().await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, mark.clone()));
        Ok(mark)
    }

    /// Which rows are kept: those of the first bucket of keys. A service without keys is kept whole.
    fn sample(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        let share = self.log.options().one_in;
        if share == 1 || self.resolved.keys.is_empty() {
            return Ok(BooleanArray::from(vec![true; rows.num_rows()]));
        }
        let keys = all_keys(rows, &self.resolved)?;
        let kept = keys.iter().map(|key| bucket_of(key.unwrap_or_default(), share) == 0);
        Ok(BooleanArray::from(kept.collect::<Vec<_>>()))
    }

    fn records(
        &self,
        mark: &ServingMark,
        sampled: &BooleanArray,
        rows: &RecordBatch,
        answer: &OnlineAnswer,
        now: i64,
    ) -> Result<RecordBatch> {
        let count = rows.num_rows();
        let fits = answer.batch.num_rows() == count
            && answer.views.len() == self.resolved.views.len()
            && answer.views.iter().all(|view| view.len() == count)
            && mark.0.len() == self.resolved.views.len();
        if !fits {
            return Err(Error::invalid(OPERATION, "the answer is not one to these rows")
                .with("rows", count)
                .with("answered", answer.batch.num_rows()));
        }
        let mut fields: Vec<Arc<Field>> = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
            columns.push(column);
        };
        let at = TimestampMicrosecondArray::from(vec![now; count]).with_timezone("UTC");
        add(AT, Arc::new(at));
        let lacks = |column: &str| {
            Error::invalid(OPERATION, "the rows that asked lack a column").with("column", column)
        };
        for key in &self.resolved.keys {
            let column = rows.column_by_name(&key.name).ok_or_else(|| lacks(&key.name))?;
            let made = coerce_asked_keys(&[Arc::clone(column)], std::slice::from_ref(key))?;
            for column in made {
                add(&key.name, column);
            }
        }
        for field in &self.resolved.request {
            if self.resolved.keys.iter().any(|key| key.name == field.name) {
                continue;
            }
            let column = rows.column_by_name(&field.name).ok_or_else(|| lacks(&field.name))?;
            add(&field.name, coerce_column(column, field.data_type, &field.name)?);
        }
        let schema = answer.batch.schema();
        for (field, column) in schema.fields().iter().zip(answer.batch.columns()) {
            add(field.name(), Arc::clone(column));
        }
        for ((view, statuses), mark) in
            self.resolved.views.iter().zip(&answer.views).zip(mark.0.iter())
        {
            let alias = view.used.prefix().as_str();
            let words = StringArray::from_iter_values(statuses.iter().map(|s| word(*s)));
            add(&status_column(alias), Arc::new(words));
            let seq = |seq: Option<u64>| -> ArrayRef {
                match seq {
                    Some(seq) => Arc::new(UInt64Array::from(vec![seq; count])),
                    None => new_null_array(&DataType::UInt64, count),
                }
            };
            add(&online_column(alias), seq(mark.map(|mark| mark.online)));
            add(&logged_column(alias), seq(mark.map(|mark| mark.logged)));
        }
        let records = whole(fields, columns, count)?;
        filter_record_batch(&records, sampled).map_err(|error| internal(&error))
    }
}

/// A status as it is written.
pub(super) fn word(status: RowStatus) -> &'static str {
    match status {
        RowStatus::Found => "found",
        RowStatus::NotFound => "not_found",
        RowStatus::Expired => "expired",
    }
}

/// A status as it was written.
pub(crate) fn status(word: &str) -> Option<RowStatus> {
    Some(match word {
        "found" => RowStatus::Found,
        "not_found" => RowStatus::NotFound,
        "expired" => RowStatus::Expired,
        _ => return None,
    })
}
