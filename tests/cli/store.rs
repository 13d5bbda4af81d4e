//! A store for tests, the same at each filling, and the command run on it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use futures::executor::block_on;
use mlops::journal::Actor;
use mlops::registry::Stage;
use mlops::time::{Clock, ManualClock};
use mlops::tracking::{
    CreateExperiment, CreateRun, DatasetContext, DatasetInput, RunChanges, RunStatus,
};
use mlops::{BackendUrl, ExperimentId, ExperimentName, Key, RunId, Workspace};
use serde_json::Value;

pub(crate) const MLOPS: &str = env!("CARGO_BIN_EXE_mlops");
/// 2025-01-01T12:00:00Z, in microseconds.
pub(crate) const NOON: i64 = 1_735_732_800_000_000;
const MINUTE: i64 = 60_000_000;

/// A store in `mlops`, in a directory of its own, the same at each filling.
pub(crate) struct Store(tempfile::TempDir);

impl Store {
    pub(crate) fn filled() -> Self {
        let directory = tempfile::tempdir().unwrap();
        block_on(fill(&directory.path().join("mlops"))).unwrap();
        Self(directory)
    }

    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn mlops(&self, args: &str) -> Output {
        let mut command = Command::new(MLOPS);
        command
            .args(words(args))
            .current_dir(self.path())
            .env_remove("MLOPS_URL")
            .env_remove("MLOPS_ONLINE")
            .env_remove("MLOPS_ACTOR");
        command.output().unwrap()
    }

    /// What a command prints that must succeed.
    pub(crate) fn done(&self, args: &str) -> String {
        let output = self.mlops(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The document of a command that must succeed.
    pub(crate) fn json(&self, args: &str) -> Value {
        let printed = self.done(&format!("{args} --json"));
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{args:?}: {e}: {printed}"))
    }

    /// Exit code and error of a command that must fail, for a program.
    pub(crate) fn refused(&self, args: &str) -> (i32, Value) {
        let output = self.mlops(&format!("{args} --json"));
        let printed = text(&output.stderr);
        let document: Value = serde_json::from_str(printed.lines().last().unwrap_or_default())
            .unwrap_or_else(|e| panic!("{args:?}: {e}: {printed}"));
        (output.status.code().unwrap(), document["error"].clone())
    }

    /// What a line of a shell prints on both outputs, and its exit code.
    pub(crate) fn shell(&self, line: &str) -> (String, i32) {
        self.shell_with(line, &[])
    }

    /// As [`Store::shell`], with these variables.
    pub(crate) fn shell_with(&self, line: &str, variables: &[(&str, &str)]) -> (String, i32) {
        let bin = Path::new(MLOPS).parent().unwrap().display();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{{ {line}; }} 2>&1")]).current_dir(self.path());
        command
            .env("PATH", format!("{bin}:/usr/local/bin:/usr/bin:/bin"))
            .env_remove("MLOPS_URL")
            .env_remove("MLOPS_ONLINE")
            .env_remove("MLOPS_ACTOR");
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        (text(&output.stdout), output.status.code().unwrap())
    }
}

/// The words of a line; one in quotes or backquotes may have spaces, or be empty.
pub(crate) fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let quoted = first == '\'' || first == '`';
        let (word, after) = if quoted {
            rest[1..].split_once(first).expect("a quote is closed")
        } else {
            rest.split_once(' ').unwrap_or((rest, ""))
        };
        words.push(word);
        rest = after.trim_start_matches(' ');
    }
    words
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The id of the run that starts at `micros`, as the library would make it but for the chance in it.
pub(crate) fn id_at(micros: i64) -> RunId {
    format!("{:012x}70008000000000000000", micros / 1_000).parse().unwrap()
}

async fn fill(directory: &Path) -> mlops::Result<()> {
    let clock = Arc::new(ManualClock::at_micros(NOON - MINUTE));
    let ws = Workspace::builder(BackendUrl::directory(directory))
        .actor(Actor::new("ann@laptop")?)
        .clock(Arc::clone(&clock) as Arc<_>)
        .open()
        .await?;
    let mut experiments = Vec::new();
    for (at, (name, team)) in [("churn", "risk"), ("fraud", "risk")].into_iter().enumerate() {
        let id: ExperimentId = format!("01941f290b607000900000000000000{at}").parse()?;
        let options = CreateExperiment::default().with_id(id).with_tag(Key::new("team")?, team);
        let name = ExperimentName::new(name)?;
        experiments.push(ws.tracker().create_experiment(&name, options).await?.id);
    }
    let runs = [
        (0, "baseline", "linear", 0.1, RunStatus::Finished),
        (0, "deep", "gbdt", 0.05, RunStatus::Finished),
        (0, "wide", "gbdt", 0.3, RunStatus::Failed),
        (1, "rules", "linear", 0.1, RunStatus::Finished),
        (1, "typo", "linear", 10.0, RunStatus::Killed),
    ];
    for (at, (experiment, name, model, lr, status)) in runs.into_iter().enumerate() {
        clock.advance_micros(NOON + at as i64 * 10 * MINUTE - clock.now_micros());
        let id = id_at(clock.now_micros());
        let create = CreateRun::new(id, experiments[experiment])
            .with_name(name.try_into()?)
            .with_user("ann")
            .with_param(Key::new("model")?, model)
            .with_param(Key::new("lr")?, lr.to_string())
            .with_param(Key::new("seed")?, "7")
            .with_tag(Key::new("team")?, "risk");
        ws.tracker().create_run(create).await?;
        // Ended and resumed, as the handle makes ids of its own.
        let ended = RunChanges::default().with_status(RunStatus::Killed);
        ws.tracker().update_run(id, ended).await?;
        let run = ws.resume(id).await?;
        for step in 0..50 {
            clock.advance_micros(MINUTE / 60);
            run.log_metric("loss", lr + 1.0 / f64::from(step + 1), step.into())?;
        }
        run.log_metric("auc", (95.0 - lr * 50.0) / 100.0, 49)?;
        if name == "baseline" {
            let digest = Key::new("blake3:7d5c1f3a")?;
            let input = DatasetInput::new(Key::new("customers")?, digest, DatasetContext::Train);
            run.log_input(input.with_rows(7_043).with_source("s3://data/customers.parquet"))
                .await?;
            run.set_note("the one to beat").await?;
            run.log_artifact("model/weights.bin", vec![7; 4_096]).await?;
            run.log_artifact("model/spec.json", b"{\"kind\": \"linear\"}\n".to_vec()).await?;
        }
        match status {
            RunStatus::Failed => run.fail("out of memory").await?,
            RunStatus::Killed => run.kill().await?,
            _ => run.finish().await?,
        }
    }
    clock.advance_micros(MINUTE);
    let typo = id_at(NOON + 40 * MINUTE);
    ws.tracker().update_run(typo, RunChanges::default().with_deleted(true)).await?;
    // Two versions, of which the first was in production for an hour.
    for (rules, reason) in [("amount > 900", "first one"), ("amount > 700", "finds more")] {
        let register =
            ws.models().register("fraud")?.file("rules.txt", rules.as_bytes().to_vec())?;
        let version = register.from_run(id_at(NOON + 30 * MINUTE)).register().await?;
        clock.advance_micros(30 * MINUTE);
        let id = version.id().to_string();
        let plan = ws.models().promotion_plan(&id, Stage::Production, reason).await?;
        ws.models().apply(&plan).await?;
        clock.advance_micros(30 * MINUTE);
    }
    ws.journal().seal().await?;
    Ok(())
}
