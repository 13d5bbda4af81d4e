//! Rules about the data as a whole.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit, i256};
use mlops_core::time::Instant;
use mlops_core::validation::{
    Aggregate, Anomaly, Check, Distribution, DistributionMeasure, Expected, Freshness, Function,
    Literal, Metric, RowCount, Status, Tolerance,
};
use mlops_core::{Error, Result};
use serde_json::json;

use super::{Compiler, Parts, metric_type, no_mostly, status};
use crate::folds::bins::{BinsFold, NearProfile};
use crate::folds::metric::{MetricValue, scale_of, value_of};
use crate::kernel::Finding;
use crate::memory::Memory;
use crate::plan::{Conclude, PlannedFold, Seen, noted};
use crate::rules::literal::{Side, float, misfit, scaled, text};
use crate::scalar::unit_nanos;
use crate::stats::{AnomalyRule, Bins, Outlook};

impl Compiler<'_> {
    pub(super) fn row_count(
        &mut self,
        check: &Check,
        rule: &RowCount,
        filter: Option<usize>,
    ) -> Result<Parts> {
        let bound = |bound: Option<u64>| bound.map(Literal::from);
        let aggregate = Aggregate {
            of: Metric::rows(),
            min: bound(rule.min),
            max: bound(rule.max),
            equals: None,
            tolerance: Tolerance::default(),
        };
        self.aggregate(check, &aggregate, filter)
    }

    pub(super) fn aggregate(
        &mut self,
        check: &Check,
        rule: &Aggregate,
        filter: Option<usize>,
    ) -> Result<Parts> {
        no_mostly(check)?;
        let asks = rule.min.is_some() || rule.max.is_some() || rule.equals.is_some();
        if !asks {
            return Err(Error::invalid("suite", "an aggregate has a bound, or what it must equal"));
        }
        if rule.tolerance.absolute < 0.0 || rule.tolerance.relative < 0.0 {
            return Err(Error::invalid("suite", "a tolerance is not negative"));
        }
        let data_type = metric_type(&self.slots, &rule.of)?;
        let mut folds = vec![self.metric(&rule.of, filter)?];
        let mut other = None;
        let mut expected = Vec::new();
        if let Some(min) = &rule.min {
            expected.push(format!("at least {min}"));
        }
        if let Some(max) = &rule.max {
            expected.push(format!("at most {max}"));
        }
        match &rule.equals {
            None => {}
            Some(Expected::Same { metric }) => {
                folds.push(self.metric(metric, filter)?);
                let data_type = metric_type(&self.slots, metric)?;
                other = Some(Other::Same(metric.clone(), data_type));
                expected.push(format!("equal to {metric}"));
            }
            Some(Expected::Reference { metric, reference }) => {
                let known = self.reference(reference)?;
                let value = known.metric(metric).cloned().unwrap_or(MetricValue::Nothing);
                expected.push(format!("equal to {metric} of {reference}"));
                other = Some(Other::Known(value));
            }
            Some(Expected::Previous { previous: false }) => {
                return Err(Error::invalid("suite", "`previous` is true, or is not there"));
            }
            Some(Expected::Previous { previous: true }) => {
                let earlier = self
                    .inputs
                    .history
                    .values(&noted(&rule.of.to_string(), check.filter.as_deref()));
                expected.push("equal to that of the previous run".to_owned());
                other = Some(match earlier.last() {
                    Some(value) => Other::Known(MetricValue::Float(*value)),
                    None => Other::NoHistory,
                });
            }
        }
        let value_type = bound_type(&rule.of, &data_type);
        let min = rule.min.as_ref().map(|min| Bound::new(min, false, &value_type)).transpose()?;
        let max = rule.max.as_ref().map(|max| Bound::new(max, true, &value_type)).transpose()?;
        if let (Some(low), Some(high)) = (&min, &max)
            && low.is_above(high)
        {
            return Err(Error::invalid("suite", "no value is between these bounds")
                .with("metric", &rule.of)
                .with("bounds", expected.join(", ")));
        }
        let Tolerance { absolute, relative } = rule.tolerance;
        let mut expected = expected.join(", ");
        if absolute > 0.0 || relative > 0.0 {
            expected = format!("{expected}, within {absolute} or {} %", relative * 100.0);
        }
        folds.extend(self.beside(&rule.of, filter)?);
        let conclude = InBounds {
            metric: rule.of.clone(),
            data_type,
            min,
            max,
            other,
            tolerance: rule.tolerance,
        };
        Ok(Self::folds(folds, conclude, expected))
    }

    pub(super) fn anomaly(
        &mut self,
        check: &Check,
        rule: &Anomaly,
        filter: Option<usize>,
    ) -> Result<Parts> {
        no_mostly(check)?;
        let fold = self.metric(&rule.of, filter)?;
        let data_type = metric_type(&self.slots, &rule.of)?;
        let extreme = matches!(rule.of.function(), Function::Min | Function::Max);
        if extreme && !(data_type.is_numeric() || matches!(data_type, DataType::Decimal128(..))) {
            return Err(Error::invalid("suite", "a history is of numbers")
                .with("metric", &rule.of)
                .with("type", data_type)
                .with_hint("`freshness` watches the newest instant"));
        }
        let values =
            self.inputs.history.values(&noted(&rule.of.to_string(), check.filter.as_deref()));
        let last = values.len().saturating_sub(rule.last as usize);
        let history = values[last..].to_vec();
        let expected = format!("as in the last {} runs", history.len());
        let counts = matches!(
            rule.of.function(),
            Function::Rows | Function::Count | Function::Nulls | Function::Distinct
        );
        let judge = AnomalyRule::of_check(rule, counts);
        judge.check()?;
        let outlook = judge.outlook(&history)?;
        let conclude = AsBefore { metric: rule.of.clone(), data_type, outlook };
        let folds = std::iter::once(fold).chain(self.beside(&rule.of, filter)?).collect();
        Ok(Self::folds(folds, conclude, expected))
    }

    /// A sketch does not know how many values went in: a count beside it does, as the last fold.
    fn beside(&mut self, metric: &Metric, filter: Option<usize>) -> Result<Option<usize>> {
        match (metric.function(), metric.column()) {
            (Function::ApproxDistinct, Some(column)) => {
                self.metric(&Metric::of(Function::Count, column)?, filter).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn freshness(
        &mut self,
        check: &Check,
        rule: &Freshness,
        filter: Option<usize>,
    ) -> Result<Parts> {
        no_mostly(check)?;
        let metric = Metric::of(Function::Max, &rule.column)?;
        let data_type = metric_type(&self.slots, &metric)?;
        let nanos = match &data_type {
            DataType::Timestamp(unit, _) => unit_nanos(*unit),
            DataType::Date32 => 86_400 * unit_nanos(TimeUnit::Second),
            DataType::Date64 => unit_nanos(TimeUnit::Millisecond),
            other => {
                return Err(Error::invalid("suite", "only instants and dates have an age")
                    .with("column", &rule.column)
                    .with("type", other));
            }
        };
        let fold = self.metric(&metric, filter)?;
        let conclude = Fresh {
            metric,
            data_type,
            nanos,
            now: self.inputs.now,
            max_age_secs: rule.max_age_secs,
            max_ahead_secs: rule.max_ahead_secs,
        };
        let expected = format!("newest at most {} old", age_text(i128::from(rule.max_age_secs)));
        Ok(Self::folds(vec![fold], conclude, expected))
    }

    pub(super) fn distribution(
        &mut self,
        check: &Check,
        rule: &Distribution,
        filter: Option<usize>,
    ) -> Result<Parts> {
        no_mostly(check)?;
        let profile = self.inputs.profiles.get(&rule.profile).ok_or_else(|| {
            Error::invalid("suite", "no such profile was handed in")
                .with("profile", &rule.profile)
                .with_hint("`--profile name=file`; `mlops suite profile` writes one")
        })?;
        let column = profile.column(&rule.column).ok_or_else(|| {
            Error::invalid("suite", "the profile has no such column")
                .with("profile", &rule.profile)
                .with("column", &rule.column)
        })?;
        let slot = self.slots.slot(&rule.column)?;
        let bins = Arc::new(Bins::freeze(column, rule.cells as usize)?);
        if !rule.max.is_finite() || rule.max < 0.0 {
            return Err(Error::invalid("suite", "a distance is at least 0").with("max", rule.max));
        }
        if rule.measure == DistributionMeasure::KolmogorovSmirnov && bins.ordered().is_empty() {
            return Err(Error::invalid("suite", "Kolmogorov–Smirnov needs values with an order")
                .with("column", &rule.column)
                .with_hint("psi, jensen_shannon and total_variation take categories"));
        }
        let what = format!("bins {slot} {} {}", rule.profile, rule.cells);
        let taken = Arc::clone(&bins);
        let fold = self.share(what, filter, |_| {
            let fold = Arc::new(BinsFold { slot, bins: taken });
            Ok(PlannedFold { fold, filter, slots: vec![slot] })
        })?;
        let expected = format!("{} from {} at most {}", measure(rule), rule.profile, rule.max);
        let conclude =
            NearProfile { bins, measure: rule.measure, max: rule.max, name: check.name() };
        Ok(Self::folds(vec![fold], conclude, expected))
    }
}

fn measure(rule: &Distribution) -> String {
    let name = serde_json::to_string(&rule.measure).unwrap_or_default();
    name.trim_matches('"').to_owned()
}

/// The type that a metric's bounds are written in.
fn bound_type(metric: &Metric, data_type: &DataType) -> DataType {
    match metric.function() {
        Function::Min | Function::Max => data_type.clone(),
        Function::Sum if !data_type.is_floating() => match data_type {
            DataType::Duration(_) => data_type.clone(),
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => DataType::Decimal256(76, *scale),
            _ => crate::folds::metric::COUNT,
        },
        Function::Sum
        | Function::Mean
        | Function::StdDev
        | Function::NullRate
        | Function::Quantile
        | Function::ApproxQuantile => DataType::Float64,
        _ => crate::folds::metric::COUNT,
    }
}

/// A bound in the type of the metric.
#[derive(Debug)]
enum Bound {
    Float(f64),
    /// In units of ten to the minus this.
    Whole(i256, i8),
    Text(String),
}

impl Bound {
    fn new(literal: &Literal, is_max: bool, data_type: &DataType) -> Result<Self> {
        let excluded = false;
        let side = if is_max { Side::Max { excluded } } else { Side::Min { excluded } };
        Ok(match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Self::Text(text(literal, data_type)?.to_owned())
            }
            float_type if float_type.is_floating() => Self::Float(float(literal, side, data_type)?),
            DataType::Boolean => return Err(misfit(literal, data_type, "a bool has no bounds")),
            _ => {
                let scale = scale_of(data_type).unwrap_or_default();
                Self::Whole(scaled(literal, data_type)?.bound(side), scale)
            }
        })
    }

    fn is_above(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a > b,
            (Self::Whole(a, _), Self::Whole(b, _)) => a > b,
            (Self::Text(a), Self::Text(b)) => a > b,
            _ => false,
        }
    }

    /// How the value lies to the bound; nothing for NaN.
    fn compare(&self, value: &MetricValue) -> Option<std::cmp::Ordering> {
        match (value, self) {
            (MetricValue::Float(value), Self::Float(bound)) => value.partial_cmp(bound),
            (MetricValue::Whole(value, _), Self::Whole(bound, _)) => Some(value.cmp(bound)),
            (MetricValue::Bytes(value), Self::Text(bound)) => Some(value[..].cmp(bound.as_bytes())),
            // A sum past 256 bits is a float.
            (MetricValue::Float(value), Self::Whole(bound, scale)) => {
                value.partial_cmp(&format!("{bound}e{}", -i32::from(*scale)).parse().ok()?)
            }
            _ => None,
        }
    }
}

