//! A million rows and one row have the same answer; what does not fit is refused by name.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, Schema};
use mlops_core::ErrorKind;
use mlops_core::features::{FeatureType as T, OnDemand};
use proptest::prelude::*;

use super::check::column;
use super::*;

const COLUMNS: [(&str, T); 10] = [
    ("i", T::Int),
    ("j", T::Int),
    ("f", T::Float),
    ("h", T::Float),
    ("g", T::Float32),
    ("s", T::String),
    ("r", T::String),
    ("b", T::Bool),
    ("w", T::Timestamp),
    ("d", T::Date),
];

fn rows(mut seed: u64) -> RecordBatch {
    let columns = COLUMNS.map(|(name, ty)| (name, column(ty, &mut seed).unwrap(), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn functions() -> Functions {
    let with = || -> mlops_core::Result<Functions> {
        Functions::new()
            .with_fn1::<f64, f64>("sine", 1, f64::sin)?
            .with_fn2::<f64, f64, f64>("hypot", 1, f64::hypot)?
            .with_fn2::<Option<i64>, i64, Option<i64>>("sum", 1, |a, b| a?.checked_add(b))?
            .with_fn1::<Option<&str>, bool>("gone", 1, |text| text.is_none())?
            .with_fn2::<&str, &str, String>("join", 1, |a, b| format!("{a}-{b}"))?
            .with_fn3::<bool, f32, f32, f32>("pick", 1, |b, x, y| if b { x } else { -y })?
            .with_fn2::<Micros, Days, Option<Days>>("later", 1, |w, d| (w.0 > 0).then_some(d))?
            .with_fn4::<i64, f64, &str, bool, f64>("mix", 1, |i, f, s, b| {
                i as f64 * f + s.len() as f64 + f64::from(u8::from(b))
            })?
            .with_fn1::<Micros, Micros>("day", 1, |w| Micros(w.0.div_euclid(86_400_000_000)))?
            .with_vectorised("twice", 1, &[T::Float], T::Float, |columns| {
                let column = columns[0].as_primitive::<Float64Type>();
                Ok(Arc::new(column.unary::<_, Float64Type>(|x| x * 2.0)))
            })
    };
    with().unwrap()
}

fn transforms() -> OnDemand {
    let expressions = [
        (T::Int, "i + j"),
        (T::Int, "i * j - i / nullif(j, 0) + i % 7"),
        (T::Float, "f + h"),
        (T::Float, "f / h"),
        (T::Float, "f * 3.1 - h"),
        (T::Float, "CAST(g AS DOUBLE) * f"),
        (T::Float, "CAST(i AS DOUBLE) / j"),
        (T::Float, "sqrt(abs(f))"),
        (T::Float, "exp(f) + ln(abs(h)) + log10(abs(f))"),
        (T::Float, "power(f, h)"),
        (T::Float, "round(f) + floor(h) + ceil(f) + trunc(h)"),
        (T::Float, "greatest(f, h, 0.5)"),
        (T::Float, "least(f, h)"),
        (T::Float, "coalesce(f, h, -0.0)"),
        (T::Float, "CASE WHEN f > h THEN f WHEN f IS NULL THEN h ELSE -f END"),
        (T::Float, "f"),
        (T::Float32, "g"),
        (T::Bool, "f < h"),
        (T::Bool, "f = h OR i < j AND NOT b"),
        (T::Bool, "f IS DISTINCT FROM h"),
        (T::Bool, "is_nan(f) OR is_finite(h)"),
        (T::Bool, "s IN ('', 'a', '日本語') OR i BETWEEN -10 AND 10"),
        (T::Bool, "s LIKE '%a%' OR s ~ '^[0-9-]+$'"),
        (T::Bool, "starts_with(s, r) AND contains(s, '本')"),
        (T::String, "upper(s) || lower(r)"),
        (T::String, "concat(s, '/', r)"),
        (T::String, "substring(s, 1, 2)"),
        (T::String, "trim(replace(s, 'a', 'bb'))"),
        (T::String, "CAST(i AS TEXT)"),
        (T::Int, "CAST(s AS BIGINT)"),
        (T::Int, "CAST(f AS BIGINT)"),
        (T::Int, "length(s) + octet_length(r)"),
        (T::Int, "strpos(s, '本')"),
        (T::Int, "sign(i) + abs(j)"),
        (T::Int, "EXTRACT(hour FROM w) + day(d)"),
        (T::Timestamp, "date_trunc('hour', w)"),
        (T::Timestamp, "w + INTERVAL '1 day'"),
        (T::Date, "d"),
        (T::Bool, "b"),
        (T::Float, "1.5::double precision"),
        (T::String, "NULL"),
    ];
    let mut transform = OnDemand::new("t").unwrap();
    for (place, (ty, text)) in expressions.into_iter().enumerate() {
        transform = transform.expr(format!("x{place}"), ty, text).unwrap();
    }
    let calls: [(T, &str, &[&str]); 12] = [
        (T::Float, "sine@1", &["f"]),
        (T::Float, "hypot@1", &["f", "h"]),
        (T::Float, "hypot@1", &["g", "x2"]),
        (T::Int, "sum@1", &["i", "j"]),
        (T::Bool, "gone@1", &["s"]),
        (T::String, "join@1", &["s", "x24"]),
        (T::Float32, "pick@1", &["b", "g", "g"]),
        (T::Date, "later@1", &["w", "d"]),
        (T::Float, "mix@1", &["i", "f", "s", "b"]),
        (T::Timestamp, "day@1", &["w"]),
        (T::Float, "twice@1", &["x3"]),
        (T::Float, "sine@1", &["y1"]),
    ];
    for (place, (ty, name, inputs)) in calls.into_iter().enumerate() {
        let inputs = inputs.iter().copied();
        transform = transform.function(format!("y{place}"), ty, name, inputs).unwrap();
    }
    transform.expr("z", T::Float, "y0 + coalesce(y1, x2)").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_row_alone_has_the_value_that_it_has_among_others(seed: u64, first in 0_usize..250) {
        let rows = rows(seed);
        let compiled = Compiled::new(&[transforms()], &rows.schema(), &functions()).unwrap();
        let whole = compiled.eval(&rows).unwrap();
        prop_assert_eq!(whole.len(), compiled.fields().len());
        let cuts = (0..rows.num_rows()).map(|row| (row, 1)).chain([(first, 50), (first, 0)]);
        for (first, many) in cuts {
            let part = compiled.eval(&rows.slice(first, many)).unwrap();
            for ((field, whole), part) in compiled.fields().iter().zip(&whole).zip(&part) {
                prop_assert_eq!(part.data_type(), field.data_type());
                // Arrow's equality is of bits: NaNs that differ in theirs are not equal, nor are zeros.
                prop_assert_eq!(&whole.slice(first, many), part, "{} {}", field.name(), first);
            }
        }
    }
}

fn refused(transform: OnDemand) -> mlops_core::Error {
    Compiled::new(&[transform], &rows(1).schema(), &functions()).unwrap_err()
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_place() {
    let expr = |ty, text: &str| refused(OnDemand::new("t").unwrap().expr("a", ty, text).unwrap());
    let call = |ty, name: &str, inputs: &[&str]| {
        let inputs = inputs.iter().copied();
        refused(OnDemand::new("t").unwrap().function("a", ty, name, inputs).unwrap())
    };
    let cases = [
        (expr(T::Float, "i + nope"), "no column `nope` at 1:5"),
        (expr(T::Float, "i + j"), "write CAST(… AS DOUBLE)"),
        (expr(T::Float32, "f"), "write CAST(… AS REAL)"),
        (expr(T::Int, "i +"), "1:4"),
        (expr(T::Int, "a"), "no column `a`"),
        (call(T::Float, "nope@1", &["f"]), "registered are day@1"),
        (call(T::Float, "sine@1", &["f", "h"]), "another number of inputs"),
        (call(T::Float, "sine@1", &["i"]), "input is of another type"),
        (call(T::Float, "sine@1", &["nope"]), "is no column"),
        (call(T::Int, "sine@1", &["f"]), "another type than the feature"),
        (refused(OnDemand::new("t").unwrap().expr("f", T::Int, "1").unwrap()), "as another column"),
        (refused(OnDemand::new("t").unwrap().request("s", T::Int)), "column of the request"),
    ];
    for (error, said) in cases {
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.context().any(|(_, value)| value == "t"), "{error}");
    }
    assert_eq!(call(T::Float, "nope@1", &[]).kind(), ErrorKind::NotFound);
}

#[test]
fn columns_of_the_request_are_brought_to_their_type_without_loss() {
    let transform = OnDemand::new("t").unwrap().request("n", T::Int);
    let transform = transform.expr("more", T::Int, "n + 1").unwrap();
    let none = Functions::new();
    let compiled =
        Compiled::new(std::slice::from_ref(&transform), &Schema::empty(), &none).unwrap();
    let eval = |compiled: &Compiled, column: ArrayRef| {
        compiled.eval(&RecordBatch::try_from_iter([("n", column)]).unwrap())
    };
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![i32::MAX]));
    let more = eval(&compiled, narrow.clone()).unwrap();
    assert_eq!(more[0].as_primitive::<Int64Type>().value(0), i64::from(i32::MAX) + 1);
    let schema = RecordBatch::try_from_iter([("n", narrow.clone())]).unwrap().schema();
    let joined = Compiled::new(&[transform], &schema, &none).unwrap();
    assert_eq!(eval(&joined, narrow).unwrap()[0].as_primitive::<Int64Type>().value(0), 1 << 31);
    let wrong = eval(&compiled, Arc::new(Float64Array::from(vec![1.0]))).unwrap_err();
    assert!(wrong.to_string().contains("of another type"), "{wrong}");
    let missing =
        RecordBatch::try_from_iter([("m", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    assert!(compiled.eval(&missing.unwrap()).is_err());
}

#[test]
fn functions_that_look_at_other_rows_are_refused() {
    let mean = |columns: &[ArrayRef]| -> mlops_core::Result<ArrayRef> {
        let column = columns[0].as_primitive::<Int64Type>();
        let first = column.iter().next().flatten();
        Ok(Arc::new(column.iter().map(|_| first).collect::<Int64Array>()))
    };
    let with = |f: fn(&[ArrayRef]) -> mlops_core::Result<ArrayRef>| {
        Functions::new().with_vectorised("f", 1, &[T::Int], T::Int, f).unwrap_err()
    };
    let error = with(mean);
    assert!(error.to_string().contains("another value alone than among others"), "{error}");
    let error = with(|columns| Ok(columns[0].slice(0, columns[0].len() / 2)));
    assert!(error.to_string().contains("number of rows"), "{error}");
}

#[test]
fn a_version_of_a_function_is_registered_once() {
    let once = Functions::new().with_fn1::<i64, i64>("f", 1, |i| i).unwrap();
    assert!(once.clone().with_fn1::<i64, i64>("f", 2, |i| i + 1).is_ok());
    let twice = once.with_fn1::<i64, i64>("f", 1, |i| i + 1).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Invalid);
}

/// A function that does not keep to what it says of itself.
struct Liar(ArrayRef);

impl ScalarFunction for Liar {
    fn inputs(&self) -> &[T] {
        &[]
    }

    fn output(&self) -> T {
        T::Float
    }

    fn eval(&self, _: &[ArrayRef], _: usize) -> mlops_core::Result<ArrayRef> {
        Ok(Arc::clone(&self.0))
    }
}

#[test]
fn a_function_that_gives_another_type_or_length_is_refused_by_name() {
    let one = Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let rows = RecordBatch::try_from_iter([("i", Arc::clone(&one))]).unwrap();
    let two: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    for (wrong, found) in [(one, "1 of Int64"), (two, "2 of Float64")] {
        let functions = Functions::new().with("liar", 1, Arc::new(Liar(wrong))).unwrap();
        let transform = OnDemand::new("t").unwrap().function("x", T::Float, "liar@1", [""; 0]);
        let compiled = Compiled::new(&[transform.unwrap()], &rows.schema(), &functions).unwrap();
        let error = compiled.eval(&rows).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let said = error.to_string();
        let parts = ["expected: 1 of Float64", found, "function: liar@1", "feature: x"];
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

#[test]
fn more_rows_than_a_column_has_are_invalid() {
    let functions = Functions::new().with_fn1::<i64, i64>("same", 1, |i| i).unwrap();
    let same = functions.get("same@1").unwrap();
    let one: [ArrayRef; 1] = [Arc::new(Int64Array::from(vec![1]))];
    assert_eq!(same.eval(&one, 1).unwrap().len(), 1);
    assert_eq!(same.eval(&one, 2).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(same.eval(&[], 1).unwrap_err().kind(), ErrorKind::Invalid);
}
