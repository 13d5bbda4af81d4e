//! Models: what is printed, refused, proved and fetched.

use std::fs;

use serde_json::{Value, json};

use crate::moves::with_policy;
use crate::store::{Store, text};

const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn every_models_command_prints_one_document_for_programs() {
    let store = with_policy();
    fs::write(
        store.path().join("holdout.json"),
        r#"{"kind": "evaluation", "name": "holdout", "metrics": {"auc": "NaN"}, "at": "2026-03-03T14:00:00Z"}"#,
    )
    .unwrap();
    fs::write(store.path().join("access.json"), r#"{"grants": [{"actor": "*", "role": "admin"}]}"#)
        .unwrap();
    for (args, check) in [
        (
            "models register new --file a.yaml=policy.yaml --metric auc=NaN --seed split=7",
            "/created",
        ),
        (
            "models register new --file a.yaml=policy.yaml --metric auc=NaN --seed split=7 --reuse",
            "/id",
        ),
        ("models list", "/0/last_number"),
        ("models list `stage = 'Production'` --columns stage,alias", "/0/stages/Production"),
        ("models versions churn", "/1/manifest/run/id"),
        ("models versions 'metrics.auc > 0.85' --order-by 'metrics.auc desc'", "/0/digest"),
        ("models show churn/1", "/manifest/files/0/digest"),
        ("models show churn", "/aliases"),
        ("models alias churn/1 best", "/aliases/best"),
        ("models alias --remove churn best", "/aliases"),
        ("models tag churn/1 a=1 --remove b", "/tags/a"),
        ("models tag churn a=1", "/tags/a"),
        ("models note churn/1 better", "/note"),
        ("models attach churn/1 --evidence holdout.json", "/evidence/0/metrics/auc"),
        ("models policy show churn", "/policy/stages/Production/gates/0"),
        ("models policy check policy.yaml", "/ok"),
        ("models policy set --default policy.yaml", "/version"),
        ("models policy remove --default", "/version"),
        ("models approve churn/1 --to Production --actor ann", "/verdict"),
        ("models withdraw churn/1 --to Production --actor ann", "/verdict"),
        ("models reject churn/2 --to Production --actor ann", "/basis"),
        ("models approve churn/1 --to Production --actor ann", "/basis"),
        ("models plan churn/1 --to Production", "/allowed"),
        ("models promote churn/1 --to Production", "/applied"),
        ("models rollback fraud --dry-run", "/steps/0/number"),
        ("models rollback fraud", "/applied"),
        ("models history fraud", "/3/cause"),
        ("models history fraud --at 2025-01-02", "/0/number"),
        ("models access check access.json", "/ok"),
        ("models access set access.json", "/digest"),
        ("models access show", "/grants/0/role"),
        ("models access remove", "/version"),
        ("models keygen k.key", "/public_key"),
        ("models sign churn/1 --key k.key", "/attestations/0/signature"),
        ("models download churn/1 --out out", "/1"),
        ("models copy churn/1 --to-store other --as moved", "/origin"),
        ("models verify", "/ok"),
        ("models verify churn fraud/1 --quick", "/journal/events"),
        ("models replay churn/1", "/complete"),
        ("models lineage churn/1", "/edges/0/relation"),
        ("models lineage churn/1 --format openlineage", "/0/eventTime"),
        ("models lineage run:baseline --downstream --format mermaid", "/mermaid"),
        ("models impact run:baseline", "/0/path/1"),
        ("models delete churn/2", "/0/deleted"),
        ("models restore churn/2", "/0/id"),
        ("models delete churn/2 new", "/1/deleted"),
        ("models purge --dry-run", "/plan/versions/1"),
        ("models purge --yes", "/done/purged_versions"),
    ] {
        let document = store.json(args);
        assert!(document.pointer(check).is_some(), "{args:?} has no {check}: {document:#}");
    }
}

#[test]
fn what_is_refused_or_missing_has_its_exit_code() {
    let store = with_policy();
    fs::write(store.path().join("none.json"), "{}").unwrap();
    fs::write(store.path().join("list.json"), "[]").unwrap();
    fs::write(
        store.path().join("twice.json"),
        r#"{"inputs": [{"name": "a", "type": "int64",
        "nullable": false}, {"name": "a", "type": "int64", "nullable": false}], "outputs": []}"#,
    )
    .unwrap();
    let before = store.json("info")["journal_events"].clone();
    for (args, code, kind) in [
        // Names with path and URI tricks.
        ("models show models:/churn/../3", 2, "invalid"),
        ("models show models://churn/3", 2, "invalid"),
        ("models show ../churn", 2, "invalid"),
        ("models show churn/0", 2, "invalid"),
        ("models show churn/03", 2, "invalid"),
        ("models show churn@a/b", 2, "invalid"),
        ("models show churn%2f1", 2, "invalid"),
        ("models show models:/churn", 2, "invalid"),
        ("models download churn/18446744073709551616 --out out", 2, "invalid"),
        ("models register ../up --file a=policy.yaml", 2, "invalid"),
        ("models register up --file ../a=policy.yaml", 2, "invalid"),
        ("models register up --file a=policy.yaml --alias latest", 2, "invalid"),
        ("models register up --file a=policy.yaml --file a=none.json", 2, "invalid"),
        ("models register up --file a=policy.yaml --signature twice.json", 2, "invalid"),
        ("models register up --file a=policy.yaml --evidence none.json", 2, "invalid"),
        ("models register up --file a=policy.yaml --profile b", 2, "invalid"),
        ("models alias churn/1 v2", 2, "invalid"),
        ("models alias churn champion", 2, "invalid"),
        // What is not there.
        ("models show nobody", 4, "not found"),
        ("models show churn/9", 4, "not found"),
        ("models show churn@nobody", 4, "not found"),
        ("models show churn/Staging", 4, "not found"),
        ("models versions nobody", 4, "not found"),
        ("models history nobody", 4, "not found"),
        ("models rollback churn", 4, "not found"),
        ("models register up --run nobody", 4, "not found"),
        ("models register up --run baseline --artifacts nothing", 4, "not found"),
        ("models register up --file a=absent", 4, "not found"),
        ("models policy show fraud", 4, "not found"),
        ("models policy set churn absent.yaml", 4, "not found"),
        ("models promote --plan absent.json", 4, "not found"),
        ("models verify nobody", 4, "not found"),
        ("models impact run:nobody", 4, "not found"),
        ("models access remove", 4, "not found"),
        ("models policy set nobody policy.yaml", 4, "not found"),
        ("models policy check .", 2, "invalid"),
        ("models policy check list.json", 2, "invalid"),
        ("models promote --plan list.json", 2, "invalid"),
        ("models register up --file a=policy.yaml --tag x=1 --tag x=2", 2, "invalid"),
        ("models register up --file a=policy.yaml --metric x=1 --metric x=2", 2, "invalid"),
        ("models tag churn x=1 x=2", 2, "invalid"),
        ("models copy churn/1 --to-store .", 2, "invalid"),
        ("models sign churn/1 --key-env NOT_SET_ANYWHERE", 4, "not found"),
        ("models purge churn/1 --yes", 2, "invalid"),
        // Filters and fields.
        ("models versions 'metrics.auc >> 1'", 2, "invalid"),
        ("models list 'metrics.auc > 1'", 2, "invalid"),
        ("models versions churn --columns min(metrics.auc)", 2, "invalid"),
        ("models versions churn --order-by stage", 2, "invalid"),
        ("models lineage nonsense:1", 2, "invalid"),
        // Refused.
        ("models plan churn/2 --to Production", 2, "denied"),
        ("models plan churn/2 --to Production --ignore-approvals", 2, "denied"),
        ("models promote churn/1 --to Production", 2, "denied"),
        ("models approve churn/1 --to Production --actor ci/1", 2, "denied"),
        ("models plan churn/1 --to None", 2, "invalid"),
        ("models promote --plan none.json", 2, "invalid"),
        ("models purge", 2, "invalid"),
        ("models download churn/1 --out out --trusted-key 00", 2, "invalid"),
        ("models show churn/1 --actor `a\tb`", 2, "invalid"),
        // Conflicts.
        ("models delete fraud/2", 3, "conflict"),
        ("models delete fraud", 3, "conflict"),
        // The command line.
        ("models promote churn/1", 64, "usage"),
        ("models promote --plan p --to Production", 64, "usage"),
        ("models plan churn/1 --to Prod", 64, "usage"),
        ("models register churn", 64, "usage"),
        ("models register churn --artifacts x", 64, "usage"),
        ("models history churn --at yesterday", 64, "usage"),
        ("models policy set churn", 64, "usage"),
        ("models register up --file a=policy.yaml --metric auc=1e999", 64, "usage"),
        ("models lineage churn/1 --upstream --downstream", 64, "usage"),
    ] {
        let (found, error) = store.refused(args);
        assert_eq!((found, error["kind"].as_str()), (code, Some(kind)), "{args:?}: {error:#}");
    }
    assert!(!store.path().join("out").exists(), "a refused download left something");
    assert_eq!(store.json("info")["journal_events"], before, "a refused command changed something");
}