/// What a metric must be equal to.
#[derive(Debug)]
enum Other {
    Same(Metric, DataType),
    Known(MetricValue),
    NoHistory,
}

/// A metric is in its bounds.
#[derive(Debug)]
struct InBounds {
    metric: Metric,
    data_type: DataType,
    min: Option<Bound>,
    max: Option<Bound>,
    other: Option<Other>,
    tolerance: Tolerance,
}

/// The metric's value, noted for the history, in a finding that passes.
fn observe(metric: &Metric, data_type: &DataType, seen: &Seen<'_>) -> (MetricValue, Finding) {
    let memory = seen.memories.first().copied().unwrap_or(&Memory::None);
    let value = value_of(metric, memory, data_type);
    if let Some(number) = value.as_f64() {
        seen.note(&metric.to_string(), number);
    }
    let mut finding = Finding::plain(match value {
        MetricValue::Nothing => Status::Vacuous,
        _ => Status::Passed,
    });
    finding.observed = value.to_json();
    finding.counts.judged = match memory {
        Memory::Metric(memory) => memory.values(),
        Memory::Keys(keys) => keys.store.len(),
        _ => match seen.memories.last() {
            Some(Memory::Metric(count)) => count.values(),
            _ => seen.rows,
        },
    };
    finding.counts.skipped = seen.rows.saturating_sub(finding.counts.judged);
    (value, finding)
}

