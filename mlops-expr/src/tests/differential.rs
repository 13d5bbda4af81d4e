//! Random expressions over random tables: what is computed is what the interpreter says.

use arrow::array::{Array, AsArray, Decimal128Array};
use arrow::datatypes::DataType;
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};
use proptest::prelude::*;

use super::oracle::{T, V};
use super::tables::{COLUMNS, Random, some, table};
use crate::{Expr, Parameters};

const COMPARISONS: [&str; 8] =
    ["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"];

fn int(r: &mut Random, depth: usize) -> T {
    let sub = |r: &mut Random| Box::new(int(r, depth - 1));
    match if depth == 0 { r.below(3) } else { r.below(9) } {
        0 | 1 => T::Col(r.pick(&["i", "j"])),
        2 => T::Lit(some(r, "i")),
        3..=5 => T::Arith(r.pick(&["+", "-", "*", "/", "%"]), sub(r), sub(r)),
        6 => T::Neg(sub(r)),
        7 => T::Case(vec![(condition(r, depth - 1), int(r, depth - 1))], sub(r)),
        _ => T::Length(text(r, depth - 1).into()),
    }
}

fn float(r: &mut Random, depth: usize) -> T {
    match if depth == 0 { r.below(3) } else { r.below(6) } {
        0 | 1 => T::Col("f"),
        2 => T::Lit(V::Float(r.pick(&[0.0, 0.1, 1.5, 9_007_199_254_740_992.0, 1e20]))),
        3 | 4 => {
            let op = r.pick(&["+", "-", "*", "/"]);
            T::Arith(op, float(r, depth - 1).into(), float(r, depth - 1).into())
        }
        _ => T::Arith("+", float(r, depth - 1).into(), int(r, depth - 1).into()),
    }
}

fn number(r: &mut Random, depth: usize) -> T {
    match r.below(7) {
        0 | 1 => int(r, depth),
        2 | 3 => float(r, depth),
        4 => T::Col("u"),
        5 => match r.below(3) {
            0 => T::Col("d"),
            1 => T::Lit(some(r, "d")),
            _ => T::Arith(r.pick(&["+", "-", "*"]), T::Col("d").into(), T::Col("d").into()),
        },
        _ => T::Col("g"),
    }
}

fn text(r: &mut Random, depth: usize) -> T {
    match if depth == 0 { r.below(3) } else { r.below(7) } {
        0 | 1 => T::Col(r.pick(&["t", "w"])),
        2 => T::Lit(some(r, "t")),
        3 => T::Upper(text(r, depth - 1).into()),
        4 => T::Concat(text(r, depth - 1).into(), text(r, depth - 1).into()),
        5 => T::Coalesce(vec![text(r, depth - 1), text(r, depth - 1)]),
        _ => {
            T::Case(vec![(condition(r, depth - 1), text(r, depth - 1))], text(r, depth - 1).into())
        }
    }
}

fn condition(r: &mut Random, depth: usize) -> T {
    let sub = |r: &mut Random| condition(r, depth.saturating_sub(1));
    let less = depth.saturating_sub(1);
    let compare = r.pick(&COMPARISONS);
    match if depth == 0 { r.below(8) } else { r.below(14) } {
        0 => T::Col("b"),
        1..=3 => T::Cmp(compare, number(r, less).into(), number(r, less).into()),
        4 => T::Cmp(compare, text(r, less).into(), text(r, less).into()),
        5 => T::Cmp(
            compare,
            T::Col(r.pick(&["day", "at"])).into(),
            T::Col(r.pick(&["day", "at"])).into(),
        ),
        6 => T::Like(
            text(r, less).into(),
            r.pick(&["%", "a%", "%a", "%a%", "a", "_", "a_b", "%ï%e", "__%"]),
        ),
        7 => T::Lit(r.pick(&[V::Bool(true), V::Bool(false), V::Null])),
        8 | 9 => T::And((0..2 + r.below(3)).map(|_| sub(r)).collect()),
        10 => T::Or((0..2 + r.below(3)).map(|_| sub(r)).collect()),
        11 => T::Not(sub(r).into()),
        12 if r.below(2) == 0 => {
            T::Between(number(r, less).into(), number(r, less).into(), number(r, less).into())
        }
        12 => {
            let list = (0..=r.below(4)).map(|_| number(r, 0)).collect();
            T::In(number(r, less).into(), list)
        }
        _ => T::Is(
            sub(r).into(),
            r.pick(&["is null", "is not null", "is true", "is not false", "is unknown"]),
        ),
    }
}

