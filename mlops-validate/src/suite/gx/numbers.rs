//! Expectations about a number that is made of a column.

use mlops_core::validation::{
    Aggregate, Check, Distinctness, Exactness, Function, Literal, Metric, Mostly, NotNull,
    Tolerance,
};
use serde_json::Value;

use super::args::Args;
use super::{Made, Reason};

pub(super) fn make(name: &str, args: &mut Args) -> Option<Result<Made, Reason>> {
    let function = match name {
        "expect_column_mean_to_be_between" => Function::Mean,
        "expect_column_sum_to_be_between" => Function::Sum,
        "expect_column_min_to_be_between" => Function::Min,
        "expect_column_max_to_be_between" => Function::Max,
        "expect_column_stdev_to_be_between" => Function::StdDev,
        "expect_column_unique_value_count_to_be_between" => return Some(distinct_count(args)),
        "expect_column_proportion_of_unique_values_to_be_between" => {
            return Some(distinct_share(args));
        }
        "expect_column_proportion_of_non_null_values_to_be_between" => {
            return Some(not_null_share(args));
        }
        "expect_column_quantile_values_to_be_between" => return Some(quantiles(args)),
        "expect_column_median_to_be_between" => return Some(median(args)),
        _ => return None,
    };
    Some(args.column().and_then(|column| {
        let metric = Metric::of(function, column).map_err(|error| error.to_string())?;
        Ok(bounded(metric, args)?.into())
    }))
}

fn aggregate(of: Metric, min: Option<Literal>, max: Option<Literal>) -> Aggregate {
    Aggregate { of, min, max, equals: None, tolerance: Tolerance::default() }
}

fn bounded(of: Metric, args: &mut Args) -> Result<Check, Reason> {
    let (min, max) = args.bounds()?;
    open_bounds(args)?;
    Ok(aggregate(of, min, max).into())
}

fn open_bounds(args: &mut Args) -> Result<(), Reason> {
    if args.flag("strict_min")? || args.flag("strict_max")? {
        return Err("a bound of an `aggregate` always belongs to it".to_owned());
    }
    Ok(())
}

fn median(args: &mut Args) -> Result<Made, Reason> {
    let metric = Metric::quantile(args.column()?, 0.5).map_err(|error| error.to_string())?;
    Ok(bounded(metric, args)?.into())
}

fn distinct_count(args: &mut Args) -> Result<Made, Reason> {
    let (min, max) = args.counts()?;
    let metric =
        Metric::of(Function::Distinct, args.column()?).map_err(|error| error.to_string())?;
    Ok(aggregate(metric, min.map(Literal::from), max.map(Literal::from)).into())
}

/// `min_value` and `max_value` of a share.
fn shares(args: &mut Args) -> Result<(Option<f64>, Option<f64>), Reason> {
    let mut share = |name: &str| match args.take(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("`{name}` is no number")),
    };
    let (min, max) = (share("min_value")?, share("max_value")?);
    if min.is_none() && max.is_none() {
        return Err("without bounds it asks for nothing".to_owned());
    }
    open_bounds(args)?;
    Ok((min, max))
}

fn distinct_share(args: &mut Args) -> Result<Made, Reason> {
    let (min, max) = shares(args)?;
    let columns = vec![args.column()?];
    Ok(Distinctness { columns, min, max, method: Exactness::default() }.into())
}

fn not_null_share(args: &mut Args) -> Result<Made, Reason> {
    let (min, max) = shares(args)?;
    let column = args.column()?;
    match (min, max) {
        (Some(min), None) => {
            let mostly = Mostly::new(min).map_err(|_| "its `min_value` asks for nothing")?;
            Ok(Check::from(NotNull { column }).with_mostly(mostly).into())
        }
        (min, max) => {
            let metric = Metric::of(Function::NullRate, column).map_err(|e| e.to_string())?;
            let (least, greatest) = (max.map(|max| 1.0 - max), min.map(|min| 1.0 - min));
            Ok(aggregate(metric, least.map(Literal::from), greatest.map(Literal::from)).into())
        }
    }
}

fn quantiles(args: &mut Args) -> Result<Made, Reason> {
    let ranges = args.take("quantile_ranges").ok_or("`quantile_ranges` is missing")?;
    let list = |name: &str| ranges.get(name).and_then(Value::as_array);
    let (Some(shares), Some(ranges)) = (list("quantiles"), list("value_ranges")) else {
        return Err("`quantile_ranges` has no lists `quantiles` and `value_ranges`".to_owned());
    };
    if shares.len() != ranges.len() || shares.is_empty() {
        return Err("as many `value_ranges` as `quantiles` are needed".to_owned());
    }
    if args.take("allow_relative_error").is_some_and(|value| value != false && value != "linear") {
        return Err("`allow_relative_error` has no counterpart".to_owned());
    }
    let column = args.column()?;
    let mut checks = Vec::with_capacity(shares.len());
    for (share, range) in shares.iter().zip(ranges) {
        let share = share.as_f64().ok_or("a quantile is no number")?;
        let bound = |place: usize| match range.get(place) {
            None => Err("a range has no two bounds".to_owned()),
            Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value::<Literal>(value.clone())
                .map(Some)
                .map_err(|_| "a bound is no number".to_owned()),
        };
        let (min, max) = (bound(0)?, bound(1)?);
        if let (Some(Value::Number(min)), Some(Value::Number(max))) = (range.get(0), range.get(1))
            && min.as_f64() > max.as_f64()
        {
            return Err("a range ends before it begins".to_owned());
        }
        if min.is_none() && max.is_none() {
            continue;
        }
        let metric = Metric::quantile(column.clone(), share).map_err(|error| error.to_string())?;
        checks.push(aggregate(metric, min, max).into());
    }
    Ok(Made { checks, notes: Vec::new() }.note(
        "the quantile is interpolated; pandas takes the nearest value, SQL databases a value",
    ))
}