impl Conclude for InBounds {
    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let (value, mut finding) = observe(&self.metric, &self.data_type, seen);
        if value == MetricValue::Nothing {
            return finding;
        }
        let inside = |bound: &Option<Bound>, outside: std::cmp::Ordering| {
            let Some(bound) = bound else { return true };
            bound.compare(&value).is_some_and(|order| order != outside)
        };
        let mut holds = inside(&self.min, std::cmp::Ordering::Less)
            && inside(&self.max, std::cmp::Ordering::Greater);
        let other = match &self.other {
            None => None,
            Some(Other::NoHistory) => {
                return finding_of(finding, Status::Vacuous, "there is no earlier run");
            }
            Some(Other::Known(other)) => Some(other.clone()),
            Some(Other::Same(metric, data_type)) => {
                let memory = seen.memories.get(1).copied().unwrap_or(&Memory::None);
                Some(value_of(metric, memory, data_type))
            }
        };
        if let Some(other) = other {
            if other == MetricValue::Nothing {
                return finding_of(finding, Status::Vacuous, "the other value is of nothing");
            }
            let shown = other.to_json().unwrap_or_default();
            finding.detail = Some(format!("the other value is {shown}"));
            holds &= equal(&value, &other, self.tolerance);
        }
        finding.status = status(holds);
        finding
    }
}

