//! The command `mlops`, run as a person and as a program run it, on a store that the library filled.
//!
//! `docs/cli.md` is a test: each of its blocks is run, in order, and must print what stands there. A
//! line may hold `[..]` for what differs from day to day. After a change of what is printed, copy the
//! file that the failed test names over the page, and read the difference.

#![allow(clippy::unwrap_used, reason = "helpers of tests; a failure is a failed test")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use futures::executor::block_on;
use mlops::journal::Actor;
use mlops::time::{Clock, ManualClock};
use mlops::tracking::{
    CreateExperiment, CreateRun, DatasetContext, DatasetInput, RunChanges, RunStatus,
};
use mlops::{BackendUrl, ExperimentId, ExperimentName, Key, RunId, Workspace};
use serde_json::Value;

const MLOPS: &str = env!("CARGO_BIN_EXE_mlops");
/// 2025-01-01T12:00:00Z, in microseconds.
const NOON: i64 = 1_735_732_800_000_000;
const MINUTE: i64 = 60_000_000;

/// A store in `mlops`, in a directory of its own, the same at each filling.
struct Store(tempfile::TempDir);

impl Store {
    fn filled() -> Self {
        let directory = tempfile::tempdir().unwrap();
        block_on(fill(&directory.path().join("mlops"))).unwrap();
        Self(directory)
    }

    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn mlops(&self, args: &str) -> Output {
        let mut command = Command::new(MLOPS);
        command.args(words(args)).current_dir(self.path()).env_remove("MLOPS_URL");
        command.output().unwrap()
    }

