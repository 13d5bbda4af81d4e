//! SIGKILL while a process registers, promotes and copies: a version is whole or absent, and what was
//! acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mlops::registry::{Stage, VersionId};
use mlops::{ModelName, VerifyModels, Workspace};

use crate::{child, open, replay, setting};

const STORE: &str = "MLOPS_KILL_STORE";
const SEED: &str = "MLOPS_KILL_SEED";

/// What the child acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    registered: u64,
    promoted: u64,
    copied: Vec<u64>,
}

#[tokio::test]
async fn a_version_is_whole_or_absent_after_sigkill() {
    let rounds = setting("MLOPS_CRASH_ROUNDS").map_or(12, |n| n.parse().unwrap());
    let (mut versions, mut moves, mut copies) = (0, 0, 0);
    for round in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        let seen = run_and_kill(dir.path(), round);
        check(dir.path(), &seen, round).await;
        versions += seen.registered;
        moves += seen.promoted;
        copies += seen.copied.len();
    }
    println!("{rounds} kills, after {versions} versions, {moves} promotions and {copies} copies");
    assert!(rounds < 12 || (versions > 0 && moves > 0 && copies > 0));
}

fn run_and_kill(dir: &Path, round: u64) -> Acknowledged {
    let mut child = child("kills::works_until_killed")
        .env(STORE, dir)
        .env(SEED, round.to_string())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let (began, has_begun) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut seen = Acknowledged::default();
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("@open", _)) => drop(began.send(())),
                Some(("@registered", number)) => seen.registered = number.parse().unwrap(),
                Some(("@promoted", number)) => seen.promoted = number.parse().unwrap(),
                Some(("@copied", number)) => seen.copied.push(number.parse().unwrap()),
                // The harness writes lines of its own.
                _ => {}
            }
        }
        seen
    });
    has_begun.recv_timeout(Duration::from_mins(1)).expect("the child opens its stores");
    // Prime steps, so that rounds differ.
    std::thread::sleep(Duration::from_micros(1_000 + (round * 7_919) % 150_000));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

async fn check(dir: &Path, seen: &Acknowledged, round: u64) {
    let ws = open(&dir.join("dev"), "checker").await;
    let state = replay(&ws, |event, state| {
        for model in state.models().values() {
            let holders = model.stages.get(&Stage::Production).map_or(0, Vec::len);
            assert!(holders <= 1, "round {round}: {holders} holders after row {}", event.sequence);
        }
    })
    .await;
    let proof = ws.models().verify(&VerifyModels::default()).await.unwrap();
    assert!(proof.is_ok(), "round {round}: {proof}");
    let model: ModelName = "churn".parse().unwrap();
    let last = state.models().get(&model).map_or(0, |model| model.last_number);
    assert!(last >= seen.registered, "round {round}: {last} versions after {seen:?}");
    for number in 1..=last {
        let version = &state.versions()[&VersionId::new("churn".parse().unwrap(), number)];
        assert_eq!(version.manifest.files.len(), 2, "round {round}: version {number} is whole");
    }
    if seen.promoted > 0 {
        let history = state.stage_history(&model);
        assert!(
            history.iter().any(|step| step.number == seen.promoted && step.to == Stage::Production),
            "round {round}: the promotion of {} is there",
            seen.promoted
        );
    }
    let target = open(&dir.join("prod"), "checker").await;
    replay(&target, |_, _| {}).await;
    let proof = target.models().verify(&VerifyModels::default()).await.unwrap();
    assert!(proof.is_ok(), "round {round}: copies are whole: {proof}");
    let copies = target.models().search_versions("name = 'churn'", &[]).await.unwrap();
    for number in &seen.copied {
        let origin = format!("#churn/{number}");
        let copied = copies
            .iter()
            .find(|copy| copy.origin.as_ref().is_some_and(|from| from.ends_with(&origin)))
            .expect("an acknowledged copy is there");
        let own = &state.versions()[&VersionId::new("churn".parse().unwrap(), *number)];
        assert_eq!(copied.digest, own.digest);
    }
}

/// Not a test: what the killed process does.
#[tokio::test]
async fn works_until_killed() {
    let (Some(dir), Some(seed)) = (setting(STORE), setting(SEED)) else { return };
    let (dir, seed): (PathBuf, u64) = (dir.into(), seed.parse().unwrap());
    let (dev, prod) = (open(&dir.join("dev"), "dev").await, open(&dir.join("prod"), "prod").await);
    // One write call a line: a line is acknowledged whole or not at all.
    let tell = |what: &str, number: u64| {
        std::io::stdout().lock().write_all(format!("{what} {number}\n").as_bytes()).unwrap();
    };
    tell("\n@open", 0);
    for n in 1_u64.. {
        let number = register(&dev, seed * 1_000 + n).await;
        tell("@registered", number);
        let uri = format!("churn/{number}");
        if n.is_multiple_of(2) {
            let plan = dev.models().promotion_plan(&uri, Stage::Production, "").await.unwrap();
            dev.models().apply(&plan).await.unwrap();
            tell("@promoted", number);
        }
        if n % 3 == 1 {
            dev.models().copy_to(&uri, prod.models(), None).await.unwrap();
            tell("@copied", number);
        }
    }
}

/// A version of two files: one that only it has, and one that all share.
async fn register(ws: &Workspace, seed: u64) -> u64 {
    let own: Vec<u8> = seed.to_le_bytes().into_iter().cycle().take(50_000).collect();
    let builder = ws.models().register("churn").unwrap();
    let builder =
        builder.file("weights", own).unwrap().file("shared", b"the same".to_vec()).unwrap();
    builder.register().await.unwrap().number
}