/// The value of a row of what was computed.
fn row(array: &dyn Array, i: usize) -> V {
    if array.logical_nulls().is_some_and(|nulls| nulls.is_null(i)) {
        return V::Null;
    }
    match array.data_type() {
        DataType::Int64 => V::Int(array.as_primitive::<Int64Type>().value(i)),
        DataType::Float64 => V::Float(array.as_primitive::<Float64Type>().value(i)),
        DataType::Float32 => V::Single(array.as_primitive::<Float32Type>().value(i)),
        DataType::Utf8 => V::Text(array.as_string::<i32>().value(i).into()),
        DataType::Boolean => V::Bool(array.as_boolean().value(i)),
        DataType::Decimal128(_, s) => {
            let array: &Decimal128Array = array.as_primitive();
            V::Dec(array.value(i), *s as usize)
        }
        other => panic!("{other}"),
    }
}

/// Bits of floats, so that −0.0 and NaN are told apart from what they equal; a NaN is a NaN.
fn same(a: &V, b: &V) -> bool {
    match (a, b) {
        (V::Float(a), V::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_computed_is_what_the_interpreter_says(seed in any::<u64>()) {
        let mut random = Random(seed);
        let (rows, batch) = table(&mut random);
        for kind in 0..6 {
            let tree = match kind {
                0 => T::Arith("+", int(&mut random, 3).into(), int(&mut random, 3).into()),
                1 => T::Upper(text(&mut random, 3).into()),
                2 => T::Arith("*", float(&mut random, 2).into(), float(&mut random, 2).into()),
                _ => condition(&mut random, 4),
            };
            let written = tree.text();
            let expr: Expr = written.parse().unwrap();
            let printed = expr.to_string();
            prop_assert_eq!(printed.parse::<Expr>().unwrap().to_string(), printed);
            let bound = expr.bind(&batch.schema(), &Parameters::new())
                .map_err(|error| TestCaseError::fail(format!("{written}: {error}")))?;
            let array = bound.eval(&batch).unwrap();
            array.to_data().validate_full().unwrap();
            prop_assert_eq!(array.len(), rows.len());
            let wanted: Vec<V> = rows.iter().map(|row| {
                tree.eval(&|name| row[COLUMNS.iter().position(|c| *c == name).unwrap()].clone())
            }).collect();
            for (i, wanted) in wanted.iter().enumerate() {
                let found = if array.data_type().is_null() { V::Null } else { row(&array, i) };
                prop_assert!(same(&found, wanted), "{written} ({expr}): row {i} {:?} gave {found:?}, wanted {wanted:?}", rows[i]);
                prop_assert!(bound.nullable() || found != V::Null, "{written}: not nullable");
            }
            if kind > 2 {
                let (mut yes, mut unknown) = (vec![7; 9], Vec::new());
                bound.truth(&batch, &mut yes, &mut unknown).unwrap();
                prop_assert_eq!(yes.len(), rows.len().div_ceil(64));
                prop_assert_eq!(unknown.len(), yes.len());
                for i in 0..yes.len() * 64 {
                    let bit = |words: &[u64]| words[i / 64] >> (i % 64) & 1 == 1;
                    let value = wanted.get(i).unwrap_or(&V::Bool(false));
                    prop_assert_eq!(bit(&yes), *value == V::Bool(true), "{}: row {}", written, i);
                    prop_assert_eq!(bit(&unknown), *value == V::Null, "{}: row {}", written, i);
                }
            }
        }
    }
}