    /// What a command prints that must succeed.
    fn done(&self, args: &str) -> String {
        let output = self.mlops(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The document of a command that must succeed.
    fn json(&self, args: &str) -> Value {
        let printed = self.done(&format!("{args} --json"));
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{args:?}: {e}: {printed}"))
    }

    /// Exit code and error of a command that must fail, for a program.
    fn refused(&self, args: &str) -> (i32, Value) {
        let output = self.mlops(&format!("{args} --json"));
        let printed = text(&output.stderr);
        let document: Value = serde_json::from_str(printed.lines().last().unwrap_or_default())
            .unwrap_or_else(|e| panic!("{args:?}: {e}: {printed}"));
        (output.status.code().unwrap(), document["error"].clone())
    }

    /// What a line of a shell prints on both outputs, and its exit code.
    fn shell(&self, line: &str) -> (String, i32) {
        let bin = Path::new(MLOPS).parent().unwrap().display();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{{ {line}; }} 2>&1")]).current_dir(self.path());
        command.env("PATH", format!("{bin}:/usr/local/bin:/usr/bin:/bin")).env_remove("MLOPS_URL");
        let output = command.output().unwrap();
        (text(&output.stdout), output.status.code().unwrap())
    }
}

/// The words of a line; one in quotes or backquotes may have spaces, or be empty.
fn words(line: &str) -> Vec<&str> {
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The id of the run that starts at `micros`, as the library would make it but for the chance in it.
fn id_at(micros: i64) -> RunId {
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
        run.log_metric("auc", 0.95 - lr / 2.0, 49)?;
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
    ws.journal().seal().await?;
    Ok(())
}

#[test]
fn every_block_of_the_documentation_is_what_the_command_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let expected = fs::read_to_string(page).unwrap();
    let store = Store::filled();
    let mut found = String::new();
    let mut lines = expected.lines().peekable();
    while let Some(line) = lines.next() {
        writeln!(found, "{line}").unwrap();
        if line != "```console" {
            continue;
        }
        while let Some(line) = lines.next_if(|line| *line != "```") {
            let command =
                line.strip_prefix("$ ").expect("a block is commands, each with its output");
            let mut stated = Vec::new();
            while let Some(line) = lines.next_if(|l| *l != "```" && !l.starts_with("$ ")) {
                stated.push(line);
            }
            let (mut printed, code) = store.shell(command);
            if code != 0 {
                writeln!(printed, "[exit code {code}]").unwrap();
            }
            writeln!(found, "$ {command}").unwrap();
            for (at, line) in printed.lines().enumerate() {
                let same = stated.get(at).filter(|stated| fits(stated, line));
                writeln!(found, "{}", same.unwrap_or(&line)).unwrap();
            }
        }
    }
    if found != expected {
        let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli.md");
        fs::write(&actual, &found).unwrap();
        let first = found.lines().zip(expected.lines()).find(|(found, stated)| found != stated);
        panic!(
            "docs/cli.md differs from {}, first at (found, stated) {first:#?}",
            actual.display()
        );
    }
}

/// Whether a printed line is the stated one, in which `[..]` stands for anything.
fn fits(stated: &str, printed: &str) -> bool {
    let mut parts = stated.split("[..]");
    let Some(mut rest) = printed.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        if at + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else {
            return false;
        };
        rest = &rest[found + part.len()..];
    }
    rest.is_empty()
}

#[test]
fn every_command_prints_one_document_for_programs() {
    let store = Store::filled();
    fs::write(store.path().join("notes.txt"), "as planned").unwrap();
    for (args, check) in [
        ("experiments list", "/0/name"),
        ("experiments show churn", "/runs"),
        ("experiments create new", "/id"),
        ("experiments rename new newer", "/name"),
        ("experiments tag newer a=1 --remove b", "/tags/a"),
        ("experiments delete newer", "/deleted"),
        ("experiments restore newer", "/id"),
        ("runs list", "/0/experiment_name"),
        ("runs search 'metrics.auc > 0.9'", "/0/metrics/auc/last"),
        ("runs show baseline", "/artifacts/1/digest"),
        ("runs compare baseline deep", "/rows/0/values/1"),
        ("runs count", "/runs"),
        ("runs history baseline loss", "/49/value"),
        ("runs tag baseline reviewed=yes", "/0/tags/reviewed"),
        ("runs note baseline better", "/0/note"),
        ("runs delete deep wide", "/1/deleted"),
        ("runs restore deep wide", "/1/id"),
        ("runs recover", "/points"),
        ("artifacts list 019421bcaa00", "/0/path"),
        ("artifacts get baseline model --out out", "/1"),
        ("artifacts put baseline notes.txt", "/0/size"),
        ("trash list", "/0/kind"),
        ("trash purge --dry-run", "/plan/purge/runs/0"),
        ("retention --keep-last 1 --older-than 30d --dry-run", "/plan/delete/1"),
        ("retention --keep-last 1 --older-than 30d --yes", "/done/deleted_runs"),
        ("trash purge --yes", "/done/freed_bytes"),
        ("journal tail --after 0 --limit 1", "/0/sequence"),
        ("journal verify", "/sealed"),
        ("journal seal", "/head"),
        ("info", "/runs/by_status/finished"),
        ("export mlflow out.db", "/runs"),
        ("--store other import mlflow out.db", "/runs/new"),
    ] {
        let document = store.json(args);
        assert!(document.pointer(check).is_some(), "{args:?} has no {check}: {document:#}");
    }
}

#[test]
fn a_bad_filter_is_refused_with_its_position() {
    let store = Store::filled();
    let (code, error) = store.refused("runs search `metrics.auc > 0.9 and staus = 'failed'`");
    assert_eq!(code, 2, "{error:#}");
    assert_eq!(error["kind"], "invalid");
    assert_eq!(error["context"]["position"], "23");
    assert_eq!(error["hint"], "did you mean `status`?");
}

#[test]
fn exit_codes_and_kinds_are_those_of_the_documentation() {
    let store = Store::filled();
    store.done("artifacts get baseline model/spec.json --out out");
    for (args, code, kind) in [
        ("runs show nobody", 4, "not found"),
        ("runs show 00000000000000000000000000000000", 4, "not found"),
        ("runs show 019", 4, "not found"),
        ("runs show 0194", 2, "invalid"),
        ("runs compare deep deep", 2, "invalid"),
        ("runs history deep lozz", 4, "not found"),
        ("runs list --columns metrix.x", 2, "invalid"),
        ("runs list --order-by datasets.name", 2, "invalid"),
        ("runs list --page nonsense", 2, "invalid"),
        ("runs list --experiment nobody", 4, "not found"),
        ("runs delete deep nobody", 4, "not found"),
        ("experiments create churn", 3, "already exists"),
        ("experiments rename churn fraud", 3, "already exists"),
        ("experiments rename churn ''", 2, "invalid"),
        ("artifacts get baseline model/spec.json --out out", 3, "already exists"),
        ("artifacts get baseline nothing", 4, "not found"),
        ("artifacts get baseline model/spec.json --out -", 2, "invalid"),
        ("artifacts put baseline absent.txt", 4, "not found"),
        ("trash purge", 2, "invalid"),
        ("retention --keep-last 1 --older-than 1d", 2, "invalid"),
        ("--store other import mlruns nowhere", 4, "not found"),
        ("runs lsit", 64, "usage"),
        ("runs tag deep", 64, "usage"),
        ("runs tag deep novalue", 64, "usage"),
        ("trash purge --older-than 5x", 64, "usage"),
        ("trash purge --yes --dry-run", 64, "usage"),
        ("--store etcd://host/x info", 1, "unsupported"),
    ] {
        let (found, error) = store.refused(args);
        assert_eq!((found, error["kind"].as_str()), (code, Some(kind)), "{args:?}: {error:#}");
    }
    assert_eq!(store.json("runs count")["runs"], 4, "a refused command changed something");
}

#[test]
fn an_ambiguous_prefix_shows_what_may_be_meant() {
    let store = Store::filled();
    let (code, error) = store.refused("runs show 0194");
    let shown = error["context"]["candidates"].as_str().unwrap();
    assert_eq!((code, shown.split(", ").count()), (2, 4));
    assert!(shown.contains(&id_at(NOON).to_string()));
    let id = id_at(NOON).to_string();
    let twelve = &id[..12];
    assert_eq!(store.json(&format!("runs show {twelve}"))["name"], "baseline");
    assert_eq!(store.json(&format!("runs show {}", twelve.to_uppercase()))["name"], "baseline");
}

#[test]
fn what_is_in_the_trash_is_found_only_after_what_is_not() {
    let store = Store::filled();
    assert!(store.json("runs show typo")["deleted"].is_string());
    store.done("runs restore typo");
    assert!(store.json("runs show typo")["deleted"].is_null());
}

#[test]
fn a_command_that_reads_makes_no_store() {
    let store = Store::empty();
    for args in ["runs list", "info", "runs tag x a=b", "trash list"] {
        let output = store.mlops(args);
        assert_eq!(output.status.code(), Some(4));
        assert!(text(&output.stderr).starts_with("error: no store in ./mlops\nhint: "));
    }
    assert_eq!(store.refused("experiments create ' '").0, 2);
    assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);
    store.done("experiments create churn");
    assert_eq!(store.json("experiments list")[0]["runs"], 0);
}

