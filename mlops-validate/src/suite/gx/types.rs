//! Names of types in pandas, Spark and SQL.

use mlops_core::arrow::datatypes::TimeUnit;
use mlops_core::registry::ColumnType;

/// The types that a name may stand for; empty for a name that stands for none.
pub(super) fn of_name(name: &str) -> Vec<ColumnType> {
    use ColumnType::{
        Binary, Boolean, Date32, Date64, Float16, Float32, Float64, Int8, Int16, Int32, Int64,
        UInt8, UInt16, UInt32, UInt64, Utf8,
    };
    let units =
        [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
    match name.to_lowercase().as_str() {
        "int8" | "int8dtype" | "tinyint" | "bytetype" => vec![Int8],
        "int16" | "int16dtype" | "smallint" | "smallinteger" | "shorttype" => vec![Int16],
        "int32" | "int32dtype" | "integertype" => vec![Int32],
        "int64" | "int64dtype" | "bigint" | "biginteger" | "longtype" => vec![Int64],
        "uint8" | "uint8dtype" => vec![UInt8],
        "uint16" | "uint16dtype" => vec![UInt16],
        "uint32" | "uint32dtype" => vec![UInt32],
        "uint64" | "uint64dtype" => vec![UInt64],
        "int" | "integer" => vec![Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64],
        "float16" => vec![Float16],
        "float32" | "floattype" | "real" => vec![Float32],
        "float64" | "double" | "doubletype" | "double_precision" => vec![Float64],
        "float" => vec![Float16, Float32, Float64],
        "bool" | "boolean" | "booleantype" | "bool_" => vec![Boolean],
        "str" | "string" | "stringtype" | "stringdtype" | "varchar" | "text" | "nvarchar"
        | "char" | "unicode" => vec![Utf8],
        "bytes" | "binarytype" | "binary" | "blob" => vec![Binary],
        "date" | "datetype" => vec![Date32, Date64],
        "datetime" | "datetime64" | "datetime64[ns]" | "timestamp_ntz" => {
            units.map(|unit| ColumnType::Timestamp { unit, zone: None }).into()
        }
        _ => Vec::new(),
    }
}
