use super::{BOTH, MODEL, VERSION};
use crate::ErrorKind;
use crate::filter::{Filter, OrderBy, Subject};

#[track_caller]
fn says(subject: Subject, text: &str, message: &str, hint: &str) {
    let error = Filter::parse_for(subject, text).expect_err(text);
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Invalid, "filter"));
    assert_eq!((error.message(), error.hint()), (message, (!hint.is_empty()).then_some(hint)));
    let position = error.context().find(|(name, _)| *name == "position").expect("a position").1;
    assert!(error.message().contains(&format!(" at position {position}: ")), "{error}");
}

const MODEL_NAMES: &str = "known attributes: name, created, updated, note, alias, stage; \
                           others have a prefix: `tags.`";
const VERSION_NAMES: &str = "known attributes: name, version, run_id, user, created, updated, note, \
                             digest, alias, stage; others have a prefix: `metrics.`, `params.`, \
                             `tags.`, `datasets.`";

#[test]
fn names_that_a_subject_does_not_have_are_errors() {
    for (subject, text, message, hint) in [
        (MODEL, "versio = 3", "unknown attribute `versio` at position 1: ^versio = 3", MODEL_NAMES),
        (
            MODEL,
            "name = 'x' and version = 3",
            "unknown attribute `version` at position 16: name = 'x' and ^version = 3",
            MODEL_NAMES,
        ),
        (
            MODEL,
            "run_id = 'x'",
            "unknown attribute `run_id` at position 1: ^run_id = 'x'",
            MODEL_NAMES,
        ),
        (MODEL, "user = 'x'", "unknown attribute `user` at position 1: ^user = 'x'", MODEL_NAMES),
        (
            MODEL,
            "staeg = 'x'",
            "unknown attribute `staeg` at position 1: ^staeg = 'x'",
            "did you mean `stage`?",
        ),
        (
            VERSION,
            "attributes.verison_number = 1",
            "unknown attribute `verison_number` at position 1: ^attributes.verison_numbe…",
            "did you mean `version_number`?",
        ),
        (
            VERSION,
            "status = 'READY'",
            "unknown attribute `status` at position 1: ^status = 'READY'",
            VERSION_NAMES,
        ),
        (VERSION, "id = 'x'", "unknown attribute `id` at position 1: ^id = 'x'", VERSION_NAMES),
        (
            VERSION,
            "run.name = 'x'",
            "unknown prefix `run` at position 1: ^run.name = 'x'",
            "known prefixes: metrics, params, tags, attributes, datasets",
        ),
        (
            VERSION,
            "metrcis.auc > 1",
            "unknown prefix `metrcis` at position 1: ^metrcis.auc > 1",
            "did you mean `metrics.auc`?",
        ),
        (
            MODEL,
            "metrcis.auc > 1",
            "unknown prefix `metrcis` at position 1: ^metrcis.auc > 1",
            "known prefixes: tags, attributes",
        ),
        (
            MODEL,
            "tgas.x = 'y'",
            "unknown prefix `tgas` at position 1: ^tgas.x = 'y'",
            "known prefixes: tags, attributes",
        ),
        (
            MODEL,
            "tagss.x = 'y'",
            "unknown prefix `tagss` at position 1: ^tagss.x = 'y'",
            "did you mean `tags.x`?",
        ),
    ] {
        says(subject, text, message, hint);
    }
}

#[test]
fn a_model_has_no_metrics_params_or_datasets() {
    let hint = "its versions have them: search model versions";
    for (text, message) in [
        ("metrics.auc > 0.9", "a model has no metrics at position 1: ^metrics.auc > 0.9"),
        (
            "name = 'x' and param.`l r` = '1'",
            "a model has no params at position 16: name = 'x' and ^param.`l r` = '1'",
        ),
        ("dataset.name = 'x'", "a model has no datasets at position 1: ^dataset.name = 'x'"),
        ("min(metrics.auc) > 1", "a model has no metrics at position 1: ^min(metrics.auc) > 1"),
    ] {
        says(MODEL, text, message, hint);
    }
    says(
        MODEL,
        "avg(metrics.a) > 1",
        "unknown aggregate `avg` at position 1: ^avg(metrics.a) > 1",
        "a model has no metrics",
    );
}

