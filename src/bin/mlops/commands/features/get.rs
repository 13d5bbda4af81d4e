//! `mlops features get`: one request, answered from the online store.

use std::sync::Arc;

use mlops::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use mlops::arrow::datatypes::{DataType, Field, Schema};
use mlops::feature_store::ServiceShape;
use mlops::features::{FeatureStore, OnlineAnswer, RowStatus, Status};
use mlops::registry::Role;
use mlops::time::{Clock, SystemClock};
use mlops::{Error, Result};
use serde_json::{Map, Value, json};

use super::service::{Column, columns, version_of};
use super::{Opened, values};
use crate::args::Get;
use crate::commands::once;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, table};

pub(super) async fn run(
    opened: &Opened,
    asked: &Get,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    once("column", asked.values.iter().map(|(name, _)| name))?;
    let shape = opened.features(Role::Viewer).await?.shape(&asked.service).await?;
    let rows = row_of(&shape, &asked.values)?;
    let at = asked.at.unwrap_or_else(|| SystemClock.now());
    let answer = opened.store.online(&shape.service, &rows, at).await?;
    let registered = opened.store.registered().await?;
    let columns = version_of(&registered, &shape.service)
        .map(|version| columns(&registered, version))
        .unwrap_or_default();
    if output.is_json() {
        return output.document(&json!({
            "service": shape.service,
            "at": at,
            "features": document(&answer, &columns),
        }));
    }
    let mut shown = table(["feature", "value", "status", "from"]);
    for (at, field) in answer.batch.schema().fields().iter().enumerate() {
        let column = answer.batch.column(at);
        shown.add_row([
            field.name().clone(),
            format::text(&values::text(column, 0), 120),
            status(&answer, &columns, at, column).to_string(),
            columns.get(at).map_or_else(|| "-".to_owned(), |column| column.from.clone()),
        ]);
    }
    output.table(shown)
}

fn document(answer: &OnlineAnswer, columns: &[Column<'_>]) -> Value {
    let mut features = Map::new();
    for (at, field) in answer.batch.schema().fields().iter().enumerate() {
        let column = answer.batch.column(at);
        let value = json!({
            "value": values::json(column, 0),
            "status": status(answer, columns, at, column),
        });
        features.insert(field.name().clone(), value);
    }
    features.into()
}

/// What a value is; what a transform made is there or null.
fn status(answer: &OnlineAnswer, columns: &[Column<'_>], at: usize, column: &ArrayRef) -> Status {
    let view = columns.get(at).and_then(|column| column.view);
    let row = view.and_then(|view| answer.views.get(view)?.first().copied());
    Status::of(row.unwrap_or(RowStatus::Found), column.is_null(0))
}

/// The one row that asks, of the types that the service asks for.
fn row_of(shape: &ServiceShape, given: &[(String, String)]) -> Result<RecordBatch> {
    let mut wanted: Vec<(&str, DataType)> =
        shape.keys.iter().map(|key| (key.name.as_str(), key.data_type.arrow())).collect();
    for field in &shape.request {
        if wanted.iter().all(|(name, _)| *name != field.name) {
            wanted.push((&field.name, field.data_type.arrow()));
        }
    }
    let names = wanted.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if let Some((name, _)) = given.iter().find(|(name, _)| wanted.iter().all(|(w, _)| w != name)) {
        return Err(Error::invalid(COMMAND, "the service asks for no such column")
            .with("column", format::text(name, 80))
            .with("service", &shape.service)
            .with_hint(format!("it asks for {names}")));
    }
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (name, data_type) in &wanted {
        let Some((_, text)) = given.iter().find(|(there, _)| there == name) else {
            return Err(Error::invalid(COMMAND, "the service asks for a column that is not given")
                .with("column", name)
                .with("service", &shape.service)
                .with_hint(format!("it asks for {names}")));
        };
        columns.push(values::parse(name, &[text.as_str()], data_type)?);
        fields.push(Field::new(*name, data_type.clone(), true));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|e| Error::invalid(COMMAND, "the row cannot be made").with_source(e))
}
