//! What a replay found, and how it reads.

use std::fmt;

use mlops_core::features::{ServiceRef, Status};
use serde::{Deserialize, Serialize};

use super::super::freshness::instant;

/// How the answers that were logged compare with what is offline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkewReport {
    /// The service that was asked for.
    pub service: ServiceRef,
    /// Segments that were read.
    pub segments: u64,
    /// Answers that were played again.
    pub records: u64,
    /// Answers that the log left out, because a buffer was full.
    pub dropped: u64,
    /// Mismatched answers of an aggregated view whose key got so many rows since that not all states of the
    /// log between could be tried.
    pub untried: u64,
    /// Of each version of the service and each feature, in the answer's order.
    pub features: Vec<FeatureSkew>,
}

/// How the answers of one feature compare.
///
/// `compared` is the sum of `equal`, `late`, `behind` and `mismatch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeatureSkew {
    /// The service, with its version.
    pub service: ServiceRef,
    /// The feature's column.
    pub feature: String,
    /// Cells that were compared.
    pub compared: u64,
    /// Cells with the bits, and the status, of the whole log.
    pub equal: u64,
    /// Cells that were right when they were answered; rows came afterwards.
    pub late: u64,
    /// Cells that are right for the part of the log that was online.
    pub behind: u64,
    /// Cells that no part of the log explains. There must be none.
    pub mismatch: u64,
    /// Mismatches where online had no row and offline has one.
    pub missing: u64,
    /// Mismatches where online had a row and offline has none.
    pub extra: u64,
    /// Mismatches where one side says that the row is too old, and the other does not.
    pub expired: u64,
    /// Cells, counted among the others too, that a store had forgotten that forgets what is too old: not found
    /// online, too old offline, null on both sides.
    pub forgotten: u64,
    /// The greatest absolute difference of two numbers that should be equal.
    pub max_difference: Option<f64>,
    /// The symmetric mean absolute percentage error, from 0 to 2: the mean of `2 |a − b| / (|a| + |b|)`
    /// over cells, equal or mismatched, that are numbers on both sides.
    pub smape: Option<f64>,
    /// How many cells `smape` is of.
    pub numbers: u64,
    /// The first mismatch.
    pub first: Option<SkewExample>,
}

/// A cell that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkewExample {
    /// When it was answered, in microseconds since 1970.
    pub at: i64,
    /// The key columns with their values: `driver_id=7`.
    pub key: String,
    /// What was answered.
    pub online: String,
    /// What that was.
    pub online_status: Status,
    /// What the log says, as far as it was online.
    pub offline: String,
    /// What that is.
    pub offline_status: Status,
    /// The event time of the row that the log answers with. An answer does not say that of its row.
    pub offline_event_time: Option<i64>,
}

impl SkewReport {
    pub(super) fn new(service: ServiceRef) -> Self {
        Self { service, segments: 0, records: 0, dropped: 0, untried: 0, features: Vec::new() }
    }

    /// Whether no answer differs from what the log says, as far as it was online.
    pub fn is_clean(&self) -> bool {
        self.features.iter().all(|feature| feature.mismatch == 0)
    }

    /// How many cells no part of the log explains.
    pub fn mismatches(&self) -> u64 {
        self.features.iter().map(|feature| feature.mismatch).sum()
    }

    /// What was found of a feature in a version.
    pub(super) fn feature(&mut self, service: &ServiceRef, feature: &str) -> &mut FeatureSkew {
        let place = self
            .features
            .iter()
            .position(|there| there.feature == feature && there.service == *service);
        let place = place.unwrap_or_else(|| {
            self.features.push(FeatureSkew::new(service.clone(), feature.to_owned()));
            self.features.len() - 1
        });
        &mut self.features[place]
    }
}

impl FeatureSkew {
    fn new(service: ServiceRef, feature: String) -> Self {
        Self {
            service,
            feature,
            compared: 0,
            equal: 0,
            late: 0,
            behind: 0,
            mismatch: 0,
            missing: 0,
            extra: 0,
            expired: 0,
            forgotten: 0,
            max_difference: None,
            smape: None,
            numbers: 0,
            first: None,
        }
    }

    /// Takes in two numbers that should be equal.
    pub(super) fn numbers(&mut self, online: f64, offline: f64) {
        // Of equal ones the difference is none, also of infinite ones; of NaN and a number it is not known.
        let equal = online.to_bits() == offline.to_bits();
        let difference = if equal { 0.0 } else { (online - offline).abs() };
        if difference > 0.0 {
            self.max_difference = Some(self.max_difference.unwrap_or(0.0).max(difference));
        }
        let size = online.abs() + offline.abs();
        let part = if size > 0.0 { 2.0 * difference / size } else { 0.0 };
        if part.is_finite() {
            self.numbers += 1;
            let before = self.smape.unwrap_or(0.0);
            self.smape = Some(before + (part - before) / self.numbers as f64);
        }
    }
}

impl fmt::Display for SkewReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} answers of {} segments", self.service, self.records, self.segments)?;
        if self.dropped > 0 {
            writeln!(f, "{} answers were left out of the log", self.dropped)?;
        }
        let width = self.features.iter().map(|feature| feature.feature.len()).max().unwrap_or(0);
        let width = width.max("feature".len());
        writeln!(
            f,
            "{:width$}  {:>9}  {:>9}  {:>6}  {:>6}  {:>8}",
            "feature", "compared", "equal", "late", "behind", "mismatch"
        )?;
        for skew in &self.features {
            writeln!(
                f,
                "{:width$}  {:>9}  {:>9}  {:>6}  {:>6}  {:>8}",
                skew.feature, skew.compared, skew.equal, skew.late, skew.behind, skew.mismatch
            )?;
            if let Some(first) = &skew.first {
                writeln!(f, "  {first}")?;
            }
        }
        match self.mismatches() {
            0 => writeln!(f, "no skew"),
            cells => writeln!(f, "SKEW: {cells} cells differ"),
        }?;
        match self.untried {
            0 => Ok(()),
            answers => writeln!(f, "of {answers} answers not all states of the log were tried"),
        }
    }
}

impl fmt::Display for SkewExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, online, online_status, offline, offline_status, .. } = self;
        write!(f, "{} at {}: online {online} ({online_status}), ", key, instant(self.at))?;
        write!(f, "offline {offline} ({offline_status}")?;
        match self.offline_event_time {
            Some(event_time) => write!(f, ", of {})", instant(event_time)),
            None => f.write_str(")"),
        }
    }
}
