//! Types by their text, every fault by its line, the ways to Arrow and MLflow, and the laws.

mod laws;
mod mlflow;
mod nulls;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, Schema, TimeUnit, UnionFields};

use super::*;
use crate::ErrorKind;

/// Columns from `"name: type"`, with `?` at the end for a nullable one.
fn columns(lines: &[&str]) -> Vec<Column> {
    let column = |line: &&str| {
        let (name, text) = line.split_once(": ").expect("a name and a type");
        let plain = text.strip_suffix('?');
        Column::new(name, plain.unwrap_or(text).parse().unwrap())
            .unwrap()
            .with_nullable(plain.is_some())
    };
    lines.iter().map(column).collect()
}

fn inputs(lines: &[&str]) -> Signature {
    Signature::new(columns(lines), vec![]).unwrap()
}

fn outputs(lines: &[&str]) -> Signature {
    Signature::new(vec![], columns(lines)).unwrap()
}

fn lines(mismatches: &[Mismatch]) -> Vec<String> {
    mismatches.iter().map(ToString::to_string).collect()
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn refusal(data_type: DataType) -> String {
    let schema = Schema::new(vec![field("fine", DataType::Int8), field("bad", data_type)]);
    let error = Signature::from_schemas(&schema, &Schema::empty()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("column: \"bad\""), "{error}");
    assert!(error.hint().is_some(), "{error}");
    error.to_string()
}

#[test]
fn every_type_prints_as_documented() {
    for text in [
        "boolean",
        "uint64",
        "float16",
        "date64",
        "time32[ms]",
        "time64[ns]",
        "duration[us]",
        "timestamp[us]",
        "timestamp[us, UTC]",
        "timestamp[s, -03:30]",
        r#"timestamp[s, "a, ]\"zone"]"#,
        "decimal128(10, 2)",
        "decimal256(76, -5)",
        "list<float32>",
        "large_list<utf8?>",
        "fixed_list[8]<list<float32?>?>",
        "struct<>",
        r#"struct<a: int8, "wind speed": struct<b: binary?>?, 0: int8>"#,
    ] {
        assert_eq!(text.parse::<ColumnType>().unwrap().to_string(), text);
    }
}

#[test]
fn a_text_that_is_no_type_is_refused_with_the_place() {
    for (text, byte, what) in [
        ("", 0, "not the name of a type"),
        ("Int64", 0, "not the name of a type"),
        ("int64 ?", 6, "expected the end of the type"),
        ("list", 4, "expected another character"),
        ("list<float>", 5, "not the name of a type"),
        ("time32[us]", 7, "expected a unit of time"),
        ("timestamp[us,]", 13, "expected a name"),
        ("timestamp[us,\"]", 13, "expected a JSON string"),
        ("fixed_list[9999999999]<int8>", 11, "expected a number in range"),
        ("struct<a: int8,>", 15, "expected a name"),
        ("struct<\" \": int8>", 7, "not a name in quotes"),
    ] {
        let error = text.parse::<ColumnType>().unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, what), "{text}");
        assert!(error.to_string().contains(&format!("byte: {byte}")), "{text}: {error}");
    }
    assert!("decimal128(39, 0)".parse::<ColumnType>().is_err());
    assert!("decimal128(3, 4)".parse::<ColumnType>().is_err());
    assert!("fixed_list[-1]<int8>".parse::<ColumnType>().is_err());
}

#[test]
fn nesting_is_bounded_in_text_in_arrow_and_in_memory() {
    let nested = |depth: usize| "list<".repeat(depth - 1) + "int8" + &">".repeat(depth - 1);
    let deepest: ColumnType = nested(MAX_DEPTH).parse().unwrap();
    assert_eq!(ColumnType::from_arrow(&deepest.to_arrow()).unwrap(), deepest);
    for too_deep in [MAX_DEPTH + 1, 1_000_000] {
        let error = nested(too_deep).parse::<ColumnType>().unwrap_err();
        assert_eq!(error.message(), "a type is nested too deep");
    }
    let deeper = ColumnType::List(Box::new(Item { data_type: deepest, nullable: false }));
    assert!(ColumnType::from_arrow(&deeper.to_arrow()).is_err());
    assert!(Signature::new(vec![Column::new("x", deeper).unwrap()], vec![]).is_err());
}

