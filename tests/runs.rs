//! The life of a run through its handle, on the embedded store.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use mlops::time::{Clock, SystemClock};
use mlops::tracking::{
    ChunkData, DatasetContext, DatasetInput, HistoryQuery, MetricPoint, RunChanges, RunStatus,
};
use mlops::{ActiveRun, BackendUrl, Batch, ErrorKind, Key, Result, TrackingOptions, Workspace};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn workspace(dir: &Path) -> Workspace {
    Workspace::open(dir.join("mlops")).await.unwrap()
}

async fn history(ws: &Workspace, run: &ActiveRun, metric: &str) -> Vec<f64> {
    let query = HistoryQuery::default();
    ws.metric_history(run.id(), &key(metric), &query).await.unwrap().values
}

async fn plain_run(ws: &Workspace) -> ActiveRun {
    ws.run("test").unwrap().without_capture().start().await.unwrap()
}

#[tokio::test]
async fn everything_that_was_logged_comes_back() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = ws.run("test")?.name("one")?.param("lr", 0.1)?.tag("team", "x")?.start().await?;
    for step in 0..5_000 {
        run.log_metric("loss", 1.0 / (step as f64 + 1.0), step)?;
        run.log_metrics(step, &[("acc", 0.5), ("nan", f64::NAN)])?;
    }
    run.log_metric("inf", f64::NEG_INFINITY, -7)?;
    run.log_param("depth", 6).await?;
    run.set_note("a note\nof two lines").await?;
    let input = DatasetInput::new(key("flights"), key("blake3:00"), DatasetContext::Train);
    run.log_input(input.with_rows(336_776)).await?;
    run.log_artifact("plots/roc.txt", b"not a picture".to_vec()).await?;
    run.log_batch(Batch::new().metric("loss", 9.0, 5_000)?.tag("phase", "end")?).await?;
    run.finish().await?;

    let stored = ws.tracker().run(run.id()).await?;
    assert_eq!(stored.status, RunStatus::Finished);
    assert_eq!(stored.params["lr"], "0.1");
    assert_eq!(stored.params["depth"], "6");
    assert_eq!(stored.tags["phase"], "end");
    assert_eq!(stored.inputs[0].rows, Some(336_776));
    let loss = &stored.metrics["loss"];
    assert_eq!((loss.last, loss.last_step, loss.max, loss.count), (9.0, 5_000, 9.0, 5_001));
    assert!(stored.metrics["nan"].last.is_nan() && stored.metrics["nan"].min.is_nan());
    assert_eq!(stored.metrics["inf"].min, f64::NEG_INFINITY);
    assert_eq!(history(&ws, &run, "loss").await.len(), 5_001);
    assert!(history(&ws, &run, "nan").await.iter().all(|v| v.is_nan()));

    let chunks = ws.tracker().metric_chunks(run.id(), None).await?;
    assert!(matches!(&chunks[..], [one] if matches!(one.data, ChunkData::Blob(_))), "sealed");
    let reader = ws.get_artifact(run.id(), &"plots/roc.txt".parse()?).await?;
    assert_eq!(reader.bytes().await?, "not a picture");
    assert!(stored.tags.contains_key("mlops.host"), "{:?}", stored.tags);
    assert!(ws.artifact(run.id(), &"mlops/environment.json".parse()?).await.is_ok());
    ws.journal().verify().await?;
    assert_eq!(std::fs::read_dir(dir.path().join("mlops/spool")).unwrap().count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_dropped_handle_marks_the_run_killed_with_its_points() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = plain_run(&ws).await;
    run.log_metric("loss", 0.5, 1)?;
    let id = run.id();
    drop(run);
    let stored = ws.tracker().run(id).await?;
    assert_eq!(stored.status, RunStatus::Killed);
    assert_eq!(stored.metrics["loss"].count, 1);
    assert!(stored.ended.is_some() && stored.lease.is_none());
    Ok(())
}

#[tokio::test]
async fn a_failed_run_keeps_its_reason() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = plain_run(&ws).await;
    run.fail("loss is not finite").await?;
    let stored = ws.tracker().run(run.id()).await?;
    assert_eq!(stored.status, RunStatus::Failed);
    assert_eq!(stored.tags["mlops.failure"], "loss is not finite");
    Ok(())
}

