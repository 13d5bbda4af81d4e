//! What models and versions have, and runs do not.

mod errors;
mod matching;

use crate::filter::{Attribute, Comparison, Field, Filter, Literal, Member, OrderBy, Subject};

const MODEL: Subject = Subject::Model;
const VERSION: Subject = Subject::Version;
const BOTH: [Subject; 2] = [MODEL, VERSION];

#[track_caller]
fn parse(subject: Subject, text: &str) -> Filter {
    Filter::parse_for(subject, text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// What is printed for `text`, after checking that it parses to the same tree.
#[track_caller]
fn canonical(subject: Subject, text: &str) -> String {
    let filter = parse(subject, text);
    let printed = filter.to_string();
    assert_eq!(parse(subject, &printed), filter, "{text:?} is printed as {printed:?}");
    printed
}

#[test]
fn runs_are_the_default_and_know_nothing_new() {
    assert_eq!(Subject::default(), Subject::Run);
    let known = "known attributes: id, name, status, user, started, ended, duration, note, parent, \
                 experiment; others have a prefix: `metrics.`, `params.`, `tags.`, `datasets.`";
    for name in [
        "version",
        "version_number",
        "source_run",
        "digest",
        "updated",
        "last_updated_timestamp",
        "creation_timestamp",
        "alias",
        "stage",
        "current_stage",
        "description",
        "run",
    ] {
        let text = format!("{name} is null");
        let error = Filter::parse(&text).expect_err(name);
        let same = Filter::parse_for(Subject::Run, &text).expect_err(name);
        assert_eq!(error.to_string(), same.to_string());
        let message = format!("unknown attribute `{name}` at position 1: ^");
        assert!(error.message().starts_with(&message), "{error}");
        assert_eq!(error.hint(), Some(known));
    }
    let id = Filter::Term(Field::Attribute(Attribute::Id), Comparison::IsNull);
    assert_eq!(Filter::parse("run_id is null").unwrap(), id);
}

#[test]
fn mlflows_own_examples_parse() {
    let id = "0191d2a0b1c27def8123456789abcdef";
    for (subject, text, printed) in [
        (MODEL, "name = 'churn' and tags.team = 'x'", "name = 'churn' and tags.team = 'x'"),
        (MODEL, "name ilike '%fl%'", "name ilike '%fl%'"),
        (MODEL, "name LIKE 'Boston%'", "name like 'Boston%'"),
        (
            MODEL,
            "tag.`mlflow.prompt.is_prompt` != 'true'",
            "tags.mlflow.prompt.is_prompt != 'true'",
        ),
        (MODEL, "attribute.name = 'churn'", "name = 'churn'"),
        (VERSION, "name='churn'", "name = 'churn'"),
        (VERSION, "attributes.name = 'churn'", "name = 'churn'"),
        (VERSION, "tag.`a b` = 'x'", "tags.\"a b\" = 'x'"),
        (VERSION, &format!("run_id = '{id}'"), &format!("run_id = '{id}'")),
        (VERSION, &format!("run_id IN ('{id}', '{id}')"), &format!("run_id in ('{id}', '{id}')")),
        (
            VERSION,
            "name = 'churn' AND version_number >= 2 AND tags.`data type` LIKE 'a%'",
            "name = 'churn' and version >= 2 and tags.\"data type\" like 'a%'",
        ),
        (
            VERSION,
            "creation_timestamp > 1704456000000 and last_updated_timestamp < 1704456000001",
            "started > '2024-01-05T12:00:00Z' and updated < '2024-01-05T12:00:00.001Z'",
        ),
    ] {
        assert_eq!(canonical(subject, text), printed);
    }
}

#[test]
fn orderings_of_mlflow_parse() {
    for (subject, text, printed) in [
        (MODEL, "name", "name"),
        (MODEL, "name ASC", "name"),
        (MODEL, "creation_timestamp", "started"),
        (MODEL, "timestamp DESC", "updated desc"),
        (MODEL, "last_updated_timestamp DESC", "updated desc"),
        (VERSION, "version_number DESC", "version desc"),
        (VERSION, "creation_timestamp", "started"),
        (VERSION, "metrics.`val loss` desc", "metrics.\"val loss\" desc"),
        (VERSION, "attributes.run_id", "run_id"),
    ] {
        let order = OrderBy::parse_for(subject, text).unwrap();
        assert_eq!(order.to_string(), printed);
        assert_eq!(OrderBy::parse_for(subject, printed).unwrap(), order);
    }
}

#[test]
fn an_empty_text_matches_everything_of_each_subject() {
    for subject in BOTH {
        assert_eq!(parse(subject, " "), Filter::All);
    }
}

#[test]
fn names_have_their_spellings() {
    let shared = [
        ("name", "name"),
        ("attr.Name", "name"),
        ("started", "started"),
        ("created", "started"),
        ("creation_time", "started"),
        ("Creation_Timestamp", "started"),
        ("updated", "updated"),
        ("last_updated_timestamp", "updated"),
        ("last_updated_time", "updated"),
        ("note", "note"),
        ("description", "note"),
        ("tags.alias", "tags.alias"),
        ("tag.x", "tags.x"),
        ("alias", "alias"),
        ("aliases", "alias"),
        ("\"alias\"", "alias"),
        ("attributes.aliases", "alias"),
        ("stage", "stage"),
        ("current_stage", "stage"),
        ("attributes.`current_stage`", "stage"),
    ];
    let of_version = [
        ("model", "name"),
        ("model_name", "name"),
        ("version", "version"),
        ("version_number", "version"),
        ("run_id", "run_id"),
        ("source_run", "run_id"),
        ("run", "run_id"),
        ("attributes.run", "run_id"),
        ("user", "user"),
        ("author", "user"),
        ("user_id", "user"),
        ("digest", "digest"),
        ("metric.x", "metrics.x"),
        ("last(metrics.x)", "metrics.x"),
        ("parameter.x", "params.x"),
        ("dataset.digest", "datasets.digest"),
    ];
    let all = BOTH.iter().flat_map(|subject| shared.map(|pair| (*subject, pair)));
    for (subject, (text, printed)) in all.chain(of_version.map(|pair| (VERSION, pair))) {
        let printed = format!("{printed} is null");
        assert_eq!(canonical(subject, &format!("{text} is null")), printed, "{subject:?}");
    }
}

#[test]
fn literals_are_brought_to_the_stored_form() {
    for (text, printed) in [
        ("stage = 'production'", "stage = 'Production'"),
        ("stage != \"NONE\"", "stage != 'None'"),
        ("current_stage in ('staging', 'Archived')", "stage in ('Staging', 'Archived')"),
        ("stage like 'Prod%'", "stage like 'Prod%'"),
        ("stage ilike 'prod%'", "stage ilike 'prod%'"),
        ("alias = 'Champion'", "alias = 'Champion'"),
        ("alias not in ('a', 'b')", "alias not in ('a', 'b')"),
        ("digest = 'AB12'", "digest = 'ab12'"),
        ("digest like 'AB%'", "digest like 'ab%'"),
        ("digest between 'A' and 'B'", "digest between 'a' and 'b'"),
        (
            "run = '0191D2A0-B1C2-7DEF-8123-456789ABCDEF'",
            "run_id = '0191d2a0b1c27def8123456789abcdef'",
        ),
        ("version in (1, 2)", "version in (1, 2)"),
        ("params.lr = 0.1 or params.lr = '0.1'", "params.lr = 0.1 or params.lr = '0.1'"),
    ] {
        assert_eq!(canonical(VERSION, text), printed);
    }
    let stage = Filter::Term(
        Field::Member(Member::Stage),
        Comparison::Eq(Literal::Text("Development".into())),
    );
    assert_eq!(parse(MODEL, "stage = 'DEVELOPMENT'"), stage);
}
