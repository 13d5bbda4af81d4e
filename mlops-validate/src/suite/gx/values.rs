//! Expectations about the values of one column.

use mlops_core::Key;
use mlops_core::validation::{
    Aggregate, Check, ColumnIs, Direction, Expression, Format, Function, HasFormat, InSet, IsNull,
    KeyMemory, KeyNulls, Length, LengthUnit, Literal, Matches, Metric, NanPolicy, NotInSet,
    NotMatches, NotNull, Ordered, Range, Tolerance, Unique,
};

use super::args::Args;
use super::condition::{column, text};
use super::{Made, Reason, pattern, types};

/// A NaN of pandas is a missing value.
pub(super) fn skip_nan(check: impl Into<Check>) -> Check {
    check.into().with_nan(NanPolicy::Skip)
}

pub(super) fn make(name: &str, args: &mut Args) -> Option<Result<Made, Reason>> {
    Some(match name {
        "expect_column_values_to_be_between" => between(args),
        "expect_column_values_to_be_in_set" | "expect_column_distinct_values_to_be_in_set" => {
            in_set(args)
        }
        "expect_column_values_to_not_be_in_set" => not_in_set(args),
        "expect_column_distinct_values_to_contain_set" => contain_set(args).map(Made::from),
        "expect_column_distinct_values_to_equal_set" => equal_set(args),
        "expect_column_values_to_match_regex" => matches(args),
        "expect_column_values_to_not_match_regex" => not_matches(args, "regex"),
        "expect_column_values_to_match_regex_list" => matches_list(args),
        "expect_column_values_to_not_match_regex_list" => not_matches(args, "regex_list"),
        "expect_column_values_to_match_like_pattern" => like(args, "like_pattern", false),
        "expect_column_values_to_not_match_like_pattern" => like(args, "like_pattern", true),
        "expect_column_values_to_match_like_pattern_list" => like(args, "like_pattern_list", false),
        "expect_column_values_to_not_match_like_pattern_list" => {
            like(args, "like_pattern_list", true)
        }
        "expect_column_values_to_be_null" => args.column().map(|column| IsNull { column }.into()),
        "expect_column_values_to_not_be_null" => {
            args.column().map(|column| NotNull { column }.into())
        }
        "expect_column_values_to_be_unique" => args.column().map(|column| {
            Unique {
                columns: vec![column],
                key_nulls: KeyNulls::default(),
                memory: KeyMemory::default(),
            }
            .into()
        }),
        "expect_column_values_to_be_increasing" => ordered(args, Direction::Ascending),
        "expect_column_values_to_be_decreasing" => ordered(args, Direction::Descending),
        "expect_column_values_to_be_json_parseable" => args.column().map(|column| {
            Made::from(HasFormat { column, format: Format::Json })
                .note("Python's json takes NaN and Infinity, which are no JSON")
        }),
        "expect_column_value_lengths_to_be_between" => lengths(args),
        "expect_column_value_lengths_to_equal" => equal_lengths(args),
        "expect_column_values_to_be_of_type" => {
            args.text("type_").and_then(|name| of_types(args, vec![name]))
        }
        "expect_column_values_to_be_in_type_list" => {
            args.texts("type_list").and_then(|names| of_types(args, names))
        }
        _ => return None,
    })
}

fn between(args: &mut Args) -> Result<Made, Reason> {
    let (min, max) = args.bounds()?;
    let range = Range {
        column: args.column()?,
        exclusive_min: args.flag("strict_min")? && min.is_some(),
        exclusive_max: args.flag("strict_max")? && max.is_some(),
        min,
        max,
    };
    Ok(skip_nan(range).into())
}

const ANY_SET: &str = "without a `value_set` it asks for nothing";

fn in_set(args: &mut Args) -> Result<Made, Reason> {
    let values = args.values("value_set")?.ok_or(ANY_SET)?;
    if values.is_empty() {
        return Err("nothing is in an empty set; `is_null` says that".to_owned());
    }
    Ok(skip_nan(InSet { column: args.column()?, values }).into())
}

fn not_in_set(args: &mut Args) -> Result<Made, Reason> {
    let values = args.values("value_set")?.filter(|v| !v.is_empty()).ok_or(ANY_SET)?;
    Ok(skip_nan(NotInSet { column: args.column()?, values }).into())
}

/// A set occurs in a column if as many different values of it are there as it has.
fn contain_set(args: &mut Args) -> Result<Check, Reason> {
    let values = args.values("value_set")?.filter(|v| !v.is_empty()).ok_or(ANY_SET)?;
    let name = args.column()?;
    let list: Vec<String> = values.iter().map(super::condition::literal).collect();
    let count = Literal::from(values.len() as u64);
    let mut check = Check::from(distinct(&name, &count)?).with_filter(format!(
        "{} IN ({})",
        column(&name),
        list.join(", ")
    ));
    check.id = Key::new(format!("contains_set({name})")).ok();
    Ok(check)
}

fn distinct(name: &str, count: &Literal) -> Result<Aggregate, Reason> {
    Ok(Aggregate {
        of: Metric::of(Function::Distinct, name).map_err(|error| error.to_string())?,
        min: Some(count.clone()),
        max: Some(count.clone()),
        equals: None,
        tolerance: Tolerance::default(),
    })
}

