//! Receipts: whether the rows that ask, and the rows that answer, are those of then.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mlops_core::features::{EntityRows, Receipt, ServiceRef};
use mlops_core::tracking::Digest;
use mlops_core::{Error, ErrorKind, Result};

use crate::define::Resolved;

const OPERATION: &str = "features.historical";

/// BLAKE3 of what decides the answer: the keys, the instants, and the columns that transforms ask for, by
/// value, however they are encoded.
pub(super) fn digest_of(rows: &EntityRows, resolved: &Resolved) -> Result<Digest> {
    let mut names: Vec<&str> = vec![&rows.event_time];
    names.extend(resolved.keys.iter().map(|key| key.name.as_str()));
    let asked = resolved.version.on_demand.iter().flat_map(|transform| transform.request.iter());
    names.extend(asked.map(|field| field.name.as_str()));
    names.sort_unstable();
    names.dedup();
    let mut hash = blake3::Hasher::new();
    for name in names {
        let Some(column) = rows.batch.column_by_name(name) else { continue };
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash_column(&mut hash, column)?;
    }
    Ok(Digest(*hash.finalize().as_bytes()))
}

fn hash_column(hash: &mut blake3::Hasher, column: &ArrayRef) -> Result<()> {
    let broken = |e: arrow::error::ArrowError| Error::invalid(OPERATION, e.to_string());
    let as_type = |to: &DataType| cast(column, to).map_err(broken);
    match column.data_type() {
        DataType::UInt64 => {}
        kind if kind.is_integer() || kind.is_temporal() => {
            // The unit decides what the number means.
            hash.update(
                if kind.is_temporal() { kind.to_string() } else { String::new() }.as_bytes(),
            );
            let values = as_type(&DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            for value in values {
                hash.update(&[u8::from(value.is_some())]);
                hash.update(&value.unwrap_or_default().to_le_bytes());
            }
            return Ok(());
        }
        kind if kind.is_floating() => {
            let values = as_type(&DataType::Float64)?;
            for value in values.as_primitive::<Float64Type>() {
                hash.update(&[u8::from(value.is_some())]);
                hash.update(&value.unwrap_or_default().to_bits().to_le_bytes());
            }
            return Ok(());
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            let values = as_type(&DataType::Utf8)?;
            for value in values.as_string::<i32>() {
                let bytes = value.unwrap_or_default().as_bytes();
                hash.update(&[u8::from(value.is_some())]);
                hash.update(&(bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
            return Ok(());
        }
        _ => {}
    }
    let options = FormatOptions::new();
    let show = ArrayFormatter::try_new(column, &options).map_err(broken)?;
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
            "rows of that time were erased, or files were replaced: the set cannot be made again",
        )
}
