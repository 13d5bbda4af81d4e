//! Data judged by suites: exit codes, files that are written, reports that are kept, suites compared.

use std::fs;
use std::sync::Arc;

use mlops::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use mlops::validate::stats::Profile;
use serde_json::{Value, json};

use crate::store::Store;

const SUITE: &str = "
suite: orders
version: 2
checks:
  - {check: not_null, column: id}
  - {check: not_null, column: total, id: no bad totals}
";

const FIT: &str = "id,total\n1,2.5\n2,0.5\n3,4.0\n";
const UNFIT: &str = "id,total\n1,2.5\n2,\n3,4.0\n";

/// A store with a suite, and data that passes it and that does not.
fn with_data() -> Store {
    let store = Store::empty();
    put(&store, "orders.yaml", SUITE);
    put(&store, "warn.yaml", &SUITE.replace("totals}", "totals, severity: warn}"));
    put(&store, "fit.csv", FIT);
    put(&store, "bad.csv", UNFIT);
    store
}

fn put(store: &Store, name: &str, text: &str) {
    let path = store.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn file(store: &Store, name: &str) -> String {
    fs::read_to_string(store.path().join(name)).unwrap()
}

fn code_of(store: &Store, args: &str) -> i32 {
    store.mlops(args).status.code().unwrap()
}

#[test]
fn the_exit_code_of_unfit_data_is_no_other_failure_s() {
    let store = with_data();
    put(&store, "misspelt.yaml", "suite: a\nchecks: [{check: not_nul, column: id}]");
    put(&store, "column.yaml", "suite: a\nchecks: [{check: not_null, column: idd}]");
    put(&store, "cut.parquet", "PAR1");
    for (args, expected) in [
        ("validate fit.csv --suite orders.yaml", 0),
        ("validate fit.csv --suite orders.yaml --strict", 0),
        ("validate bad.csv --suite orders.yaml", 2),
        ("validate bad.csv --suite warn.yaml", 0),
        ("validate bad.csv --suite warn.yaml --strict", 2),
        ("validate fit.csv --suite misspelt.yaml", 1),
        ("validate fit.csv --suite column.yaml", 1),
        ("validate fit.csv --suite orders.yaml --param x=1", 1),
        ("validate cut.parquet --suite orders.yaml", 1),
        ("validate away.csv --suite orders.yaml", 4),
        ("validate fit.csv --suite away.yaml", 4),
        ("validate fit.csv", 64),
        ("validate --suite orders.yaml", 64),
        ("validate fit.csv --suite orders.yaml --samples 1001", 64),
    ] {
        assert_eq!(code_of(&store, args), expected, "{args}");
    }
}

#[test]
fn unfit_data_is_an_answer_and_a_failure() {
    let store = with_data();
    let output = store.mlops("validate bad.csv --suite orders.yaml --json");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "failed");
    assert_eq!(report["outcomes"][1]["counts"]["failed"], 1);
    let (code, error) = store.refused("validate bad.csv --suite orders.yaml");
    assert_eq!((code, &error["kind"]), (2, &json!("denied")));
    assert_eq!(error["context"]["checks"], "no bad totals");
}

#[test]
fn every_form_of_the_report_is_written_whatever_the_verdict() {
    let store = with_data();
    let files = "--html r.html --junit r.xml --markdown r.md --report r.json";
    for (data, expected) in [("fit", 0), ("bad", 2)] {
        let args = format!("validate {data}.csv --suite orders.yaml {files}");
        assert_eq!(code_of(&store, &args), expected);
        assert!(file(&store, "r.html").starts_with("<!DOCTYPE html>"));
        assert!(file(&store, "r.xml").contains("<testsuite name=\"orders version 2\""));
        assert!(file(&store, "r.md").contains("`orders` version 2"));
        let report: Value = serde_json::from_str(&file(&store, "r.json")).unwrap();
        assert_eq!(report["verdict"] == "failed", expected == 2);
        assert_eq!(file(&store, "r.xml").contains("<failure"), expected == 2);
    }
    let left = fs::read_dir(store.path()).unwrap();
    assert_eq!(left.count(), 8, "four files that were there, four reports, no half ones");
}