/// The values are those of a set if they are in it and as many.
fn equal_set(args: &mut Args) -> Result<Made, Reason> {
    let values = args.values("value_set")?.filter(|v| !v.is_empty()).ok_or(ANY_SET)?;
    let name = args.column()?;
    let count = distinct(&name, &Literal::from(values.len() as u64))?;
    let set = InSet { column: name, values };
    Ok(Made { checks: vec![skip_nan(set), count.into()], notes: Vec::new() })
}

const AS_TEXT: &str = "pandas turns other values into text first; here the column must be text";

fn matches(args: &mut Args) -> Result<Made, Reason> {
    let pattern = pattern::of_python(&args.text("regex")?)?;
    Ok(Made::from(Matches { column: args.column()?, pattern, full: false }).note(AS_TEXT))
}

fn not_matches(args: &mut Args, name: &str) -> Result<Made, Reason> {
    let patterns = match name {
        "regex" => vec![args.text(name)?],
        _ => args.texts(name)?,
    };
    if patterns.is_empty() {
        return Err("without a pattern it asks for nothing".to_owned());
    }
    let pattern = pattern::any_of(&patterns)?;
    Ok(Made::from(NotMatches { column: args.column()?, pattern, full: false }).note(AS_TEXT))
}

fn matches_list(args: &mut Args) -> Result<Made, Reason> {
    let patterns = args.texts("regex_list")?;
    let name = args.column()?;
    let all = match_on(args)?;
    match patterns.as_slice() {
        [] => Err("without a pattern it asks for nothing".to_owned()),
        [_, _, ..] if all => {
            let patterns: Vec<String> =
                patterns.iter().map(|p| pattern::of_python(p)).collect::<Result<_, _>>()?;
            let terms = patterns.iter().map(|p| format!("{} ~ {}", column(&name), text(p)));
            let sql = terms.collect::<Vec<_>>().join(" AND ");
            Ok(Made::from(named(Expression { sql }, "matches_all", &name)).note(AS_TEXT))
        }
        patterns => {
            let pattern = pattern::any_of(patterns)?;
            Ok(Made::from(Matches { column: name, pattern, full: false }).note(AS_TEXT))
        }
    }
}

/// Whether all patterns must be found, not any.
fn match_on(args: &mut Args) -> Result<bool, Reason> {
    match args.take("match_on") {
        None => Ok(false),
        Some(value) if value == "any" => Ok(false),
        Some(value) if value == "all" => Ok(true),
        Some(_) => Err("`match_on` is neither any nor all".to_owned()),
    }
}

fn like(args: &mut Args, argument: &str, negated: bool) -> Result<Made, Reason> {
    let patterns = match argument {
        "like_pattern" => vec![args.text(argument)?],
        _ => args.texts(argument)?,
    };
    if patterns.is_empty() {
        return Err("without a pattern it asks for nothing".to_owned());
    }
    let name = args.column()?;
    let all = match_on(args)? || negated;
    let word = if negated { "NOT LIKE" } else { "LIKE" };
    let terms = patterns.iter().map(|p| format!("{} {word} {}", column(&name), text(p)));
    let sql = terms.collect::<Vec<_>>().join(if all { " AND " } else { " OR " });
    let id = if negated { "not_like" } else { "like" };
    Ok(Made::from(named(Expression { sql }, id, &name))
        .note("upper and lower case differ, as in PostgreSQL; `[a]` is no class"))
}

/// A check of which the name would be its SQL.
pub(super) fn named(rule: Expression, what: &str, columns: &str) -> Check {
    let mut check = Check::from(rule);
    check.id = Key::new(format!("{what}({columns})")).ok();
    check
}

fn ordered(args: &mut Args, direction: Direction) -> Result<Made, Reason> {
    let strict = args.flag("strictly")?;
    Ok(Ordered { column: args.column()?, direction, strict }.into())
}

fn lengths(args: &mut Args) -> Result<Made, Reason> {
    let (min, max) = args.counts()?;
    Ok(Length { column: args.column()?, min, max, unit: LengthUnit::default() }.into())
}

fn equal_lengths(args: &mut Args) -> Result<Made, Reason> {
    let length = args.take("value").and_then(|value| {
        let whole = value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0);
        value.as_u64().or_else(|| whole.map(|n| n as u64))
    });
    let length = Some(length.ok_or("`value` is no length")?);
    Ok(Length { column: args.column()?, min: length, max: length, unit: LengthUnit::default() }
        .into())
}

fn of_types(args: &mut Args, names: Vec<String>) -> Result<Made, Reason> {
    let types: Vec<_> = names.iter().flat_map(|name| types::of_name(name)).collect();
    if types.is_empty() {
        return Err(format!("no type is known as {}", names.join(" or ")));
    }
    let made = Made::from(ColumnIs { column: args.column()?, types });
    Ok(if names.iter().any(|name| types::of_name(name).is_empty()) {
        made.note("some of its types are not known here and not accepted")
    } else {
        made
    })
}
