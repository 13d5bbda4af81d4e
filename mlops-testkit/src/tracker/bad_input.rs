//! What must be refused, and what looks bad but must be kept.

use mlops_core::ErrorKind;
use mlops_core::time::{Instant, MAX_MICROS, from_micros_lossy};
use mlops_core::tracking::check::{MAX_SCHEMA_BYTES, MAX_SOURCE_BYTES};
use mlops_core::tracking::{
    CreateExperiment, CreateRun, DatasetContext, ExperimentChanges, Lease, MAX_STEP,
    MAX_VALUE_BYTES, MetricChunk, RunChanges, RunQuery, RunStatus,
};

use crate::build::{
    NOW, blob, chunk, dataset, experiment_id, key, path, run_id, run_name, seal, values,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        values_of_the_longest_length_come_back_whole,
        values_that_are_too_long_or_hold_nul_are_invalid,
        a_user_or_host_that_is_long_or_has_control_characters_is_invalid,
        a_label_that_is_set_and_taken_away_at_once_is_invalid,
        datasets_that_break_a_bound_are_invalid,
        instants_outside_1970_to_9999_are_invalid,
        chunks_that_contradict_themselves_are_invalid,
        objects_without_a_place_and_seals_of_nothing_are_invalid,
        text_that_looks_like_sql_is_only_text,
        text_of_every_script_comes_back_as_it_was,
        a_bad_call_about_an_unknown_run_is_invalid,
    ]
}

/// Asserts that the change is `Invalid` and that the run is as it was.
#[track_caller]
fn refused(f: &Fixture, changes: RunChanges) -> impl Future<Output = ()> {
    let tracker = f.tracker.clone();
    async move {
        let text = format!("{changes:.200?}");
        let before = tracker.run(run_id(1)).await.unwrap();
        match tracker.update_run(run_id(1), changes).await {
            Err(error) if error.kind() == ErrorKind::Invalid => {}
            other => panic!("expected `invalid`, got {other:?} for {text}"),
        }
        assert_eq!(tracker.run(run_id(1)).await.unwrap(), before, "{text}");
    }
}

fn change() -> RunChanges {
    RunChanges::default()
}

async fn values_of_the_longest_length_come_back_whole(f: Fixture) {
    let run = f.one_run().await;
    // The last bytes tell whether something was cut.
    let longest = format!("{}end", "x".repeat(MAX_VALUE_BYTES - 3));
    let wide = "ü".repeat(MAX_VALUE_BYTES / 2);
    let changes = change()
        .with_param(key("p"), longest.clone())
        .with_tag(key("t"), wide.clone())
        .with_tag(key(&"k".repeat(250)), "")
        .with_note(longest.clone());
    f.change(run.id, changes).await;
    let run = f.read(run.id).await;
    assert_eq!((&run.params["p"], &run.tags["t"], &run.note), (&longest, &wide, &longest));
    assert!(run.tags.contains_key("k".repeat(250).as_str()));
}

async fn values_that_are_too_long_or_hold_nul_are_invalid(f: Fixture) {
    let run = f.one_run().await;
    let experiment = run.experiment;
    for bad in ["x".repeat(MAX_VALUE_BYTES + 1), "a\0b".to_owned()] {
        refused(&f, change().with_param(key("k"), bad.clone())).await;
        refused(&f, change().with_tag(key("k"), bad.clone())).await;
        refused(&f, change().with_note(bad.clone())).await;
        let new = || CreateRun::new(run_id(2), experiment);
        let run = f.tracker.create_run(new().with_param(key("k"), bad.clone())).await;
        fails(ErrorKind::Invalid, run);
        let run = f.tracker.create_run(new().with_tag(key("k"), bad.clone())).await;
        fails(ErrorKind::Invalid, run);
        let options = CreateExperiment::default().with_tag(key("k"), bad.clone());
        let made = f.tracker.create_experiment(&"other".parse().unwrap(), options).await;
        fails(ErrorKind::Invalid, made);
        let changes = ExperimentChanges::default().with_tag(key("k"), bad);
        fails(ErrorKind::Invalid, f.tracker.update_experiment(experiment, changes).await);
    }
    fails(ErrorKind::NotFound, f.tracker.run(run_id(2)).await);
    for fine in ["two\nlines", "a\ttab", "\u{1b}[0m", ""] {
        f.change(run.id, change().with_note(fine).with_tag(key("k"), fine)).await;
        assert_eq!(f.read(run.id).await.note, fine);
    }
}

