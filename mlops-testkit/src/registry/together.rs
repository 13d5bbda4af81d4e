//! Many at once: threads on one store, and where it may be opened several times, through openers of
//! their own.

use std::collections::BTreeSet;
use std::thread;

use futures::executor::block_on;
use mlops_core::journal::Actor;
use mlops_core::registry::{ModelChanges, PromotionPlan, RegistryState, Selector, Stage, Verdict};
use mlops_core::time::Clock;
use mlops_core::{Error, ErrorKind};
use serde_json::json;

use super::replay::explains;
use crate::build::{actor, alias, into_stage, key, model_name, rules, version};
use crate::case::{Case, Fixture, Store, cases};

pub(super) fn cases() -> Vec<Case> {
    cases![
        versions_registered_at_once_have_numbers_without_gap,
        the_same_version_registered_for_reuse_at_once_is_made_once,
        aliases_moved_at_once_are_all_kept,
        an_alias_that_all_expect_the_same_of_moves_once,
        exactly_one_version_holds_production_at_each_row,
        a_reader_never_sees_production_empty_while_it_changes_hands,
        a_reader_of_the_journal_is_advanced_once,
    ]
}

const THREADS: u64 = 8;

/// A handle for each thread: of the same store, and every other one opened anew where that can be.
fn handles(f: &Fixture) -> Vec<(Actor, Store)> {
    let many = f.tracker.capability().many_processes;
    (0..THREADS)
        .map(|n| {
            let mut store = match &f.reopen {
                Some(reopen) if many && n % 2 == 1 => reopen(),
                _ => f.store.clone(),
            };
            let who = actor(&format!("worker {n}"));
            store.registry = store.registry.registry_as(who.clone());
            (who, store)
        })
        .collect()
}