#[tokio::test]
async fn an_ended_run_takes_nothing_until_it_is_resumed() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = plain_run(&ws).await;
    run.log_metric("loss", 1.0, 0)?;
    run.finish().await?;
    for refused in [
        run.log_metric("loss", 2.0, 1),
        run.log_metrics(1, &[("loss", 2.0)]),
        run.log_param("lr", 1).await,
        run.finish().await,
        run.log_artifact("a", b"b".to_vec()).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let again = ws.resume(run.id()).await?;
    assert_eq!(ws.resume(run.id()).await.unwrap_err().kind(), ErrorKind::Conflict);
    again.log_metric("loss", 3.0, 2)?;
    again.finish().await?;
    assert_eq!(history(&ws, &again, "loss").await, [1.0, 3.0]);
    assert_eq!(ws.tracker().run(run.id()).await?.metrics["loss"].last, 3.0);
    Ok(())
}

#[tokio::test]
async fn a_flush_makes_points_visible_to_another_handle_on_the_store() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = plain_run(&ws).await;
    let other = workspace(dir.path()).await;
    assert_eq!(other.recovered().lost, [], "a living run is not lost");
    run.log_metric("loss", 1.0, 0)?;
    run.flush().await?;
    assert_eq!(history(&other, &run, "loss").await, [1.0]);
    run.finish().await
}

#[tokio::test]
async fn points_are_stored_by_themselves_after_the_interval() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let options = TrackingOptions::default().with_flush_every(Duration::from_millis(20));
    let url = BackendUrl::directory(dir.path().join("mlops"));
    let ws = Workspace::builder(url).tracking(options).open().await?;
    let run = plain_run(&ws).await;
    run.log_metric("loss", 1.0, 0)?;
    for _ in 0..500 {
        if !history(&ws, &run, "loss").await.is_empty() {
            return run.finish().await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was stored in five seconds");
}

#[test]
fn a_small_spool_makes_the_caller_wait_and_loses_nothing() {
    // Without any executor but the simplest.
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let options = TrackingOptions::default().with_spool_points(64);
        let url = BackendUrl::directory(dir.path().join("mlops"));
        let ws = Workspace::builder(url).tracking(options).open().await.unwrap();
        let run = plain_run(&ws).await;
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let run = &run;
                scope.spawn(move || {
                    for step in 0..1_000 {
                        run.log_metric(&format!("m{thread}"), step as f64, step).unwrap();
                    }
                });
            }
        });
        run.finish().await.unwrap();
        for thread in 0..4 {
            let values = history(&ws, &run, &format!("m{thread}")).await;
            assert_eq!(values, (0..1_000).map(f64::from).collect::<Vec<_>>());
        }
    });
}

#[test]
fn every_point_that_was_accepted_while_the_run_ended_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let ws = block_on(workspace(dir.path()));
    for _ in 0..20 {
        let run = block_on(plain_run(&ws));
        let accepted = std::thread::scope(|scope| {
            let logger = scope.spawn(|| {
                (0..1_000_000).take_while(|step| run.log_metric("loss", 1.0, *step).is_ok()).count()
            });
            let stored = || block_on(history(&ws, &run, "loss")).len();
            while stored() < 10 {
                block_on(run.flush()).unwrap();
            }
            block_on(run.finish()).unwrap();
            logger.join().unwrap()
        });
        assert_eq!(block_on(history(&ws, &run, "loss")).len(), accepted);
    }
}

#[test]
fn a_flush_ends_although_another_thread_never_stops_logging() {
    let dir = tempfile::tempdir().unwrap();
    let ws = block_on(workspace(dir.path()));
    let run = block_on(plain_run(&ws));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for step in 0..20_000_000 {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                run.log_metric("loss", 1.0, step).unwrap();
            }
            panic!("the flushes did not end");
        });
        let flushed: Result<Vec<()>> = (0..20).map(|_| block_on(run.flush())).collect();
        done.store(true, Ordering::Relaxed);
        flushed.unwrap();
    });
    block_on(run.finish()).unwrap();
}

#[tokio::test]
async fn a_finish_that_was_given_up_does_not_hang_the_next_call() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = plain_run(&ws).await;
    run.log_metric("loss", 1.0, 0)?;
    let given_up = tokio::time::timeout(Duration::ZERO, run.finish()).await;
    let limit = Duration::from_secs(20);
    let second = tokio::time::timeout(limit, run.kill()).await.expect("it answers");
    assert!(second.is_err() || given_up.is_err());
    tokio::time::timeout(limit, run.flush()).await.expect("it answers").ok();
    let id = run.id();
    drop(run);
    assert_eq!(ws.tracker().run(id).await?.status, RunStatus::Finished);
    Ok(())
}

#[tokio::test]
async fn groups_logged_often_are_stored_by_themselves_too() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let options = TrackingOptions::default().with_flush_every(Duration::from_millis(50));
    let url = BackendUrl::directory(dir.path().join("mlops"));
    let ws = Workspace::builder(url).tracking(options).open().await?;
    let run = plain_run(&ws).await;
    for step in 0..2_000 {
        run.log_metrics(step, &[("loss", 1.0)])?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if !history(&ws, &run, "loss").await.is_empty() {
            return run.finish().await;
        }
    }
    panic!("nothing was stored in ten seconds");
}

