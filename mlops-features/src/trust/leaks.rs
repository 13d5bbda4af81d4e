//! Does a training set know what was not known? Each view is asked twice: with all that is known now, as
//! the training set is made, and with what was known at each row's instant, as a request would have seen it.
//!
//! The non-obvious decision: what counts as a leak in the end is a *value that differs* between the two,
//! feature by feature. A row that was written late and says what was known before is no harm; and a window over
//! a hundred rows leaks if one of them came late, though its newest row did not.

mod report;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use mlops_core::Result;
use mlops_core::features::{
    AsOf, EntityRows, Historical, KnownAt, RowStatus, ServiceRef, Source, Span,
};

pub use self::report::{FeatureLeaks, Known, LeakExample, LeakKind, LeakReport, ViewLeaks};
use super::cells::same;
use crate::define::{ResolvedView, resolve_service};
use crate::features::{Ask, Features, instants, key_columns};

const OPERATION: &str = "features.leaks";

/// How leaks are looked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LeakOptions {
    /// How long a row takes from the log to the online store.
    pub delay: Span,
    /// Examples of each kind and view.
    pub examples: usize,
    /// Threads; 0 for as many as the machine has.
    pub threads: usize,
}

impl Default for LeakOptions {
    fn default() -> Self {
        Self { delay: Span::ZERO, examples: 3, threads: 0 }
    }
}

impl LeakOptions {
    /// Sets how long a row takes from the log to the online store.
    pub fn delay(mut self, delay: Span) -> Self {
        self.delay = delay;
        self
    }

    /// Sets how many examples of each kind are given.
    pub fn examples(mut self, examples: usize) -> Self {
        self.examples = examples;
        self
    }
}

impl Features {
    /// Looks through the training set that [`historical`](mlops_core::features::FeatureStore::historical) would make of these
    /// rows for what was not known in time.
    ///
    /// # Errors
    /// As `historical`.
    pub async fn leaks(
        &self,
        service: &ServiceRef,
        rows: &EntityRows,
        options: &LeakOptions,
    ) -> Result<LeakReport> {
        let resolved = resolve_service(&self.load().await?, service, self.now())?;
        let times = instants(rows)?;
        let historical = Historical::default().threads(options.threads);
        let service = ServiceRef::version(resolved.name.clone(), resolved.version.version);
        let mut report = LeakReport::new(service, rows.batch.num_rows() as u64, options.delay);
        for view in &resolved.views {
            let keys = key_columns(OPERATION, &rows.batch, view)?;
            let ask = |known_at, position| Ask {
                keys: keys.clone(),
                times: ArrayRef::clone(&times),
                known_at,
                position,
                before_seq: None,
                options: &historical,
            };
            let now = self.ask(view, ask(KnownAt::Now, None)).await?;
            let position = matches!(view.view.table.source, Source::Log).then_some(now.position);
            let then = self.ask(view, ask(KnownAt::EventTime, position)).await?;
            report.views.push(Look { view, times: &times, options, now, then }.leaks());
        }
        Ok(report)
    }
}

/// The two answers of a view.
struct Look<'a> {
    view: &'a ResolvedView,
    times: &'a ArrayRef,
    options: &'a LeakOptions,
    now: AsOf,
    then: AsOf,
}

impl Look<'_> {
    fn leaks(&self) -> ViewLeaks {
        let table = &self.view.view.table;
        let known = match (&table.source, &table.created) {
            (_, Some(_)) => Known::Source,
            (Source::Log, None) => Known::Append,
            _ => Known::Never,
        };
        let mut leaks = ViewLeaks::new(self.view.used.prefix().clone(), known);
        leaks.features =
            self.view.features.iter().map(|f| FeatureLeaks::new(f.output.clone())).collect();
        for row in 0..self.times.len() {
            self.look(row, &mut leaks);
        }
        leaks
    }

    fn look(&self, row: usize, leaks: &mut ViewLeaks) {
        let status = self.now.rows[row];
        leaks.expired += u64::from(status == RowStatus::Expired);
        if status != RowStatus::Found {
            return;
        }
        leaks.found += 1;
        let (t, whole) = micros(self.times, row);
        let time = |array: &ArrayRef| {
            let array = array.as_primitive::<Int64Type>();
            array.is_valid(row).then(|| array.value(row))
        };
        let (event_time, created) = (time(&self.now.event_time), time(&self.now.created));
        let mut note = |kind: LeakKind| {
            *leaks.count(kind) += 1;
            let seen = leaks.examples.iter().filter(|example| example.kind == kind).count();
            if seen < self.options.examples {
                let row = row as u64;
                leaks.examples.push(LeakExample { kind, row, at: t, event_time, created });
            }
        };
        if whole && event_time == Some(t) {
            note(LeakKind::Boundary);
        }
        let Some(created) = created else {
            note(LeakKind::Unknown);
            return;
        };
        // The parts of a microsecond of `t` do not matter: `created` is whole.
        if created > t {
            note(LeakKind::Backfill);
        } else if created.saturating_add(self.options.delay.micros()) > t {
            note(LeakKind::NotOnline);
        }
        let then = self.then.rows[row];
        match then {
            RowStatus::Expired => note(LeakKind::ExpiredThen),
            RowStatus::NotFound => note(LeakKind::AbsentThen),
            RowStatus::Found => {}
        }
        for ((feature, now), before) in
            leaks.features.iter_mut().zip(&self.now.columns).zip(&self.then.columns)
        {
            feature.cells += 1;
            feature.changed += u64::from(then != RowStatus::Found || !same(now, row, before, row));
        }
    }
}

/// An instant in microseconds, rounded down, and whether nothing was cut off.
fn micros(times: &ArrayRef, row: usize) -> (i64, bool) {
    if matches!(times.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _)) {
        let nanos = times.as_primitive::<TimestampNanosecondType>().value(row);
        return (nanos.div_euclid(1_000), nanos.rem_euclid(1_000) == 0);
    }
    (times.as_primitive::<TimestampMicrosecondType>().value(row), true)
}