/// Runs the same on a thread for each handle, and returns what came of it.
fn at_once<T: Send>(f: &Fixture, run: impl Fn(u64, &Actor, &Store) -> T + Sync) -> Vec<T> {
    let handles = handles(f);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(&handles)
            .map(|(n, (who, store))| {
                let run = &run;
                scope.spawn(move || run(n, who, store))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

async fn versions_registered_at_once_have_numbers_without_gap(f: Fixture) {
    f.make_model("churn").await;
    let numbers = at_once(&f, |n, _, store| {
        let register = |i: u64| {
            let options = version(&format!("{n} {}", i % 3));
            block_on(store.registry.register(&model_name("churn"), options)).unwrap().version.number
        };
        (0..6).map(register).collect::<Vec<_>>()
    });
    for of_one in &numbers {
        assert!(of_one.is_sorted(), "each sees its own grow");
    }
    let all: BTreeSet<u64> = numbers.into_iter().flatten().collect();
    assert_eq!(all, (1..=THREADS * 6).collect());
    assert_eq!(f.churn().await.last_number, THREADS * 6);
    assert_eq!(explains(&f).await, Ok(()));
}

async fn the_same_version_registered_for_reuse_at_once_is_made_once(f: Fixture) {
    f.make_model("churn").await;
    let made = at_once(&f, |_, _, store| {
        let options = version("same").with_reuse();
        block_on(store.registry.register(&model_name("churn"), options)).unwrap()
    });
    assert_eq!(made.iter().filter(|registered| registered.created).count(), 1);
    assert!(made.iter().all(|registered| registered.version.number == 1));
}

async fn aliases_moved_at_once_are_all_kept(f: Fixture) {
    f.versions(2).await;
    at_once(&f, |n, _, store| {
        for i in 0..4 {
            store_alias(store, &format!("of {n} {i}"), 1 + (n + i) % 2, None).unwrap();
        }
    });
    let aliases = f.churn().await.aliases;
    assert_eq!(aliases.len() as u64, THREADS * 4);
    for n in 0..THREADS {
        for i in 0..4 {
            assert_eq!(aliases[format!("of {n} {i}").as_str()], 1 + (n + i) % 2);
        }
    }
}

fn store_alias(store: &Store, name: &str, to: u64, expect: Option<u64>) -> Result<(), Error> {
    let mut moved = ModelChanges::default().with_alias(alias(name), to);
    if let Some(expected) = expect {
        moved = moved.expecting_alias(alias(name), Some(expected));
    }
    block_on(store.registry.update_model(&model_name("churn"), moved)).map(drop)
}

async fn an_alias_that_all_expect_the_same_of_moves_once(f: Fixture) {
    f.versions(THREADS + 1).await;
    f.change_model(ModelChanges::default().with_alias(alias("champion"), THREADS + 1)).await;
    let results = at_once(&f, |n, _, store| {
        let result = store_alias(store, "champion", n + 1, Some(THREADS + 1));
        result.map(|()| n + 1).map_err(|error| error.kind())
    });
    let winners: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    assert_eq!(f.churn().await.aliases["champion"], *winners[0]);
    let lost = results.iter().filter(|result| **result == Err(ErrorKind::Conflict));
    assert_eq!(lost.count() as u64, THREADS - 1);
}

/// Carries out, approves or rolls back what a simple sequence of numbers says, but nothing that takes
/// the version in production away from there. Others come in between, and each call may fail only as
/// the contract says that it then does.
fn stir(f: &Fixture, n: u64, who: &Actor, store: &Store) {
    let mut seed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(7);
    for _ in 0..12 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (what, number) = ((seed >> 40) % 8, 1 + (seed >> 50) % 4);
        let to = if what == 7 { Stage::Staging } else { Stage::Production };
        let mut request = into_stage(number, to);
        if what == 6 {
            request = request.as_rollback();
        }
        let state = block_on(store.registry.promotion_state(&request)).unwrap();
        let plan = match PromotionPlan::evaluate(&state, request, who, f.clock.now()) {
            Ok(plan) => plan,
            // It is in the stage already.
            Err(error) if error.kind() == ErrorKind::Invalid => continue,
            Err(error) => panic!("{error}"),
        };
        if plan.steps.last().unwrap().from == Stage::Production {
            continue;
        }
        // Approvals lack, or it never held the stage: that is `Denied`. The rest is what others did.
        let (result, expected) = match what {
            0 | 1 => {
                let said = block_on(store.registry.decide(&plan, Verdict::Approve, ""));
                (said.map(drop), &[ErrorKind::Conflict][..])
            }
            _ => {
                let done = block_on(store.registry.promote(&plan));
                (done.map(drop), &[ErrorKind::Conflict, ErrorKind::Denied][..])
            }
        };
        if let Err(error) = result {
            assert!(expected.contains(&error.kind()), "{error}");
        }
    }
}

async fn exactly_one_version_holds_production_at_each_row(f: Fixture) {
    f.versions(4).await;
    let before = f.rows().await;
    f.promote(1, Stage::Production).await;
    f.store_document(rules(Stage::Staging, &json!({ "approvals": { "count": 1 } }))).await;
    at_once(&f, |n, who, store| stir(&f, n, who, store));
    let mut state = RegistryState::default();
    let (name, mut holders) = (model_name("churn"), Vec::new());
    for event in f.events_after(0).await {
        state.apply(&event).unwrap();
        let held = state.in_stage(&name, Stage::Production);
        if event.sequence as usize > before {
            assert_eq!(held.len(), 1, "row {}: {held:?}", event.sequence);
            holders.extend_from_slice(held);
        }
    }
    holders.dedup();
    assert!(holders.len() > 1, "nothing happened");
    assert_eq!(explains(&f).await, Ok(()));
}

async fn a_reader_never_sees_production_empty_while_it_changes_hands(f: Fixture) {
    f.versions(2).await;
    f.promote(1, Stage::Production).await;
    let seen = at_once(&f, |n, who, store| {
        let name = model_name("churn");
        let mut seen = BTreeSet::new();
        for i in 0..20_u64 {
            if n < 2 {
                let request = into_stage(1 + (n + i) % 2, Stage::Production);
                let state = block_on(store.registry.promotion_state(&request)).unwrap();
                if let Ok(plan) = PromotionPlan::evaluate(&state, request, who, f.clock.now()) {
                    block_on(store.registry.promote(&plan)).ok();
                }
            } else {
                let production = Selector::Stage(Stage::Production);
                seen.insert(block_on(store.registry.resolve(&name, &production)).unwrap().number);
                let model = block_on(store.registry.model(&name)).unwrap();
                assert_eq!(model.stages[&Stage::Production].len(), 1);
            }
        }
        seen
    });
    assert!(seen.into_iter().flatten().all(|number| number == 1 || number == 2));
}

async fn a_reader_of_the_journal_is_advanced_once(f: Fixture) {
    f.versions(9).await;
    let advanced = at_once(&f, |_, _, store| {
        (0..10_u64)
            .filter(|at| block_on(store.journal.advance(&key("hooks"), *at, at + 1)).is_ok())
            .count()
    });
    assert_eq!(
        advanced.iter().sum::<usize>() as u64,
        f.journal.position(&key("hooks")).await.unwrap()
    );
}
