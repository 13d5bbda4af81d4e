//! Chunks of points: appending them once, summaries, sealing.

use mlops_core::ErrorKind;
use mlops_core::tracking::{ChunkData, MetricSummary, RunChanges, RunStatus};

use crate::build::{NOW, blob, chunk, key, seal, spool, texts, values};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        points_of_a_chunk_come_back_as_they_went_in,
        summaries_follow_the_points_of_all_chunks,
        nan_and_infinities_come_back_as_they_went_in,
        extreme_values_come_back_bit_for_bit,
        the_last_value_is_the_one_written_last_whatever_its_step,
        a_repeated_chunk_changes_nothing,
        a_repeated_chunk_after_the_end_changes_nothing,
        a_repeated_chunk_does_not_keep_the_rest_of_the_change_away,
        a_chunk_after_a_hole_is_a_conflict,
        a_chunk_that_is_stored_in_part_is_a_conflict,
        the_spools_of_a_run_are_counted_apart,
        points_for_a_run_that_has_ended_are_invalid,
        points_and_the_end_in_one_change_are_kept,
        points_for_a_lost_run_are_kept,
        points_with_a_resume_in_one_change_are_kept,
        the_chunks_that_hold_a_key_are_found,
        a_seal_replaces_its_chunks_where_they_stood,
        a_seal_changes_no_summary_and_no_count,
        a_seal_of_a_chunk_that_is_gone_is_a_conflict,
        a_seal_of_a_chunk_of_another_run_is_a_conflict,
        a_seal_that_leaves_out_a_chunk_between_is_invalid,
        a_seal_of_another_number_of_points_is_invalid,
        a_sealed_object_can_be_sealed_again_with_what_came_later,
        a_sealed_object_of_a_known_digest_is_returned,
    ]
}

fn append(chunk: mlops_core::tracking::MetricChunk) -> RunChanges {
    RunChanges::default().with_metrics(chunk)
}

async fn points_of_a_chunk_come_back_as_they_went_in(f: Fixture) {
    let run = f.one_run().await;
    let sent = [values(1, 0, "loss", &[2.0, 1.0]), values(1, 2, "loss", &[0.5])];
    for chunk in &sent {
        f.change(run.id, append(chunk.clone())).await;
    }
    let stored = f.tracker.metric_chunks(run.id, None).await.unwrap();
    assert_eq!(stored.len(), sent.len());
    for (stored, sent) in stored.iter().zip(&sent) {
        assert_eq!((stored.codec, stored.count), (sent.codec, sent.origin.count));
        assert_eq!(stored.data, ChunkData::Inline(sent.bytes.clone()));
    }
    assert_ne!(stored[0].id, stored[1].id);
}

async fn summaries_follow_the_points_of_all_chunks(f: Fixture) {
    let run = f.one_run().await;
    let points = [("loss", 0, NOW, 2.0), ("acc", 0, NOW, 0.1), ("loss", 1, NOW + 1, 3.0)];
    f.change(run.id, append(chunk(1, 0, &points))).await;
    f.change(run.id, append(chunk(1, 3, &[("loss", 2, NOW + 2, 1.0)]))).await;
    let metrics = f.read(run.id).await.metrics;
    assert_eq!(metrics.len(), 2);
    let loss = MetricSummary {
        last: 1.0,
        last_step: 2,
        last_time_micros: NOW + 2,
        min: 1.0,
        max: 3.0,
        count: 3,
    };
    assert_eq!(metrics["loss"], loss);
    assert_eq!((metrics["acc"].last, metrics["acc"].count), (0.1, 1));
}

async fn nan_and_infinities_come_back_as_they_went_in(f: Fixture) {
    let run = f.one_run().await;
    let columns: [(&str, &[f64]); 5] = [
        ("nan", &[f64::NAN]),
        ("then_nan", &[1.0, f64::NAN]),
        ("nan_then", &[f64::NAN, 1.0]),
        ("up", &[f64::INFINITY, 0.0]),
        ("down", &[0.0, f64::NEG_INFINITY]),
    ];
    for (n, (name, column)) in (1..).zip(columns) {
        f.change(run.id, append(values(n, 0, name, column))).await;
    }
    let metrics = f.read(run.id).await.metrics;
    let seen = |name: &str| (metrics[name].last, metrics[name].min, metrics[name].max);
    let (last, min, max) = seen("nan");
    assert!(last.is_nan() && min.is_nan() && max.is_nan());
    let (last, min, max) = seen("then_nan");
    assert!(last.is_nan());
    assert_eq!((min, max), (1.0, 1.0), "NaN does not count");
    assert_eq!(seen("nan_then"), (1.0, 1.0, 1.0));
    assert_eq!(seen("up"), (0.0, 0.0, f64::INFINITY));
    assert_eq!(seen("down"), (f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0));

    f.change(run.id, append(values(1, 1, "nan", &[5.0]))).await;
    let nan = f.read(run.id).await.metrics[&key("nan")];
    assert_eq!((nan.last, nan.min, nan.max, nan.count), (5.0, 5.0, 5.0, 2));
}

