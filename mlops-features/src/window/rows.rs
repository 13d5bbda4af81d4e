//! The rows of a scan, as the windows read them: keys, places in the order of writes, and cells.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    UInt64Type,
};
use mlops_core::features::{FeatureType, KeyBatch, Table, WriteOrder};
use mlops_core::{Error, Result};

use super::plan::WindowPlan;
use super::value::Cell;

/// A batch of rows, its columns found and their types known.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) keys: KeyBatch,
    event_time: PrimitiveArray<TimestampMicrosecondType>,
    created: PrimitiveArray<TimestampMicrosecondType>,
    seq: PrimitiveArray<UInt64Type>,
    columns: Vec<Column>,
}

#[derive(Debug)]
enum Column {
    Bool(BooleanArray),
    Int(PrimitiveArray<Int64Type>),
    Float(PrimitiveArray<Float64Type>),
    Float32(PrimitiveArray<Float32Type>),
    Text(StringArray),
    Bytes(BinaryArray),
    Micros(PrimitiveArray<TimestampMicrosecondType>),
    Days(PrimitiveArray<Date32Type>),
    /// Only whether it is null.
    Other(ArrayRef),
}

impl Rows {
    /// Reads a batch as `OfflineStore::scan` returns it.
    ///
    /// # Errors
    /// `Invalid` for a column that is not there or of another type, and for a row without event time.
    pub(super) fn read(plan: &WindowPlan, batch: &RecordBatch) -> Result<Self> {
        let find = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| {
                invalid("a column is not in the rows that were scanned").with("column", name)
            })
        };
        let keys = plan.table.keys.iter().map(|key| find(&key.name).cloned());
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let rows = batch.num_rows();
        let micros = |name: &str| {
            let array = find(name)?;
            array.as_primitive_opt::<TimestampMicrosecondType>().cloned().ok_or_else(|| {
                invalid("a column of times is not in microseconds")
                    .with("column", name)
                    .with("type", array.data_type())
            })
        };
        let event_time = micros(Table::EVENT_TIME)?;
        if event_time.null_count() > 0 {
            return Err(invalid("a row has no event time"));
        }
        let seq = find(Table::SEQ)?;
        let seq = seq.as_primitive_opt::<UInt64Type>().filter(|seq| seq.null_count() == 0);
        let seq = seq.cloned().ok_or_else(|| invalid("rows do not say their place in the log"))?;
        let columns = plan.columns.iter().map(|column| {
            let array = find(&column.name)?;
            let matches = match (array.data_type(), column.data_type) {
                (DataType::Timestamp(TimeUnit::Microsecond, _), FeatureType::Timestamp)
                | (DataType::List(_), FeatureType::Vector) => true,
                (found, wanted) => *found == wanted.arrow(),
            };
            if !matches {
                return Err(invalid("a column is of another type than the table's")
                    .with("column", &column.name)
                    .with("expected", column.data_type)
                    .with("found", array.data_type()));
            }
            Ok(Column::of(array))
        });
        Ok(Self {
            keys: KeyBatch::from_columns(&keys, rows)?,
            event_time,
            created: micros(Table::CREATED)?,
            seq,
            columns: columns.collect::<Result<_>>()?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.seq.len()
    }

    #[inline]
    pub(super) fn order(&self, row: usize) -> WriteOrder {
        let created =
            if self.created.is_null(row) { WriteOrder::UNKNOWN } else { self.created.value(row) };
        WriteOrder { event_time: self.event_time.value(row), created, seq: self.seq.value(row) }
    }

    #[inline]
    pub(super) fn event_time(&self, row: usize) -> i64 {
        self.event_time.value(row)
    }

    #[inline]
    pub(super) fn seq(&self, row: usize) -> u64 {
        self.seq.value(row)
    }

    /// The value of a column of the plan; of no column, one that counts.
    #[inline]
    pub(super) fn cell(&self, column: Option<usize>, row: usize) -> Cell<'_> {
        let Some(column) = column else { return Cell::Word(0) };
        self.columns[column].cell(row)
    }
}

impl Column {
    fn of(array: &ArrayRef) -> Self {
        match array.data_type() {
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::Int64 => Self::Int(array.as_primitive().clone()),
            DataType::Float64 => Self::Float(array.as_primitive().clone()),
            DataType::Float32 => Self::Float32(array.as_primitive().clone()),
            DataType::Utf8 => Self::Text(array.as_string().clone()),
            DataType::Binary => Self::Bytes(array.as_binary().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Micros(array.as_primitive().clone())
            }
            DataType::Date32 => Self::Days(array.as_primitive().clone()),
            _ => Self::Other(array.clone()),
        }
    }

    #[inline]
    fn cell(&self, row: usize) -> Cell<'_> {
        let (valid, cell) = match self {
            Self::Bool(a) => (a.is_valid(row), Cell::Word(i64::from(a.value(row)))),
            Self::Int(a) => (a.is_valid(row), Cell::Word(a.value(row))),
            Self::Float(a) => (a.is_valid(row), Cell::Word(a.value(row).to_bits() as i64)),
            Self::Float32(a) => (a.is_valid(row), Cell::Word(i64::from(a.value(row).to_bits()))),
            Self::Text(a) => (a.is_valid(row), Cell::Bytes(a.value(row).as_bytes())),
            Self::Bytes(a) => (a.is_valid(row), Cell::Bytes(a.value(row))),
            Self::Micros(a) => (a.is_valid(row), Cell::Word(a.value(row))),
            Self::Days(a) => (a.is_valid(row), Cell::Word(i64::from(a.value(row)))),
            Self::Other(a) => (a.is_valid(row), Cell::Word(0)),
        };
        if valid { cell } else { Cell::Null }
    }
}

#[cold]
fn invalid(problem: &'static str) -> Error {
    Error::invalid("features.window", problem)
}
