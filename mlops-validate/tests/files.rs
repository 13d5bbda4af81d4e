//! Files: what statistics decide is what the values say, and what cannot be read is said.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use futures::executor::block_on;
use mlops_core::time::{Instant, from_micros};
use mlops_core::validation::{
    Check, Data, NotNull, Outcome, Report, Status, Suite, Validation, Validator, Verdict,
};
use mlops_core::{ErrorKind, Result};
use mlops_validate::Engine;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

fn now() -> Instant {
    from_micros(1_760_000_000_000_000).unwrap()
}

fn fixture(name: &str) -> String {
    format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn suite(checks: Vec<Check>) -> Suite {
    let mut suite = Suite::new("files").unwrap();
    suite.checks = checks;
    suite
}

fn check(json: &str) -> Check {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// A store in memory with one file, under `mem://`.
fn stored(files: &[(&str, Vec<u8>)]) -> (Engine, Arc<InMemory>) {
    let store = Arc::new(InMemory::new());
    for (name, bytes) in files {
        block_on(store.put(&Path::from(*name), bytes.clone().into())).unwrap();
    }
    (Engine::new().with_store("mem://", Arc::clone(&store) as Arc<dyn ObjectStore>), store)
}

fn validate(engine: &Engine, suite: &Suite, url: &str) -> Result<Report> {
    block_on(engine.validate(suite, Validation::new(Data::files([url]), now())))
}

/// What must not depend on how a verdict was come to; as text, because a NaN is not equal to itself.
fn essence(mut report: Report) -> Vec<String> {
    report.nanos = 0;
    report.bytes = None;
    for outcome in &mut report.outcomes {
        outcome.nanos = 0;
        outcome.evidence = mlops_core::validation::Evidence::default();
    }
    let mut parts = lines(&report.outcomes);
    report.outcomes.clear();
    parts.push(serde_json::to_string(&report).unwrap());
    parts
}

fn lines(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().map(|outcome| serde_json::to_string(outcome).unwrap()).collect()
}

/// Both are the same; if not, the first part that is not is shown.
fn assert_same(a: Vec<String>, b: Vec<String>, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.into_iter().zip(b) {
        assert_eq!(a, b, "{what}");
    }
}

/// Checks of every kind that statistics might decide, on columns of every type.
fn candidates() -> Vec<Check> {
    let columns = [
        "id",
        "small",
        "unsigned",
        "huge",
        "float",
        "zero",
        "single",
        "flag",
        "text",
        "long",
        "all_null",
        "day",
        "at",
        "price",
        "wide",
        "address.zip",
        "address.city",
        "address",
        "tags",
    ];
    let bounds = [
        r#""min": 0"#,
        r#""min": 0, "exclusive_min": true"#,
        r#""max": 399"#,
        r#""max": 100, "exclusive_max": true"#,
        r#""min": -60, "max": 60"#,
        r#""min": 0, "max": 10"#,
        r#""min": 300, "max": 5000000000"#,
        r#""min": "a", "max": "z""#,
        r#""min": "new""#,
        r#""max": "éz""#,
        r#""min": "2024-01-01""#,
        r#""min": "2024-02-01""#,
        r#""min": "2024-01-01T00:00:00Z", "max": "2024-12-31T00:00:00Z""#,
    ];
    let others = [
        r#""check": "not_null""#,
        r#""check": "is_null""#,
        r#""check": "in_set", "values": ["new", "paid", "sent"]"#,
        r#""check": "in_set", "values": [0, 1]"#,
        r#""check": "not_in_set", "values": ["lost"]"#,
        r#""check": "matches", "pattern": "^[a-z]+$""#,
        r#""check": "matches", "pattern": "^a""#,
        r#""check": "length", "max": 4"#,
    ];
    let mut checks = vec![r#"{"check": "row_count", "min": 1, "max": 1000"#.to_owned()];
    for column in columns {
        for policy in ["", r#", "nan": "pass""#, r#", "nan": "skip""#, r#", "nulls": "fail""#] {
            for rule in bounds {
                checks.push(format!(r#"{{"check": "range", "column": "{column}", {rule}{policy}"#));
            }
        }
        for rule in others {
            for policy in ["", r#", "nulls": "fail""#, r#", "nulls": "pass""#] {
                checks.push(format!(r#"{{"column": "{column}", {rule}{policy}"#));
            }
        }
        for function in ["count", "nulls", "min", "max", "sum", "null_rate"] {
            checks
                .push(format!(r#"{{"check": "aggregate", "of": "{function}({column})", "min": 0"#));
        }
        checks.push(format!(r#"{{"check": "freshness", "column": "{column}", "max_age_secs": 60"#));
    }
    checks
        .iter()
        .enumerate()
        .filter_map(|(number, json)| {
            serde_json::from_str(&format!(r#"{json}, "id": "check {number}"}}"#)).ok()
        })
        .collect()
}

/// Those of the candidates that this file has columns and types for.
fn fitting(engine: &Engine, url: &str) -> Suite {
    let fits = |check: &Check| {
        let suite = suite(vec![check.clone()]);
        block_on(engine.check(&suite, Validation::new(Data::files([url]), now()))).is_ok()
    };
    suite(candidates().into_iter().filter(fits).collect())
}

/// Rows that statistics decided, over all checks.
fn assert_sound(engine: &Engine, url: &str) -> u64 {
    let suite = fitting(engine, url);
    assert!(suite.checks.len() > 10, "{url}: {} checks", suite.checks.len());
    let report = |statistics: bool, threads: usize, samples: usize| {
        let mut validation = Validation::new(Data::files([url]), now());
        validation.options.statistics = statistics;
        validation.options.threads = threads;
        validation.options.samples = samples;
        block_on(engine.validate(&suite, validation)).unwrap()
    };
    let read = report(false, 1, 5);
    let proved = report(true, 1, 5);
    let decided = proved.outcomes.iter().map(|outcome| outcome.evidence.rows_by_statistics).sum();
    let bytes = proved.bytes.unwrap();
    assert_eq!(bytes.total, bytes.read + bytes.not_needed + bytes.decided_by_statistics, "{url}");
    assert_same(essence(proved.clone()), essence(read), url);
    // Threads change nothing, not even what was decided how.
    let mut threaded = report(true, 3, 5);
    for (outcome, other) in threaded.outcomes.iter_mut().zip(&proved.outcomes) {
        outcome.nanos = other.nanos;
    }
    assert_same(lines(&threaded.outcomes), lines(&proved.outcomes), url);
    assert_eq!(threaded.bytes, proved.bytes, "{url}");
    assert_same(essence(threaded), essence(proved), url);
    // Without samples, statistics may also say how many rows fail; then nobody knows which.
    let (mut counted, mut read) = (report(true, 1, 0), report(false, 1, 0));
    counted.rows_failed = None;
    read.rows_failed = None;
    assert_same(essence(counted), essence(read), url);
    decided
}

#[test]
fn statistics_of_every_writer_decide_what_the_values_say() {
    for (name, decides) in [
        ("pyarrow.parquet", true),
        ("pyarrow_v1_no_stats.parquet", false),
        ("pyarrow_some_stats.parquet", true),
        ("pyarrow_fallback.parquet", true),
        ("pyarrow_int96.parquet", true),
        ("pyarrow_nested.parquet", true),
        ("polars.parquet", true),
        ("duckdb.parquet", true),
    ] {
        let decided = assert_sound(&Engine::new(), &fixture(name));
        // `row_count` and what a schema says is decided without statistics of columns.
        assert!(!decides || decided > 2000, "{name}: only {decided} rows were decided");
    }
}

fn awkward() -> RecordBatch {
    let rows = 0..300_i64;
    let float = |i: i64| match i {
        i if i % 40 == 7 && i < 150 => f64::NAN,
        i if i % 3 == 0 => -0.0,
        i => i as f64 / 10.0,
    };
    let text = |i: i64| match i {
        i if i % 11 == 3 => None,
        i if i < 100 => Some(format!("{}{i}", "é".repeat(60))),
        i => Some(["new", "paid"][(i % 2) as usize].to_owned()),
    };
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from_iter_values(rows.clone()))),
        ("float", Arc::new(Float64Array::from_iter_values(rows.clone().map(float)))),
        ("text", Arc::new(rows.clone().map(text).collect::<StringArray>())),
        (
            "at",
            Arc::new(
                rows.map(|i| (i % 5 != 0).then_some(1_700_000_000_000_000 + i))
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

fn parquet(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn in_groups_of(rows: usize) -> parquet::file::properties::WriterPropertiesBuilder {
    WriterProperties::builder().set_max_row_group_row_count(Some(rows))
}

#[test]
fn statistics_of_this_writer_decide_what_the_values_say() {
    for (number, properties) in [
        in_groups_of(50),
        in_groups_of(50).set_statistics_enabled(EnabledStatistics::None),
        in_groups_of(50).set_statistics_enabled(EnabledStatistics::Chunk),
        in_groups_of(50).set_statistics_truncate_length(Some(3)),
        in_groups_of(50).set_statistics_truncate_length(None).set_dictionary_enabled(false),
        in_groups_of(150).set_dictionary_page_size_limit(100).set_data_page_row_count_limit(20),
        in_groups_of(1),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{number}.parquet");
        let (engine, _) = stored(&[(&name, parquet(&awkward(), properties.build()))]);
        assert_sound(&engine, &format!("mem://{name}"));
    }
}

#[test]
fn a_range_that_footers_prove_reads_no_value() {
    let (engine, _) = stored(&[("a.parquet", parquet(&awkward(), in_groups_of(50).build()))]);
    let suite = suite(vec![
        check(r#"{"check": "range", "column": "id", "min": 0, "max": 299}"#),
        check(r#"{"check": "not_null", "column": "id"}"#),
        check(r#"{"check": "freshness", "column": "at", "max_age_secs": 100000000}"#),
    ]);
    let report = validate(&engine, &suite, "mem://a.parquet").unwrap();
    let bytes = report.bytes.unwrap();
    assert_eq!(report.verdict, Verdict::Passed);
    assert_eq!(bytes.read, 0);
    assert!(bytes.decided_by_statistics > 0 && bytes.not_needed > 0, "{bytes:?}");
}

#[test]
fn a_short_dictionary_proves_a_set_and_its_rows_are_not_read() {
    let words: StringArray =
        (0..20_000).map(|i| Some(["new", "paid", "sent"][i * 7 % 3])).collect();
    let batch = RecordBatch::try_from_iter([("status", Arc::new(words) as ArrayRef)]).unwrap();
    // Scattered, so that runs do not make the rows as short as the dictionary.
    let (engine, _) = stored(&[("a.parquet", parquet(&batch, WriterProperties::default()))]);
    let set = |values: &str| {
        suite(vec![check(&format!(
            r#"{{"check": "in_set", "column": "status", "values": [{values}]}}"#
        ))])
    };
    let report = validate(&engine, &set(r#""new", "paid", "sent""#), "mem://a.parquet").unwrap();
    let bytes = report.bytes.unwrap();
    assert_eq!(report.verdict, Verdict::Passed);
    assert_eq!(report.outcomes[0].evidence.rows_by_statistics, 20_000);
    assert!(bytes.read > 0 && bytes.read < bytes.total / 10, "{bytes:?}");

    let report = validate(&engine, &set(r#""new", "paid""#), "mem://a.parquet").unwrap();
    assert_eq!(report.outcomes[0].counts.failed, 6667 - 1);
    assert_eq!(report.outcomes[0].evidence.rows_by_statistics, 0);
}

#[test]
fn a_file_that_was_cut_short_is_corrupt_wherever_it_was_cut() {
    let whole = parquet(&awkward(), in_groups_of(100).build());
    let suite = suite(vec![check(r#"{"check": "matches", "column": "text", "pattern": "x"}"#)]);
    for length in [0, 3, 11, 12, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let (engine, _) = stored(&[("cut.parquet", whole[..length].to_vec())]);
        let error = validate(&engine, &suite, "mem://cut.parquet").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error}");
        assert!(error.to_string().contains("mem://cut.parquet"), "{error}");
    }
}

#[test]
fn a_column_whose_bytes_are_damaged_is_named() {
    let whole = parquet(
        &awkward(),
        in_groups_of(100)
            .set_compression(parquet::basic::Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .build(),
    );
    let reader = parquet::file::metadata::ParquetMetaDataReader::new()
        .parse_and_finish(&bytes::Bytes::from(whole.clone()))
        .unwrap();
    let (start, length) = reader.row_group(1).column(2).byte_range();
    let mut damaged = whole;
    damaged[start as usize..(start + length) as usize].fill(0xA5);
    let (engine, _) = stored(&[("bad.parquet", damaged)]);
    let suite = suite(vec![
        check(r#"{"check": "range", "column": "float", "min": 0}"#),
        check(r#"{"check": "matches", "column": "text", "pattern": "x"}"#),
    ]);
    for threads in [1, 2] {
        let mut validation = Validation::new(Data::files(["mem://bad.parquet"]), now());
        validation.options.threads = threads;
        let error = block_on(engine.validate(&suite, validation)).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{text}");
        assert!(text.contains("row group: 1") && text.contains("column: text"), "{text}");
    }
}

#[test]
fn no_byte_of_a_file_makes_it_panic() {
    let small = awkward().slice(90, 20);
    let whole = parquet(&small, in_groups_of(10).build());
    let suite = suite(vec![
        check(r#"{"check": "range", "column": "float", "min": 0}"#),
        check(r#"{"check": "matches", "column": "text", "pattern": "x"}"#),
        check(r#"{"check": "range", "column": "id", "min": 95}"#),
        check(r#"{"check": "not_null", "column": "at"}"#),
    ]);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        let (engine, _) = stored(&[("a.parquet", damaged)]);
        // It may still be a file, or even say the same: it must say something.
        if let Err(error) = validate(&engine, &suite, "mem://a.parquet") {
            assert_ne!(error.kind(), ErrorKind::Internal, "byte {at}: {error}");
        }
    }
}

#[test]
fn files_of_a_folder_are_one_table_in_the_order_of_their_names() {
    let parts: Vec<(&str, Vec<u8>)> = vec![
        ("day/b.parquet", parquet(&awkward().slice(100, 200), in_groups_of(70).build())),
        ("day/a.parquet", parquet(&awkward().slice(0, 100), in_groups_of(70).build())),
        ("day/_SUCCESS", Vec::new()),
        ("daylight.parquet", Vec::new()),
    ];
    let (engine, _) = stored(&parts);
    let suite = suite(vec![check(r#"{"check": "range", "column": "id", "max": 150}"#)]);
    let report = validate(&engine, &suite, "mem://day/").unwrap();
    assert_eq!(report.rows, 300);
    let rows: Vec<u64> = report.outcomes[0].samples.iter().filter_map(|s| s.row).collect();
    assert_eq!(rows, [151, 152, 153, 154, 155]);
}

#[test]
fn files_of_another_schema_are_named_with_the_column() {
    let other = |name: &str, column: ArrayRef| {
        let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
        parquet(&batch, WriterProperties::default())
    };
    let numbers = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let texts = || Arc::new(StringArray::from(vec!["1"])) as ArrayRef;
    let suite = suite(vec![NotNull { column: "a".into() }.into()]);
    let (engine, _) =
        stored(&[("1.parquet", other("a", numbers())), ("2.parquet", other("a", texts()))]);
    let error = validate(&engine, &suite, "mem://").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("column: a") && text.contains("mem://2.parquet"), "{text}");

    let (engine, _) =
        stored(&[("1.parquet", other("a", numbers())), ("2.parquet", other("b", numbers()))]);
    assert_eq!(validate(&engine, &suite, "mem://").unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn text_that_writers_call_by_different_names_is_one_column() {
    let large = Arc::new(arrow::array::LargeStringArray::from(vec![Some("x"), None])) as ArrayRef;
    let keys = arrow::array::Int32Array::from(vec![0, 0]);
    let words = Arc::new(StringArray::from(vec!["y"]));
    let dictionary = Arc::new(arrow::array::DictionaryArray::new(keys, words)) as ArrayRef;
    let files: Vec<(String, Vec<u8>)> = [large, dictionary]
        .into_iter()
        .enumerate()
        .map(|(number, column)| {
            let batch = RecordBatch::try_from_iter_with_nullable([("a", column, true)]).unwrap();
            (format!("{number}.parquet"), parquet(&batch, WriterProperties::default()))
        })
        .collect();
    let suite = suite(vec![
        NotNull { column: "a".into() }.into(),
        check(r#"{"check": "in_set", "column": "a", "values": ["x"]}"#),
        check(r#"{"check": "unique", "columns": ["a"]}"#),
    ]);
    for order in [[0, 1], [1, 0]] {
        let named: Vec<(&str, Vec<u8>)> = ["1.parquet", "2.parquet"]
            .into_iter()
            .zip(order)
            .map(|(name, number)| (name, files[number].1.clone()))
            .collect();
        let (engine, _) = stored(&named);
        let report = validate(&engine, &suite, "mem://").unwrap();
        let failed: Vec<u64> = report.outcomes.iter().map(|o| o.counts.failed).collect();
        assert_eq!(failed, [1, 2, 2], "{order:?}");
    }
}

#[test]
fn csv_and_json_lines_say_the_same_as_parquet() {
    let csv = "id,name,score\n1,ann,1.5\n2,,2.5\n3,\"b\nob\",-1\n";
    let json = "{\"id\":1,\"name\":\"ann\",\"score\":1.5}\n{\"id\":2,\"score\":2.5}\n\n\
                {\"id\":3,\"name\":\"b\\nob\",\"score\":-1}";
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("name", Arc::new(StringArray::from(vec![Some("ann"), None, Some("b\nob")]))),
        ("score", Arc::new(Float64Array::from(vec![1.5, 2.5, -1.0]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let (engine, _) = stored(&[
        ("a.csv", csv.into()),
        ("a.jsonl", json.into()),
        ("a.parquet", parquet(&batch, WriterProperties::default())),
    ]);
    let suite = suite(vec![
        NotNull { column: "name".into() }.into(),
        check(r#"{"check": "range", "column": "score", "min": 0}"#),
        check(r#"{"check": "unique", "columns": ["id"]}"#),
    ]);
    let expected = validate(&engine, &suite, "mem://a.parquet").unwrap();
    assert_eq!(expected.outcomes[1].samples[0].row, Some(2));
    for name in ["mem://a.csv", "mem://a.jsonl"] {
        for threads in [1, 2] {
            let mut validation = Validation::new(Data::files([name]), now());
            validation.options.threads = threads;
            let mut report = block_on(engine.validate(&suite, validation)).unwrap();
            report.data.clone_from(&expected.data);
            assert_same(essence(report), essence(expected.clone()), name);
        }
    }
}

#[test]
fn types_of_text_come_from_its_first_rows_or_from_the_caller() {
    let rows: Vec<String> = (0..10_001).map(|row| format!("{row},")).collect();
    let csv = format!("a,b\n{}\nmany,\n", rows.join("\n"));
    let (engine, _) = stored(&[("a.csv", csv.into_bytes())]);
    let suite = suite(vec![NotNull { column: "a".into() }.into()]);
    let error = validate(&engine, &suite, "mem://a.csv").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.hint().unwrap().contains("with_schema"), "{error}");

    let schema = Schema::new(vec![
        Field::new("a", DataType::Utf8, true),
        Field::new("b", DataType::Int64, true),
    ]);
    let report = validate(&engine.with_schema(schema.into()), &suite, "mem://a.csv").unwrap();
    assert_eq!((report.rows, report.verdict), (10_002, Verdict::Passed));
}

#[test]
fn a_file_that_is_not_there_is_an_error_or_what_a_check_asks() {
    let (engine, _) = stored(&[]);
    let plain = suite(vec![NotNull { column: "a".into() }.into()]);
    let error = validate(&engine, &plain, "mem://a.parquet").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let asking = suite(vec![
        NotNull { column: "a".into() }.into(),
        check(r#"{"check": "source", "min_files": 1}"#),
    ]);
    let report = validate(&engine, &asking, "mem://a.parquet").unwrap();
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(report.outcome("not_null(a)").unwrap().status, Status::Vacuous);
    assert_eq!(report.outcome("source").unwrap().status, Status::Failed);
    assert_eq!(report.suite_digest, asking.digest());
}

#[test]
fn what_is_not_compiled_in_is_said() {
    let suite = suite(vec![NotNull { column: "a".into() }.into()]);
    for url in ["s3://bucket/a.parquet", "nosuch://a/b.parquet", "a.csv.gz", "a.xlsx"] {
        let here = url.starts_with("a.");
        let files = [(url, b"x".to_vec())];
        let (engine, _) = stored(if here { &files } else { &[] });
        let url = if here { format!("mem://{url}") } else { url.to_owned() };
        let error = validate(&engine, &suite, &url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
}