/// But for the sign of zero, which is no number's difference and SQL need not keep.
async fn extreme_values_come_back_bit_for_bit(f: Fixture) {
    let run = f.one_run().await;
    let extremes = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, 1.0 / 3.0, 1e23];
    for (n, value) in (1..).zip(extremes) {
        f.change(run.id, append(values(n, 0, &format!("m{n}"), &[value]))).await;
    }
    let metrics = f.read(run.id).await.metrics;
    for (n, value) in (1..).zip(extremes) {
        let summary = metrics[format!("m{n}").as_str()];
        for back in [summary.last, summary.min, summary.max] {
            assert_eq!(back.to_bits(), value.to_bits(), "{value:e} came back as {back:e}");
        }
    }
}

async fn the_last_value_is_the_one_written_last_whatever_its_step(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, append(chunk(1, 0, &[("loss", 9, NOW + 9, 9.0)]))).await;
    f.change(run.id, append(chunk(1, 1, &[("loss", 1, NOW + 1, 1.0)]))).await;
    let loss = f.read(run.id).await.metrics[&key("loss")];
    assert_eq!((loss.last, loss.last_step, loss.last_time_micros), (1.0, 1, NOW + 1));
}

async fn a_repeated_chunk_changes_nothing(f: Fixture) {
    let run = f.one_run().await;
    let first = values(1, 0, "loss", &[3.0, 1.0]);
    let second = values(1, 2, "loss", &[2.0]);
    for chunk in [&first, &second, &first, &second, &first] {
        f.change(run.id, append(chunk.clone())).await;
    }
    let loss = f.read(run.id).await.metrics[&key("loss")];
    assert_eq!((loss.last, loss.count), (2.0, 3));
    assert_eq!(f.tracker.metric_chunks(run.id, None).await.unwrap().len(), 2);
    assert_eq!(f.tracker.stored_points(run.id, spool(1)).await.unwrap(), 3);
}

async fn a_repeated_chunk_after_the_end_changes_nothing(f: Fixture) {
    let run = f.one_run().await;
    let points = values(1, 0, "loss", &[3.0, 1.0]);
    f.change(run.id, append(points.clone()).with_status(RunStatus::Finished)).await;
    let before = f.read(run.id).await;
    f.change(run.id, append(points)).await;
    assert_eq!(f.read(run.id).await, before);
}

async fn a_repeated_chunk_does_not_keep_the_rest_of_the_change_away(f: Fixture) {
    let run = f.one_run().await;
    let points = values(1, 0, "loss", &[3.0]);
    f.change(run.id, append(points.clone())).await;
    f.change(run.id, append(points).with_note("here")).await;
    assert_eq!(f.read(run.id).await.note, "here");
}

async fn a_chunk_after_a_hole_is_a_conflict(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, append(values(1, 0, "loss", &[3.0, 1.0]))).await;
    for first in [3, 100] {
        let hole = append(values(1, first, "loss", &[2.0]));
        let error = fails(ErrorKind::Conflict, f.tracker.update_run(run.id, hole).await);
        let text = error.to_string();
        assert!(text.contains(&format!("first: {first}")), "{text}");
        assert!(text.contains("stored: 2"), "{text}");
    }
    assert_eq!(f.tracker.stored_points(run.id, spool(1)).await.unwrap(), 2);
}

async fn a_chunk_that_is_stored_in_part_is_a_conflict(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, append(values(1, 0, "loss", &[3.0, 1.0]))).await;
    for first in [0, 1] {
        let overlap = append(values(1, first, "loss", &[3.0, 1.0, 2.0]));
        fails(ErrorKind::Conflict, f.tracker.update_run(run.id, overlap).await);
    }
    assert_eq!(f.read(run.id).await.metrics[&key("loss")].count, 2);
}

async fn the_spools_of_a_run_are_counted_apart(f: Fixture) {
    let run = f.one_run().await;
    let other = f.start(2, run.experiment).await;
    f.change(run.id, append(values(1, 0, "loss", &[3.0, 1.0]))).await;
    f.change(run.id, append(values(2, 0, "loss", &[2.0]))).await;
    f.change(other.id, append(values(1, 0, "loss", &[7.0]))).await;
    let stored = |id, n| f.tracker.stored_points(id, spool(n));
    assert_eq!(stored(run.id, 1).await.unwrap(), 2);
    assert_eq!(stored(run.id, 2).await.unwrap(), 1);
    assert_eq!(stored(run.id, 3).await.unwrap(), 0, "an unknown spool has no points");
    assert_eq!(stored(other.id, 1).await.unwrap(), 1, "of this run, not of that one");
    assert_eq!(f.read(run.id).await.metrics[&key("loss")].count, 3);
}

