//! Facts that need no oracle: formats, schemas, sources, ages, history, distributions.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal256Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::i256;
use mlops_core::time::Instant;
use mlops_core::validation::{Earlier, Outcome, Status, Suite};
use mlops_validate::stats::Profile;
use mlops_validate::{FileFacts, Inputs, Plan, Reference, SourceFacts};

use crate::run::inputs;

fn at(seconds: i64) -> Instant {
    Instant::from_timestamp(seconds, 0).unwrap()
}

fn outcome(check: &str, batch: &RecordBatch, inputs: &Inputs) -> Outcome {
    let text = format!(r#"{{"suite": "golden", "checks": [{check}]}}"#);
    let suite: Suite = serde_json::from_str(&text).unwrap();
    let plan = Plan::new(&suite, &batch.schema(), inputs).unwrap();
    plan.validate(batch).unwrap().outcomes.remove(0)
}

fn texts(name: &str, values: &[&str]) -> RecordBatch {
    let array: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    RecordBatch::try_from_iter([(name, array)]).unwrap()
}

fn numbers(name: &str, values: Vec<f64>) -> RecordBatch {
    let array: ArrayRef = Arc::new(Float64Array::from(values));
    RecordBatch::try_from_iter([(name, array)]).unwrap()
}

#[test]
fn formats_accept_what_their_sources_accept() {
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("email", &["a@b.example", "x.y+z@host"], &["", "@b", "a@", "a b@c", "a@b@c", "a@-b"]),
        (
            "url",
            &["https://example.com/a?b#c", "ftp://h"],
            &["", "example.com", "http://", "//h/a"],
        ),
        ("uuid", &["123e4567-e89b-12d3-a456-426614174000"], &["", "123e4567", "{x}"]),
        ("time", &["23:59:59", "00:00:00.5"], &["", "24:00:00", "1:2:3", "12:60:00"]),
        (
            "date_time",
            &["2013-01-31T23:59:59Z", "2013-01-31T23:59:59.25+01:00"],
            &["", "2013-01-31", "2013-02-30T00:00:00Z", "2013-01-31T25:00:00Z"],
        ),
        ("hostname", &["a", "a-b.example"], &["", "-a", "a-", "a..b", "a_b"]),
    ];
    for (format, good, bad) in cases {
        let check = format!(r#"{{"check": "format", "column": "t", "format": "{format}"}}"#);
        for (text, is_good) in
            good.iter().map(|text| (text, true)).chain(bad.iter().map(|text| (text, false)))
        {
            let found = outcome(&check, &texts("t", &[text]), &inputs()).status;
            assert_eq!(found == Status::Passed, is_good, "{format} {text:?}");
        }
    }
}

#[test]
fn schemas_are_compared_by_what_columns_hold() {
    let a: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let b: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let batch = RecordBatch::try_from_iter([("a", a), ("b", b)]).unwrap();
    let column = |name: &str, of: &str| {
        format!(r#"{{"name": "{name}", "type": "{of}", "nullable": false}}"#)
    };
    let ab = format!("{}, {}", column("a", "int32"), column("b", "utf8"));
    let ba = format!("{}, {}", column("b", "utf8"), column("a", "int32"));
    let wide = format!("{}, {}", column("a", "int64"), column("b", "utf8"));
    let a_only = column("a", "int32");
    let more = format!("{ab}, {}", column("c", "utf8"));
    for (columns, rest, passes) in [
        (&ab, "", true),
        (&ba, "", true),
        (&ba, r#", "ordered": true"#, false),
        (&a_only, "", false),
        (&a_only, r#", "mode": "contains""#, true),
        (&wide, r#", "mode": "contains""#, false),
        (&wide, r#", "mode": "compatible""#, true),
        (&more, r#", "mode": "compatible""#, false),
        (&more, "", false),
    ] {
        let check = format!(r#"{{"check": "schema", "columns": [{columns}]{rest}}}"#);
        let found = outcome(&check, &batch, &inputs());
        assert_eq!(found.status == Status::Passed, passes, "{check}: {:?}", found.detail);
    }
    for (columns, rest, passes) in
        [(&wide, "", true), (&a_only, "", true), (&a_only, r#", "no_more": true"#, false)]
    {
        let check = format!(r#"{{"check": "fits", "columns": [{columns}]{rest}}}"#);
        let found = outcome(&check, &batch, &inputs());
        assert_eq!(found.status == Status::Passed, passes, "{check}: {:?}", found.detail);
    }
    for (column, types, passes) in [
        ("a", "", true),
        ("a", r#""int64", "int32""#, true),
        ("a", r#""utf8""#, false),
        ("z", "", false),
    ] {
        let check =
            format!(r#"{{"check": "column_type", "column": "{column}", "types": [{types}]}}"#);
        let found = outcome(&check, &batch, &inputs());
        assert_eq!(found.status == Status::Passed, passes, "{check}");
    }
}

#[test]
fn sources_are_judged_before_they_are_read() {
    let file = |name: &str, bytes: u64, modified: i64| FileFacts {
        url: format!("s3://bucket/{name}"),
        bytes: Some(bytes),
        modified: Some(at(modified)),
        unreadable: None,
    };
    let mut inputs = inputs();
    let files = vec![file("a-1.parquet", 10, 1_699_999_000), file("b.csv", 500, 1_699_990_000)];
    inputs.source = Some(SourceFacts { files });
    let batch = texts("t", &["x"]);
    for (rest, passes) in [
        ("", true),
        (r#", "min_files": 2, "max_files": 2"#, true),
        (r#", "min_files": 3"#, false),
        (r#", "max_files": 1"#, false),
        (r#", "expected": ["a-*.parquet", "b.csv"]"#, true),
        (r#", "expected": ["a-*.csv"]"#, false),
        (r#", "min_bytes": 10, "max_bytes": 500"#, true),
        (r#", "min_bytes": 11"#, false),
        (r#", "max_bytes": 499"#, false),
        (r#", "max_age_secs": 1000"#, true),
        (r#", "max_age_secs": 999"#, false),
    ] {
        let found = outcome(&format!(r#"{{"check": "source"{rest}}}"#), &batch, &inputs);
        assert_eq!(found.status == Status::Passed, passes, "{rest}: {:?}", found.detail);
    }
}

#[test]
fn the_newest_instant_has_an_age_to_the_nanosecond() {
    // What is now is 1_700_000_000.
    for (newest, rest, passes) in [
        (1_699_999_990, r#""max_age_secs": 10"#, true),
        (1_699_999_989, r#""max_age_secs": 10"#, false),
        (1_700_000_005, r#""max_age_secs": 10"#, false),
        (1_700_000_005, r#""max_age_secs": 10, "max_ahead_secs": 5"#, true),
        (1_700_000_006, r#""max_age_secs": 10, "max_ahead_secs": 5"#, false),
        (i64::MIN, r#""max_age_secs": 10"#, false),
        (i64::MAX, r#""max_age_secs": 10"#, false),
    ] {
        let array =
            arrow::array::TimestampSecondArray::from(vec![None, Some(newest), Some(i64::MIN)]);
        let array: ArrayRef = Arc::new(array);
        let batch = RecordBatch::try_from_iter([("at", array)]).unwrap();
        let check = format!(r#"{{"check": "freshness", "column": "at", {rest}}}"#);
        let found = outcome(&check, &batch, &inputs());
        assert_eq!(found.status == Status::Passed, passes, "{newest} {rest} {:?}", found.detail);
    }
    let none: ArrayRef = Arc::new(arrow::array::TimestampSecondArray::from(vec![None]));
    let batch = RecordBatch::try_from_iter_with_nullable([("at", none, true)]).unwrap();
    let check = r#"{"check": "freshness", "column": "at", "max_age_secs": 10}"#;
    assert_eq!(outcome(check, &batch, &inputs()).status, Status::Vacuous);
}

#[test]
fn a_metric_of_some_rows_is_not_that_of_all_in_the_history() {
    let batch = numbers("x", vec![1.0, 2.0, 30.0]);
    let text = r#"{"suite": "golden", "checks": [
        {"check": "row_count", "min": 1, "where": "x < 10"},
        {"check": "aggregate", "of": "mean(x)", "min": 0, "where": "x < 10"}]}"#;
    let suite: Suite = serde_json::from_str(text).unwrap();
    let plan = Plan::new(&suite, &batch.schema(), &inputs()).unwrap();
    let report = plan.validate(&batch).unwrap();
    assert_eq!(
        report.metrics,
        [("rows()", 3.0), ("rows() where x < 10", 2.0), ("mean(x) where x < 10", 1.5)]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    );
}

#[test]
fn sums_that_only_a_float_confuses_are_not_equal() {
    let a: ArrayRef = Arc::new(Int64Array::from(vec![1 << 53, 1]));
    let b: ArrayRef = Arc::new(Int64Array::from(vec![1 << 53, 0]));
    let batch = RecordBatch::try_from_iter([("a", a), ("b", b)]).unwrap();
    let check = r#"{"check": "aggregate", "of": "sum(a)", "equals": {"metric": "sum(b)"}}"#;
    assert_eq!(outcome(check, &batch, &inputs()).status, Status::Failed);
    let check = r#"{"check": "aggregate", "of": "sum(a)", "equals": {"metric": "sum(b)"},
                    "tolerance": {"absolute": 1}}"#;
    assert_eq!(outcome(check, &batch, &inputs()).status, Status::Passed);
}

#[test]
fn zeros_of_both_signs_are_one_zero_in_any_order() {
    for of in ["min(x)", "max(x)", "sum(x)", "mean(x)", "quantile(x, 0)", "distinct(x)"] {
        let check = format!(r#"{{"check": "aggregate", "of": "{of}", "min": 0, "max": 1}}"#);
        let found = [vec![0.0, -0.0], vec![-0.0, 0.0]].map(|values| {
            let found = outcome(&check, &numbers("x", values), &inputs());
            assert_eq!(found.status, Status::Passed, "{of}");
            found.observed.unwrap().to_string()
        });
        assert_eq!(found[0], found[1], "{of}");
        assert!(!found[0].starts_with('-'), "{of} {found:?}");
    }
}

#[test]
fn a_volume_far_from_all_before_is_an_anomaly() {
    let mut inputs = inputs();
    let check = r#"{"check": "anomaly", "of": "rows()"}"#;
    let two = texts("t", &["a", "b"]);
    assert_eq!(outcome(check, &two, &inputs).status, Status::Vacuous);
    for day in 0..30 {
        let metrics = [("rows()".to_owned(), 1_000.0 + f64::from(day % 5))].into();
        inputs.history.push(Earlier { at: at(i64::from(day)), metrics }, 100);
    }
    assert_eq!(outcome(check, &two, &inputs).status, Status::Failed);
    let usual = texts("t", &["a"; 1_002]);
    assert_eq!(outcome(check, &usual, &inputs).status, Status::Passed);
}

#[test]
fn the_profiled_data_is_at_no_distance_from_its_profile() {
    let good = texts("t", &["a", "a", "a", "b"]);
    let mut profile = Profile::of(&good.schema());
    profile.update(&good).unwrap();
    let mut inputs = inputs();
    inputs.profiles.insert("good".to_owned(), profile);
    let other = texts("t", &["a", "b", "b", "b"]);
    for measure in ["psi", "jensen_shannon", "total_variation"] {
        let check = format!(
            r#"{{"check": "distribution", "column": "t", "profile": "good", "measure": "{measure}", "max": 0.1}}"#
        );
        let same = outcome(&check, &good, &inputs);
        assert_eq!(same.observed.unwrap().as_f64(), Some(0.0), "{measure}");
        let found = outcome(&check, &other, &inputs);
        assert_eq!(found.status, Status::Failed, "{measure}");
        if measure == "total_variation" {
            assert_eq!(found.observed.unwrap().as_f64(), Some(0.5));
        }
    }
}

#[test]
fn a_metric_is_compared_with_another_table_and_with_the_previous_run() {
    let batch = numbers("x", vec![1.0, 2.0, 3.5]);
    let check = r#"{"check": "aggregate", "of": "sum(x)",
                    "equals": {"metric": "sum(total)", "reference": "ledger"},
                    "tolerance": {"relative": 0.01}}"#;
    let suite: Suite =
        serde_json::from_str(&format!(r#"{{"suite": "golden", "checks": [{check}]}}"#)).unwrap();
    for (totals, status) in [
        (vec![6.0, 0.5], Status::Passed),
        (vec![6.56], Status::Passed),
        (vec![6.6], Status::Failed),
        (vec![f64::NAN], Status::Failed),
        (vec![], Status::Vacuous),
    ] {
        let ledger = numbers("total", totals);
        let mut inputs = inputs();
        let schema = ledger.schema();
        let known = Reference::read(&suite, &batch.schema(), "ledger", &schema, &[ledger]).unwrap();
        inputs.references.insert("ledger".to_owned(), known);
        assert_eq!(outcome(check, &batch, &inputs).status, status);
    }
    let check = r#"{"check": "aggregate", "of": "sum(x)", "equals": {"previous": true}}"#;
    let mut inputs = inputs();
    assert_eq!(outcome(check, &batch, &inputs).status, Status::Vacuous);
    for (sum, status) in [(6.0, Status::Failed), (6.5, Status::Passed)] {
        let metrics = [("sum(x)".to_owned(), sum)].into();
        inputs.history.push(Earlier { at: at(sum as i64 * 10), metrics }, 9);
        assert_eq!(outcome(check, &batch, &inputs).status, status, "{sum}");
    }
}

#[test]
fn infinite_sums_are_equal_whatever_the_tolerance() {
    let batch = numbers("x", vec![1.0, f64::INFINITY]);
    for tolerance in ["0", "1"] {
        let check = format!(
            r#"{{"check": "aggregate", "of": "sum(x)", "equals": {{"metric": "max(x)"}},
                 "tolerance": {{"absolute": {tolerance}}}}}"#
        );
        assert_eq!(outcome(&check, &batch, &inputs()).status, Status::Passed, "{tolerance}");
    }
}

#[test]
fn a_sketch_of_few_keys_is_near_the_exact_share() {
    let values = (0..300).map(|n| f64::from(n % 100)).collect();
    let check = r#"{"check": "distinctness", "columns": ["x"], "min": 0.3, "max": 0.4, "method": "sketch"}"#;
    let found = outcome(check, &numbers("x", values), &inputs());
    assert_eq!((found.status, found.counts.judged), (Status::Passed, 300));
}

#[test]
fn nulls_of_runs_are_nulls() {
    let ends = Int32Array::from(vec![2, 3, 6]);
    let values = StringArray::from(vec![Some("a"), None, Some("b")]);
    let runs: ArrayRef = Arc::new(arrow::array::RunArray::try_new(&ends, &values).unwrap());
    let batch = RecordBatch::try_from_iter_with_nullable([("r", runs, true)]).unwrap().slice(1, 4);
    let found = outcome(r#"{"check": "not_null", "column": "r"}"#, &batch, &inputs());
    assert_eq!((found.counts.judged, found.counts.failed), (4, 1));
    assert_eq!(found.samples[0].row, Some(1));
    let found = outcome(
        r#"{"check": "aggregate", "of": "nulls(r)", "min": 1, "max": 1}"#,
        &batch,
        &inputs(),
    );
    assert_eq!(found.status, Status::Passed);
}

#[test]
fn a_sum_of_more_digits_than_a_decimal_has_keeps_them_all() {
    let nines = i256::from_string(&"9".repeat(76)).unwrap();
    for (scale, values, sum) in [
        (0, vec![nines, i256::ONE], format!("1{}", "0".repeat(76))),
        (-2, vec![nines, i256::ONE], format!("1{}", "0".repeat(78))),
        (2, vec![i256::from_i128(-7), i256::from_i128(2)], "-0.05".to_owned()),
        (2, vec![i256::from_i128(1_250)], "12.50".to_owned()),
    ] {
        let array = Decimal256Array::from(values).with_precision_and_scale(76, scale).unwrap();
        let array: ArrayRef = Arc::new(array);
        let batch = RecordBatch::try_from_iter([("d", array)]).unwrap();
        let check = r#"{"check": "aggregate", "of": "sum(d)", "min": -1}"#;
        assert_eq!(outcome(check, &batch, &inputs()).observed, Some(sum.into()), "{scale}");
    }
}

#[test]
fn a_sum_past_256_bits_is_compared_in_its_own_scale() {
    let nines = i256::from_string(&"9".repeat(76)).unwrap();
    let array = Decimal256Array::from(vec![nines; 7]).with_precision_and_scale(76, 10).unwrap();
    let array: ArrayRef = Arc::new(array);
    let batch = RecordBatch::try_from_iter([("d", array)]).unwrap();
    for (max, status) in [("1e65", Status::Failed), ("1e66", Status::Failed)] {
        let check = format!(r#"{{"check": "aggregate", "of": "sum(d)", "max": "{max}"}}"#);
        let found = outcome(&check, &batch, &inputs());
        assert_eq!((found.status, found.observed), (status, Some(7e66.into())), "{max}");
    }
}
