//! Expectations about the table.

use mlops_core::validation::{Aggregate, ColumnIs, Expected, Metric, RowCount, Tolerance};

use super::args::Args;
use super::{Made, Reason};

pub(super) fn make(name: &str, args: &mut Args) -> Option<Result<Made, Reason>> {
    Some(match name {
        "expect_table_row_count_to_be_between" => {
            args.counts().map(|(min, max)| RowCount { min, max }.into())
        }
        "expect_table_row_count_to_equal" => match args.take("value").and_then(|v| v.as_u64()) {
            Some(rows) => Ok(RowCount { min: Some(rows), max: Some(rows) }.into()),
            None => Err("`value` is no count".to_owned()),
        },
        "expect_table_row_count_to_equal_other_table" => {
            args.text("other_table_name").map(|reference| {
                Made::from(Aggregate {
                    of: Metric::rows(),
                    min: None,
                    max: None,
                    equals: Some(Expected::Reference { metric: Metric::rows(), reference }),
                    tolerance: Tolerance::default(),
                })
                .note("the other table is handed in as a reference of its name")
            })
        }
        "expect_column_to_exist" => exists(args),
        "expect_table_columns_to_match_set" => column_set(args),
        "expect_table_columns_to_match_ordered_list" => {
            Err("no rule asks for names and order without types; `schema` asks for all".to_owned())
        }
        _ => return None,
    })
}

fn exists(args: &mut Args) -> Result<Made, Reason> {
    if args.take("column_index").is_some() {
        return Err("no rule asks for the place of one column".to_owned());
    }
    Ok(ColumnIs { column: args.column()?, types: Vec::new() }.into())
}

fn column_set(args: &mut Args) -> Result<Made, Reason> {
    let exact = args.take("exact_match").is_none_or(|value| value != false);
    if exact {
        return Err(
            "no rule asks for no other columns without their types; `schema` does".to_owned()
        );
    }
    let columns = args.texts("column_set").map_err(|_| "without a set it asks for nothing")?;
    let checks = columns.into_iter().map(|column| ColumnIs { column, types: Vec::new() }.into());
    Ok(Made { checks: checks.collect(), notes: Vec::new() })
}
