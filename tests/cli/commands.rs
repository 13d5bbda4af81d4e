//! Experiments, runs, artifacts, trash, journal: what they print, refuse and leave alone.

use std::fs;
use std::process::Command;

use mlops::time::{Clock, SystemClock};
use serde_json::Value;

use crate::store::{MLOPS, NOON, Store, id_at, text, words};

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
fn a_sweep_takes_away_what_a_killed_upload_left_and_nothing_else() {
    let store = Store::filled();
    let digest = "ab".repeat(32);
    let blobs = store.path().join("mlops/blobs/ab");
    std::fs::create_dir_all(&blobs).unwrap();
    let old = SystemClock.now() - chrono::TimeDelta::days(3);
    // An object that nothing names, the part of one that was not finished, and a young one.
    for (name, is_old) in [("-00000001", true), ("-00000002#1", true), ("-00000003", false)] {
        let file = std::fs::File::create(blobs.join(format!("{digest}{name}"))).unwrap();
        file.set_len(10).unwrap();
        if is_old {
            file.set_modified(old.into()).unwrap();
        }
    }
    let output = store.mlops("sweep");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "nothing names 1 object (10 B)\n");
    assert_eq!(store.json("sweep --dry-run")["plan"]["bytes"], 10);
    let done = &store.json("sweep --older-than 2d --yes")["done"];
    assert_eq!(*done, serde_json::json!({ "objects": 1, "unfinished": 1, "bytes": 20 }));
    assert!(blobs.join(format!("{digest}-00000003")).exists(), "an upload may be going on");
    assert_eq!(store.refused("sweep --older-than 1m --yes").0, 2);
    store.done("models verify");
    store.done("journal verify");
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