#[test]
fn data_that_could_not_be_judged_writes_nothing() {
    let store = with_data();
    put(&store, "column.yaml", "suite: a\nchecks: [{check: not_null, column: idd}]");
    put(&store, "h.json", "[]");
    let files = "--html r.html --report r.json --history h.json --quarantine q.parquet";
    assert_eq!(code_of(&store, &format!("validate fit.csv --suite column.yaml {files}")), 1);
    assert_eq!(file(&store, "h.json"), "[]");
    for name in ["r.html", "r.json", "q.parquet"] {
        assert!(!store.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_history_grows_by_runs_that_passed() {
    let store = with_data();
    let runs = || -> Vec<Value> { serde_json::from_str(&file(&store, "h.json")).unwrap() };
    assert_eq!(code_of(&store, "validate fit.csv --suite orders.yaml --history h.json"), 0);
    assert_eq!(code_of(&store, "validate fit.csv --suite orders.yaml --history h.json"), 0);
    assert_eq!(runs().len(), 2);
    assert_eq!(runs()[0]["metrics"]["rows()"], 3.0);
    assert_eq!(code_of(&store, "validate bad.csv --suite orders.yaml --history h.json"), 2);
    assert_eq!(runs().len(), 2);
    put(&store, "h.json", "{\"runs\":");
    assert_eq!(code_of(&store, "validate fit.csv --suite orders.yaml --history h.json"), 1);
}

#[test]
fn parameters_take_the_type_that_the_suite_gives_them() {
    let store = with_data();
    put(&store, "suites/common.yaml", "checks:\n  - {check: not_null, column: '${key}'}\n");
    put(
        &store,
        "suites/nightly.yaml",
        "
suite: nightly
params: {key: '7', least: 0, states: null}
include: common.yaml
checks:
  - {check: range, column: total, min: '${least}'}
  - {check: in_set, column: state, values: '${states}'}
",
    );
    let args = "suite show suites/nightly.yaml --param key=12 --param least=2.5 \
                --param '`states=[\"a\"]`'";
    let args = args.replace("'`", "'").replace("`'", "'");
    let suite = store.json(&args);
    assert_eq!(suite["checks"][0]["column"], "12");
    assert_eq!(suite["checks"][1]["min"], 2.5);
    assert_eq!(suite["checks"][2]["values"], json!(["a"]));
    let (code, error) = store.refused("suite show suites/nightly.yaml");
    assert_eq!(code, 2);
    assert!(error.to_string().contains("states"), "{error}");
    let (_, error) = store.refused("suite show suites/nightly.yaml --param stats=1");
    assert!(error["hint"].to_string().contains("states"), "{error}");
    let (code, error) =
        store.refused("suite show suites/nightly.yaml --param least=1 --param least=2");
    assert_eq!((code, &error["context"]["key"]), (2, &json!("least")));
    put(&store, "suites/lost.yaml", "suite: a\ninclude: [away.yaml]");
    assert_eq!(store.refused("suite check suites/lost.yaml").0, 4);
    put(&store, "suites/round.yaml", "suite: a\ninclude: [../suites/round.yaml]");
    let (code, error) = store.refused("suite check suites/round.yaml");
    assert_eq!((code, error["message"].as_str()), (2, Some("a file includes itself")));
}

#[test]
fn a_suite_that_is_shown_as_yaml_is_the_same_suite() {
    let store = with_data();
    put(&store, "again.yaml", &store.done("suite show orders.yaml --yaml"));
    assert_eq!(store.json("suite show again.yaml"), store.json("suite show orders.yaml"));
    let digest = |name: &str| store.json(&format!("suite check {name}"))["digest"].clone();
    assert_eq!(digest("again.yaml"), digest("orders.yaml"));
}

#[test]
fn a_suite_of_great_expectations_says_what_it_left_out() {
    let store = with_data();
    let theirs = json!({ "name": "trips", "expectations": [
        { "type": "expect_column_values_to_not_be_null", "kwargs": { "column": "id" } },
        { "type": "expect_column_values_to_be_dateutil_parseable", "kwargs": { "column": "at" } },
    ]});
    put(&store, "gx.json", &theirs.to_string());
    let (printed, code) = store.shell("mlops suite import-gx gx.json --out ours.yaml");
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("not imported: expect_column_values_to_be_dateutil_parseable: "));
    assert!(printed.ends_with("1 check, 1 not imported\n"), "{printed}");
    assert_eq!(store.json("suite show ours.yaml")["checks"][0]["column"], "id");
    assert_eq!(store.done("suite import-gx gx.json"), file(&store, "ours.yaml"));
    let imported = store.json("suite import-gx gx.json");
    assert_eq!(imported["not_imported"][0]["kwargs"]["column"], "at");
    put(&store, "gx.json", "{}");
    assert_eq!(store.refused("suite import-gx gx.json").0, 2);
}

#[test]
fn a_suite_is_proposed_from_a_profile_with_reasons() {
    let store = with_data();
    let ids = Arc::new(Int64Array::from_iter_values(1..=300)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let mut profile = Profile::of(batch.schema_ref());
    profile.update(&batch).unwrap();
    put(&store, "profile.json", &profile.to_json());
    let (printed, code) = store.shell("mlops suite suggest profile.json --name ids --out s.yaml");
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("unique(id): all 300 values differ\n"), "{printed}");
    let data: Vec<String> = (1..=300).map(|id| id.to_string()).collect();
    let data = data.join("\n") + "\n";
    put(&store, "ids.csv", &format!("id\n{data}"));
    assert_eq!(code_of(&store, "validate ids.csv --suite s.yaml"), 0);
    put(&store, "ids.csv", &format!("id\n{data}{data}"));
    assert_eq!(code_of(&store, "validate ids.csv --suite s.yaml"), 2);
    assert_eq!(store.refused("suite suggest orders.yaml --name ids").0, 2);
}

#[test]
fn a_profile_of_files_is_that_of_their_rows_in_order() {
    let store = with_data();
    let ids = |from: i64, to: i64| -> String {
        (from..=to).flat_map(|id| [id.to_string(), "\n".to_owned()]).collect()
    };
    put(&store, "ids/1.csv", &format!("id\n{}", ids(1, 20_000)));
    put(&store, "ids/2.csv", &format!("id\n{}", ids(20_001, 20_300)));
    let lines: String = (1..=20_300)
        .flat_map(|id| ["{\"id\":".to_owned(), id.to_string(), "}\n".to_owned()])
        .collect();
    put(&store, "ids.jsonl", &lines);
    let ids = Arc::new(Int64Array::from_iter_values(1..=20_300)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let mut whole = Profile::of(batch.schema_ref());
    whole.update(&batch).unwrap();
    assert_eq!(store.done("suite profile ids/ --out p.json"), "p.json: 20300 rows, 1 column\n");
    assert_eq!(file(&store, "p.json"), whole.to_json() + "\n");
    assert_eq!(store.done("suite profile ids/"), file(&store, "p.json"));
    let suite = store.done("suite suggest p.json --name ids");
    assert!(suite.contains("check: unique"), "{suite}");
    for data in ["ids/", "ids/1.csv ids/2.csv", "ids.jsonl", "ids.jsonl --as json"] {
        assert_eq!(store.done(&format!("suite suggest {data} --name ids")), suite, "{data}");
    }
    for data in ["ids.jsonl", "./ids/../ids.jsonl"] {
        assert_eq!(store.refused(&format!("suite profile {data} --out ids.jsonl")).0, 2);
        assert_eq!(store.refused(&format!("suite suggest {data} --name i --out ids.jsonl")).0, 2);
    }
    assert_eq!(file(&store, "ids.jsonl"), lines);
    assert_eq!(code_of(&store, "validate bad.csv --suite orders.yaml --quarantine q.parquet"), 2);
    let printed = store.done("suite profile q.parquet q.parquet --out q.json");
    assert!(printed.starts_with("q.json: 2 rows, "), "{printed}");
    fs::remove_file(store.path().join("q.json")).unwrap();
    assert_eq!(code_of(&store, "suite profile away.csv --out q.json"), 4);
    assert!(!store.path().join("q.json").exists());
}

#[test]
fn what_is_written_never_replaces_what_is_read_or_written_besides() {
    let store = with_data();
    put(&store, "folder/part.csv", FIT);
    put(&store, "p.json", "{}");
    let link = store.path().join("link.csv");
    #[cfg(unix)]
    std::os::unix::fs::symlink(store.path().join("fit.csv"), &link).unwrap();
    #[cfg(not(unix))]
    fs::hard_link(store.path().join("fit.csv"), &link).unwrap();
    let mut refused = vec![
        ("--html ./fit.csv", "--html ./fit.csv", "DATA fit.csv"),
        ("--quarantine folder/../fit.csv", "--quarantine folder/../fit.csv", "DATA fit.csv"),
        ("--report orders.yaml", "--report orders.yaml", "--suite orders.yaml"),
        ("--junit bad.csv --reference r=bad.csv", "--junit bad.csv", "--reference bad.csv"),
        ("--markdown p.json --profile p=p.json", "--markdown p.json", "--profile p.json"),
        ("--report h.json --history ./h.json", "--report h.json", "--history ./h.json"),
        ("--html r --junit ./r", "--junit ./r", "--html r"),
        ("--html r --quarantine ./r", "--quarantine ./r", "--html r"),
        ("--html folder/r --reference r=folder/", "--html folder/r", "--reference folder/"),
        ("--report -", "--report -", ""),
        ("--quarantine -", "--quarantine -", ""),
        ("--html away/r.html", "--html away/r.html", ""),
        ("--quarantine away/q.parquet", "--quarantine away/q.parquet", ""),
        ("--html folder", "--html folder", ""),
    ];
    if cfg!(unix) {
        refused.push(("--html link.csv", "--html link.csv", "DATA fit.csv"));
    }
    for (args, output, other) in refused {
        let args = format!("validate fit.csv --suite orders.yaml {args}");
        let (code, error) = store.refused(&args);
        assert_eq!((code, &error["kind"]), (1, &json!("invalid")), "{args}");
        assert_eq!(error["context"]["output"], output, "{args}");
        let named = error["context"].get("input").or(error["context"].get("other"));
        assert_eq!(named.map_or("", |named| named.as_str().unwrap()), other, "{args}");
    }
    assert_eq!(file(&store, "fit.csv"), FIT);
    assert_eq!(file(&store, "orders.yaml"), SUITE);
    for name in ["r", "h.json", "away", "folder/r"] {
        assert!(!store.path().join(name).exists(), "{name}");
    }
    // Hidden files of a folder are not read.
    let args = "validate folder/ --suite orders.yaml --html folder/_report.html";
    assert_eq!(code_of(&store, args), 0);
}

#[test]
fn strict_is_the_same_in_every_form_of_the_report() {
    let store = with_data();
    put(&store, "none.csv", "id,total\n");
    let files = "--junit r.xml --report r.json --history h.json";
    for (data, expected) in [("bad", 2), ("none", 2), ("fit", 0)] {
        let args = format!("validate {data}.csv --suite warn.yaml --strict {files}");
        assert_eq!(code_of(&store, &args), expected, "{data}");
        let report: Value = serde_json::from_str(&file(&store, "r.json")).unwrap();
        assert_eq!(report["verdict"], if expected == 2 { "failed" } else { "passed" }, "{data}");
        assert_eq!(file(&store, "r.xml").contains("<failure"), expected == 2, "{data}");
        assert_eq!(store.path().join("h.json").exists(), expected == 0, "{data}");
    }
    let (_, error) = store.refused("validate bad.csv --suite warn.yaml --strict");
    assert_eq!(error["context"]["checks"], "no bad totals");
    put(&store, "pass.yaml", &format!("on_empty: pass{SUITE}"));
    assert_eq!(code_of(&store, "validate none.csv --suite pass.yaml --strict"), 0);
}

#[test]
fn the_verdict_and_the_other_files_survive_one_that_cannot_be_written() {
    let store = with_data();
    // With the suffix of a half file, the name is longer than names may be.
    let args =
        format!("validate fit.csv --suite orders.yaml --html {} --markdown r.md", "r".repeat(254));
    let output = store.mlops(&args);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("All 2 checks passed."));
    assert!(file(&store, "r.md").contains("`orders` version 2"));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_does_not_change_the_exit_code() {
    let store = with_data();
    let line = "(mlops validate bad.csv --suite orders.yaml --html r.html; echo $? > code) | true";
    assert_eq!(store.shell(line).1, 0);
    assert_eq!(file(&store, "code"), "2\n");
    assert!(store.path().join("r.html").exists());
}

#[test]
fn a_looser_suite_can_be_refused() {
    let store = with_data();
    for (old, new, expected) in
        [("orders", "warn", 2), ("warn", "orders", 0), ("orders", "orders", 0)]
    {
        let args = format!("suite diff {old}.yaml {new}.yaml");
        assert_eq!(code_of(&store, &args), 0, "{args}");
        assert_eq!(code_of(&store, &format!("{args} --refuse-looser")), expected, "{args}");
        assert_eq!(store.json(&args)["loosens"], expected == 2);
    }
}

#[test]
fn a_report_is_kept_with_its_run_and_attached_to_its_version() {
    let store = Store::filled();
    put(&store, "orders.yaml", SUITE);
    put(&store, "bad.csv", UNFIT);
    let args = "validate bad.csv --suite orders.yaml --run rules --model fraud/2 \
                --data-digest blake3:0a";
    assert_eq!(code_of(&store, args), 2);
    let files = store.json("artifacts list rules validation");
    let paths: Vec<&str> =
        files.as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["validation/orders.html", "validation/orders.json"]);
    let inputs = store.json("runs show rules")["inputs"].to_string();
    assert!(inputs.contains("blake3:0a") && inputs.contains("validated"), "{inputs}");
    let evidence = store.json("models show fraud/2")["evidence"].to_string();
    assert!(evidence.contains("\"suite\":\"orders\"") && evidence.contains("\"passed\":false"));
    // What is not there is found out before the data is read.
    for args in ["--run nobody", "--model fraud/9", "--store elsewhere --run rules"] {
        let args = format!("validate away.csv --suite orders.yaml {args} --html r.html");
        assert_eq!(store.refused(&args).0, 4, "{args}");
    }
}