#[test]
fn an_actor_is_named_by_option_or_environment() {
    let store = Store::filled();
    let named = |line: &str| {
        let (_, code) = store.shell_with(line, &[("MLOPS_ACTOR", "from/env")]);
        assert_eq!(code, 0);
        store.json("journal tail --limit 1")[0]["actor"].as_str().unwrap().to_owned()
    };
    assert_eq!(named("mlops models tag fraud a=1"), "from/env");
    assert_eq!(named("mlops --actor given models tag fraud a=2"), "given");
    assert_eq!(named("mlops runs tag baseline a=2 --actor given"), "given");
}

#[test]
fn roles_bind_every_command() {
    let store = with_policy();
    fs::write(
        store.path().join("access.yaml"),
        "grants:
  - {actor: boss, role: admin}
  - {actor: reader, role: viewer}
  - {actor: ci/*, role: contributor}
  - {actor: ann, role: approver, models: [churn]}
",
    )
    .unwrap();
    store.done("models access set access.yaml");
    for (args, code) in [
        ("models list --actor eve", 2),
        ("runs list --actor eve", 2),
        ("models list --actor reader", 0),
        ("runs list --actor reader", 0),
        ("runs tag baseline a=1 --actor reader", 2),
        ("runs delete baseline --actor reader", 2),
        ("experiments create mine --actor reader", 2),
        ("models tag churn a=1 --actor reader", 2),
        ("models register churn --file a=policy.yaml --actor reader", 2),
        ("models register churn --file a=policy.yaml --actor ci/3", 0),
        ("models policy set churn policy.yaml --actor ci/3", 2),
        ("models access set access.yaml --actor ann", 2),
        ("models approve churn/1 --to Production --actor ci/9", 2),
        ("models approve churn/1 --to Production --actor ann", 0),
        ("models promote churn/1 --to Production --actor reader", 2),
        ("models promote churn/1 --to Production --actor ci/9", 0),
        ("models policy set churn policy.yaml --actor boss", 0),
    ] {
        let output = store.mlops(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_download_is_whole_or_not_there() {
    let store = with_policy();
    fs::create_dir(store.path().join("full")).unwrap();
    fs::write(store.path().join("full/mine"), "mine").unwrap();
    let (code, error) = store.refused("models download churn/1 --out full");
    assert_eq!((code, error["kind"].as_str()), (3, Some("already exists")));
    assert_eq!(fs::read_dir(store.path().join("full")).unwrap().count(), 1);

    store.done("models download churn/1 --out new/deep");
    assert_eq!(fs::read(store.path().join("new/deep/weights.bin")).unwrap(), vec![7; 4_096]);

    let untrusted = format!("models download churn/1 --out signed --trusted-key {NOBODY}");
    assert_eq!(store.refused(&untrusted).0, 2);
    let key = store.json("models keygen k.key")["public_key"].as_str().unwrap().to_owned();
    assert_eq!(store.refused("models keygen k.key").0, 3, "a key is never overwritten");
    store.done("models sign churn/1 --key k.key");
    store.done(&format!("models download churn/1 --out signed --trusted-key {key}"));
}

#[test]
fn a_changed_byte_is_found_and_never_handed_out() {
    let store = with_policy();
    store.done("models verify");
    let weights = files(&store.path().join("mlops"))
        .into_iter()
        .find(|path| fs::read(path).is_ok_and(|bytes| bytes == [7; 4_096]))
        .unwrap();
    let mut bytes = vec![7; 4_096];
    bytes[1_000] = 8;
    fs::write(weights, bytes).unwrap();
    let (code, error) = store.refused("models verify");
    assert_eq!((code, error["kind"].as_str()), (1, Some("corrupt")));
    assert!(error["context"]["first"].as_str().unwrap().contains("weights.bin"), "{error:#}");
    assert_eq!(store.refused("models download churn/1 --out out").0, 1);
    assert!(!store.path().join("out").exists());
    assert_eq!(store.refused("models copy churn/1 --to-store other").0, 1);
    store.done("models verify --quick");
}

/// All files under a directory.
fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_copy_is_made_once_and_keeps_its_signature() {
    let store = with_policy();
    store.done("models keygen k.key");
    store.done("models sign churn/1 --key k.key");
    let first = store.json("models copy churn/1 --to-store production --actor ci/5");
    assert_eq!((&first["created"], &first["id"]), (&json!(true), &json!("churn/1")));
    assert_eq!(first["digest"], store.json("models show churn/1")["digest"]);
    assert!(first["origin"].as_str().unwrap().ends_with("#churn/1"));
    let again = store.json("models copy churn/1 --to-store production --actor ci/5");
    assert_eq!(again["created"], false);
    let proof = store.json("--store production models verify");
    assert_eq!((&proof["ok"], &proof["signatures"]), (&json!(true), &json!(1)));
}

#[test]
fn a_bad_registration_makes_no_store() {
    let store = Store::empty();
    fs::write(store.path().join("weights"), "w").unwrap();
    fs::write(store.path().join("bad.json"), "[").unwrap();
    for (args, code) in [
        ("models register ../x --file weights=weights", 2),
        ("models register x --file weights=absent", 4),
        ("models register x --file weights=weights --signature bad.json", 2),
        ("models register x --run baseline", 4),
        ("models list", 4),
    ] {
        assert_eq!(store.refused(args).0, code, "{args}");
    }
    assert!(!store.path().join("mlops").exists());
    store.done("models keygen k.key");
    assert!(!store.path().join("mlops").exists(), "a key needs no store");
    store.done("models register x --file weights=weights");
    assert_eq!(store.json("models show x/1")["manifest"]["files"][0]["path"], "weights");
}

#[test]
fn what_was_stored_about_models_cannot_move_the_cursor() {
    let store = with_policy();
    store.done("models tag churn/1 evil=\u{1b}[2J");
    store.done("models note churn/1 'two\nlines\u{1b}[31m'");
    store.done("models note churn \u{1b}[31m");
    for args in [
        "models show churn/1",
        "models show churn",
        "models versions churn --columns tags.evil",
        "models plan churn/1 --to Staging --reason \u{1b}[2J",
        "models promote churn/1 --to Staging --reason \u{1b}[2J",
        "models history churn",
    ] {
        let output = store.mlops(args);
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(!printed.contains('\u{1b}'), "{args:?}: {printed:?}");
    }
}

#[test]
fn pages_hold_every_version_once() {
    let store = Store::filled();
    for at in 0..5 {
        store.done(&format!("models register m{at} --run baseline"));
    }
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let output = store.mlops(&format!("models versions --limit 3 --json {token}"));
        let page: Value = serde_json::from_slice(&output.stdout).unwrap();
        names.extend(page.as_array().unwrap().iter().map(|v| v["id"].as_str().unwrap().to_owned()));
        let note: Option<Value> = serde_json::from_slice(&output.stderr).ok();
        match note {
            Some(note) => token = format!("--page {}", note["next"].as_str().unwrap()),
            None => break,
        }
    }
    assert_eq!(names, ["fraud/2", "fraud/1", "m0/1", "m1/1", "m2/1", "m3/1", "m4/1"]);
    assert_eq!(store.json("models list --all").as_array().unwrap().len(), 6);
}

#[test]
fn what_is_missing_is_named_with_what_there_is_instead() {
    let store = with_policy();
    store.done("models alias churn/1 best");
    store.done("models alias churn/1 first");
    for command in ["show", "download --out out", "replay", "plan --to Staging"] {
        let asked = |uri: &str| {
            let (code, error) = store.refused(&format!("models {command} {uri}"));
            assert_eq!(code, 4, "{command} {uri}: {error:#}");
            error
        };
        let error = asked("nope/1");
        assert_eq!(error["message"], "there is no such model", "{command}");
        assert_eq!(error["context"]["model"], "nope", "{command}");
        assert_eq!(asked("churn@nope")["hint"], "its aliases are best, first", "{command}");
        assert_eq!(asked("fraud@nope")["hint"], "the model has no aliases", "{command}");
        let hint = "`mlops models versions churn` shows what there is";
        assert_eq!(asked("churn/9")["hint"], hint, "{command}");
    }
}

#[test]
fn a_download_takes_the_directories_that_people_have() {
    let store = with_policy();
    for name in ["here", "there"] {
        fs::create_dir(store.path().join(name)).unwrap();
    }
    for line in [
        "cd here && mlops --store ../mlops models download churn/1 --out . && test -f weights.bin",
        "cd there && mlops --store ../mlops models download churn/1 --out ../there \
         && test -f weights.bin && pwd -P",
    ] {
        let (printed, code) = store.shell(line);
        assert_eq!(code, 0, "{line}: {printed}");
    }
}

#[cfg(unix)]
#[test]
fn an_object_that_is_no_file_is_one_problem_of_the_list() {
    let store = with_policy();
    store.done("models register churn --file other=policy.yaml");
    let is_weights = |path: &std::path::PathBuf| fs::read(path).is_ok_and(|b| b == [7; 4_096]);
    let weights = files(&store.path().join("mlops")).into_iter().find(is_weights).unwrap();
    fs::remove_file(&weights).unwrap();
    std::os::unix::fs::symlink("/nowhere", &weights).unwrap();
    let output = store.mlops("models verify");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("versions    5") && printed.contains("weights.bin"), "{printed}");
}
