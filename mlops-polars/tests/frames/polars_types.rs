//! Each type of Polars: what Arrow makes of it, and what comes back.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use mlops_core::ErrorKind;
use mlops_polars::polars::df;
use mlops_polars::polars::prelude::{self as pl, IntoLazy, NamedFrom};
use mlops_polars::{from_arrow, to_arrow};

use crate::texts;

fn nulls(of: &pl::DataType) -> pl::Column {
    pl::Series::full_null("".into(), 3, of).into()
}

/// A list of all values, none, and an empty one.
fn lists(of: &pl::Series) -> pl::Column {
    let lists = [Some(of.clone()), None, Some(of.slice(0, 0))];
    pl::Series::new("".into(), lists).into()
}

/// One column of each type, with a null in the middle.
fn every_type() -> pl::DataFrame {
    use pl::DataType as T;
    let numbers = pl::Series::new("".into(), [Some(1_i64), None, Some(3)]);
    let text = pl::Series::new("".into(), [Some("a"), None, Some("long enough to have a buffer")]);
    let zone = pl::TimeZone::opt_try_new(Some("Asia/Tokyo")).unwrap();
    let named = pl::Categories::new("shop".into(), "tests".into(), pl::CategoricalPhysical::U16);
    let values = ["long enough to have a buffer", "never used", "a"];
    let values = pl::FrozenCategories::new(values).unwrap();
    let of_numbers = [
        T::Boolean,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Float16,
        T::Float32,
        T::Float64,
        T::Decimal(20, 4),
        T::Date,
        T::Time,
        T::Datetime(pl::TimeUnit::Milliseconds, None),
        T::Datetime(pl::TimeUnit::Microseconds, zone),
        T::Datetime(pl::TimeUnit::Nanoseconds, Some(pl::TimeZone::UTC)),
        T::Duration(pl::TimeUnit::Milliseconds),
        T::Duration(pl::TimeUnit::Nanoseconds),
        T::String,
    ];
    let of_text = [
        T::String,
        T::Binary,
        T::from_categories(pl::Categories::global()),
        T::from_categories(named),
        T::from_frozen_categories(values),
    ];
    let cast = |series: &pl::Series, to: &T| series.cast(to).unwrap();
    let numbers = of_numbers.iter().map(|to| cast(&numbers, to));
    let text = of_text.iter().map(|to| cast(&text, to));
    let mut columns: Vec<pl::Column> = numbers.chain(text).map(pl::Column::from).collect();
    columns.push(nulls(&T::Null));
    columns.push(nulls(&T::Array(Box::new(T::Float64), 2)));
    // A list of each of them, and a list of lists.
    for column in columns.clone() {
        columns.push(lists(column.as_materialized_series()));
    }
    columns.push(lists(columns[columns.len() - 3].as_materialized_series()));
    for (number, column) in columns.iter_mut().enumerate() {
        column.rename(format!("{number} {}", column.dtype()).into());
    }
    let all = pl::StructChunked::from_columns("all of them ♾".into(), 3, &columns).unwrap();
    let all = pl::IntoSeries::into_series(all);
    columns.push(lists(&all).with_name("lists of them".into()));
    columns.push(all.into());
    pl::DataFrame::new(3, columns).unwrap()
}

#[test]
fn every_type_comes_back_whole_sliced_empty_and_in_chunks() {
    let frame = every_type();
    let mut chunks = frame.slice(0, 1);
    chunks.vstack_mut(&frame.slice(1, 2)).unwrap();
    chunks.vstack_mut(&frame).unwrap();
    for frame in [frame.clone(), frame.slice(1, 2), frame.slice(2, 1), frame.slice(0, 0), chunks] {
        let back = from_arrow(&to_arrow(&frame).unwrap()).unwrap();
        assert_eq!(back.shape(), frame.shape());
        for (back, column) in back.columns().iter().zip(frame.columns()) {
            assert_eq!(back.name(), column.name());
            // The name of a set of categories does not cross.
            let back = back.cast(column.dtype()).unwrap();
            assert!(back.equals_missing(column), "{}", column.name());
        }
    }
}

#[test]
fn only_named_categories_come_back_as_another_type() {
    let frame = every_type();
    let back = from_arrow(&to_arrow(&frame).unwrap()).unwrap();
    let other = |(back, column): (&pl::Column, &pl::Column)| {
        let flat = !column.dtype().is_nested();
        (flat && back.dtype() != column.dtype()).then(|| column.dtype().clone())
    };
    let others: Vec<_> = back.columns().iter().zip(frame.columns()).filter_map(other).collect();
    assert!(matches!(&others[..], [pl::DataType::Categorical(of, _)] if of.name() == "shop"));
}

