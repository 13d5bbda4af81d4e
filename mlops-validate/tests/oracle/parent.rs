//! The other table of a foreign key: some of the keys of the first, in columns that may be wider.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::kind::{Kind, UNITS, nanos};
use crate::number::Number;
use crate::rng::Rng;
use crate::table::{Column, Table};
use crate::value::Value;

/// Another table, and the name it is handed in under.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) name: String,
    table: Table,
    seed: u64,
}

impl Parent {
    /// A table with some of the keys that `columns` have; none if such keys cannot be looked up.
    pub(crate) fn random(paths: &[Column], columns: &[String], rng: &mut Rng) -> Option<Self> {
        let of = |name: &String| paths.iter().find(|column| column.name == *name);
        let children: Vec<&Column> = columns.iter().map(of).collect::<Option<_>>()?;
        let kinds: Vec<Kind> = children.iter().map(|child| wider(&child.kind, rng)).collect();
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let child_rows = children[0].values.len();
        for _ in 0..rng.below(40) {
            let row = rng.below(child_rows.max(1));
            rows.push(
                children
                    .iter()
                    .zip(&kinds)
                    .map(|(child, kind)| {
                        let value = child.values.get(row).cloned().unwrap_or(Value::Null);
                        let value = if rng.chance(15) { kind.value(rng) } else { value };
                        if holds(kind, &value) { value } else { kind.value(rng) }
                    })
                    .collect(),
            );
        }
        let columns = kinds.into_iter().enumerate().map(|(number, kind)| Column {
            name: format!("key {number}"),
            values: rows.iter().map(|row| row[number].clone()).collect(),
            kind,
        });
        let table = Table { columns: columns.collect(), rows: rows.len() };
        Some(Self { name: format!("table {}", rng.next() % 1_000_000), table, seed: rng.next() })
    }

    pub(crate) fn columns(&self) -> Vec<String> {
        self.table.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Keys without a null.
    pub(crate) fn keys(&self) -> BTreeSet<Vec<String>> {
        let values = |row: usize| self.table.columns.iter().map(move |column| &column.values[row]);
        (0..self.table.rows)
            .filter(|row| !values(*row).any(Value::is_null))
            .map(|row| values(row).map(Value::key).collect())
            .collect()
    }

    /// The table in an encoding that the seed decides.
    pub(crate) fn batches(&self) -> (SchemaRef, Vec<RecordBatch>) {
        let mut rng = Rng::new(self.seed);
        let layouts = self.table.layouts(&mut rng);
        let schema = self.table.schema(&layouts, &mut rng);
        let batches = self.table.batches(&schema, &layouts, &mut rng);
        (schema, batches)
    }
}

/// A kind whose values can be equal to those of `kind`.
fn wider(kind: &Kind, rng: &mut Rng) -> Kind {
    if rng.chance(40) {
        return kind.clone();
    }
    match kind {
        Kind::Int(..) => match rng.below(4) {
            0 => Kind::Decimal(*rng.pick(&[64, 128, 256]), *rng.pick(&[0, 2])),
            _ => Kind::Int(*rng.pick(&[8, 16, 32, 64]), rng.chance(50)),
        },
        Kind::Float(_) => Kind::Float(*rng.pick(&[32, 64])),
        Kind::Decimal(..) => Kind::Decimal(*rng.pick(&[128, 256]), *rng.pick(&[0, 2, 5])),
        Kind::Date(_) => Kind::Date(*rng.pick(&[32, 64])),
        Kind::Time(_) => Kind::Time(*rng.pick(&UNITS)),
        Kind::Instant(_, zoned) => Kind::Instant(*rng.pick(&UNITS), *zoned),
        Kind::Duration(_) => Kind::Duration(*rng.pick(&UNITS)),
        Kind::Bytes => Kind::FixedBytes(2),
        Kind::FixedBytes(_) => Kind::Bytes,
        kind => kind.clone(),
    }
}

/// Whether a column of this kind can hold the value.
fn holds(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) | (Kind::Date(32), Value::Date(_)) => true,
        (Kind::Int(bits, signed), Value::Exact(number)) => {
            let (low, high) = Kind::ends(*bits, *signed);
            let whole = number.to_string().split_once('e').is_none_or(|(_, e)| !e.starts_with('-'));
            whole && *number >= Number::whole(low) && *number <= Number::whole(high)
        }
        (Kind::Decimal(bits, scale), Value::Exact(number)) => {
            let unscaled = number.clone().shifted(i32::from(*scale)).to_string();
            let (digits, exponent) = unscaled.split_once('e').unwrap_or((&unscaled, "0"));
            let exponent: i32 = exponent.parse().unwrap();
            exponent >= 0 && digits.len() as i32 + exponent < i32::from(Kind::precision(*bits))
        }
        (Kind::Float(32), Value::Float(value)) => f64::from(*value as f32) == *value,
        (Kind::Time(unit) | Kind::Instant(unit, _) | Kind::Duration(unit), value) => match value {
            Value::Time(n) | Value::Instant(n) | Value::Duration(n) => {
                n % nanos(*unit) == 0 && i64::try_from(n / nanos(*unit)).is_ok()
            }
            _ => false,
        },
        (Kind::Date(_), Value::Date(days)) => days.checked_mul(86_400_000).is_some(),
        (Kind::FixedBytes(n), Value::Bytes(bytes)) => bytes.len() == *n,
        (kind, _) => !matches!(kind, Kind::Float(16)),
    }
}