#[test]
fn the_store_is_named_by_option_or_environment() {
    let store = Store::filled();
    let elsewhere = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", store.path().join("mlops").display());
    let count = |args: &str, variable: Option<&str>| {
        let mut command = Command::new(MLOPS);
        command.args(words(args)).current_dir(elsewhere.path()).env_remove("MLOPS_URL");
        if let Some(url) = variable {
            command.env("MLOPS_URL", url);
        }
        text(&command.output().unwrap().stdout)
    };
    assert_eq!(count(&format!("runs count --store {url}"), None), "4\n");
    assert_eq!(count("runs count", Some(&url)), "4\n");
    assert_eq!(count(&format!("--store {url} runs count"), Some("nowhere")), "4\n");
}

#[test]
fn pages_hold_every_run_once() {
    let store = Store::filled();
    let mut names = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let page_args = page.map(|token| format!("--page {token}")).unwrap_or_default();
        let args = format!("runs list --limit 3 --order-by name --json {page_args}");
        let output = store.mlops(&args);
        let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
        for run in runs.as_array().unwrap() {
            names.push(run["name"].as_str().unwrap().to_owned());
        }
        let note: Option<Value> = serde_json::from_slice(&output.stderr).ok();
        page = note.map(|note| note["next"].as_str().unwrap().to_owned());
        if page.is_none() {
            break;
        }
    }
    assert_eq!(names, ["baseline", "deep", "rules", "wide"]);
    let all = store.json("runs list --all --view all");
    assert_eq!(all.as_array().unwrap().len(), 5);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let store = Store::filled();
    fs::write(store.path().join("large"), vec![0; 4 << 20]).unwrap();
    store.done("artifacts put baseline large");
    let line =
        "{ mlops artifacts get baseline large --out - 2>errors; echo $? >code; } | head -c 1";
    store.shell(line);
    assert_eq!(fs::read_to_string(store.path().join("errors")).unwrap(), "");
    assert_eq!(fs::read_to_string(store.path().join("code")).unwrap().trim(), "0");
}