#[test]
fn layouts_of_the_same_values_are_one_type() {
    let text = |data_type: DataType| ColumnType::from_arrow(&data_type).unwrap().to_string();
    for data_type in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
        let dictionary =
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(data_type.clone()));
        assert_eq!((text(data_type).as_str(), text(dictionary).as_str()), ("utf8", "utf8"));
    }
    for data_type in [DataType::Binary, DataType::LargeBinary, DataType::BinaryView] {
        assert_eq!(text(data_type), "binary");
    }
    let item = Arc::new(Field::new("element", DataType::Utf8View, true));
    assert_eq!(text(DataType::ListView(item.clone())), "list<utf8?>");
    assert_eq!(text(DataType::LargeListView(item)), "large_list<utf8?>");
}

#[test]
fn a_type_without_counterpart_is_refused_by_column_with_what_to_use_instead() {
    let item = Arc::new(field("entries", DataType::Struct(Fields::empty())));
    let run_ends = Arc::new(field("run_ends", DataType::Int32));
    let values = Arc::new(field("values", DataType::Int8));
    for (data_type, instead) in [
        (DataType::Null, "cast it to the type it would have"),
        (DataType::Union(UnionFields::empty(), arrow::datatypes::UnionMode::Dense), "nullable"),
        (DataType::Map(item, false), "list<struct<key: K, value: V>>"),
        (DataType::Interval(IntervalUnit::YearMonth), "duration[us]"),
        (DataType::RunEndEncoded(run_ends, values), "the type of its values"),
        (DataType::FixedSizeBinary(3), "cast it to binary"),
        (DataType::Decimal64(3, 1), "decimal128"),
        (DataType::Time32(TimeUnit::Nanosecond), "time64"),
        (DataType::Decimal128(39, 1), "1 to 38 digits"),
        (DataType::Timestamp(TimeUnit::Second, Some("".into())), "or none"),
    ] {
        let error = refusal(data_type);
        assert!(error.contains(instead), "{error}");
    }
    let inner = DataType::Struct(vec![field("what", DataType::Null)].into());
    assert!(refusal(inner).contains("(type: Null, field: \"what\", column: \"bad\")"));
}

#[test]
fn a_name_that_is_blank_or_there_twice_is_refused() {
    let of = |names: &[&str]| {
        let fields: Vec<_> = names.iter().map(|name| field(name, DataType::Int8)).collect();
        Signature::from_schemas(&Schema::empty(), &Schema::new(fields)).unwrap_err().to_string()
    };
    assert_eq!(
        of(&["a", " "]),
        "signature: invalid: a column's name is blank (column: \" \", position: 1); \
         hint: name the column with 1 to 250 bytes of text without control characters",
    );
    assert_eq!(
        of(&["a", "b", "a"]),
        "signature: invalid: a name is there twice (column: \"a\", side: outputs); \
         hint: columns are found by name: rename one of them",
    );
    assert!(of(&[&"x".repeat(300)]).contains(&format!("\"{}\"…", "x".repeat(80))));
    let json = r#"{"inputs":[{"name":"s","type":"struct<a: int8, a: int8>","nullable":true}],
                   "outputs":[]}"#;
    let read: Signature = serde_json::from_str(json).unwrap();
    assert!(read.check().unwrap_err().to_string().contains("column: \"a\", column: \"s\""));
}

#[test]
fn columns_are_counted_with_the_fields_of_structs() {
    let wide = |count: usize| {
        (0..count).map(|i| Column::new(format!("c{i}"), ColumnType::Int8).unwrap()).collect()
    };
    assert!(Signature::new(wide(MAX_COLUMNS), vec![]).is_ok());
    assert!(Signature::new(wide(MAX_COLUMNS + 1), vec![]).is_err());
    let fields = |count| vec![Column::new("s", ColumnType::Struct(wide(count))).unwrap()];
    assert!(Signature::new(vec![], fields(MAX_COLUMNS - 1)).is_ok());
    assert!(Signature::new(vec![], fields(MAX_COLUMNS)).is_err());
}

#[test]
fn all_mismatches_are_reported_at_once_and_order_does_not_matter() {
    let signature =
        inputs(&["a: int64", "b: utf8", "c: int8?", "d: float64", "e: list<int8>", "f: utf8"]);
    let given = Schema::new(vec![
        field("f", DataType::Null),
        Field::new("e", DataType::new_list(DataType::Int8, true), true),
        field("twice", DataType::Int8),
        field("d", DataType::Float32),
        field("a", DataType::Utf8View),
        field("twice", DataType::Int8),
    ]);
    let check = signature.check_inputs(&given);
    assert_eq!(
        check.to_string(),
        "input column \"a\": expected int64, found utf8\n\
         input column \"b\": expected utf8, found no such column\n\
         input column \"e\": expected no nulls, found it nullable\n\
         input column \"e\": expected no nulls in [], found it nullable\n\
         input column \"f\": expected utf8, found Null\n\
         note: input column \"c\": expected int8, found no such column, which counts as null\n\
         note: input column \"d\": expected float64, found float32, which widens without loss\n\
         note: input column \"twice\": is not in the signature\n",
    );
    let json = serde_json::to_string(&check).unwrap();
    assert_eq!(serde_json::from_str::<SignatureCheck>(&json).unwrap(), check);
    assert!(json.starts_with(
        r#"{"faults":[{"side":"input","column":"a","kind":"wrong_type","expected":"int64","#
    ));
}

