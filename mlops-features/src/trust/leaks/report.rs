//! What was found of leaks, and how it reads.

use std::fmt;

use mlops_core::features::{FeatureName, ServiceRef, Span};
use serde::{Deserialize, Serialize};

use super::super::freshness::instant;

/// What a training set knows that was not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeakReport {
    /// The service, with its version.
    pub service: ServiceRef,
    /// Rows of the training set.
    pub rows: u64,
    /// How long a row was said to take from the log to the online store.
    pub delay: Span,
    /// Of each view, in the service's order.
    pub views: Vec<ViewLeaks>,
}

/// What was found in one view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ViewLeaks {
    /// What the service calls it.
    pub view: FeatureName,
    /// How it is known when its rows became known.
    pub known: Known,
    /// Rows of the training set that a row of the view answers.
    pub found: u64,
    /// Rows whose answer is too old, online as in training.
    pub expired: u64,
    /// The answer became known after the row's instant.
    pub backfill: u64,
    /// The answer is of the row's very instant: perhaps the label's own event wrote it. Where that is so, the
    /// view wants `boundary: strict`.
    pub boundary: u64,
    /// Online, the answer would have been too old: a fresher one became known later.
    pub expired_then: u64,
    /// Online there would have been no answer yet.
    pub absent_then: u64,
    /// The answer was known, but for less than the delay, so that it was hardly online.
    pub not_online: u64,
    /// It is not known when the answer became known; such rows are not counted among the others.
    pub unknown: u64,
    /// Of each feature.
    pub features: Vec<FeatureLeaks>,
    /// The first of each kind.
    pub examples: Vec<LeakExample>,
}

/// What was found of one feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeatureLeaks {
    /// Its column.
    pub feature: String,
    /// Cells with an answer of which it is known when it became known.
    pub cells: u64,
    /// Cells that a request at the row's instant would have seen otherwise.
    pub changed: u64,
}

/// How it is known when rows became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The source says it.
    Source,
    /// It is the instant of the append: rows of the past that are loaded in bulk all became known then.
    Append,
    /// Nobody says it.
    Never,
}

/// A row of the training set that knows too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeakExample {
    /// In what way.
    pub kind: LeakKind,
    /// The row of the training set, from 0.
    pub row: u64,
    /// Its instant, in microseconds since 1970.
    pub at: i64,
    /// The event time of the answer.
    pub event_time: Option<i64>,
    /// When the answer became known.
    pub created: Option<i64>,
}

/// In what way a row knows too much; see [`ViewLeaks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeakKind {
    /// It became known later.
    Backfill,
    /// It is of the very instant.
    Boundary,
    /// What was known then was too old.
    ExpiredThen,
    /// Nothing was known then.
    AbsentThen,
    /// It was hardly online.
    NotOnline,
    /// It is not known when it became known.
    Unknown,
}

impl LeakReport {
    pub(super) fn new(service: ServiceRef, rows: u64, delay: Span) -> Self {
        Self { service, rows, delay, views: Vec::new() }
    }

    /// Whether every cell is what a request at its instant would have seen, as far as that is known; the
    /// boundary and the delay aside.
    pub fn is_clean(&self) -> bool {
        let changed = |view: &ViewLeaks| view.features.iter().any(|feature| feature.changed > 0);
        !self.views.iter().any(|view| changed(view) || view.unknown > 0)
    }
}

impl ViewLeaks {
    pub(super) fn new(view: FeatureName, known: Known) -> Self {
        Self {
            view,
            known,
            found: 0,
            expired: 0,
            backfill: 0,
            boundary: 0,
            expired_then: 0,
            absent_then: 0,
            not_online: 0,
            unknown: 0,
            features: Vec::new(),
            examples: Vec::new(),
        }
    }

    pub(super) fn count(&mut self, kind: LeakKind) -> &mut u64 {
        match kind {
            LeakKind::Backfill => &mut self.backfill,
            LeakKind::Boundary => &mut self.boundary,
            LeakKind::ExpiredThen => &mut self.expired_then,
            LeakKind::AbsentThen => &mut self.absent_then,
            LeakKind::NotOnline => &mut self.not_online,
            LeakKind::Unknown => &mut self.unknown,
        }
    }
}

impl FeatureLeaks {
    pub(super) fn new(feature: String) -> Self {
        Self { feature, cells: 0, changed: 0 }
    }
}

impl LeakKind {
    const ALL: [Self; 6] = [
        Self::Backfill,
        Self::ExpiredThen,
        Self::AbsentThen,
        Self::NotOnline,
        Self::Boundary,
        Self::Unknown,
    ];

    fn says(self) -> &'static str {
        match self {
            Self::Backfill => "became known later",
            Self::Boundary => "are of the row's very instant",
            Self::ExpiredThen => "would have been too old online",
            Self::AbsentThen => "would not have been there online",
            Self::NotOnline => "were known for less than the delay",
            Self::Unknown => "do not say when they became known",
        }
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} rows", self.service, self.rows)?;
        for view in &self.views {
            write!(f, "{view}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ViewLeaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} answers, {} too old", self.view, self.found, self.expired)?;
        if self.known == Known::Append {
            writeln!(f, "  rows became known when they were appended; the source does not say")?;
        }
        let mut counts = self.clone();
        for kind in LeakKind::ALL {
            let count = *counts.count(kind);
            if count == 0 {
                continue;
            }
            writeln!(f, "  {:>6}  {count} {}", share(count, self.found), kind.says())?;
            for example in self.examples.iter().filter(|example| example.kind == kind) {
                writeln!(f, "          {example}")?;
            }
        }
        for feature in self.features.iter().filter(|feature| feature.changed > 0) {
            let share = share(feature.changed, feature.cells);
            let (name, changed, cells) = (&feature.feature, feature.changed, feature.cells);
            writeln!(
                f,
                "  {share:>6}  of `{name}` differ from what was known: {changed} of {cells}"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for LeakExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} asks at {}", self.row, instant(self.at))?;
        if let Some(event_time) = self.event_time {
            write!(f, ", answered by one of {}", instant(event_time))?;
        }
        match self.created {
            Some(created) => write!(f, ", known since {}", instant(created)),
            None => Ok(()),
        }
    }
}

/// A share with one digit, never 0 or 100 where it is not.
fn share(part: u64, all: u64) -> String {
    if all == 0 {
        return "-".to_owned();
    }
    let tenths = (part as f64 * 1_000.0 / all as f64).round();
    if tenths <= 0.0 && part > 0 {
        return "<0.1%".to_owned();
    }
    if tenths >= 1_000.0 && part < all {
        return ">99.9%".to_owned();
    }
    format!("{:.1}%", tenths / 10.0)
}