#[test]
fn artifacts_come_back_byte_for_byte() {
    let store = Store::filled();
    let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i * 31 % 251) as u8).collect();
    fs::create_dir_all(store.path().join("tree/deep")).unwrap();
    fs::write(store.path().join("tree/deep/data.bin"), &bytes).unwrap();
    fs::write(store.path().join("tree/readme"), "hello").unwrap();
    let stored = store.json("artifacts put deep tree --path v1");
    assert_eq!(stored[0]["path"], "v1/deep/data.bin");
    store.done("artifacts get deep v1/ --out back");
    assert_eq!(fs::read(store.path().join("back/v1/deep/data.bin")).unwrap(), bytes);
    let piped = store.mlops("artifacts get deep v1/deep/data.bin --out -");
    assert!(piped.status.success());
    assert_eq!(piped.stdout, bytes);
}

#[test]
fn what_was_stored_cannot_move_the_cursor_of_who_looks_at_it() {
    let store = Store::filled();
    store.done("runs tag deep evil=\u{1b}[2J\u{7}gone");
    store.done("runs note deep 'two\nlines\u{1b}[31m'");
    for args in [
        "runs show deep",
        "runs list --columns tags.evil",
        "runs compare deep wide",
        "journal tail",
    ] {
        let printed = store.done(args);
        assert!(!printed.contains(['\u{1b}', '\u{7}']), "{args:?}: {printed:?}");
    }
    assert_eq!(store.json("runs show deep")["tags"]["evil"], "\u{1b}[2J\u{7}gone");
}

#[test]
fn a_history_in_csv_holds_every_point_exactly() {
    let store = Store::filled();
    let csv = store.done("runs history baseline loss --csv");
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("step,time,value"));
    for (step, line) in lines.by_ref().take(50).enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields[0], step.to_string());
        assert_eq!(fields[2].parse::<f64>().unwrap(), 0.1 + 1.0 / (step as f64 + 1.0));
    }
    assert_eq!(lines.next(), None);
    let few = store.json("runs history baseline loss --max-points 8");
    assert!(few.as_array().unwrap().len() <= 8);
    let some = "runs history baseline loss --from-step 10 --to-step 12";
    assert_eq!(store.json(some).as_array().unwrap().len(), 3);
}

#[test]
fn a_purge_says_its_plan_and_does_it_only_when_told() {
    let store = Store::filled();
    let output = store.mlops("trash purge");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).starts_with("for ever: 0 experiments, 1 run, "));
    assert!(text(&output.stderr).contains("nothing was done"));
    store.done("trash purge --older-than 36500d --yes");
    assert_eq!(store.json("trash list").as_array().unwrap().len(), 1);
    assert_eq!(store.json("trash purge --yes")["done"]["purged_runs"], 1);
    assert_eq!(store.json("trash list").as_array().unwrap().len(), 0);
}

#[test]
fn the_end_of_a_journal_of_any_length_is_found() {
    let store = Store::empty();
    store.done("experiments create e");
    for length in 2..=9 {
        store.done(&format!("experiments tag e n={length}"));
        let tail = store.json("journal tail --limit 1");
        assert_eq!(tail[0]["sequence"], length);
        assert_eq!(store.json("info")["journal_events"], length);
    }
}
