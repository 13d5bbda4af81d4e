//! Expectations about several columns of one row.

use mlops_core::validation::{
    Check, Compare, Comparison, Expression, KeyMemory, KeyNulls, NullPolicy, Unique,
};
use serde_json::Value;

use super::args::{Args, IgnoreRows};
use super::condition::{column, literal, number};
use super::values::{named, skip_nan};
use super::{Made, Reason};

pub(super) fn make(name: &str, args: &mut Args) -> Option<Result<Made, Reason>> {
    Some(match name {
        "expect_column_pair_values_a_to_be_greater_than_b"
        | "expect_column_pair_values_A_to_be_greater_than_B" => greater(args),
        "expect_column_pair_values_to_be_equal" => compare(args, Comparison::Equal),
        "expect_column_pair_values_to_be_in_set" => pairs(args),
        "expect_compound_columns_to_be_unique" => compound_unique(args),
        "expect_select_column_values_to_be_unique_within_record"
        | "expect_multicolumn_values_to_be_unique" => unique_in_row(args),
        "expect_multicolumn_sum_to_equal" => sum(args),
        _ => return None,
    })
}

fn greater(args: &mut Args) -> Result<Made, Reason> {
    let op = if args.flag("or_equal")? { Comparison::GreaterOrEqual } else { Comparison::Greater };
    compare(args, op)
}

fn compare(args: &mut Args, op: Comparison) -> Result<Made, Reason> {
    let (left, right) = (args.text("column_A")?, args.text("column_B")?);
    let columns = [left.clone(), right.clone()];
    let check = skip_nan(Compare { left, op, right });
    Ok(with_nulls(check, args.ignored_rows()?, &columns).into())
}

/// A row that is not left out and has a null fails, because null compares with nothing.
fn with_nulls(check: Check, ignored: IgnoreRows, columns: &[String]) -> Check {
    match ignored {
        IgnoreRows::AnyMissing => check,
        IgnoreRows::Never => check.with_nulls(NullPolicy::Fail),
        IgnoreRows::AllMissing => {
            check.with_nulls(NullPolicy::Fail).with_filter(any_there(columns))
        }
    }
}

fn any_there(columns: &[String]) -> String {
    let terms: Vec<String> =
        columns.iter().map(|name| format!("{} IS NOT NULL", column(name))).collect();
    terms.join(" OR ")
}

fn all_there(columns: &[String]) -> String {
    let terms: Vec<String> =
        columns.iter().map(|name| format!("{} IS NOT NULL", column(name))).collect();
    terms.join(" AND ")
}

fn pairs(args: &mut Args) -> Result<Made, Reason> {
    let columns = [args.text("column_A")?, args.text("column_B")?];
    let pairs = args.list("value_pairs_set")?.ok_or("without pairs it asks for nothing")?;
    let mut terms = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let Value::Array(pair) = pair else {
            return Err("`value_pairs_set` has something else than pairs".to_owned());
        };
        let [a, b] = pair.as_slice() else {
            return Err("`value_pairs_set` has something else than pairs".to_owned());
        };
        let is = |name: &str, value: &Value| match value {
            Value::Null => Ok(format!("{} IS NULL", column(name))),
            value => match serde_json::from_value(value.clone()) {
                Ok(value) => Ok(format!("{} = {}", column(name), literal(&value))),
                Err(_) => Err("a pair has something else than numbers and texts".to_owned()),
            },
        };
        terms.push(format!("({} AND {})", is(&columns[0], a)?, is(&columns[1], b)?));
    }
    if terms.is_empty() {
        return Err("nothing is in an empty set".to_owned());
    }
    let check = named(Expression { sql: terms.join(" OR ") }, "pair_in_set", &columns.join(", "));
    let ignored = args.ignored_rows()?;
    let check = with_nulls(check, ignored, &columns);
    Ok(match ignored {
        IgnoreRows::AnyMissing => check.with_filter(all_there(&columns)),
        _ => check,
    }
    .into())
}

fn compound_unique(args: &mut Args) -> Result<Made, Reason> {
    let columns = args.texts("column_list")?;
    let ignored = args.ignored_rows()?;
    let key_nulls = match ignored {
        IgnoreRows::AnyMissing => KeyNulls::Distinct,
        IgnoreRows::AllMissing | IgnoreRows::Never => KeyNulls::Equal,
    };
    let filter = (ignored == IgnoreRows::AllMissing).then(|| any_there(&columns));
    let mut check = Check::from(Unique { columns, key_nulls, memory: KeyMemory::default() });
    check.filter = filter;
    Ok(check.into())
}

fn unique_in_row(args: &mut Args) -> Result<Made, Reason> {
    let columns = args.texts("column_list")?;
    let mut terms = Vec::new();
    for (place, a) in columns.iter().enumerate() {
        for b in &columns[place + 1..] {
            terms.push(format!("{} IS DISTINCT FROM {}", column(a), column(b)));
        }
    }
    if terms.is_empty() {
        return Err("of one column it asks for nothing".to_owned());
    }
    let sql = terms.join(" AND ");
    let mut check = named(Expression { sql }, "unique_within_row", &columns.join(", "));
    check.filter = match args.ignored_rows()? {
        IgnoreRows::AllMissing => Some(any_there(&columns)),
        IgnoreRows::AnyMissing => Some(all_there(&columns)),
        IgnoreRows::Never => None,
    };
    Ok(check.into())
}

fn sum(args: &mut Args) -> Result<Made, Reason> {
    let columns = args.texts("column_list")?;
    let total = args.take("sum_total").ok_or("`sum_total` is missing")?;
    let total = number(&total).ok_or("`sum_total` is no number")?;
    if columns.is_empty() {
        return Err("it has no columns".to_owned());
    }
    let ignored = args.ignored_rows()?;
    let term = |name: &String| match ignored {
        IgnoreRows::AnyMissing => column(name),
        // pandas leaves missing values out of a sum.
        IgnoreRows::AllMissing | IgnoreRows::Never => format!("COALESCE({}, 0)", column(name)),
    };
    let terms: Vec<String> = columns.iter().map(term).collect();
    let sql = format!("{} = {total}", terms.join(" + "));
    let mut check = named(Expression { sql }, "sum_within_row", &columns.join(", "));
    if ignored == IgnoreRows::AllMissing {
        check.filter = Some(any_there(&columns));
    }
    Ok(Made::from(check)
        .note("in SQL databases a missing value makes the sum missing; here it is 0, as in pandas"))
}
