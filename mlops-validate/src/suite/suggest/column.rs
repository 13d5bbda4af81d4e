//! What is proposed for one column.

use chrono::DateTime;
use mlops_core::arrow::datatypes::{TimeUnit, i256};
use mlops_core::registry::ColumnType;
use mlops_core::time::Instant;
use mlops_core::validation::{
    Check, Direction, Format, Freshness, HasFormat, InSet, KeyMemory, KeyNulls, Length, LengthUnit,
    Literal, Mostly, NanPolicy, NotNull, Ordered, Range, Unique,
};

use super::{Draft, Grouped, SuggestOptions, bounds};
use crate::stats::{ColumnProfile, Value};
use crate::text::formats;

/// Past this share of nulls, being null is nothing unusual.
const MANY_NULLS: f64 = 0.2;

/// Formats that are told apart from plain text by sight, the narrower first.
const FORMATS: [(Format, &str); 8] = [
    (Format::Uuid, "UUIDs"),
    (Format::Email, "e-mail addresses"),
    (Format::Url, "URLs"),
    (Format::DateTime, "instants of RFC 3339"),
    (Format::Date, "dates of ISO 8601"),
    (Format::Time, "times of day"),
    (Format::Ipv4, "IPv4 addresses"),
    (Format::Ipv6, "IPv6 addresses"),
];

pub(super) fn suggest(column: &ColumnProfile, options: &SuggestOptions, draft: &mut Draft) {
    let values = column.rows() - column.nulls();
    nulls(column, options, draft);
    if values < options.min_values {
        return;
    }
    // A type that a signature has no name for (a map, a union) has no rules either.
    let Ok(data_type) = column.data_type().parse::<ColumnType>() else {
        return;
    };
    range(column, &data_type, options, draft);
    unique(column, values, &data_type, draft);
    instants(column, &data_type, options, draft);
    if data_type == ColumnType::Utf8 && !in_set(column, values, options, draft) {
        format(column, values, draft);
        length(column, draft);
    }
}

fn nulls(column: &ColumnProfile, options: &SuggestOptions, draft: &mut Draft) {
    let (rows, nulls) = (column.rows(), column.nulls());
    let share = nulls as f64 / rows as f64;
    if rows < options.min_values || share > MANY_NULLS {
        return;
    }
    let check = Check::from(NotNull { column: column.name().to_owned() });
    let reason = format!("{} of {} values are not null", Grouped(rows - nulls), Grouped(rows));
    if nulls == 0 {
        return draft.add(check, reason);
    }
    // Twice as many nulls, rounded to a share that a person would write.
    let mostly = ((1.0 - 2.0 * share) * 100.0).floor() / 100.0;
    if let Ok(mostly) = Mostly::new(mostly)
        && mostly.accepts(nulls, rows)
    {
        draft.add(check.with_mostly(mostly), reason);
    }
}

fn range(
    column: &ColumnProfile,
    data_type: &ColumnType,
    options: &SuggestOptions,
    draft: &mut Draft,
) {
    let Some((min, max)) = column.range().filter(|_| column.moments().is_some()) else {
        return;
    };
    if let ColumnType::Duration(_) | ColumnType::Time(_) = data_type {
        return;
    }
    let Some((least, greatest)) = bounds::around(&min, &max, data_type, options.margin) else {
        return;
    };
    if least.is_none() && greatest.is_none() || min == max {
        return;
    }
    let rule = Range {
        column: column.name().to_owned(),
        min: least,
        max: greatest,
        exclusive_min: false,
        exclusive_max: false,
    };
    let mut reason =
        format!("values go from {} to {}", shown(&min, data_type), shown(&max, data_type));
    let mut check = Check::from(rule).warn();
    if column.nan() > 0 {
        check = check.with_nan(NanPolicy::Skip);
        reason = format!("{reason}; {} are NaN", Grouped(column.nan()));
    }
    draft.add(check, reason);
}

/// A value as it is read, not as it is stored.
fn shown(value: &Value, data_type: &ColumnType) -> String {
    let scale = match data_type {
        ColumnType::Decimal128 { scale, .. } | ColumnType::Decimal256 { scale, .. } => *scale,
        _ => 0,
    };
    match scale {
        1.. => format!("{value} / 10^{scale}"),
        _ => value.to_string(),
    }
}