async fn points_for_a_run_that_has_ended_are_invalid(f: Fixture) {
    let experiment = f.experiment(1, "churn").await;
    let ended = [RunStatus::Finished, RunStatus::Failed, RunStatus::Killed];
    for (n, status) in (1..).zip(ended) {
        let run = f.start(n, experiment.id).await;
        f.change(run.id, RunChanges::default().with_status(status)).await;
        let late = append(values(1, 0, "loss", &[3.0]));
        let error = fails(ErrorKind::Invalid, f.tracker.update_run(run.id, late).await);
        assert!(error.hint().is_some_and(|hint| hint.contains("resume")), "{error}");
        assert!(f.read(run.id).await.metrics.is_empty());
    }
}

async fn points_and_the_end_in_one_change_are_kept(f: Fixture) {
    let run = f.one_run().await;
    let last = append(values(1, 0, "loss", &[3.0])).with_status(RunStatus::Finished);
    f.change(run.id, last).await;
    assert_eq!(f.read(run.id).await.metrics[&key("loss")].count, 1);
}

async fn points_for_a_lost_run_are_kept(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, RunChanges::default().with_status(RunStatus::Lost)).await;
    f.change(run.id, append(values(1, 0, "loss", &[3.0]))).await;
    let leftovers = append(values(1, 1, "loss", &[2.0])).with_status(RunStatus::Failed);
    f.change(run.id, leftovers).await;
    let run = f.read(run.id).await;
    assert_eq!((run.status, run.metrics["loss"].count), (RunStatus::Failed, 2));
}

async fn points_with_a_resume_in_one_change_are_kept(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, RunChanges::default().with_status(RunStatus::Finished)).await;
    let resumed = append(values(1, 0, "loss", &[3.0])).with_status(RunStatus::Running);
    f.change(run.id, resumed).await;
    assert_eq!(f.read(run.id).await.metrics[&key("loss")].count, 1);
}

/// More chunks than hold the key may be returned, but none that holds it may be missing.
async fn the_chunks_that_hold_a_key_are_found(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, append(values(1, 0, "a", &[1.0]))).await;
    f.change(run.id, append(values(1, 1, "b", &[1.0]))).await;
    let both = [("a", 0, NOW, 1.0), ("b", 0, NOW, 1.0)];
    f.change(run.id, append(chunk(1, 2, &both))).await;
    let all = f.chunk_ids(run.id).await;
    for (name, holding) in [("a", &[0, 2][..]), ("b", &[1, 2]), ("c", &[])] {
        let found = f.tracker.metric_chunks(run.id, Some(&key(name))).await.unwrap();
        let found: Vec<_> = found.iter().map(|chunk| chunk.id).collect();
        assert!(holding.iter().all(|i| found.contains(&all[*i])), "{name}");
        assert!(found.is_sorted_by_key(|id| all.iter().position(|other| other == id)));
    }
    let sealed = RunChanges::default().with_seal(seal(&all[..2], 2, "sealed", "b/1"));
    f.change(run.id, sealed).await;
    let sealed = f.chunk_ids(run.id).await[0];
    for name in ["a", "b"] {
        let found = f.tracker.metric_chunks(run.id, Some(&key(name))).await.unwrap();
        assert_eq!(found[0].id, sealed, "a sealed object holds the keys of what it replaced");
    }
}

async fn a_seal_replaces_its_chunks_where_they_stood(f: Fixture) {
    let run = f.one_run().await;
    for first in 0..4 {
        f.change(run.id, append(values(1, first, "loss", &[1.0]))).await;
    }
    let ids = f.chunk_ids(run.id).await;
    let sealed = RunChanges::default().with_seal(seal(&ids[1..3], 2, "sealed", "b/1"));
    assert!(f.change(run.id, sealed).await.is_empty());

    let chunks = f.tracker.metric_chunks(run.id, None).await.unwrap();
    assert_eq!(chunks.len(), 3);
    assert_eq!((chunks[0].id, chunks[2].id), (ids[0], ids[3]));
    assert_eq!((chunks[1].codec, chunks[1].count), (2, 2));
    assert_eq!(chunks[1].data, ChunkData::Blob(blob("sealed", "b/1")));
    assert!(!ids.contains(&chunks[1].id), "its id is a fresh one");
}

