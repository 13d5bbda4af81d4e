//! The law: whatever is written and asked in whatever order, no answer is skew.

use futures::executor::block_on;
use mlops_core::features::{Append, Compaction, FeatureStore, Materialize, Span};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Write>),
    /// To one view alone, so that views are behind one another.
    Push(Vec<Write>),
    Materialize,
    Full,
    Mark,
    Serve(i64),
    Compact,
}

fn any_write() -> impl Strategy<Value = Write> {
    (0..3_i64, 0..14_i64, proptest::option::of(0..10_i64), proptest::option::of(-3..4_i32))
        .prop_map(|(driver, event, created, value)| Write {
            driver,
            event,
            created,
            value: value.map(|value| f64::from(value) * 0.1),
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(any_write(), 1..6).prop_map(Step::Append),
        2 => proptest::collection::vec(any_write(), 1..4).prop_map(Step::Push),
        3 => Just(Step::Materialize),
        1 => Just(Step::Full),
        1 => Just(Step::Mark),
        5 => (0..3_i64).prop_map(Step::Serve),
        1 => Just(Step::Compact),
    ]
}

async fn run(segments: bool, steps: &[Step]) -> std::result::Result<(), TestCaseError> {
    let world = World::new(segments).await;
    // A mark stays for as long as it is not made anew, so that answers know more than it says.
    let options = ServingOptions::default().rows(7).mark_for(Span::hours(1));
    let mut service = world.logged(options.clone()).await;
    for step in steps {
        match step {
            Step::Append(rows) => world.write(rows).await,
            Step::Push(rows) => {
                for (view, batch) in [("stats", stats(rows)), ("rides", rides(rows))] {
                    let view = name(view);
                    let pushed = world.features.push(&view, batch, Append::default()).await;
                    pushed.unwrap();
                }
            }
            Step::Materialize => world.materialize().await,
            Step::Full => {
                world.features.materialize(Materialize::default().full()).await.unwrap();
            }
            Step::Mark => {
                service.log().flush().await.unwrap();
                service = world.logged(options.clone()).await;
            }
            Step::Serve(seconds) => {
                world.clock.advance_micros(seconds * SECOND);
                world.serve(&service).await;
            }
            Step::Compact => {
                let registered = world.features.registered().await.unwrap();
                let mut compaction = Compaction::default();
                compaction.full = true;
                for record in registered.views.values() {
                    let table = &record.last().table;
                    world.features.offline().compact(table, compaction.clone()).await.unwrap();
                }
            }
        }
    }
    service.log().flush().await.unwrap();
    let report = world.verify().await;
    let served = steps.iter().filter(|step| matches!(step, Step::Serve(_))).count() as u64;
    prop_assert_eq!(report.records, served * 5);
    prop_assert!(report.is_clean(), "{}", report);
    for skew in &report.features {
        prop_assert_eq!(skew.compared, served * 5);
        prop_assert_eq!(skew.equal + skew.late + skew.behind, skew.compared);
        prop_assert_eq!(skew.forgotten, 0);
    }
    Ok(())
}

fn histories(cases: u32, segments: bool) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..14);
    TestRunner::new(config).run(&steps, |steps| block_on(run(segments, &steps))).unwrap();
}

#[test]
fn random_histories_in_memory_have_no_skew() {
    histories(150, false);
}

#[test]
fn random_histories_in_segments_have_no_skew() {
    histories(50, true);
}