/// Values that rise from row to row differ; of others the counts must say so, one by one.
fn unique(column: &ColumnProfile, values: u64, data_type: &ColumnType, draft: &mut Draft) {
    let is_key = matches!(
        data_type,
        ColumnType::Utf8
            | ColumnType::Int8
            | ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::UInt8
            | ColumnType::UInt16
            | ColumnType::UInt32
            | ColumnType::UInt64
    );
    let counted = column.categories().is_some_and(|counts| counts.len() as u64 == values);
    if !is_key || !(counted || column.order().is_some_and(|order| order.increasing)) {
        return;
    }
    let rule = Unique {
        columns: vec![column.name().to_owned()],
        key_nulls: KeyNulls::default(),
        memory: KeyMemory::default(),
    };
    draft.add(rule.into(), format!("all {} values differ", Grouped(values)));
}

/// Order and freshness of what happens in time.
fn instants(
    column: &ColumnProfile,
    data_type: &ColumnType,
    options: &SuggestOptions,
    draft: &mut Draft,
) {
    let ColumnType::Timestamp { unit, .. } = data_type else {
        return;
    };
    if column.order().is_some_and(|order| order.non_decreasing) && column.distinct() != Some(1) {
        let rule = Ordered {
            column: column.name().to_owned(),
            direction: Direction::Ascending,
            strict: false,
        };
        draft.add(Check::from(rule).warn(), "no value is before the one above it".to_owned());
    }
    let newest = column.range().and_then(|(_, max)| instant(&max, *unit));
    if let (Some(now), Some(newest)) = (options.now, newest) {
        let age = (now - newest).num_seconds();
        // Data that is a year old when it is profiled was not meant to be fresh.
        if (0..=7 * 86_400).contains(&age) {
            let rule = Freshness {
                column: column.name().to_owned(),
                max_age_secs: (2 * age.unsigned_abs()).max(86_400),
                max_ahead_secs: 0,
            };
            let reason = format!("the newest is {} s old", Grouped(age.unsigned_abs()));
            draft.add(rule.into(), reason);
        }
    }
}

fn instant(value: &Value, unit: TimeUnit) -> Option<Instant> {
    let Value::Whole(count) = value else {
        return None;
    };
    let count = i64::try_from(count.to_i128()?).ok()?;
    match unit {
        TimeUnit::Second => DateTime::from_timestamp(count, 0),
        TimeUnit::Millisecond => DateTime::from_timestamp_millis(count),
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(count),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(count)),
    }
}

/// Few different values, each many times on average.
fn in_set(
    column: &ColumnProfile,
    values: u64,
    options: &SuggestOptions,
    draft: &mut Draft,
) -> bool {
    let Some(counts) = column.categories() else {
        return false;
    };
    let different = counts.len() as u64;
    if counts.len() > options.max_categories || values < 10 * different {
        return false;
    }
    let rule = InSet {
        column: column.name().to_owned(),
        values: counts.keys().map(|value| Literal::from(value.as_str())).collect(),
    };
    let reason = format!("{} values are {different} different ones", Grouped(values));
    draft.add(rule.into(), reason);
    true
}

/// A format, where every value is known.
fn format(column: &ColumnProfile, values: u64, draft: &mut Draft) {
    let Some(counts) = column.categories() else {
        return;
    };
    let all = |format| counts.keys().all(|text| formats::is_valid(format, text.as_bytes()));
    if let Some((format, what)) = FORMATS.into_iter().find(|(format, _)| all(*format)) {
        let rule = HasFormat { column: column.name().to_owned(), format };
        draft.add(rule.into(), format!("all {} values are {what}", Grouped(values)));
    }
}

fn length(column: &ColumnProfile, draft: &mut Draft) {
    let Some((min, max)) = column.lengths().and_then(|lengths| lengths.min().zip(lengths.max()))
    else {
        return;
    };
    let count = |n: i256| n.to_i128().and_then(|n| u64::try_from(n).ok());
    let (Some(min), Some(max)) = (count(min), count(max)) else {
        return;
    };
    let same = min == max;
    let rule = Length {
        column: column.name().to_owned(),
        min: if same { Some(min) } else { (min > 0).then_some(1) },
        max: Some(if same { max } else { max.saturating_mul(2) }),
        unit: LengthUnit::Chars,
    };
    let reason = if same {
        format!("every value has {max} characters")
    } else {
        format!("values have {min} to {max} characters")
    };
    draft.add(Check::from(rule).warn(), reason);
}
