//! A table of plain values, and the same table as batches of any cut and encoding.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::arrays::{Layout, array, data_type};
use crate::kind::Kind;
use crate::rng::Rng;
use crate::value::Value;

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) values: Vec<Value>,
}

/// Columns of one length.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
}

const NAMES: [&str; 6] = ["c0", "c1", "unit price", "a.b", "Größe", "say \"x\""];

impl Table {
    /// A table of random kinds. The same seed with fewer rows is the beginning of the same table, so
    /// that a failing case can be made small.
    pub(crate) fn random(seed: u64, rows: usize) -> Self {
        let rng = Rng::new(seed);
        let mut shape = rng.fork(1);
        let count = 2 + shape.below(4);
        let columns = (0..count).map(|number| {
            // Two columns of one kind now and then, to compare and to make keys of.
            let twin = number == 1 && shape.chance(60);
            let kind = if twin {
                Kind::any(&mut rng.fork(100))
            } else {
                Kind::any(&mut rng.fork(100 + number as u64))
            };
            let percent_null = *shape.pick(&[0, 0, 10, 10, 40, 100]);
            let mut values = rng.fork(200 + number as u64);
            let values = (0..rows).map(|_| kind.value_or_null(&mut values, percent_null)).collect();
            Column { name: NAMES[number].to_owned(), kind, values }
        });
        Self { columns: columns.collect(), rows }
    }

    /// Every path that a rule may name, and what it reaches.
    pub(crate) fn paths(&self) -> Vec<Column> {
        let mut paths = Vec::new();
        for column in &self.columns {
            paths.push(column.clone());
            let of = |name: String, kind: &Kind, each: &dyn Fn(&Value) -> Value| Column {
                name,
                kind: kind.clone(),
                values: column.values.iter().map(each).collect(),
            };
            match &column.kind {
                Kind::Struct(fields) => {
                    for (number, (name, kind)) in fields.iter().enumerate() {
                        let path = format!("{}.{name}", column.name);
                        paths.push(of(path, kind, &|value| part(value, number)));
                    }
                }
                Kind::List(item) => {
                    if let Kind::Struct(fields) = &**item {
                        for (number, (name, kind)) in fields.iter().enumerate() {
                            let path = format!("{}[].{name}", column.name);
                            let kind = Kind::List(Box::new(kind.clone()));
                            paths.push(of(path, &kind, &|value| match value {
                                Value::List(items) => {
                                    Value::List(items.iter().map(|i| part(i, number)).collect())
                                }
                                _ => Value::Null,
                            }));
                        }
                    } else {
                        let path = format!("{}[]", column.name);
                        paths.push(of(path, &column.kind, &Value::clone));
                    }
                }
                _ => {}
            }
        }
        paths
    }

    /// Random layouts for its columns.
    pub(crate) fn layouts(&self, rng: &mut Rng) -> Vec<Layout> {
        self.columns.iter().map(|column| Layout::any(&column.kind, self.rows, rng)).collect()
    }

    /// The default layouts.
    pub(crate) fn plain(&self) -> Vec<Layout> {
        self.columns.iter().map(|column| Layout::plain(&column.kind)).collect()
    }

    /// The schema under these layouts; a column without nulls may say so.
    pub(crate) fn schema(&self, layouts: &[Layout], rng: &mut Rng) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .zip(layouts)
            .map(|(column, layout)| {
                let nullable = column.values.iter().any(Value::is_null) || rng.chance(50);
                Field::new(&column.name, data_type(&column.kind, layout), nullable)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    /// Rows `from..to` as one batch.
    pub(crate) fn batch(
        &self,
        schema: &SchemaRef,
        layouts: &[Layout],
        (from, to): (usize, usize),
        rng: &mut Rng,
    ) -> RecordBatch {
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter()
            .zip(layouts)
            .map(|(column, layout)| array(&column.kind, layout, &column.values[from..to], rng))
            .collect();
        debug_assert!(arrays.iter().all(|array| array.len() == to - from));
        let options = RecordBatchOptions::new().with_row_count(Some(to - from));
        RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).unwrap()
    }

    /// All rows, cut anywhere: also into batches of no rows.
    pub(crate) fn batches(
        &self,
        schema: &SchemaRef,
        layouts: &[Layout],
        rng: &mut Rng,
    ) -> Vec<RecordBatch> {
        let mut cuts: Vec<usize> = (0..rng.below(5)).map(|_| rng.below(self.rows + 1)).collect();
        cuts.extend([0, self.rows]);
        cuts.sort_unstable();
        let ranges = cuts.windows(2).map(|pair| (pair[0], pair[1]));
        ranges.map(|range| self.batch(schema, layouts, range, rng)).collect()
    }
}

fn part(value: &Value, number: usize) -> Value {
    match value {
        Value::Struct(fields) => fields[number].clone(),
        _ => Value::Null,
    }
}