#[tokio::test]
async fn a_spool_that_cannot_be_taken_up_does_not_keep_the_store_shut() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = plain_run(&ws).await;
    run.log_metric("loss", 1.0, 0)?;
    // Moved to the trash while it runs: its points cannot be stored, and its handle cannot end it.
    let trash = RunChanges::default().with_deleted(true);
    ws.tracker().update_run(run.id(), trash).await?;
    assert!(run.flush().await.is_err());
    let id = run.id();
    drop(run);
    std::fs::write(dir.path().join("mlops/spool/damaged.spool"), "nonsense").unwrap();

    let ws = workspace(dir.path()).await;
    assert_eq!(ws.recovered().left.len(), 2, "{:?}", ws.recovered());
    ws.tracker().update_run(id, RunChanges::default().with_deleted(false)).await?;
    let ws = workspace(dir.path()).await;
    assert_eq!(ws.recovered().points, 1);
    assert_eq!(ws.recovered().lost, [id]);
    assert_eq!(ws.tracker().run(id).await?.metrics["loss"].count, 1);
    Ok(())
}

#[tokio::test]
async fn nested_runs_know_their_parent() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let parent = plain_run(&ws).await;
    let child = parent.child().name("child")?.start().await?;
    child.finish().await?;
    parent.finish().await?;
    let filter = format!("parent = '{}'", parent.id());
    let found = ws.search(&filter, &[]).await?;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].parent), (child.id(), Some(parent.id())));
    Ok(())
}

#[tokio::test]
async fn bad_metrics_are_refused_and_nothing_is_stored() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let ws = workspace(dir.path()).await;
    let run = plain_run(&ws).await;
    let far = MetricPoint { step: 0, time_micros: i64::MAX, value: 1.0 };
    for refused in [
        run.log_metric("", 1.0, 0),
        run.log_metric("a\nb", 1.0, 0),
        run.log_metric(&"k".repeat(251), 1.0, 0),
        run.log_metric("a", 1.0, i64::MAX),
        run.log_metric_at("a", far),
        run.log_metrics(0, &[("good", 1.0), ("", 2.0)]),
        Batch::new().metric("a", 1.0, i64::MIN).map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    }
    run.finish().await?;
    assert!(ws.tracker().run(run.id()).await?.metrics.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_full_database_keeps_the_points_and_says_how_many() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let url = BackendUrl::directory(dir.path().join("mlops"));
    let ws = Workspace::builder(url.clone()).max_bytes(160 * 1_024).open().await?;
    let run = plain_run(&ws).await;
    let mut accepted = 0;
    let error = loop {
        for _ in 0..1_000 {
            let value = SystemClock.now_micros() as f64 / 7.0;
            run.log_metric("noise", value, accepted)?;
            accepted += 1;
        }
        match run.flush().await {
            Ok(()) => assert!(accepted < 1_000_000, "the bound on the database has no effect"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(error.to_string().contains("waiting: 1000"), "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    let id = run.id();
    drop(run);
    drop(ws);
    // With room again, the next opener stores what waited.
    let ws = Workspace::builder(url).open().await?;
    assert_eq!(ws.recovered().lost, [id]);
    assert_eq!(ws.recovered().points, 1_000);
    let stored = ws.tracker().run(id).await?;
    assert_eq!(stored.metrics["noise"].count as i64, accepted);
    assert_eq!(stored.status, RunStatus::Lost);
    Ok(())
}

#[tokio::test]
async fn a_damaged_or_foreign_database_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mlops/metadata.db");
    drop(workspace(dir.path()).await);
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"this is not a database at all, but long enough to look").unwrap();
    let error = Workspace::open(dir.path().join("mlops")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("metadata.db"), "{error}");
    std::fs::write(&file, &good[..good.len() / 2]).unwrap();
    let error = Workspace::open(dir.path().join("mlops")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Workspace::open(file.join("mlops")).await.unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_place_that_may_not_be_written_is_denied() {
    // Read-only even for root.
    let error = Workspace::open("/sys/mlops").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("/sys"), "{error}");
}

#[tokio::test]
async fn an_unknown_scheme_says_what_is_compiled_in() {
    let error = Workspace::connect("oracle://host/db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("memory, sqlite"), "{error}");
}

#[tokio::test]
async fn handles_are_shared_between_threads() {
    fn is_shared<T: Send + Sync + 'static>(_: &Arc<T>) {}
    let dir = tempfile::tempdir().unwrap();
    let run = Arc::new(plain_run(&workspace(dir.path()).await).await);
    is_shared(&run);
}
