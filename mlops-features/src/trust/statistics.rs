//! What a view holds, from its manifest alone: no row is read.

use std::collections::BTreeMap;

use mlops_core::Result;
use mlops_core::features::{
    Feature, FeatureName, Manifest, Segment, SegmentColumn, Source, ViewVersion,
};
use serde::{Deserialize, Serialize};

use crate::define::{Found, Search};
use crate::features::{Features, unknown};

/// What the log of a view holds.
///
/// Of a view of files nothing is known, and all is zero and none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ViewStatistics {
    /// The view.
    pub view: FeatureName,
    /// Its last version.
    pub version: u32,
    /// The position of the manifest.
    pub position: u64,
    /// How many segments.
    pub segments: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many rows.
    pub rows: u64,
    /// At most so many distinct keys; a key is counted once for each segment that has it.
    pub keys_at_most: u64,
    /// The least and the greatest event time, in microseconds since 1970.
    pub event_time: Option<(i64, i64)>,
    /// The least and the greatest creation time, in microseconds since 1970.
    pub created: Option<(i64, i64)>,
    /// Of each column of its rows, in their order.
    pub columns: Vec<ColumnStatistics>,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ColumnStatistics {
    /// The column.
    pub column: String,
    /// The features that are made of it.
    pub features: Vec<FeatureName>,
    /// Rows without a value, those of before the column was there among them.
    pub nulls: u64,
    /// How many NaNs.
    pub nans: u64,
    /// The least finite number, for numbers.
    pub min: Option<f64>,
    /// The greatest finite number, for numbers.
    pub max: Option<f64>,
    /// The mean of the finite numbers, for numbers: that of each segment, weighted by its values that are
    /// neither null nor NaN. So it is exact but where a segment has infinite values.
    pub mean: Option<f64>,
}

/// What a view must hold for its features to be found; each part that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Filled {
    /// At least so many rows.
    pub rows: u64,
    /// At most this share of rows without a value, from 0 to 1.
    pub nulls: Option<f64>,
    /// The newest event time is not before this, in microseconds since 1970.
    pub since: Option<i64>,
}

impl Filled {
    /// At least so many rows.
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    /// At most this share of rows without a value, from 0 to 1.
    pub fn nulls(mut self, share: f64) -> Self {
        self.nulls = Some(share);
        self
    }

    /// The newest event time is not before this, in microseconds since 1970.
    pub fn since(mut self, event_time: i64) -> Self {
        self.since = Some(event_time);
        self
    }

    fn holds(&self, feature: &str, statistics: &ViewStatistics) -> bool {
        let share = statistics.null_share(feature);
        statistics.rows >= self.rows
            && self.nulls.is_none_or(|most| share.is_some_and(|share| share <= most))
            && self.since.is_none_or(|since| {
                statistics.event_time.is_some_and(|(_, newest)| newest >= since)
            })
    }
}

impl ViewStatistics {
    /// Of a version of a view and the manifest of its rows.
    pub fn of(version: &ViewVersion, manifest: &Manifest) -> Self {
        let segments = &manifest.segments;
        let sum = |of: fn(&Segment) -> u64| segments.iter().map(of).sum::<u64>();
        let rows = sum(|segment| segment.rows);
        let range = |of: fn(&Segment) -> (i64, i64)| {
            let least = segments.iter().map(|segment| of(segment).0).min()?;
            Some((least, segments.iter().map(|segment| of(segment).1).max()?))
        };
        let columns = version.table.columns.iter().map(|column| {
            ColumnStatistics::of(&column.name, &version.definition.features, segments)
        });
        Self {
            view: version.definition.name.clone(),
            version: version.version,
            position: manifest.position,
            segments: segments.len() as u64,
            bytes: sum(|segment| segment.bytes),
            rows,
            keys_at_most: sum(|segment| segment.keys).min(rows),
            event_time: range(|segment| segment.event_time),
            created: range(|segment| segment.created),
            columns: columns.collect(),
        }
    }

    /// What the column of a feature holds.
    pub fn feature(&self, name: &str) -> Option<&ColumnStatistics> {
        let made = |column: &&ColumnStatistics| column.features.iter().any(|f| f.as_str() == name);
        self.columns.iter().find(made)
    }

    /// The share of a feature's rows that have no value, from 0 to 1; none for no rows.
    pub fn null_share(&self, feature: &str) -> Option<f64> {
        let column = self.feature(feature)?;
        (self.rows > 0).then(|| column.nulls as f64 / self.rows as f64)
    }
}

impl ColumnStatistics {
    fn of(column: &str, features: &[Feature], segments: &[Segment]) -> Self {
        let made = features.iter().filter(|feature| feature.column() == column);
        let mut merged = Self {
            column: column.to_owned(),
            features: made.map(|feature| feature.name.clone()).collect(),
            nulls: 0,
            nans: 0,
            min: None,
            max: None,
            mean: None,
        };
        // The mean grows by steps, so that no sum overflows.
        let mut weight = 0_u64;
        for segment in segments {
            let Some(part) = segment.columns.iter().find(|part| part.name == column) else {
                merged.nulls += segment.rows;
                continue;
            };
            let SegmentColumn { nulls, nans, min, max, mean, .. } = part;
            merged.nulls += nulls;
            merged.nans += nans;
            merged.min = merged.min.into_iter().chain(*min).reduce(f64::min);
            merged.max = merged.max.into_iter().chain(*max).reduce(f64::max);
            let values = segment.rows.saturating_sub(nulls + nans);
            if let (Some(mean), 1..) = (mean, values) {
                weight += values;
                let before = merged.mean.unwrap_or(*mean);
                merged.mean = Some(before + (mean - before) * (values as f64 / weight as f64));
            }
        }
        merged
    }
}

impl Features {
    /// What the log of a view holds, from its manifest alone.
    ///
    /// # Errors
    /// `NotFound` for an unknown view; those of the stores.
    pub async fn statistics(&self, view: &FeatureName) -> Result<ViewStatistics> {
        let registered = self.load().await?;
        let record = registered
            .views
            .get(view)
            .ok_or_else(|| unknown("features.statistics", view, &registered))?;
        let version = record.last();
        let manifest = match version.table.source {
            Source::Log => self.offline().manifest(&version.table.id, None).await?,
            _ => Manifest::default(),
        };
        Ok(ViewStatistics::of(version, &manifest))
    }

    /// As [`Features::search`], and only features of views that hold enough, each with what its view holds.
    /// On-demand features, which have no rows, are not among them.
    ///
    /// # Errors
    /// As that; those of [`Features::statistics`].
    pub async fn search_filled(
        &self,
        query: &Search,
        filled: &Filled,
    ) -> Result<Vec<(Found, ViewStatistics)>> {
        let mut known: BTreeMap<FeatureName, ViewStatistics> = BTreeMap::new();
        let mut found = Vec::new();
        for feature in self.search(query).await? {
            // What has no state is a transform.
            if feature.state.is_none() {
                continue;
            }
            if !known.contains_key(&feature.view) {
                known.insert(feature.view.clone(), self.statistics(&feature.view).await?);
            }
            if let Some(statistics) = known.get(&feature.view)
                && filled.holds(&feature.feature, statistics)
            {
                found.push((feature, statistics.clone()));
            }
        }
        Ok(found)
    }
}
