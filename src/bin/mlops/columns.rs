//! The columns of a table of runs, in the words of the filter grammar.

use std::collections::HashMap;

use comfy_table::Table;
use mlops::filter::{Attribute, Field, OrderBy, Record};
use mlops::tracking::{Experiment, Run};
use mlops::{Error, ExperimentId, Result};

use crate::failure::COMMAND;
use crate::format;
use crate::output::{right, table};

const LONGEST_NAME: usize = 28;
const LONGEST_VALUE: usize = 40;

/// Parses `metrics.auc,min(metrics.loss),params.lr`; a comma within quotes belongs to the key.
pub(crate) fn parse(lists: &[String]) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    for list in lists {
        for column in split(list) {
            let order = OrderBy::parse(column).map_err(|e| e.with("column", column.trim()))?;
            if order.descending {
                return Err(Error::invalid(COMMAND, "a column has no direction")
                    .with("column", column.trim())
                    .with_hint("order with --order-by"));
            }
            fields.push(order.field);
        }
    }
    Ok(fields)
}

fn split(list: &str) -> Vec<&str> {
    let mut quoted = false;
    list.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .collect()
}

/// What is shown if no columns are asked for: status and times, and what the question is about.
pub(crate) fn default<'a>(
    asked: impl IntoIterator<Item = &'a Field>,
    experiment: bool,
) -> Vec<Field> {
    let mut fields = vec![
        Field::Attribute(Attribute::Status),
        Field::Attribute(Attribute::Started),
        Field::Attribute(Attribute::Duration),
    ];
    if experiment {
        fields.insert(0, Field::Attribute(Attribute::Experiment));
    }
    for field in asked {
        let shown =
            matches!(field, Field::Dataset(_) | Field::Attribute(Attribute::Id | Attribute::Name));
        if !shown && !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    fields
}

/// The runs as a table: id, name, and these columns.
pub(crate) fn table_of(
    runs: &[Run],
    fields: &[Field],
    experiments: &HashMap<ExperimentId, Experiment>,
) -> Table {
    let leads = |field: &&Field| matches!(field, Field::Attribute(Attribute::Id | Attribute::Name));
    let fields: Vec<&Field> = fields.iter().filter(|field| !leads(field)).collect();
    let ids = format::short_ids(&runs.iter().map(|run| run.id).collect::<Vec<_>>());
    let mut shown = table(
        ["id".to_owned(), "name".to_owned()]
            .into_iter()
            .chain(fields.iter().map(|field| format::text(&field.to_string(), LONGEST_VALUE))),
    );
    for (run, id) in runs.iter().zip(ids) {
        let lead = [id, format::text(&run.name, LONGEST_NAME)];
        let cells = fields.iter().map(|field| cell(run, field, experiments));
        shown.add_row(lead.into_iter().chain(cells));
    }
    let numbers = fields.iter().enumerate().filter(|(_, field)| {
        matches!(field, Field::Metric(..) | Field::Attribute(Attribute::Duration))
    });
    right(&mut shown, numbers.map(|(at, _)| at + 2));
    shown
}

fn cell(run: &Run, field: &Field, experiments: &HashMap<ExperimentId, Experiment>) -> String {
    let value = match field {
        Field::Attribute(Attribute::Experiment) => experiments
            .get(&run.experiment)
            .map(|experiment| format::text(&experiment.name, LONGEST_NAME)),
        Field::Attribute(attribute @ (Attribute::Started | Attribute::Ended)) => {
            run.attribute_number(*attribute).map(|micros| format::micros(micros as i64))
        }
        Field::Attribute(Attribute::Duration) => run.duration_secs().map(format::duration),
        Field::Attribute(attribute) => {
            run.attribute_text(*attribute).map(|text| format::text(&text, LONGEST_VALUE))
        }
        Field::Metric(aggregate, name) => run.metric(*aggregate, name).map(format::number),
        Field::Param(name) => run.param(name).map(|value| format::text(value, LONGEST_VALUE)),
        Field::Tag(name) => run.tag(name).map(|value| format::text(value, LONGEST_VALUE)),
        _ => None,
    };
    value.unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_within_quotes_belongs_to_the_key() {
        let fields = parse(&["metrics.auc, params.\"a,b\"".into(), "min(metrics.loss)".into()]);
        let shown: Vec<String> = fields.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["metrics.auc", "params.\"a,b\"", "min(metrics.loss)"]);
    }

    #[test]
    fn a_column_with_a_direction_or_without_sense_is_refused() {
        assert!(parse(&["metrics.auc desc".into()]).is_err());
        assert!(parse(&["metrix.auc".into()]).is_err());
        assert!(parse(&["metrics.auc,,params.x".into()]).is_err());
    }
}
