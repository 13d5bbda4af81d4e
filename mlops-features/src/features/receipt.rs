//! Receipts: whether the rows that ask, and the rows that answer, are those of then.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mlops_core::features::{EntityRows, Receipt, ServiceRef};
use mlops_core::tracking::Digest;
use mlops_core::{Error, ErrorKind, Result};

use super::historical::internal;
use crate::define::Resolved;
use crate::offline::coerce::{coerce_asked_keys, coerce_column};

const OPERATION: &str = "features.historical";

/// BLAKE3 of what decides the answer: the instants, the keys, and the columns that transforms ask for, by
/// value, however they are encoded.
pub(super) fn digest_of(
    rows: &EntityRows,
    times: &ArrayRef,
    resolved: &Resolved,
) -> Result<Digest> {
    let mut hash = blake3::Hasher::new();
    let nanos = matches!(times.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _));
    let times = cast(times, &DataType::Int64).map_err(|e| internal(&e))?;
    for time in times.as_primitive::<Int64Type>().values() {
        let (micros, rest) =
            if nanos { (time.div_euclid(1_000), time.rem_euclid(1_000)) } else { (*time, 0) };
        hash.update(&micros.to_le_bytes());
        hash.update(&rest.to_le_bytes());
    }
    let mut columns: BTreeMap<&str, ArrayRef> = BTreeMap::new();
    for field in &resolved.request {
        if let Some(column) = rows.batch.column_by_name(&field.name) {
            columns.insert(&field.name, coerce_column(column, field.data_type, &field.name)?);
        }
    }
    for key in &resolved.keys {
        if let Some(column) = rows.batch.column_by_name(&key.name) {
            let key = slice::from_ref(key);
            let mut made = coerce_asked_keys(&[Arc::clone(column)], key)?;
            columns.extend(made.pop().map(|column| (key[0].name.as_str(), column)));
        }
    }
    for (name, column) in columns {
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash_column(&mut hash, &column)?;
    }
    Ok(Digest(*hash.finalize().as_bytes()))
}

/// Of a column of one of the types that keys and features have.
fn hash_column(hash: &mut blake3::Hasher, column: &ArrayRef) -> Result<()> {
    let kind = column.data_type();
    let as_type = |to: &DataType| cast(column, to).map_err(|e| internal(&e));
    if kind.is_integer() || kind.is_temporal() {
        for value in as_type(&DataType::Int64)?.as_primitive::<Int64Type>() {
            hash.update(&[u8::from(value.is_some())]);
            hash.update(&value.unwrap_or_default().to_le_bytes());
        }
        return Ok(());
    }
    if kind.is_floating() {
        for value in as_type(&DataType::Float64)?.as_primitive::<Float64Type>() {
            hash.update(&[u8::from(value.is_some())]);
            hash.update(&value.unwrap_or_default().to_bits().to_le_bytes());
        }
        return Ok(());
    }
    let options = FormatOptions::new();
    let show = ArrayFormatter::try_new(column, &options).map_err(|e| internal(&e))?;
    for row in 0..column.len() {
        let text = show.value(row).to_string();
        hash.update(&[u8::from(column.is_valid(row))]);
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    Ok(())
}

/// That a receipt is of this service, and that its version says what it said then.
pub(super) fn check_receipt(
    receipt: &Receipt,
    service: &ServiceRef,
    resolved: &Resolved,
) -> Result<()> {
    let of_it = receipt.service.name == service.name
        && service.version.is_none_or(|version| receipt.service.version == Some(version));
    if !of_it {
        return Err(Error::invalid(OPERATION, "the receipt is of another service")
            .with("service", service)
            .with("receipt", &receipt.service));
    }
    if receipt.plan != resolved.version.digest {
        return Err(changed("the service's version", &receipt.service.to_string()));
    }
    Ok(())
}

/// That the rows that were read are those of the receipt.
pub(super) fn check_tables(then: &Receipt, now: &Receipt) -> Result<()> {
    for (before, after) in then.tables.iter().zip(&now.tables) {
        if before.digest != after.digest || before.table != after.table {
            return Err(changed("the rows of a view", &before.view));
        }
    }
    Ok(())
}

fn changed(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Conflict, OPERATION, format!("{what} is not what it was in the receipt"))
        .with("name", name)
        .with_hint(
            "rows of that time were erased, or the view is of other files: the set cannot be made again",
        )
}
