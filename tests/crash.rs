//! Killing the process: what was accepted is there, and nothing is half there.
//!
//! A child (this same test binary) logs to a store and acknowledges over a pipe each thing that was
//! accepted. The parent kills it with SIGKILL at a random moment, opens the store again and compares.
//! `MLOPS_CRASH_ROUNDS` sets how often; the full count is 200.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mlops::filter::Filter;
use mlops::tracking::{HistoryQuery, RunStatus};
use mlops::{ActiveRun, BackendUrl, Batch, Key, RunId, TrackingOptions, Workspace};

const CHILD: &str = "MLOPS_CRASH_CHILD";
const ROUNDS: &str = "MLOPS_CRASH_ROUNDS";

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What the child acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    run: Option<RunId>,
    loss: i64,
    group: i64,
    batch: i64,
    artifacts: Vec<String>,
    flushed: i64,
    finished: bool,
}

#[test]
fn accepted_points_and_artifacts_survive_sigkill() {
    let rounds = setting(ROUNDS).map_or(20, |n| n.parse().unwrap());
    let mut killed_at = [0; 3];
    for round in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        let seen = run_and_kill(dir.path(), round);
        let phase = check(dir.path(), &seen, round);
        killed_at[phase] += 1;
    }
    println!(
        "{rounds} kills: {} before the run was acknowledged, {} while it logged, {} after its end",
        killed_at[0], killed_at[1], killed_at[2]
    );
    assert!(rounds < 20 || killed_at[1] * 2 > rounds, "most kills must hit a logging run");
}

fn run_and_kill(dir: &Path, round: usize) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir.join("mlops"))
        .env("MLOPS_CRASH_SEED", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let (started, has_started) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut seen = Acknowledged::default();
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            note(&mut seen, &line);
            if line.starts_with("@run") {
                // Nobody listens in the rounds that kill early.
                let _ = started.send(());
            }
        }
        seen
    });
    // Most rounds kill a run that is logging, however slow the machine is; some kill it while it opens.
    if !round.is_multiple_of(8) {
        has_started.recv_timeout(Duration::from_mins(1)).expect("the child starts its run");
    }
    // Spread over opening, logging, flushing, sealing: prime steps, so that rounds differ.
    let micros = 500 + (round as u64 * 7_919) % 120_000;
    std::thread::sleep(Duration::from_micros(micros));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

fn note(seen: &mut Acknowledged, line: &str) {
    // The harness writes lines of its own.
    let Some((what, rest)) = line.split_once(' ') else { return };
    match what {
        "@run" => seen.run = Some(rest.parse().unwrap()),
        "@loss" => seen.loss = rest.parse().unwrap(),
        "@group" => seen.group = rest.parse().unwrap(),
        "@batch" => seen.batch = rest.parse().unwrap(),
        "@flush" => seen.flushed = rest.parse().unwrap(),
        "@artifact" => seen.artifacts.push(rest.to_owned()),
        "@finished" => seen.finished = true,
        _ => {}
    }
}

fn check(dir: &Path, seen: &Acknowledged, round: usize) -> usize {
    futures::executor::block_on(async {
        let ws = Workspace::open(dir.join("mlops")).await.unwrap();
        let runs = ws.search_all(mlops::tracking::RunQuery::default()).await.unwrap();
        let proof = ws.journal().seal().await.unwrap();
        assert_eq!(ws.journal().verify().await.unwrap(), proof, "round {round}");
        let events = ws.journal().events(0, 1 << 20).await.unwrap();
        assert!(events.iter().zip(1..).all(|(e, n)| e.sequence == n), "round {round}");
        let spools = std::fs::read_dir(dir.join("mlops/spool")).unwrap();
        let left =
            spools.filter(|e| e.as_ref().unwrap().path().extension().unwrap() == "spool").count();
        assert_eq!(left, 0, "round {round}: spools are taken up and removed");
        let Some(id) = seen.run else { return 0 };

        let run = runs.iter().find(|run| run.id == id).expect("an acknowledged run is there");
        let ended = if seen.finished { RunStatus::Finished } else { RunStatus::Lost };
        assert!(
            run.status == ended || (!seen.finished && run.status == RunStatus::Finished),
            "round {round}: {} after {seen:?}",
            run.status
        );
        let values = async |key: &str| {
            let key = Key::new(key).unwrap();
            ws.metric_history(id, &key, &HistoryQuery::default()).await.unwrap()
        };
        let loss = values("loss").await;
        // One more may have been accepted than acknowledged: the kill came in between.
        let count = loss.len() as i64;
        assert!(count >= seen.loss, "round {round}: {} of {} points", count, seen.loss);
        assert!(
            loss.iter().zip(0..).all(|(p, n)| p.step == n && p.value == 1.0 / (n as f64 + 1.0))
        );
        let (a, b) = (values("group/a").await, values("group/b").await);
        assert_eq!(a.steps, b.steps, "round {round}: a group is whole");
        assert!(a.len() as i64 >= seen.group, "round {round}");
        let batches = values("batch").await;
        assert!(batches.len() as i64 >= seen.batch, "round {round}");
        let tags = run.params.keys().filter(|k| k.starts_with("batch/")).count();
        assert_eq!(tags, batches.len(), "round {round}: a batch is whole");
        if count > 0 {
            assert_eq!(run.metrics["loss"].count as i64, count, "round {round}");
        }
        for path in &seen.artifacts {
            let reader = ws.get_artifact(id, &path.parse().unwrap()).await.unwrap();
            let bytes = reader.bytes().await.unwrap();
            assert_eq!(bytes, contents(path), "round {round}: {path}");
        }
        for artifact in ws.tracker().artifacts(id, "").await.unwrap() {
            ws.blobs().get_bytes(&artifact.blob).await.expect("a named artifact is whole");
        }
        usize::from(seen.finished) + 1
    })
}

