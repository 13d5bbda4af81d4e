//! Metric points, their summaries, and the chunks in which they are stored.

use std::ops::RangeInclusive;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::run::Blob;
use crate::float;
use crate::{Error, Key, Result, SpoolId};

/// Steps lie in -(2^53 - 1)..=2^53 - 1, the integers that every JSON reader keeps exactly.
pub const MAX_STEP: i64 = (1 << 53) - 1;

/// `step`, if it is within ±[`MAX_STEP`].
///
/// # Errors
/// `Invalid` outside that range.
#[inline]
pub fn check_step(step: i64) -> Result<i64> {
    if (-MAX_STEP..=MAX_STEP).contains(&step) {
        Ok(step)
    } else {
        Err(Error::invalid("metric", "step is outside -(2^53 - 1)..=2^53 - 1").with("step", step))
    }
}

/// One value of one metric. NaN and ±∞ are values like any other and come back as they went in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// Where in the training it was measured: an epoch, an iteration.
    pub step: i64,
    /// When, in microseconds since 1970.
    pub time_micros: i64,
    /// What.
    #[serde(with = "float")]
    pub value: f64,
}

/// What search knows of a metric without reading its history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// The value written last, whatever its step or time.
    #[serde(with = "float")]
    pub last: f64,
    /// The step of the last value.
    pub last_step: i64,
    /// The time of the last value, in microseconds since 1970.
    pub last_time_micros: i64,
    /// The smallest value; NaN does not count, and NaN means that there was no other.
    #[serde(with = "float")]
    pub min: f64,
    /// The largest value; NaN does not count, and NaN means that there was no other.
    #[serde(with = "float")]
    pub max: f64,
    /// How many points were written.
    pub count: u64,
}

impl MetricSummary {
    /// The summary of one point.
    pub fn of(point: MetricPoint) -> Self {
        Self {
            last: point.value,
            last_step: point.step,
            last_time_micros: point.time_micros,
            min: point.value,
            max: point.value,
            count: 1,
        }
    }

    /// Adds what was written after it.
    ///
    /// ```
    /// use mlops_core::tracking::{MetricPoint, MetricSummary};
    /// let at = |value| MetricSummary::of(MetricPoint { step: 0, time_micros: 0, value });
    /// let mut summary = at(2.0);
    /// summary.append(&at(f64::NAN));
    /// summary.append(&at(1.0));
    /// assert_eq!((summary.min, summary.max, summary.last, summary.count), (1.0, 2.0, 1.0, 3));
    /// ```
    pub fn append(&mut self, later: &Self) {
        self.last = later.last;
        self.last_step = later.last_step;
        self.last_time_micros = later.last_time_micros;
        // `f64::min` and `max` return the other operand for NaN.
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.count += later.count;
    }
}

/// The points of one metric, as columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricHistory {
    /// The step of each point.
    pub steps: Vec<i64>,
    /// The time of each point, in microseconds since 1970.
    pub times_micros: Vec<i64>,
    /// The value of each point.
    pub values: Vec<f64>,
}

impl MetricHistory {
    /// How many points there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds a point at the end.
    pub fn push(&mut self, point: MetricPoint) {
        self.steps.push(point.step);
        self.times_micros.push(point.time_micros);
        self.values.push(point.value);
    }

    /// The points one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = MetricPoint> + '_ {
        (0..self.len()).map(|i| MetricPoint {
            step: self.steps[i],
            time_micros: self.times_micros[i],
            value: self.values[i],
        })
    }
}

/// Where a chunk comes from: points `first..first + count` of one spool. It makes a repeated append
/// harmless: a backend that has these points already changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The spool that the points were accepted into.
    pub spool: SpoolId,
    /// How many points of that spool come before the first of these.
    pub first: u64,
    /// How many points these are.
    pub count: u64,
}

/// Names a stored chunk within its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChunkId(pub i64);

/// Encoded points on their way into a backend, with what search needs of them.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricChunk {
    /// Which points of which spool these are.
    pub origin: Origin,
    /// How the bytes are encoded; known to the engine, opaque to the backend.
    pub codec: u8,
    /// The encoded points, in the order in which they were written.
    pub bytes: Bytes,
    /// The smallest and greatest step.
    pub steps: RangeInclusive<i64>,
    /// The smallest and greatest time, in microseconds since 1970.
    pub times_micros: RangeInclusive<i64>,
    /// A summary for each key that occurs.
    pub summaries: Vec<(Key, MetricSummary)>,
}

/// The bytes of a stored chunk, or where they are.
#[derive(Debug, Clone, PartialEq)]
pub enum ChunkData {
    /// The bytes themselves.
    Inline(Bytes),
    /// An immutable object of the blob store.
    Blob(Blob),
}

/// A chunk as a backend returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChunk {
    /// Its name, for replacing it.
    pub id: ChunkId,
    /// How the bytes are encoded.
    pub codec: u8,
    /// How many points are in it.
    pub count: u64,
    /// The encoded points.
    pub data: ChunkData,
}
