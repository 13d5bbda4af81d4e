//! Feast's types of values, by their numbers, as types of features and keys.

use mlops_core::features::{FeatureType, KeyType};

/// The type of a feature, and whether it stands for something finer.
pub(super) fn feature_type(value_type: u64) -> Option<(FeatureType, bool)> {
    Some(match value_type {
        1 => (FeatureType::Bytes, false),
        2 => (FeatureType::String, false),
        3 | 4 => (FeatureType::Int, false),
        5 => (FeatureType::Float, false),
        6 => (FeatureType::Float32, false),
        7 => (FeatureType::Bool, false),
        8 => (FeatureType::Timestamp, false),
        16 => (FeatureType::Vector, false),
        // JSON and UUIDs, which are texts in files.
        32 | 36 | 37 => (FeatureType::String, true),
        _ => return None,
    })
}

/// The type of a join key.
pub(super) fn key_type(value_type: u64) -> Option<KeyType> {
    Some(match value_type {
        1 => KeyType::Bytes,
        2 | 36 | 37 => KeyType::String,
        3 | 4 => KeyType::Int,
        _ => return None,
    })
}

/// Its name in Feast.
pub(super) fn name(value_type: u64) -> String {
    let name = match value_type {
        0 => "UNKNOWN",
        1 => "BYTES",
        2 => "STRING",
        3 => "INT32",
        4 => "INT64",
        5 => "DOUBLE",
        6 => "FLOAT",
        7 => "BOOL",
        8 => "UNIX_TIMESTAMP",
        11 => "BYTES_LIST",
        12 => "STRING_LIST",
        13 => "INT32_LIST",
        14 => "INT64_LIST",
        15 => "DOUBLE_LIST",
        16 => "FLOAT_LIST",
        17 => "BOOL_LIST",
        18 => "UNIX_TIMESTAMP_LIST",
        20 => "MAP",
        32 => "JSON",
        34 => "STRUCT",
        36 => "UUID",
        37 => "TIME_UUID",
        44 => "DECIMAL",
        48 => "ZONED_TIMESTAMP",
        other => return format!("type {other}"),
    };
    name.to_owned()
}
