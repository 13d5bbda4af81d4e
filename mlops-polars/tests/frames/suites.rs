//! Frames under a suite.

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::time::{Clock, ManualClock};
use mlops_core::validation::{Status, Suite, Validation, Validator, Verdict};
use mlops_polars::polars::df;
use mlops_polars::polars::prelude::{self as pl, IntoLazy};
use mlops_polars::{IntoData, split, to_arrow, validate, validate_with};
use mlops_validate::checks::{CheckExt, foreign_key, in_set, not_null, range, unique};
use mlops_validate::{Engine, Inputs, Plan};

fn suite() -> Suite {
    Suite::new("orders")
        .unwrap()
        .with(unique(["id"]))
        .with(not_null("id"))
        .with(range("price").min(0.0))
        .with(in_set("status", ["new", "paid"]).warn())
}

fn orders() -> pl::DataFrame {
    let mut frame = df! {
        "id" => [Some(1_i64), Some(2), Some(2), None],
        "price" => [1.5, -1.0, f64::NAN, 2.0],
        "status" => ["new", "lost", "paid", "new"],
    }
    .unwrap();
    let kinds = pl::Categories::new("kinds".into(), "suites".into(), pl::CategoricalPhysical::U8);
    let status = frame.column("status").unwrap();
    let status = status.cast(&pl::DataType::from_categories(kinds)).unwrap();
    frame.with_column(status).unwrap();
    frame
}

fn failed(frame: &pl::DataFrame) -> Vec<u64> {
    let report = validate(frame, &suite()).unwrap();
    assert_eq!(report.verdict, Verdict::Failed);
    assert!(report.outcomes.iter().all(|outcome| outcome.status == Status::Failed));
    report.outcomes.iter().map(|outcome| outcome.counts.failed).collect()
}

#[test]
fn a_report_does_not_depend_on_chunks() {
    let frame = orders();
    let mut chunks = frame.slice(0, 1);
    chunks.vstack_mut(&frame.slice(1, 3)).unwrap();
    assert_eq!(to_arrow(&chunks).unwrap().len(), 2);
    assert_eq!(failed(&frame), [2, 1, 2, 1]);
    assert_eq!(failed(&chunks), [2, 1, 2, 1]);
}

#[test]
fn the_time_is_the_callers() {
    let now = ManualClock::at_micros(1_000_000).now();
    let report = validate_with(&orders(), &suite(), &Inputs::new(now)).unwrap();
    assert_eq!((report.at, report.rows), (now, 4));
}

#[test]
fn a_suite_that_does_not_fit_names_the_column() {
    let error = validate(&df!("other" => [1]).unwrap(), &suite()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("price"), "{error}");
}

#[test]
fn a_split_has_every_row_once_and_the_types_of_the_frame() {
    let frame = orders();
    let mut chunks = frame.slice(0, 2);
    chunks.vstack_mut(&frame.slice(2, 2)).unwrap();
    let schema = to_arrow(&frame).unwrap()[0].schema();
    let inputs = Inputs::new(ManualClock::at_micros(0).now());
    let plan = Plan::new(&suite(), &schema, &inputs).unwrap();
    for frame in [&frame, &chunks] {
        let split = split(frame, &plan).unwrap();
        // What needs other rows (unique) is not asked, and warnings do not part.
        assert_eq!((split.good.height(), split.bad.height()), (1, 3));
        assert_eq!(split.reasons.len(), 3);
        assert!(split.reasons.iter().all(|reasons| reasons.len() == 1));
        assert_eq!(split.good.schema(), frame.schema());
        assert!(split.good.equals_missing(&frame.slice(0, 1)));
        assert!(split.bad.equals_missing(&frame.slice(1, 3)));
    }
}

#[test]
fn a_validator_says_the_same_of_a_frame_and_of_its_lazy_frame() {
    let frame = orders();
    let now = ManualClock::at_micros(0).now();
    for data in [frame.clone().into_data().unwrap(), frame.clone().lazy().into_data().unwrap()] {
        let validation = Validation::new(data, now);
        let report = block_on(Engine::new().validate(&suite(), validation)).unwrap();
        let counts = report.outcomes.iter().map(|outcome| outcome.counts.failed);
        assert_eq!(counts.collect::<Vec<u64>>(), failed(&frame));
    }
}

#[test]
fn a_lazy_frame_can_be_a_reference() {
    let known = df!("id" => [1_i64, 2]).unwrap().lazy();
    let suite = Suite::new("orders").unwrap().with(foreign_key(["id"], "known"));
    let data = df!("id" => [1_i64, 2, 3, 4]).unwrap().into_data().unwrap();
    let validation = Validation::new(data, ManualClock::at_micros(0).now())
        .with_reference("known", known.into_data().unwrap());
    let report = block_on(Engine::new().validate(&suite, validation)).unwrap();
    assert_eq!(report.outcomes[0].counts.failed, 2);
}
