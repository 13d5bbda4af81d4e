//! Sixteen processes promote, approve and roll back the same model at random: the history explains
//! every state, and exactly one version holds Production at each number of the journal.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mlops::registry::{Stage, StagePolicy, VersionId};
use mlops::{ErrorKind, ModelName, Result, Workspace};

use crate::{child, open, replay, setting};

const PROCESSES: u64 = 16;
const VERSIONS: u64 = 6;
const STORE: &str = "MLOPS_CROWD_STORE";
const SEED: &str = "MLOPS_CROWD_SEED";
const SECONDS: &str = "MLOPS_CROWD_SECS";

#[tokio::test]
async fn one_version_holds_production_at_each_moment_whatever_sixteen_processes_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("mlops");
    let ws = open(&store, "author").await;
    for number in 1..=VERSIONS {
        let file = format!("weights of {number}").into_bytes();
        ws.models()
            .register("churn")
            .unwrap()
            .file("weights", file)
            .unwrap()
            .register()
            .await
            .unwrap();
    }
    // The first holder comes in without a policy, so that there always is one.
    let plan = ws.models().promotion_plan("churn/1", Stage::Production, "the first").await.unwrap();
    ws.models().apply(&plan).await.unwrap();
    let policy: StagePolicy = serde_json::from_str(
        r#"{"stages": {"Production": {"approvals": {"count": 2, "role": "approver"}}}}"#,
    )
    .unwrap();
    ws.models().set_policy(Some("churn"), &policy).await.unwrap();
    let begin = ws.journal().last().await.unwrap();

    let mut children: Vec<_> = (0..PROCESSES)
        .map(|seed| {
            child("crowd::one_of_the_crowd")
                .env(STORE, &store)
                .env(SEED, seed.to_string())
                .env(SECONDS, setting(SECONDS).unwrap_or_else(|| "6".into()))
                .spawn()
                .unwrap()
        })
        .collect();
    let mut done = Counts::default();
    for child in &mut children {
        let out = BufReader::new(child.stdout.take().unwrap());
        for line in out.lines().map_while(Result::ok) {
            if let Some(counts) = line.strip_prefix("@done ") {
                done.add(counts);
            }
        }
    }
    for mut child in children {
        assert!(child.wait().unwrap().success(), "a process met an error that it must not meet");
    }

    let mut moves = 0;
    let model: ModelName = "churn".parse().unwrap();
    let state = replay(&ws, |event, state| {
        if event.sequence < begin {
            return;
        }
        let holders = &state.models()[&model].stages[&Stage::Production];
        assert_eq!(holders.len(), 1, "one holder after row {}", event.sequence);
        moves += u64::from(
            event.operation == "version.promote" || event.operation == "version.rollback",
        );
    })
    .await;
    println!("{done:?}; {} rows in the journal", ws.journal().last().await.unwrap());
    // The row that sets the policy is `begin`; the promotion before it is not counted.
    assert_eq!(
        moves,
        done.promoted + done.rolled_back,
        "every acknowledged move is in the journal"
    );
    assert!(done.promoted > 0 && done.rolled_back > 0 && done.refused > 0, "{done:?}");
    let holder = ws.models().resolve("models:/churn/Production").await.unwrap();
    assert_eq!(state.models()[&model].stages[&Stage::Production], [holder.number]);
    for step in ws.models().stage_history("churn").await.unwrap().iter().skip(1) {
        let own = step.cause == mlops::registry::MoveCause::Promote && step.to == Stage::Production;
        assert!(
            !own || step.approvals.len() >= 2,
            "each promotion names its two approvals: {step:?}"
        );
    }
}

/// What the processes did.
#[derive(Debug, Default)]
struct Counts {
    promoted: u64,
    rolled_back: u64,
    approved: u64,
    refused: u64,
    conflicts: u64,
}

impl Counts {
    fn add(&mut self, line: &str) {
        let numbers: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
        self.promoted += numbers[0];
        self.rolled_back += numbers[1];
        self.approved += numbers[2];
        self.refused += numbers[3];
        self.conflicts += numbers[4];
    }

    /// Counts what may happen to anybody in a crowd; everything else ends the process.
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(done) => return Some(done),
            Err(e) if e.kind() == ErrorKind::Conflict => self.conflicts += 1,
            Err(e) if e.kind() == ErrorKind::Denied => self.refused += 1,
            // In the stage already, by another's hand.
            Err(e) if e.kind() == ErrorKind::Invalid => self.conflicts += 1,
            Err(e) => panic!("{e:?}"),
        }
        None
    }
}

/// Not a test: what each of the sixteen processes does.
#[tokio::test]
async fn one_of_the_crowd() {
    let (Some(store), Some(seed)) = (setting(STORE), setting(SEED)) else { return };
    let seed: u64 = seed.parse().unwrap();
    let seconds: u64 = setting(SECONDS).unwrap().parse().unwrap();
    let end = Instant::now() + Duration::from_secs(seconds);
    let ws = open(&PathBuf::from(store), &format!("worker-{seed}")).await;
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut counts = Counts::default();
    while Instant::now() < end {
        // xorshift: the children need no more than to differ.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        step(&ws, random, &mut counts).await;
    }
    let Counts { promoted, rolled_back, approved, refused, conflicts } = counts;
    println!("\n@done {promoted} {rolled_back} {approved} {refused} {conflicts}");
}

async fn step(ws: &Workspace, random: u64, counts: &mut Counts) {
    let models = ws.models();
    let uri = VersionId::new("churn".parse().unwrap(), random / 16 % VERSIONS + 1).to_string();
    match random % 16 {
        0..=7 => {
            let plan = models.promotion_plan(&uri, Stage::Production, "").await;
            let Some(plan) = counts.note(plan) else { return };
            counts.approved +=
                u64::from(counts.note(models.approve(&plan, "fine").await).is_some());
        }
        8..=12 => {
            let plan = models.promotion_plan(&uri, Stage::Production, "it is time").await;
            let Some(plan) = counts.note(plan) else { return };
            counts.promoted += u64::from(counts.note(models.apply(&plan).await).is_some());
        }
        13 => {
            // Another stage, but never away from Production.
            let plan = models.promotion_plan(&uri, Stage::Staging, "").await;
            let Some(plan) = counts.note(plan) else { return };
            if plan.steps.last().unwrap().from != Stage::Production {
                counts.promoted += u64::from(counts.note(models.apply(&plan).await).is_some());
            }
        }
        14 => {
            let plan = models.promotion_plan(&uri, Stage::Production, "").await;
            let Some(plan) = counts.note(plan) else { return };
            counts.note(models.withdraw(&plan, "").await);
        }
        _ => {
            match models.rollback("churn", Stage::Production, "it misbehaves").await {
                // Nobody held the stage before.
                Err(e) if e.kind() == ErrorKind::NotFound => counts.refused += 1,
                other => counts.rolled_back += u64::from(counts.note(other).is_some()),
            }
        }
    }
}