async fn a_seal_changes_no_summary_and_no_count(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, append(values(1, 0, "loss", &[3.0, 1.0]))).await;
    f.change(run.id, append(values(1, 2, "loss", &[2.0]))).await;
    f.change(run.id, RunChanges::default().with_status(RunStatus::Finished)).await;
    let before = f.read(run.id).await;
    let ids = f.chunk_ids(run.id).await;
    f.change(run.id, RunChanges::default().with_seal(seal(&ids, 3, "sealed", "b/1"))).await;
    assert_eq!(f.read(run.id).await, before);
    assert_eq!(f.tracker.stored_points(run.id, spool(1)).await.unwrap(), 3);
    f.change(run.id, append(values(1, 2, "loss", &[2.0]))).await;
    assert_eq!(f.read(run.id).await, before, "its points are known still");
}

async fn a_seal_of_a_chunk_that_is_gone_is_a_conflict(f: Fixture) {
    let run = f.one_run().await;
    for first in 0..2 {
        f.change(run.id, append(values(1, first, "loss", &[1.0]))).await;
    }
    let ids = f.chunk_ids(run.id).await;
    f.change(run.id, RunChanges::default().with_seal(seal(&ids[..1], 1, "sealed", "b/1"))).await;
    let sealed = f.chunk_ids(run.id).await;
    let late = RunChanges::default().with_seal(seal(&ids, 2, "late", "b/2"));
    fails(ErrorKind::Conflict, f.tracker.update_run(run.id, late).await);
    assert_eq!(f.chunk_ids(run.id).await, sealed);
}

async fn a_seal_of_a_chunk_of_another_run_is_a_conflict(f: Fixture) {
    let run = f.one_run().await;
    let other = f.start(2, run.experiment).await;
    f.change(other.id, append(values(1, 0, "loss", &[1.0]))).await;
    let theirs = f.chunk_ids(other.id).await;
    let stolen = RunChanges::default().with_seal(seal(&theirs, 1, "sealed", "b/1"));
    fails(ErrorKind::Conflict, f.tracker.update_run(run.id, stolen).await);
    assert_eq!(f.chunk_ids(other.id).await, theirs);
}

async fn a_seal_that_leaves_out_a_chunk_between_is_invalid(f: Fixture) {
    let run = f.one_run().await;
    for first in 0..3 {
        f.change(run.id, append(values(1, first, "loss", &[1.0]))).await;
    }
    let ids = f.chunk_ids(run.id).await;
    let gap = RunChanges::default().with_seal(seal(&[ids[0], ids[2]], 2, "sealed", "b/1"));
    fails(ErrorKind::Invalid, f.tracker.update_run(run.id, gap).await);
    assert_eq!(f.chunk_ids(run.id).await, ids);
}

async fn a_seal_of_another_number_of_points_is_invalid(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, append(values(1, 0, "loss", &[1.0, 2.0]))).await;
    let ids = f.chunk_ids(run.id).await;
    for count in [1, 3] {
        let wrong = RunChanges::default().with_seal(seal(&ids, count, "sealed", "b/1"));
        fails(ErrorKind::Invalid, f.tracker.update_run(run.id, wrong).await);
    }
    assert_eq!(f.chunk_ids(run.id).await, ids);
}

async fn a_sealed_object_can_be_sealed_again_with_what_came_later(f: Fixture) {
    let run = f.one_run().await;
    f.change(run.id, append(values(1, 0, "loss", &[1.0]))).await;
    let ids = f.chunk_ids(run.id).await;
    f.change(run.id, RunChanges::default().with_seal(seal(&ids, 1, "once", "b/1"))).await;
    f.change(run.id, append(values(1, 1, "loss", &[2.0]))).await;
    let ids = f.chunk_ids(run.id).await;
    let again = RunChanges::default().with_seal(seal(&ids, 2, "twice", "b/2"));
    let unneeded = f.change(run.id, again).await;
    assert_eq!(texts(&unneeded), ["b/1"], "nobody names the first object any more");
    let chunks = f.tracker.metric_chunks(run.id, None).await.unwrap();
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].data, ChunkData::Blob(blob("twice", "b/2")));
}

async fn a_sealed_object_of_a_known_digest_is_returned(f: Fixture) {
    let run = f.one_run().await;
    let other = f.start(2, run.experiment).await;
    for (id, location, unneeded) in [(run.id, "b/1", &[][..]), (other.id, "b/2", &["b/2"])] {
        f.change(id, append(values(1, 0, "loss", &[1.0]))).await;
        let ids = f.chunk_ids(id).await;
        let sealed = RunChanges::default().with_seal(seal(&ids, 1, "same", location));
        assert_eq!(texts(&f.change(id, sealed).await), unneeded);
        let chunks = f.tracker.metric_chunks(id, None).await.unwrap();
        assert_eq!(chunks[0].data, ChunkData::Blob(blob("same", "b/1")));
    }
}
