//! The columns of a table of runs, models or versions, in the words of the filter grammar.

use std::collections::HashMap;

use comfy_table::Table;
use mlops::filter::{Attribute, Field, Member, OrderBy, Record, Subject};
use mlops::tracking::{Experiment, Run};
use mlops::{Error, ExperimentId, Result};

use crate::failure::COMMAND;
use crate::format;
use crate::output::{right, table};

const LONGEST_NAME: usize = 28;
const LONGEST_VALUE: usize = 40;

/// Parses `metrics.auc,min(metrics.loss),params.lr`; a comma within quotes belongs to the key.
pub(crate) fn parse(subject: Subject, lists: &[String]) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    for list in lists {
        for column in split(list) {
            if let Some(member) = member(subject, column.trim()) {
                fields.push(Field::Member(member));
                continue;
            }
            let order =
                OrderBy::parse_for(subject, column).map_err(|e| e.with("column", column.trim()))?;
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

/// What nothing can be ordered by, and yet be shown.
fn member(subject: Subject, column: &str) -> Option<Member> {
    match column {
        _ if subject == Subject::Run => None,
        "stage" | "stages" => Some(Member::Stage),
        "alias" | "aliases" => Some(Member::Alias),
        _ => None,
    }
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
            .chain(fields.iter().map(|field| heading(field))),
    );
    for (run, id) in runs.iter().zip(ids) {
        let lead = [id, format::text(&run.name, LONGEST_NAME)];
        let cells = fields.iter().map(|field| cell(run, field, experiments));
        shown.add_row(lead.into_iter().chain(cells));
    }
    let numbers = fields.iter().enumerate().filter(|(_, field)| is_number(field));
    right(&mut shown, numbers.map(|(at, _)| at + 2));
    shown
}

fn cell(run: &Run, field: &Field, experiments: &HashMap<ExperimentId, Experiment>) -> String {
    if *field != Field::Attribute(Attribute::Experiment) {
        return value(run, field);
    }
    let name = experiments.get(&run.experiment).map(|e| format::text(&e.name, LONGEST_NAME));
    name.unwrap_or_else(|| "-".to_owned())
}

/// What a record has in a column; `-` for nothing.
pub(crate) fn value(record: &dyn Record, field: &Field) -> String {
    let text = |text: &str| format::text(text, LONGEST_VALUE);
    let value = match field {
        Field::Attribute(Attribute::Duration) => {
            record.attribute_number(Attribute::Duration).map(format::duration)
        }
        Field::Attribute(Attribute::Version) => {
            record.attribute_number(Attribute::Version).map(format::number)
        }
        Field::Attribute(attribute) if attribute.is_number() => {
            record.attribute_number(*attribute).map(|micros| format::micros(micros as i64))
        }
        Field::Attribute(Attribute::Digest) => {
            record.attribute_text(Attribute::Digest).map(|digest| digest.chars().take(12).collect())
        }
        Field::Attribute(attribute) => record.attribute_text(*attribute).map(|t| text(&t)),
        Field::Metric(aggregate, name) => record.metric(*aggregate, name).map(format::number),
        Field::Param(name) => record.param(name).map(text),
        Field::Tag(name) => record.tag(name).map(text),
        Field::Member(member) => Some(record.members(*member).join(", "))
            .filter(|all| !all.is_empty())
            .map(|all| text(&all)),
        _ => None,
    };
    value.unwrap_or_else(|| "-".to_owned())
}

/// The name above a column.
pub(crate) fn heading(field: &Field) -> String {
    format::text(&field.to_string(), LONGEST_VALUE)
}

/// Whether a column holds numbers, which stand to the right.
pub(crate) fn is_number(field: &Field) -> bool {
    matches!(field, Field::Metric(..) | Field::Attribute(Attribute::Duration | Attribute::Version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_within_quotes_belongs_to_the_key() {
        let fields = parse(
            Subject::Run,
            &["metrics.auc, params.\"a,b\"".into(), "min(metrics.loss)".into()],
        );
        let shown: Vec<String> = fields.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["metrics.auc", "params.\"a,b\"", "min(metrics.loss)"]);
    }

    #[test]
    fn a_column_with_a_direction_or_without_sense_is_refused() {
        assert!(parse(Subject::Run, &["metrics.auc desc".into()]).is_err());
        assert!(parse(Subject::Run, &["metrix.auc".into()]).is_err());
        assert!(parse(Subject::Run, &["metrics.auc,,params.x".into()]).is_err());
        assert!(parse(Subject::Run, &["stage".into()]).is_err());
        assert!(parse(Subject::Version, &["stage,alias,metrics.auc".into()]).is_ok());
        assert!(parse(Subject::Model, &["metrics.auc".into()]).is_err());
    }
}
