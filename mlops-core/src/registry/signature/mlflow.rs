//! Signatures as MLflow writes them into `MLmodel`: two JSON texts of column specifications.
//!
//! Only what means the same on both sides passes; the rest is refused by name, in both directions,
//! so that data which one side lets through is not wrong on the other.
//!
//! | here | MLflow |
//! |---|---|
//! | `boolean` `int32` `int64` `float32` `float64` | `boolean` `integer` `long` `float` `double` |
//! | `utf8` `binary` | `string` `binary` |
//! | `timestamp[ns]`; out also any other unit, without a zone | `datetime`, which has no unit |
//! | `list<T>`; out also `large_list<T>` | `array` |
//! | `struct<…>` | `object`, its properties sorted by name |
//! | not nullable | `required` |
//!
//! MLflow does not say whether the items of an array may be null and takes it that they may not: so
//! `list<T?>` goes out as it can and comes back as `list<T>`.
//!
//! `Schema.from_json` of MLflow 2.22.5 and 3.17.2 gives back its own schemas unchanged after a way
//! through here. 2.9.2 writes `optional` instead of `required`, which is read, but does not read
//! `required`, which is written.

use std::collections::BTreeMap;

use arrow::datatypes::TimeUnit;
use serde::{Deserialize, Serialize};

use super::{Column, ColumnType, Item, Signature, column_name, quoted};
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "signature.mlflow";

/// The types that are one word on both sides, and the same.
const PLAIN: [(&str, ColumnType); 8] = [
    ("boolean", ColumnType::Boolean),
    ("integer", ColumnType::Int32),
    ("long", ColumnType::Int64),
    ("float", ColumnType::Float32),
    ("double", ColumnType::Float64),
    ("string", ColumnType::Utf8),
    ("binary", ColumnType::Binary),
    ("datetime", ColumnType::Timestamp { unit: TimeUnit::Nanosecond, zone: None }),
];

/// A column, a property or the items of an array; the fields in MLflow's order.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Spec {
    #[serde(rename = "type")]
    data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Box<Spec>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    properties: Option<BTreeMap<String, Spec>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    required: Option<bool>,
    /// What MLflow 2.9 wrote instead of `required`.
    #[serde(default, skip_serializing)]
    optional: Option<bool>,
}

impl Signature {
    /// The inputs and the outputs as the two JSON texts of an `MLmodel` file.
    ///
    /// Left out, because MLflow has no words for it: the unit of a timestamp, the order of the fields
    /// of a struct, that an item of a list may be null.
    ///
    /// ```
    /// use mlops_core::registry::{Column, ColumnType, Signature};
    ///
    /// # fn main() -> mlops_core::Result<()> {
    /// let signature = Signature::new(
    ///     vec![Column::new("carrier", ColumnType::Utf8)?.with_nullable(true)],
    ///     vec![Column::new("delay", "list<float64>".parse()?)?],
    /// )?;
    /// let (inputs, outputs) = signature.to_mlflow_json()?;
    /// assert_eq!(inputs, r#"[{"type":"string","name":"carrier","required":false}]"#);
    /// assert_eq!(
    ///     outputs,
    ///     r#"[{"type":"array","items":{"type":"double"},"name":"delay","required":true}]"#
    /// );
    /// assert_eq!(Signature::from_mlflow_json(&inputs, &outputs)?, signature);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Unsupported`, naming the column, for a type that MLflow does not have: small and unsigned
    /// integers, `float16`, dates, times, durations, decimals, a timestamp with a zone, a list of
    /// fixed size, a struct without fields.
    pub fn to_mlflow_json(&self) -> Result<(String, String)> {
        let side = |columns: &[Column]| {
            let specs = columns.iter().map(|column| {
                let mut spec = spec(&column.data_type)
                    .map_err(|error| error.with("column", quoted(&column.name)))?;
                spec.name = Some(column.name.to_string());
                spec.required = Some(!column.nullable);
                Ok(spec)
            });
            let specs = specs.collect::<Result<Vec<_>>>()?;
            serde_json::to_string(&specs).map_err(|error| {
                Error::new(ErrorKind::Internal, OPERATION, "cannot be written").with_source(error)
            })
        };
        Ok((side(&self.inputs)?, side(&self.outputs)?))
    }