#[test]
fn the_schema_is_that_of_the_table_in_the_documentation() {
    let batches = to_arrow(&every_type()).unwrap();
    let schema = batches[0].schema();
    let find = |wanted: &DataType| schema.fields().iter().any(|f| f.data_type() == wanted);
    let dictionary = |key| DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8View));
    for wanted in [
        DataType::Utf8View,
        DataType::BinaryView,
        DataType::Decimal128(20, 4),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Microsecond, Some("Asia/Tokyo".into())),
        DataType::Duration(TimeUnit::Nanosecond),
        dictionary(DataType::UInt8),
        dictionary(DataType::UInt16),
        dictionary(DataType::UInt32),
        DataType::Null,
    ] {
        assert!(find(&wanted), "{wanted}");
    }
    assert!(schema.fields().iter().all(|field| field.is_nullable()));
}

#[test]
fn chunks_that_do_not_match_are_cut_where_any_of_them_ends() {
    let mut long = pl::Series::new("long".into(), [1_i32, 2, 3]);
    long.append(&pl::Series::new("".into(), [4_i32, 5])).unwrap();
    let mut short = pl::Series::new("short".into(), ["a"]);
    short.append(&pl::Series::new("".into(), ["b", "c", "d", "e"])).unwrap();
    let frame = pl::DataFrame::new(5, vec![long.into(), short.into()]).unwrap();
    let batches = to_arrow(&frame).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [1, 2, 2]);
    let back = from_arrow(&batches).unwrap();
    assert!(back.equals_missing(&frame));
}

#[test]
fn a_column_that_is_one_value_for_all_rows_is_written_out() {
    let one = pl::Column::new_scalar("one".into(), pl::Scalar::from(7_i32), 4);
    let frame = pl::DataFrame::new(4, vec![one]).unwrap();
    assert_eq!(texts(to_arrow(&frame).unwrap()[0].column(0)), vec![Some("7".to_owned()); 4]);
}

#[test]
fn values_are_not_copied_in_either_direction() {
    let frame = df!("x" => [1.0, 2.0, 3.0]).unwrap();
    let here = frame.column("x").unwrap().f64().unwrap().cont_slice().unwrap().as_ptr();
    let batches = to_arrow(&frame).unwrap();
    let there = batches[0].column(0).as_primitive::<Float64Type>().values().as_ptr();
    assert_eq!(here, there);
    let back = from_arrow(&batches).unwrap();
    let back = back.column("x").unwrap().f64().unwrap().cont_slice().unwrap().as_ptr();
    assert_eq!(there, back);

    let text = df!("x" => ["long enough to have a buffer", "b"]).unwrap();
    let views = |frame: &pl::DataFrame| {
        let batches = to_arrow(frame).unwrap();
        let views = batches[0].column(0).as_string_view();
        (views.views().as_ptr(), views.data_buffers()[0].as_ptr())
    };
    let back = from_arrow(&to_arrow(&text).unwrap()).unwrap();
    assert_eq!(views(&text), views(&back));
}

#[test]
fn what_arrow_does_not_have_is_refused_by_name() {
    for to in [pl::DataType::Int128, pl::DataType::List(Box::new(pl::DataType::Int128))] {
        let series = pl::Series::new("wide".into(), [1_i64]).cast(&to).unwrap();
        let frame = pl::DataFrame::new(1, vec![series.into()]).unwrap();
        let error = to_arrow(&frame).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("wide"), "{error}");
        let error = mlops_polars::IntoData::into_data(frame.lazy()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let field = pl::Series::new("a\0b".into(), [1]).into();
    let nul = pl::StructChunked::from_columns("s".into(), 1, &[field]).unwrap();
    let frame = pl::DataFrame::new(1, vec![pl::IntoSeries::into_series(nul).into()]).unwrap();
    assert_eq!(to_arrow(&frame).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_frame_without_rows_or_columns_is_one_batch() {
    let batches = to_arrow(&pl::DataFrame::empty()).unwrap();
    assert_eq!((batches.len(), batches[0].num_columns(), batches[0].num_rows()), (1, 0, 0));
    let batches = to_arrow(&pl::DataFrame::empty_with_height(5)).unwrap();
    assert_eq!((batches.len(), batches[0].num_rows()), (1, 5));
    let batches = to_arrow(&every_type().slice(0, 0)).unwrap();
    assert_eq!((batches.len(), batches[0].num_rows()), (1, 0));
    assert!(batches[0].columns().iter().all(Array::is_empty));
}