async fn a_user_or_host_that_is_long_or_has_control_characters_is_invalid(f: Fixture) {
    let run = f.one_run().await;
    for bad in ["x".repeat(251), "a\nb".to_owned(), "\0".to_owned()] {
        let new = || CreateRun::new(run_id(2), run.experiment);
        fails(ErrorKind::Invalid, f.tracker.create_run(new().with_user(bad.clone())).await);
        let lease = || Lease { host: bad.clone(), process: 1, until: from_micros_lossy(NOW) };
        fails(ErrorKind::Invalid, f.tracker.create_run(new().with_lease(lease())).await);
        refused(&f, change().with_lease(lease())).await;
    }
    let longest = CreateRun::new(run_id(2), run.experiment).with_user("x".repeat(250));
    assert_eq!(f.tracker.create_run(longest).await.unwrap().user.len(), 250);
}

async fn a_label_that_is_set_and_taken_away_at_once_is_invalid(f: Fixture) {
    let run = f.one_run().await;
    refused(&f, change().with_tag(key("k"), "1").without_tag(key("k"))).await;
    let both = ExperimentChanges::default().with_tag(key("k"), "1").without_tag(key("k"));
    fails(ErrorKind::Invalid, f.tracker.update_experiment(run.experiment, both).await);
}

async fn datasets_that_break_a_bound_are_invalid(f: Fixture) {
    let run = f.one_run().await;
    let iris = || dataset("iris", "sha256:1", DatasetContext::Train);
    for context in ["", " ", "a\nb", &"x".repeat(251)] {
        let other = DatasetContext::Other(context.to_owned());
        refused(&f, change().with_input(dataset("iris", "sha256:1", other))).await;
    }
    for source in ["x".repeat(MAX_SOURCE_BYTES + 1), "a\0b".to_owned()] {
        refused(&f, change().with_input(iris().with_source(source))).await;
    }
    let schema = serde_json::Value::String("x".repeat(MAX_SCHEMA_BYTES - 1));
    refused(&f, change().with_input(iris().with_schema(schema))).await;
    refused(&f, change().with_input(iris().with_rows(u64::MAX))).await;

    let largest = iris()
        .with_source("x".repeat(MAX_SOURCE_BYTES))
        .with_schema(serde_json::Value::String("x".repeat(MAX_SCHEMA_BYTES - 2)))
        .with_rows(i64::MAX as u64);
    f.change(run.id, change().with_input(largest.clone())).await;
    assert_eq!(f.read(run.id).await.inputs, [largest]);
}

async fn instants_outside_1970_to_9999_are_invalid(f: Fixture) {
    let run = f.one_run().await;
    let experiment = run.experiment;
    for bad in [from_micros_lossy(-1), from_micros_lossy(MAX_MICROS + 1), Instant::MAX_UTC] {
        let new = || CreateRun::new(run_id(2), experiment);
        fails(ErrorKind::Invalid, f.tracker.create_run(new().with_started(bad)).await);
        let lease = || Lease { host: String::new(), process: 1, until: bad };
        fails(ErrorKind::Invalid, f.tracker.create_run(new().with_lease(lease())).await);
        refused(&f, change().with_lease(lease())).await;
        refused(&f, change().with_status(RunStatus::Failed).with_ended(bad)).await;
        let options = CreateExperiment::default().with_created(bad);
        let made = f.tracker.create_experiment(&"other".parse().unwrap(), options).await;
        fails(ErrorKind::Invalid, made);
    }
    for (n, edge) in [(3, from_micros_lossy(0)), (4, from_micros_lossy(MAX_MICROS))] {
        let options = CreateRun::new(run_id(n), experiment).with_started(edge);
        assert_eq!(f.tracker.create_run(options).await.unwrap().started, edge);
        assert_eq!(f.read(run_id(n)).await.started, edge);
    }
}

async fn chunks_that_contradict_themselves_are_invalid(f: Fixture) {
    let run = f.one_run().await;
    let good = || chunk(1, 0, &[("a", 1, NOW, 1.0), ("b", 2, NOW + 1, 2.0)]);
    let spoiled: [fn(&mut MetricChunk); 14] = [
        |chunk| chunk.origin.count = 0,
        |chunk| chunk.origin.count = 3,
        |chunk| chunk.origin.first = u64::MAX,
        |chunk| chunk.origin.first = i64::MAX as u64,
        |chunk| chunk.steps = 1..=MAX_STEP + 1,
        |chunk| chunk.steps = -MAX_STEP - 1..=2,
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is wrong with it")]
        |chunk| chunk.steps = 2..=1,
        |chunk| chunk.steps = 1..=1,
        |chunk| chunk.times_micros = -1..=NOW + 1,
        |chunk| chunk.times_micros = NOW..=MAX_MICROS + 1,
        |chunk| chunk.summaries.clear(),
        |chunk| chunk.summaries[1].0 = key("a"),
        |chunk| chunk.summaries[0].1.min = 5.0,
        |chunk| {
            chunk.summaries[0].1.count = 2;
            chunk.summaries[1].1.count = 0;
        },
    ];
    for (i, spoil) in spoiled.into_iter().enumerate() {
        let mut chunk = good();
        spoil(&mut chunk);
        let result = f.tracker.update_run(run.id, change().with_metrics(chunk)).await;
        assert!(
            result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid),
            "chunk {i}: {result:?}"
        );
    }
    assert!(f.read(run.id).await.metrics.is_empty());
    f.change(run.id, change().with_metrics(good())).await;
}

