//! `column op column` and `column op literal` on the column's own memory: no widening, no copy.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Int8Type, Int16Type, Int32Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use mlops_core::Result;

use super::compare::{Class, floats, integers};
use super::mask::{Mask, either};
use super::vector::{Scalar, Values, Vector};
use super::{Node, Op, Rows, known, read};
use crate::ast::Comparison;

/// The comparison, if it is one of those that are done here. 64-bit columns are read without a copy
/// anyway, so they are not.
pub(super) fn compare(
    op: Comparison,
    class: Class,
    operands: &[Node; 2],
    rows: Rows<'_>,
) -> Result<Option<Vector<'static>>> {
    let distinct = matches!(op, Comparison::Distinct | Comparison::NotDistinct);
    if distinct || !matches!(class, Class::I64 | Class::F64 | Class::Exact(0, 0)) {
        return Ok(None);
    }
    let [a, b] = operands;
    Ok(match (&a.op, &b.op) {
        (Op::Column(a, path), Op::Column(b, other)) if path.is_empty() && other.is_empty() => {
            let (a, b) = (rows.column(*a)?, rows.column(*b)?);
            if a.data_type() == b.data_type() { pair(op, a, b, rows.count) } else { None }
        }
        (Op::Column(a, path), Op::Literal(b)) if path.is_empty() => {
            with_literal(op, rows.column(*a)?, b, rows.count)
        }
        (Op::Literal(a), Op::Column(b, path)) if path.is_empty() => {
            with_literal(op.flipped(), rows.column(*b)?, a, rows.count)
        }
        _ => None,
    })
}

fn pair(op: Comparison, a: &ArrayRef, b: &ArrayRef, rows: usize) -> Option<Vector<'static>> {
    fn lent<T: ArrowPrimitiveType>(array: &ArrayRef) -> Values<'_, T::Native> {
        Values::Lent(array.as_primitive::<T>().values())
    }
    fn ints<T: ArrowPrimitiveType<Native: Ord>>(
        op: Comparison,
        a: &ArrayRef,
        b: &ArrayRef,
        rows: usize,
    ) -> Mask {
        integers(op, &lent::<T>(a), &lent::<T>(b), rows)
    }
    let bits = match a.data_type() {
        DataType::Int8 => ints::<Int8Type>(op, a, b, rows),
        DataType::Int16 => ints::<Int16Type>(op, a, b, rows),
        DataType::Int32 => ints::<Int32Type>(op, a, b, rows),
        DataType::UInt8 => ints::<UInt8Type>(op, a, b, rows),
        DataType::UInt16 => ints::<UInt16Type>(op, a, b, rows),
        DataType::UInt32 => ints::<UInt32Type>(op, a, b, rows),
        DataType::UInt64 => ints::<UInt64Type>(op, a, b, rows),
        DataType::Date32 => ints::<Date32Type>(op, a, b, rows),
        DataType::Float32 => floats(op, &lent::<Float32Type>(a), &lent::<Float32Type>(b), rows),
        _ => return None,
    };
    Some(known(bits, either(read::nulls(a), read::nulls(b).as_ref()), false, rows))
}

fn with_literal(
    op: Comparison,
    a: &ArrayRef,
    literal: &Scalar,
    rows: usize,
) -> Option<Vector<'static>> {
    fn ints<T>(op: Comparison, a: &ArrayRef, literal: &Scalar, rows: usize) -> Option<Mask>
    where
        T: ArrowPrimitiveType<Native: Ord + TryFrom<i128>>,
    {
        let literal = match literal {
            Scalar::I64(value) => i128::from(*value),
            Scalar::I128(value) => *value,
            _ => return None,
        };
        // Beyond the column's range: left to the general way.
        let literal = T::Native::try_from(literal).ok()?;
        let values = a.as_primitive::<T>().values();
        Some(integers(op, &Values::Lent(values), &Values::Same(literal), rows))
    }
    let bits = match a.data_type() {
        DataType::Int8 => ints::<Int8Type>(op, a, literal, rows)?,
        DataType::Int16 => ints::<Int16Type>(op, a, literal, rows)?,
        DataType::Int32 => ints::<Int32Type>(op, a, literal, rows)?,
        DataType::UInt8 => ints::<UInt8Type>(op, a, literal, rows)?,
        DataType::UInt16 => ints::<UInt16Type>(op, a, literal, rows)?,
        DataType::UInt32 => ints::<UInt32Type>(op, a, literal, rows)?,
        DataType::UInt64 => ints::<UInt64Type>(op, a, literal, rows)?,
        DataType::Date32 => ints::<Date32Type>(op, a, literal, rows)?,
        DataType::Float32 => {
            let Scalar::F64(value) = literal else { return None };
            let single = *value as f32;
            if !value.is_nan()
                && f64::from(single).partial_cmp(value).is_none_or(std::cmp::Ordering::is_ne)
            {
                return None;
            }
            let values = a.as_primitive::<Float32Type>().values();
            floats(op, &Values::Lent(values), &Values::Same(single), rows)
        }
        _ => return None,
    };
    Some(known(bits, read::nulls(a), false, rows))
}