fn finding_of(mut finding: Finding, status: Status, detail: &str) -> Finding {
    finding.status = status;
    finding.detail = Some(detail.to_owned());
    finding
}

fn equal(value: &MetricValue, other: &MetricValue, tolerance: Tolerance) -> bool {
    if value == other && tolerance == Tolerance::default() {
        return true;
    }
    if let (Some(a), Some(b)) = (value.decimal(), other.decimal())
        && tolerance == Tolerance::default()
    {
        return a == b;
    }
    if let (Some(a), Some(b)) = (nanos(value), nanos(other)) {
        return a == b;
    }
    let (Some(a), Some(b)) = (value.as_f64(), other.as_f64()) else { return value == other };
    a == b || (a - b).abs() <= tolerance.absolute.max(tolerance.relative * b.abs())
}

/// An instant or a date in nanoseconds, so that those of two units compare.
fn nanos(value: &MetricValue) -> Option<i128> {
    let MetricValue::Whole(value, data_type) = value else { return None };
    let unit = match data_type {
        DataType::Timestamp(unit, _) => unit_nanos(*unit),
        DataType::Date32 => 86_400 * unit_nanos(TimeUnit::Second),
        DataType::Date64 => unit_nanos(TimeUnit::Millisecond),
        _ => return None,
    };
    value.to_i128()?.checked_mul(unit)
}

/// A metric is what earlier runs lead to expect.
#[derive(Debug)]
struct AsBefore {
    metric: Metric,
    data_type: DataType,
    outlook: Outlook,
}

impl Conclude for AsBefore {
    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let (value, finding) = observe(&self.metric, &self.data_type, seen);
        let Some(number) = value.as_f64() else { return finding };
        match &self.outlook {
            Outlook::TooShort { has, needs } => {
                let detail = format!("{has} earlier runs; {needs} are needed");
                finding_of(finding, Status::Vacuous, &detail)
            }
            Outlook::Range { low, high, median, .. } => {
                let holds = number >= *low && number <= *high;
                let detail = format!("expected {low} to {high}; the median is {median}");
                finding_of(finding, status(holds), &detail)
            }
        }
    }
}

/// The newest instant is young enough.
#[derive(Debug)]
struct Fresh {
    metric: Metric,
    data_type: DataType,
    /// Nanoseconds of one unit of the column.
    nanos: i128,
    now: Instant,
    max_age_secs: u64,
    max_ahead_secs: u64,
}

impl Conclude for Fresh {
    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let (value, finding) = observe(&self.metric, &self.data_type, seen);
        let MetricValue::Whole(newest, _) = &value else { return finding };
        let second = unit_nanos(TimeUnit::Second);
        let newest = newest.to_i128().unwrap_or(i128::MAX).saturating_mul(self.nanos);
        let now = i128::from(self.now.timestamp_micros()) * unit_nanos(TimeUnit::Microsecond);
        let age = now.saturating_sub(newest);
        let holds = age <= i128::from(self.max_age_secs) * second
            && -age <= i128::from(self.max_ahead_secs) * second;
        let detail = if age < 0 {
            format!("the newest lies {} ahead", age_text(-age / second))
        } else {
            format!("the newest is {} old", age_text(age / second))
        };
        let mut finding = finding_of(finding, status(holds), &detail);
        finding.observed = value.to_json().or(Some(json!(null)));
        finding
    }
}

/// Seconds as people say them.
pub(super) fn age_text(seconds: i128) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