async fn objects_without_a_place_and_seals_of_nothing_are_invalid(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, change().with_metrics(values(1, 0, "loss", &[1.0]))).await;
    let ids = f.chunk_ids(run.id).await;
    for location in ["", "a\nb", &"x".repeat(1_025)] {
        refused(&f, change().with_artifact(path("a"), blob("a", location))).await;
        refused(&f, change().with_seal(seal(&ids, 1, "a", location))).await;
    }
    refused(&f, change().with_seal(seal(&[], 0, "a", "b/1"))).await;
    refused(&f, change().with_seal(seal(&[ids[0], ids[0]], 2, "a", "b/1"))).await;
    let mut huge = blob("a", "b/1");
    huge.size = u64::MAX;
    refused(&f, change().with_artifact(path("a"), huge)).await;
    assert!(f.tracker.artifacts(run.id, "").await.unwrap().is_empty());
}

async fn text_that_looks_like_sql_is_only_text(f: Fixture) {
    let hostile = [
        "'); drop table run; --",
        "x' or '1'='1",
        "\"; delete from run where \"1\"=\"1",
        "`) union select * from run --",
        "%_\\%",
        "?1 :a @b $c",
    ];
    for (n, text) in (1..).zip(hostile) {
        f.experiment(n, text).await;
        let options = CreateRun::new(run_id(n), experiment_id(n))
            .with_name(run_name(text))
            .with_user(text)
            .with_param(key(text), text);
        f.tracker.create_run(options).await.unwrap();
        let changes = change()
            .with_tag(key(text), text)
            .with_note(text)
            .with_input(dataset(text, text, DatasetContext::Other(text.to_owned())))
            .with_metrics(values(1, 0, text, &[1.0]));
        f.change(run_id(n), changes).await;
        let run = f.read(run_id(n)).await;
        assert_eq!((run.name.as_str(), run.user.as_str(), run.note.as_str()), (text, text, text));
        assert_eq!((&run.params[text], &run.tags[text]), (&text.to_owned(), &text.to_owned()));
        assert_eq!((run.inputs[0].name.as_str(), run.metrics[text].count), (text, 1));

        let (quoted, name) = (text.replace('\'', "''"), text.replace('`', "``"));
        for filter in [
            format!("name = '{quoted}'"),
            format!("params.`{name}` = '{quoted}'"),
            format!("tags.`{name}` in ('{quoted}', 'x')"),
            format!("metrics.`{name}` = 1"),
            format!("datasets.context = '{quoted}'"),
        ] {
            let query = RunQuery::parse(&filter, &[&format!("params.`{name}` desc")]).unwrap();
            let found = f.tracker.search_runs(&query).await.unwrap().items;
            assert_eq!(found.len(), 1, "{filter}");
            assert_eq!(found[0].id, run_id(n), "{filter}");
        }
        assert!(f.tracker.artifacts(run_id(n), text).await.unwrap().is_empty());
    }
    assert_eq!(f.tracker.count_runs(&RunQuery::default()).await.unwrap(), hostile.len() as u64);
}

async fn text_of_every_script_comes_back_as_it_was(f: Fixture) {
    let run = f.one_run().await;
    // Composed and decomposed, right to left, beyond the basic plane, joined by zero-width joiners.
    let texts = ["é", "e\u{301}", "שלום", "日本語", "𝔘𝔫𝔦", "👩‍🔬", "\u{feff}x", "\u{fffd}"];
    for text in texts {
        f.change(run.id, change().with_tag(key(text), text).with_note(text)).await;
        assert_eq!(f.read(run.id).await.note, text);
    }
    let run = f.read(run.id).await;
    assert_eq!(run.tags.len(), texts.len(), "nothing is normalized");
    assert!(run.tags.iter().all(|(key, value)| key.as_str() == value));
}

async fn a_bad_call_about_an_unknown_run_is_invalid(f: Fixture) {
    let bad = change().with_note("\0");
    fails(ErrorKind::Invalid, f.tracker.update_run(run_id(9), bad).await);
}