fn contents(path: &str) -> Vec<u8> {
    path.bytes().cycle().take(100_000).collect()
}

/// Not a test: what the killed process does.
#[test]
fn child() {
    let (Some(dir), Some(seed)) = (setting(CHILD), setting("MLOPS_CRASH_SEED")) else { return };
    let seed: i64 = seed.parse().unwrap();
    futures::executor::block_on(log_until_killed(PathBuf::from(dir), seed));
}

async fn log_until_killed(dir: PathBuf, seed: i64) {
    // A small spool and a short interval, so that kills hit halves that change places.
    let options = TrackingOptions::default()
        .with_spool_points([128, 1_024, 262_144][seed as usize % 3])
        .with_flush_every(Duration::from_millis(5));
    let ws = Workspace::builder(BackendUrl::directory(dir)).tracking(options).open().await.unwrap();
    let run = ws.run("crash").unwrap().without_capture().start().await.unwrap();
    let mut out = std::io::stdout().lock();
    // One write call a line: a line is acknowledged whole or not at all.
    let mut tell = |line: String| out.write_all(line.as_bytes()).unwrap();
    tell(format!("\n@run {}\n", run.id()));
    // Every fourth round ends soon, so that kills hit the end of a run and the sealing of its history.
    let steps = if seed % 4 == 3 { 1_200 } else { 20_000_i64 };
    for step in 0..steps {
        run.log_metric("loss", 1.0 / (step as f64 + 1.0), step).unwrap();
        tell(format!("@loss {}\n", step + 1));
        if step % 7 == 0 {
            run.log_metrics(step, &[("group/a", 1.0), ("group/b", 2.0)]).unwrap();
            tell(format!("@group {}\n", step / 7 + 1));
        }
        if step % 500 == 499 {
            slow_part(&run, step / 500, &mut tell).await;
        }
    }
    run.finish().await.unwrap();
    tell("@finished now\n".into());
    loop {
        std::thread::park();
    }
}

async fn slow_part(run: &ActiveRun, n: i64, tell: &mut impl FnMut(String)) {
    match n % 3 {
        0 => {
            let batch = Batch::new().metric("batch", n as f64, n).unwrap();
            run.log_batch(batch.param(&format!("batch/{n}"), n).unwrap()).await.unwrap();
            tell(format!("@batch {}\n", n / 3 + 1));
        }
        1 => {
            let path = format!("files/{n}.bin");
            run.log_artifact(&path, contents(&path)).await.unwrap();
            tell(format!("@artifact {path}\n"));
        }
        _ => {
            run.flush().await.unwrap();
            tell(format!("@flush {n}\n"));
        }
    }
}

/// SIGTERM's default ends the process as SIGKILL does: the next opener finds everything.
#[test]
fn sigterm_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir.path().join("mlops"))
        .env("MLOPS_CRASH_SEED", "2")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = Acknowledged::default();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    while seen.loss < 3_000 {
        note(&mut seen, &lines.next().unwrap());
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    for line in lines {
        note(&mut seen, &line);
    }
    child.wait().unwrap();
    check(dir.path(), &seen, 0);
}

/// Many processes open a store that is not there yet at the same instant; all succeed.
#[test]
fn eight_processes_open_a_fresh_store_at_once() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let children: Vec<_> = (0..8)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["opener", "--exact", "--test-threads=1"])
                    .env(CHILD, dir.path().join("mlops"))
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for child in children {
            let done = child.wait_with_output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        futures::executor::block_on(async {
            let ws = Workspace::open(dir.path().join("mlops")).await.unwrap();
            let finished = ws.search("status = 'finished'", &[]).await.unwrap();
            assert_eq!(finished.len(), 8);
            let experiments = mlops::tracking::ExperimentQuery::new(Filter::All);
            let experiments = ws.tracker().search_experiments(&experiments).await.unwrap();
            assert_eq!(experiments.items.len(), 1, "all agreed on one experiment");
        });
    }
}

/// Not a test: opens the store and logs one run.
#[test]
fn opener() {
    let Some(dir) = setting(CHILD) else { return };
    futures::executor::block_on(async {
        let ws = Workspace::open(dir).await.unwrap();
        let run = ws.run("fresh").unwrap().without_capture().start().await.unwrap();
        run.log_metric("loss", 1.0, 0).unwrap();
        run.finish().await.unwrap();
    });
}