#[test]
fn a_version_has_only_the_last_value_of_a_metric() {
    for aggregate in ["min", "max", "count"] {
        says(
            VERSION,
            &format!("not {aggregate}(metrics.a) > 1"),
            &format!(
                "a version has no {aggregate} of a metric, only its last value at position 5: \
                 not ^{aggregate}(metrics.a) > 1"
            ),
            "write `metrics.loss`; its run has the history: search runs",
        );
    }
    says(
        VERSION,
        "avg(metrics.a) > 1",
        "unknown aggregate `avg` at position 1: ^avg(metrics.a) > 1",
        "known aggregates: last",
    );
}

#[test]
fn members_have_no_order_and_stages_are_known() {
    let hint = "use `=`, `!=` or `in`";
    for (text, message, hint) in [
        (
            "stage > 'Staging'",
            "stage has no order, which `>` needs at position 7: stage ^> 'Staging'",
            hint,
        ),
        (
            "alias between 'a' and 'b'",
            "alias has no order, which `between` needs at position 7: alias ^between 'a' and 'b'",
            hint,
        ),
        (
            "aliases <= 'a'",
            "alias has no order, which `<=` needs at position 9: aliases ^<= 'a'",
            hint,
        ),
        (
            "stage = 'prod'",
            "unknown stage `prod` at position 9: stage = ^'prod'",
            "known stages: None, Development, Staging, Production, Archived",
        ),
        (
            "stage in ('Staging', '')",
            "unknown stage `` at position 22: stage in ('Staging', ^'')",
            "known stages: None, Development, Staging, Production, Archived",
        ),
        ("stage = 3", "stage is text, and `3` is not at position 9: stage = ^3", "quote it: '3'"),
        (
            "alias = champion",
            "expected a quoted string, found `champion` at position 9: alias = ^champion",
            "quote strings: 'champion'",
        ),
    ] {
        for subject in BOTH {
            says(subject, text, message, hint);
        }
    }
}

#[test]
fn literals_of_the_wrong_type() {
    for (text, message, hint) in [
        (
            "version = '3'",
            "version is a number, and `'3'` is not at position 11: version = ^'3'",
            "write the number without quotes",
        ),
        (
            "version like '3'",
            "version is not text, which `like` needs at position 9: version ^like '3'",
            "",
        ),
        (
            "updated ilike '2024%'",
            "updated is not text, which `like` needs at position 9: updated ^ilike '2024%'",
            "",
        ),
        (
            "run_id = 'abc'",
            "run_id is an id of 32 hexadecimal digits or a UUID, and `'abc'` is not at position 10: \
             run_id = ^'abc'",
            "",
        ),
        (
            "digest = 3",
            "digest is text, and `3` is not at position 10: digest = ^3",
            "quote it: '3'",
        ),
        (
            "updated > 'today'",
            "updated is an instant of 1970 to 9999 in ISO 8601, and `'today'` is not at position 11: \
             updated > ^'today'",
            "for example '2024-01-05' or '2024-01-05T12:00:00Z'",
        ),
    ] {
        says(VERSION, text, message, hint);
    }
}

#[test]
fn what_a_record_has_several_of_gives_no_order() {
    for (subject, text, message, hint) in [
        (
            VERSION,
            "aliases desc",
            "alias gives no order at position 1: ^aliases desc",
            "a version may have several aliases",
        ),
        (
            MODEL,
            "alias",
            "alias gives no order at position 1: ^alias",
            "a model may have several aliases",
        ),
        (
            MODEL,
            "attributes.stage",
            "stage gives no order at position 1: ^attributes.stage",
            "stages have no order",
        ),
        (
            VERSION,
            "datasets.name",
            "datasets.name gives no order at position 1: ^datasets.name",
            "a version may have several datasets",
        ),
        (
            Subject::Run,
            "datasets.name",
            "datasets.name gives no order at position 1: ^datasets.name",
            "a run may have several datasets",
        ),
        (
            MODEL,
            "metrics.a",
            "a model has no metrics at position 1: ^metrics.a",
            "its versions have them: search model versions",
        ),
    ] {
        let error = OrderBy::parse_for(subject, text).expect_err(text);
        assert_eq!(
            (error.operation(), error.message(), error.hint()),
            ("order_by", message, Some(hint))
        );
    }
}