#[test]
fn a_column_given_twice_is_a_fault() {
    let given = Schema::new(vec![field("a", DataType::Int8), field("a", DataType::Int8)]);
    let faults = inputs(&["a: int8"]).check_inputs(&given).faults;
    assert_eq!(lines(&faults), ["input column \"a\": expected once, found 2 times"]);
}

#[test]
fn outputs_neither_widen_nor_stay_away() {
    let signature = outputs(&["score: float64", "reason: utf8?"]);
    let given = Schema::new(vec![field("score", DataType::Float32)]);
    assert_eq!(
        lines(&signature.check_outputs(&given).faults),
        [
            "output column \"score\": expected float64, found float32, which widens without loss",
            "output column \"reason\": expected utf8, found no such column",
        ],
    );
}

#[test]
fn an_error_repeats_twenty_faults_and_counts_the_rest() {
    let many: Vec<_> = (0..23).map(|i| format!("c{i}: int8")).collect();
    let signature = inputs(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let check = signature.check_inputs(&Schema::empty());
    assert_eq!(check.faults.len(), 23);
    let error = check.into_result("model.predict").unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Invalid, "model.predict"));
    assert!(error.message().ends_with("\"c19\": expected int8, found no such column; and 3 more"));
}

#[test]
fn a_new_version_may_ask_for_less_and_promise_more() {
    let signature = |i: &[&str], o: &[&str]| Signature::new(columns(i), columns(o)).unwrap();
    let current = signature(&["a: int32", "b: utf8", "gone: int8"], &["y: float32?"]);
    let next = signature(&["b: utf8?", "a: int64", "new: int8?"], &["z: int8", "y: float32"]);
    assert_eq!(lines(&next.incompatibilities(&current)), [""; 0]);
    assert_eq!(
        lines(&current.incompatibilities(&next)),
        [
            "input column \"a\": expected int32, found int64",
            "input column \"b\": expected no nulls, found it nullable",
            "input column \"gone\": expected int8, found no such column",
            "output column \"z\": expected int8, found no such column",
            "output column \"y\": expected no nulls, found it nullable",
        ],
    );
}

#[test]
fn a_number_widens_only_where_nothing_is_lost() {
    let widens = |from: &str, to: &str| {
        let [from, to] = [from, to].map(|text| text.parse::<ColumnType>().unwrap());
        from.widens_into(&to)
    };
    for (from, to) in [
        ("int8", "int16"),
        ("uint8", "int16"),
        ("uint32", "int64"),
        ("int8", "float16"),
        ("uint16", "float32"),
        ("int32", "float64"),
        ("float16", "float64"),
        ("decimal128(10, 2)", "decimal128(12, 4)"),
        ("decimal128(38, 0)", "decimal256(38, 0)"),
        ("list<int8>", "list<int64?>"),
        ("fixed_list[3]<float32>", "fixed_list[3]<float64>"),
        ("struct<a: int8, b: utf8>", "struct<a: int16, b: utf8>"),
    ] {
        assert!(widens(from, to), "{from} into {to}");
        assert!(!widens(to, from), "{to} into {from}");
    }
    for (from, to) in [
        ("uint8", "int8"),
        ("int8", "uint16"),
        ("int16", "float16"),
        ("int32", "float32"),
        ("int64", "float64"),
        ("float64", "int64"),
        ("boolean", "int8"),
        ("decimal128(10, 2)", "decimal128(10, 4)"),
        ("date32", "date64"),
        ("date32", "timestamp[us]"),
        ("time32[s]", "time32[ms]"),
        ("list<int8>", "large_list<int8>"),
        ("fixed_list[3]<int8>", "fixed_list[4]<int8>"),
        ("struct<a: int8, b: int8>", "struct<b: int8, a: int8>"),
    ] {
        assert!(!widens(from, to), "{from} into {to}");
    }
}
