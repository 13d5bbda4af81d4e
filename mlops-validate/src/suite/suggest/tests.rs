use std::sync::Arc;

use mlops_core::arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use mlops_core::validation::Status;
use proptest::prelude::*;

use super::*;
use crate::{Inputs, Plan};

fn now() -> Instant {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn profile(batch: &RecordBatch) -> Profile {
    let mut profile = Profile::of(batch.schema_ref());
    profile.update(batch).unwrap();
    profile
}

fn reasons(batch: &RecordBatch) -> Vec<String> {
    let options = SuggestOptions::new("s").with_now(now());
    let suggestion = suggest(&profile(batch), &options).unwrap();
    suggestion.suite.check().unwrap();
    let reasons = suggestion.reasons.iter().zip(&suggestion.suite.checks);
    reasons
        .skip(2)
        .map(|(reason, check)| {
            let json = serde_json::to_value(check).unwrap();
            let short: Vec<String> = ["min", "max", "mostly", "max_age_secs", "format", "nan"]
                .iter()
                .filter_map(|key| Some(format!("{key} {}", json.get(key)?)))
                .collect();
            format!("{}: {} [{}]", reason.check, reason.reason, short.join(", "))
        })
        .collect()
}

#[test]
fn each_column_gets_what_its_counts_prove() {
    let start = now().timestamp_micros() - 3_600_000_000;
    let at = TimestampMicrosecondArray::from_iter_values((0..400).map(|i| start - 400 + i));
    let amount = Decimal128Array::from_iter_values((0..400).map(|i| 1_005 + i * 3))
        .with_precision_and_scale(10, 2)
        .unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "delay",
            Arc::new(
                (0..400)
                    .map(|i| (i % 50 != 0).then_some(f64::from(i) / 7.0 - 20.0))
                    .collect::<Float64Array>(),
            ) as ArrayRef,
            true,
        ),
        (
            "nan",
            Arc::new(
                (0..400)
                    .map(|i| Some(if i == 3 { f64::NAN } else { f64::from(i % 10) }))
                    .collect::<Float64Array>(),
            ),
            true,
        ),
        ("amount", Arc::new(amount), true),
        ("at", Arc::new(at.with_timezone("UTC")), true),
        (
            "mail",
            Arc::new((0..400).map(|i| Some(format!("a{i}@example.org"))).collect::<StringArray>()),
            true,
        ),
        (
            "code",
            Arc::new((0..400).map(|i| Some(format!("N{:03}", i % 300))).collect::<StringArray>()),
            true,
        ),
        ("rare", Arc::new((0..400).map(|i| (i < 50).then_some(i)).collect::<Int64Array>()), true),
    ])
    .unwrap();
    let expected = [
        "not_null(delay): 392 of 400 values are not null [mostly 0.96]",
        "range(delay): values go from -19.857142857142858 to 37 [min -35.0, max 52.0]",
        "not_null(nan): 400 of 400 values are not null []",
        "range(nan): values go from 0 to 9; 1 are NaN [min 0.0, max 12.0, nan \"skip\"]",
        "not_null(amount): 400 of 400 values are not null []",
        "range(amount): values go from 1005 / 10^2 to 2202 / 10^2 [min \"7.00\", max \"26.00\"]",
        "not_null(at): 400 of 400 values are not null []",
        "ordered(at): no value is before the one above it []",
        "freshness(at): the newest is 3,600 s old [max_age_secs 86400]",
        "not_null(mail): 400 of 400 values are not null []",
        "unique(mail): all 400 values differ []",
        "format(mail): all 400 values are e-mail addresses [format \"email\"]",
        "length(mail): values have 14 to 16 characters [min 1, max 32]",
        "not_null(code): 400 of 400 values are not null []",
        "length(code): every value has 4 characters [min 4, max 4]",
    ];
    assert_eq!(reasons(&batch), expected);
}

#[test]
fn a_profile_of_nothing_proposes_nothing() {
    let batch =
        RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![0_i64; 0])) as ArrayRef)])
            .unwrap();
    let error = suggest(&profile(&batch), &SuggestOptions::new("s")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "suite.suggest: invalid: the profile has no rows (rows: 0, columns: 1); \
         hint: a suite is proposed from good data"
    );
}

fn any_column() -> impl Strategy<Value = ArrayRef> {
    let rows = 150;
    let floats = prop_oneof![
        any::<f64>(),
        -1e3..1e3,
        Just(f64::NAN),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(1e-310)
    ];
    prop_oneof![
        proptest::collection::vec(proptest::option::weighted(0.95, any::<i64>()), rows)
            .prop_map(|v| Arc::new(Int64Array::from(v)) as ArrayRef),
        proptest::collection::vec(-3_i64..40, rows)
            .prop_map(|v| Arc::new(Int64Array::from(v)) as ArrayRef),
        (any::<i64>(), 0_i64..3).prop_map(move |(start, step)| {
            let values = (0..rows as i64).map(|i| start.saturating_add(i * step));
            Arc::new(Int64Array::from_iter_values(values)) as ArrayRef
        }),
        proptest::collection::vec(proptest::option::weighted(0.9, floats), rows)
            .prop_map(|v| Arc::new(Float64Array::from(v)) as ArrayRef),
        proptest::collection::vec(proptest::option::weighted(0.9, "[ab]{0,2}|\\PC{0,3}"), rows)
            .prop_map(|v| Arc::new(StringArray::from(v)) as ArrayRef),
        proptest::collection::vec(proptest::sample::select(vec!["x", "y", "Z", ""]), rows)
            .prop_map(|v| Arc::new(StringArray::from(v)) as ArrayRef),
        proptest::collection::vec("(25[0-5]|1?[0-9]{1,2})(\\.1?[0-9]){3}", rows)
            .prop_map(|v| Arc::new(StringArray::from(v)) as ArrayRef),
        (proptest::collection::vec(-10_i128.pow(18)..10_i128.pow(18), rows), 0_i8..10).prop_map(
            |(v, scale)| {
                let array = Decimal128Array::from(v).with_precision_and_scale(30, scale).unwrap();
                Arc::new(array) as ArrayRef
            }
        ),
        (proptest::collection::vec(0_i64..900_000_000_000, rows), any::<bool>()).prop_map(
            |(mut v, sorted)| {
                let start = now().timestamp_micros() - 900_000_000_000;
                for at in &mut v {
                    *at += start;
                }
                if sorted {
                    v.sort_unstable();
                }
                Arc::new(TimestampMicrosecondArray::from(v).with_timezone("UTC")) as ArrayRef
            }
        ),
    ]
}

proptest! {
    #[test]
    fn data_passes_the_suite_that_was_proposed_from_it(
        columns in proptest::collection::vec(any_column(), 1..4),
    ) {
        let named = columns.into_iter().enumerate().map(|(i, c)| (format!("c{i}"), c, true));
        let batch = RecordBatch::try_from_iter_with_nullable(named).unwrap();
        let options = SuggestOptions::new("s").with_now(now()).with_min_values(50);
        let suggestion = suggest(&profile(&batch), &options).unwrap();
        let plan = Plan::new(&suggestion.suite, &batch.schema(), &Inputs::new(now())).unwrap();
        let report = plan.validate(&batch).unwrap();
        for outcome in &report.outcomes {
            prop_assert_eq!(outcome.status, Status::Passed, "{:?} {:?}", outcome, suggestion.suite);
        }
    }
}