    /// The signature that an `MLmodel` file holds as `inputs` and `outputs`; `null` counts as `[]`.
    ///
    /// Columns without a name are called by their position, `0`, `1`, …, as MLflow itself does where
    /// it needs a name. An optional column is nullable.
    ///
    /// # Errors
    /// `Invalid` for text that is no such JSON, and as [`Signature::check`]. `Unsupported` for tensor
    /// specifications, which describe arrays without columns, and for `map`, `any` and
    /// `sparkml_vector`.
    pub fn from_mlflow_json(inputs: &str, outputs: &str) -> Result<Self> {
        let inputs = columns(inputs).map_err(|error| error.with("side", "inputs"))?;
        let outputs = columns(outputs).map_err(|error| error.with("side", "outputs"))?;
        Self::new(inputs, outputs)
    }
}

fn columns(json: &str) -> Result<Vec<Column>> {
    let specs: Option<Vec<Spec>> = serde_json::from_str(json).map_err(|error| {
        Error::invalid(OPERATION, "not a list of MLflow's column specifications").with_source(error)
    })?;
    let specs = specs.unwrap_or_default();
    if specs.iter().any(|spec| spec.name.is_some()) && specs.iter().any(|spec| spec.name.is_none())
    {
        return Err(Error::invalid(OPERATION, "some columns have a name and some have none"));
    }
    let column = |(position, mut spec): (usize, Spec)| {
        let name = spec.name.take().unwrap_or_else(|| position.to_string());
        column_of(&name, &spec).map_err(|error| error.with("column", quoted(&name)))
    };
    specs.into_iter().enumerate().map(column).collect()
}

fn column_of(name: &str, spec: &Spec) -> Result<Column> {
    let required = spec.required.unwrap_or(!spec.optional.unwrap_or(false));
    Ok(Column { name: column_name(name)?, data_type: column_type(spec)?, nullable: !required })
}

fn column_type(spec: &Spec) -> Result<ColumnType> {
    let word = spec.data_type.as_str();
    if let Some((_, plain)) = PLAIN.iter().find(|(name, _)| *name == word) {
        return Ok(plain.clone());
    }
    let without = |what| Err(Error::invalid(OPERATION, what));
    match word {
        "array" => match &spec.items {
            None => without("an array without items"),
            Some(items) => {
                let data_type = column_type(items)?;
                Ok(ColumnType::List(Box::new(Item { data_type, nullable: false })))
            }
        },
        "object" => match &spec.properties {
            None => without("an object without properties"),
            Some(properties) => {
                let fields = properties.iter().map(|(name, spec)| column_of(name, spec));
                Ok(ColumnType::Struct(fields.collect::<Result<_>>()?))
            }
        },
        "tensor" => Err(unsupported(word).with_hint(
            "a tensor has no columns: write the signature of the table that goes in, \
             with one column of type fixed_list[n]<float32>",
        )),
        "map" => Err(unsupported(word).with_hint("write list<struct<key: K, value: V>> instead")),
        "any" | "sparkml_vector" => {
            Err(unsupported(word).with_hint("write the signature by hand, with the type it has"))
        }
        other => Err(Error::invalid(OPERATION, "not a type of MLflow").with("type", quoted(other))),
    }
}

fn spec(data_type: &ColumnType) -> Result<Spec> {
    let named = |word: &str| Spec { data_type: word.to_owned(), ..Spec::default() };
    if let Some((word, _)) = PLAIN.iter().find(|(_, plain)| plain == data_type) {
        return Ok(named(word));
    }
    Ok(match data_type {
        ColumnType::Timestamp { zone: None, .. } => named("datetime"),
        ColumnType::List(item) | ColumnType::LargeList(item) => {
            Spec { items: Some(Box::new(spec(&item.data_type)?)), ..named("array") }
        }
        ColumnType::Struct(fields) if !fields.is_empty() => {
            let property = |field: &Column| {
                let required = Some(!field.nullable);
                Ok((field.name.to_string(), Spec { required, ..spec(&field.data_type)? }))
            };
            let properties = Some(fields.iter().map(property).collect::<Result<_>>()?);
            Spec { properties, ..named("object") }
        }
        other => {
            return Err(unsupported(other).with_hint(
                "MLflow has boolean, integer, long, float, double, string, binary, datetime, \
                 array and object",
            ));
        }
    })
}

fn unsupported(data_type: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, "this type has no counterpart")
        .with("type", data_type)
}
