//! Is a view fresh? A pure judgement of how far the online store is behind, and a hook for alarms.

use std::fmt;

use mlops_core::features::{FeatureName, FeatureStore, Lag, Source, Span};
use mlops_core::time::from_micros_lossy;
use mlops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::features::{Features, unknown};

const OPERATION: &str = "features.freshness";

/// How fresh a view must be; a bound that is not set always holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FreshnessRule {
    /// The view.
    pub view: FeatureName,
    /// How old the newest event time of its log may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// How many rows of its log may not be online.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lag_rows: Option<u64>,
    /// How long a row may wait in the log until it is online.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Span>,
}

/// How fresh a view is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Freshness {
    /// The view.
    pub view: FeatureName,
    /// Whether all bounds hold.
    pub state: FreshnessState,
    /// How old the newest event time is, in microseconds, none if there are no rows; 0 for one ahead of the
    /// clock.
    pub age: Option<i64>,
    /// How many rows are not online.
    pub lag_rows: u64,
    /// For how long the oldest of them has been waiting, in microseconds.
    pub wait: Option<i64>,
    /// The bounds that do not hold.
    pub late: Vec<Late>,
}

/// Whether a view is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreshnessState {
    /// All bounds hold.
    Ok,
    /// One does not.
    Late,
}

/// A bound that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Late {
    /// There are no rows.
    Empty,
    /// The newest event time is too old.
    Age {
        /// How old, in microseconds.
        found: i64,
        /// How old at most.
        at_most: Span,
    },
    /// Too many rows are not online.
    Rows {
        /// How many.
        found: u64,
        /// How many at most.
        at_most: u64,
    },
    /// A row waits too long.
    Wait {
        /// For how long, in microseconds.
        found: i64,
        /// For how long at most.
        at_most: Span,
    },
}

/// Is told how fresh each view is, fresh or late, each time that it is asked: what alarms attach to.
///
/// ```
/// use mlops_features::trust::{Freshness, FreshnessHook, FreshnessState};
///
/// fn takes(_: &dyn FreshnessHook) {}
/// takes(&|freshness: &Freshness| {
///     if freshness.state == FreshnessState::Late { /* ring */ }
/// });
/// ```
pub trait FreshnessHook: Send + Sync {
    /// Takes in what was found.
    fn seen(&self, freshness: &Freshness);
}

impl<F: Fn(&Freshness) + Send + Sync> FreshnessHook for F {
    fn seen(&self, freshness: &Freshness) {
        self(freshness);
    }
}

impl FreshnessRule {
    /// A rule without bounds.
    pub fn new(view: FeatureName) -> Self {
        Self { view, max_age: None, max_lag_rows: None, max_wait: None }
    }

    /// Bounds the age of the newest event time.
    pub fn max_age(mut self, span: Span) -> Self {
        self.max_age = Some(span);
        self
    }

    /// Bounds the rows that are not online.
    pub fn max_lag_rows(mut self, rows: u64) -> Self {
        self.max_lag_rows = Some(rows);
        self
    }

    /// Bounds the time that a row waits until it is online.
    pub fn max_wait(mut self, span: Span) -> Self {
        self.max_wait = Some(span);
        self
    }

    /// How fresh a view is at `now`, in microseconds since 1970; the bounds are inclusive.
    pub fn judge(&self, lag: &Lag, now: i64) -> Freshness {
        let since = |at: i64| now.saturating_sub(at).max(0);
        let age = lag.newest_event_time.map(since);
        let wait = lag.waiting_since.map(since);
        let mut late = Vec::new();
        match (self.max_age, age) {
            (Some(_), None) => late.push(Late::Empty),
            (Some(at_most), Some(found)) if found > at_most.micros() => {
                late.push(Late::Age { found, at_most });
            }
            _ => {}
        }
        if let Some(at_most) = self.max_lag_rows.filter(|at_most| lag.rows > *at_most) {
            late.push(Late::Rows { found: lag.rows, at_most });
        }
        if let (Some(at_most), Some(found)) = (self.max_wait, wait)
            && found > at_most.micros()
        {
            late.push(Late::Wait { found, at_most });
        }
        let state = if late.is_empty() { FreshnessState::Ok } else { FreshnessState::Late };
        Freshness { view: lag.view.clone(), state, age, lag_rows: lag.rows, wait, late }
    }
}

impl Features {
    /// How fresh views are now, a rule each, in their order.
    ///
    /// # Errors
    /// `NotFound` for an unknown view, `Denied` for a retired one; `Unsupported` for a view of files, of which
    /// nothing is known; those of the stores.
    pub async fn freshness(&self, rules: &[FreshnessRule]) -> Result<Vec<Freshness>> {
        let registered = self.load().await?;
        for rule in rules {
            let record = registered
                .views
                .get(&rule.view)
                .ok_or_else(|| unknown(OPERATION, &rule.view, &registered))?;
            if record.last().table.source != Source::Log {
                let message = "a view of files does not say how fresh it is";
                return Err(Error::new(ErrorKind::Unsupported, OPERATION, message)
                    .with("view", &rule.view)
                    .with_hint("append its rows to the store, or watch the files"));
            }
        }
        let (lags, now) = (self.lag().await?, self.now().timestamp_micros());
        let judged = rules.iter().map(|rule| {
            let lag = lags.iter().find(|lag| lag.view == rule.view).ok_or_else(|| {
                Error::new(ErrorKind::Denied, OPERATION, "the view is retired")
                    .with("view", &rule.view)
            })?;
            Ok(rule.judge(lag, now))
        });
        judged.collect()
    }

    /// As [`Features::freshness`], and tells `hook` of each.
    ///
    /// # Errors
    /// As that.
    pub async fn watch_freshness(
        &self,
        rules: &[FreshnessRule],
        hook: &dyn FreshnessHook,
    ) -> Result<Vec<Freshness>> {
        let found = self.freshness(rules).await?;
        for freshness in &found {
            hook.seen(freshness);
        }
        Ok(found)
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            FreshnessState::Ok => write!(f, "{}: fresh", self.view),
            FreshnessState::Late => {
                let late: Vec<String> = self.late.iter().map(ToString::to_string).collect();
                write!(f, "{}: late: {}", self.view, late.join("; "))
            }
        }
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it has no rows"),
            Self::Age { found, at_most } => {
                write!(f, "the newest row is {} old, at most {at_most}", span(*found))
            }
            Self::Rows { found, at_most } => {
                write!(f, "{found} rows are not online, at most {at_most}")
            }
            Self::Wait { found, at_most } => {
                write!(f, "a row has been waiting for {}, at most {at_most}", span(*found))
            }
        }
    }
}

/// A span in its greatest unit, and the rest in the next: `2d 3h`.
fn span(micros: i64) -> String {
    let units = [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)];
    let Some(at) = units.iter().position(|(_, size)| micros >= *size) else {
        return format!("{micros}us");
    };
    let (unit, size) = units[at];
    let rest = units.get(at + 1).map(|(next, part)| (next, micros % size / part));
    match rest {
        Some((next, part @ 1..)) => format!("{}{unit} {part}{next}", micros / size),
        _ => format!("{}{unit}", micros / size),
    }
}

/// An instant as text.
pub(super) fn instant(micros: i64) -> String {
    from_micros_lossy(micros).format("%Y-%m-%dT%H:%M:%S%.fZ").to_string()
}
