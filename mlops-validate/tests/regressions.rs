//! What was once wrong, each named by what broke.

use std::collections::BTreeSet;

use mlops_core::arrow::array::RecordBatch;
use mlops_core::time::{Clock, SystemClock};
use mlops_core::validation::{
    Data, Literal, Redaction, Report, Status, Suite, Validation, Validator,
};
use mlops_validate::checks::{
    aggregate, anomaly, distinctness, expression, ordered, range, unique,
};
use mlops_validate::{Engine, Inputs, Plan, State, batch};

fn people() -> RecordBatch {
    batch!(
        ("mail", Utf8, [Some("secret@x.org"), Some("b@x.org"), Some("a@x.org"), None]),
        ("age", Int64, [42, 17, 17, 99])
    )
}

fn report(suite: &Suite, rows: &RecordBatch, redaction: Redaction) -> Report {
    let mut inputs = Inputs::new(SystemClock.now());
    inputs.redaction = redaction;
    let plan = Plan::new(suite, &rows.schema(), &inputs).expect("the suite fits");
    plan.validate(rows).expect("the rows can be judged")
}

#[test]
fn a_redacted_extreme_is_not_shown_as_a_metric() {
    let suite = Suite::new("people")
        .unwrap()
        .with(aggregate("max(mail)").unwrap().max("b"))
        .with(aggregate("min(age)").unwrap().min(18))
        .with(aggregate("quantile(age, 0.5)").unwrap().max(1))
        .with(range("age").max(50))
        .with(ordered("mail"))
        .with(unique(["age"]));
    let found = report(&suite, &people(), Redaction::All);
    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains("secret") && !text.contains("x.org"), "{text}");
    assert!(!text.contains("17") || !text.contains("\"observed\":17"), "{text}");
    assert_eq!(found.outcomes[1].observed, Some("(redacted)".into()));
    assert_eq!(found.metrics.keys().collect::<Vec<_>>(), ["rows()"]);
    assert_eq!(found.outcomes[4].samples[0].values, [Some("(redacted)".to_owned())]);
}

#[test]
fn a_misspelt_column_to_redact_is_refused() {
    let suite = Suite::new("people").unwrap().with(range("age").max(50));
    let mut inputs = Inputs::new(SystemClock.now());
    inputs.redaction = Redaction::Columns(BTreeSet::from(["mial".to_owned()]));
    let error = Plan::new(&suite, &people().schema(), &inputs).unwrap_err();
    assert!(error.to_string().contains("(column: mial, redact: mial)"), "{error}");
}

#[test]
fn the_verdict_alone_is_that_of_the_report() {
    use mlops_validate::checks::CheckExt;
    let rows = people();
    let suites = [
        Suite::new("a").unwrap().with(range("age").max(100)),
        Suite::new("b").unwrap().with(range("age").max(50).warn()),
        Suite::new("c").unwrap().with(unique(["age"]).in_two_passes()),
        Suite::new("d").unwrap().with(range("age").max(1).filter("mail = 'nobody'")),
        Suite::new("e").unwrap().with(aggregate("max(age)").unwrap().max(99)),
    ];
    for suite in suites {
        let plan = Plan::new(&suite, &rows.schema(), &Inputs::new(SystemClock.now())).unwrap();
        let report = plan.validate(&rows).unwrap();
        assert_eq!(plan.verdict(&rows).unwrap(), report.verdict, "{}", suite.name);
    }
}

#[test]
fn counting_different_values_blames_no_row() {
    let suite = Suite::new("people")
        .unwrap()
        .with(aggregate("distinct(age)").unwrap().min(1))
        .with(distinctness(["age"]).min(0.1));
    let found = report(&suite, &people(), Redaction::None);
    assert!(found.outcomes.iter().all(|o| o.status == Status::Passed && o.samples.is_empty()));
}

#[test]
fn failing_rows_are_counted_or_not_stated() {
    let suite = |check: mlops_core::validation::Check| Suite::new("people").unwrap().with(check);
    let counted = report(&suite(range("age").max(50).into_check()), &people(), Redaction::None);
    assert_eq!(counted.rows_failed, Some(1));
    let late = report(&suite(unique(["age"]).into_check()), &people(), Redaction::None);
    assert_eq!((late.outcomes[0].counts.failed, late.rows_failed), (2, None));
}

#[test]
fn an_anomaly_of_what_is_no_number_is_refused() {
    let suite = Suite::new("people").unwrap().with(anomaly("max(mail)").unwrap());
    let error = Plan::new(&suite, &people().schema(), &Inputs::new(SystemClock.now())).unwrap_err();
    assert!(error.message().contains("a history is of numbers"), "{error}");
}

#[test]
fn states_of_other_parameters_do_not_merge_and_damaged_ones_are_found() {
    let suite = Suite::new("people").unwrap().with(expression("age < :limit"));
    let plan = |limit: i64| {
        let mut inputs = Inputs::new(SystemClock.now());
        inputs.parameters.insert("limit".to_owned(), Literal::Int(limit));
        Plan::new(&suite, &people().schema(), &inputs).unwrap()
    };
    let (young, old) = (plan(20), plan(100));
    let mut state = young.start();
    state.update(&people()).unwrap();
    let bytes = state.to_bytes().unwrap();
    assert!(State::from_bytes(&old, &bytes).unwrap_err().to_string().contains("parameters"));
    assert!(state.merge(old.start()).is_err());
    let restored = State::from_bytes(&young, &bytes).unwrap().report().unwrap();
    assert_eq!(restored.outcomes[0].counts.failed, 2);
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(State::from_bytes(&young, &damaged).is_err(), "byte {place}");
        assert!(State::from_bytes(&young, &bytes[..place]).is_err(), "{place} bytes");
    }
}

#[tokio::test]
async fn a_quarantine_does_not_overwrite_what_it_reads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("people.csv");
    let text = "age\n42\n17\n";
    std::fs::write(&file, text).unwrap();
    let suite = Suite::new("people").unwrap().with(range("age").max(20));
    let url = file.display().to_string();
    let mut validation = Validation::new(Data::files([url.clone()]), SystemClock.now());
    validation.options.quarantine = Some(url);
    let error = Engine::default().validate(&suite, validation).await.unwrap_err();
    assert!(error.message().contains("would overwrite"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

/// A rule that is being filled in, as a check.
trait IntoCheck {
    fn into_check(self) -> mlops_core::validation::Check;
}

impl<T: Into<mlops_core::validation::Check>> IntoCheck for T {
    fn into_check(self) -> mlops_core::validation::Check {
        self.into()
    }
}
