use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::*;
use crate::suite::Template;

fn suite(checks: &str) -> Suite {
    let text = format!("suite: s\nchecks: [{checks}]");
    Template::parse(&text, "s").unwrap().bind(&BTreeMap::new()).unwrap()
}

/// The effect of the one field that differs.
fn effect(old: &str, new: &str) -> Effect {
    let diff = diff(&suite(&format!("{{{old}, id: a}}")), &suite(&format!("{{{new}, id: a}}")));
    assert!(diff.added.is_empty() && diff.removed.is_empty(), "{diff}");
    let change = &diff.changed[0];
    assert_eq!(change.fields.len(), 1, "{diff}");
    assert_eq!(change.effect, change.fields[0].effect);
    change.effect
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_field_knows_which_way_is_looser() {
    use Effect::{Changed, Loosened, Tightened, Unclear};
    for (old, new, expected) in [
        ("check: range, column: x, min: 1", "check: range, column: x, min: 0", Loosened),
        ("check: range, column: x, min: 1, max: 2", "check: range, column: x, min: 1", Loosened),
        ("check: range, column: x, max: 1", "check: range, column: x, max: 1.5", Loosened),
        ("check: range, column: x, max: 1", "check: range, column: x, max: a", Unclear),
        ("check: range, column: x, min: '9'", "check: range, column: x, min: '10'", Unclear),
        ("check: range, column: x, min: '-9'", "check: range, column: x, min: '-8'", Unclear),
        ("check: range, column: x, min: aa", "check: range, column: x, min: b", Tightened),
        (
            "check: range, column: x, max: '2013-01-01'",
            "check: range, column: x, max: '2014-01-01'",
            Loosened,
        ),
        (
            "check: range, column: x, max: '2013-01-01T00:00:00+01:00'",
            "check: range, column: x, max: '2013-01-01T00:00:00+02:00'",
            Unclear,
        ),
        (
            "check: range, column: x, min: 0",
            "check: range, column: x, min: 0, exclusive_min: true",
            Tightened,
        ),
        ("check: length, column: x, min: 1", "check: length, column: x, min: 2", Tightened),
        ("check: row_count, min: 10", "check: row_count, min: 9", Loosened),
        (
            "check: in_set, column: x, values: [1]",
            "check: in_set, column: x, values: [2, 1]",
            Loosened,
        ),
        (
            "check: in_set, column: x, values: [1, 2]",
            "check: in_set, column: x, values: [2, 1]",
            Changed,
        ),
        ("check: in_set, column: x, values: [1]", "check: in_set, column: x, values: [2]", Unclear),
        (
            "check: not_in_set, column: x, values: [1]",
            "check: not_in_set, column: x, values: [1, 2]",
            Tightened,
        ),
        ("check: not_null, column: x", "check: not_null, column: x, mostly: 0.9", Loosened),
        ("check: not_null, column: x", "check: not_null, column: x, severity: warn", Loosened),
        ("check: not_null, column: x", "check: not_null, column: x, where: a > 1", Loosened),
        ("check: not_null, column: x", "check: not_null, column: x, description: why", Changed),
        ("check: not_null, column: x, where: a", "check: not_null, column: x, where: b", Unclear),
        (
            "check: not_null, column: x, mostly: 0.5",
            "check: not_null, column: x, mostly: 0.5, where: b",
            Unclear,
        ),
        (
            "check: aggregate, of: mean(x), min: 1",
            "check: aggregate, of: mean(x), min: 1, where: b",
            Unclear,
        ),
        ("check: aggregate, of: mean(x), min: 1", "check: aggregate, of: sum(x), min: 1", Unclear),
        (
            "check: aggregate, of: rows(), equals: {previous: true}",
            "check: aggregate, of: rows(), equals: {previous: true}, tolerance: {relative: 0.1}",
            Loosened,
        ),
        (
            "check: range, column: x, min: 1",
            "check: range, column: x, min: 1, nulls: fail",
            Tightened,
        ),
        ("check: range, column: x, min: 1", "check: range, column: x, min: 1, nan: skip", Loosened),
        ("check: matches, column: x, pattern: a", "check: matches, column: x, pattern: b", Unclear),
        (
            "check: matches, column: x, pattern: a",
            "check: matches, column: x, pattern: a, full: true",
            Tightened,
        ),
        (
            "check: not_matches, column: x, pattern: a",
            "check: not_matches, column: x, pattern: a, full: true",
            Loosened,
        ),
        ("check: unique, columns: [a]", "check: unique, columns: [a, b]", Loosened),
        ("check: unique, columns: [a]", "check: unique, columns: [a], key_nulls: equal", Tightened),
        ("check: unique, columns: [a]", "check: unique, columns: [a], memory: two_passes", Changed),
        (
            "check: compare, left: a, op: <, right: b",
            "check: compare, left: a, op: <=, right: b",
            Loosened,
        ),
        (
            "check: compare, left: a, op: <, right: b",
            "check: compare, left: a, op: '=', right: b",
            Unclear,
        ),
        (
            "check: format, column: a, format: ip",
            "check: format, column: a, format: ipv4",
            Tightened,
        ),
        (
            "check: column_type, column: a",
            "check: column_type, column: a, types: [int8]",
            Tightened,
        ),
        (
            "check: freshness, column: a, max_age_secs: 1",
            "check: freshness, column: a, max_age_secs: 2",
            Loosened,
        ),
        (
            "check: source, max_age_secs: 1",
            "check: source, min_files: 1, max_age_secs: 1",
            Tightened,
        ),
        ("check: ordered, column: a, strict: true", "check: ordered, column: a", Loosened),
        ("check: expression, sql: a", "check: expression, sql: b", Unclear),
    ] {
        assert_eq!(effect(old, new), expected, "{old} / {new}");
        assert_eq!(effect(new, old), expected.mirrored(), "{new} / {old}");
    }
}

#[test]
fn a_bound_that_moves_decides_over_its_openness() {
    let diff = diff(
        &suite("{check: range, column: x, min: 0, exclusive_min: true}"),
        &suite("{check: range, column: x, min: 1}"),
    );
    assert_eq!(diff.changed[0].effect, Effect::Tightened);
    assert!(!diff.may_loosen());
}

#[test]
fn checks_are_matched_by_name_and_then_by_rule_and_columns() {
    let old = "{check: not_null, column: a}, {check: range, column: x, min: 1, id: low},
               {check: not_null, column: gone}";
    let new = "{check: range, column: x, min: 0, id: lower}, {check: unique, columns: [a]},
               {check: not_null, column: a, id: a}";
    let diff = diff(&suite(old), &suite(new));
    let expected = "\
- not_null(gone) (loosened)
+ unique(a) (tightened)
~ lower (was low) (loosened)
    id: \"low\" → \"lower\" (changed)
    min: 1 → 0 (loosened)
~ a (was not_null(a)) (changed)
    id: nothing → \"a\" (changed)";
    assert_eq!(diff.to_string(), expected);
    let json = serde_json::to_string(&diff).unwrap();
    assert_eq!(serde_json::from_str::<SuiteDiff>(&json).unwrap(), diff);
}

#[test]
fn another_rule_under_one_name_is_unclear() {
    let diff = diff(
        &suite("{check: range, column: x, min: 1, id: a}"),
        &suite("{check: not_null, column: x, id: a, severity: warn}"),
    );
    assert_eq!(diff.changed[0].effect, Effect::Unclear);
    assert!(diff.loosens() && diff.may_loosen());
}

fn any_suite() -> impl Strategy<Value = Suite> {
    let checks = [
        "check: not_null, column: a",
        "check: range, column: a, min: 1",
        "check: range, column: a, min: 0, exclusive_min: true, max: 7.5",
        "check: range, column: a, min: '2013-01-01', max: '12'",
        "check: in_set, column: b, values: [1, 2, x]",
        "check: in_set, column: b, values: [2]",
        "check: not_in_set, column: b, values: [2, 3]",
        "check: unique, columns: [a, b]",
        "check: unique, columns: [b, a], key_nulls: equal",
        "check: compare, left: a, op: '<', right: b",
        "check: compare, left: a, op: '!=', right: b",
        "check: aggregate, of: mean(a), min: 1, max: 2",
        "check: aggregate, of: mean(a), equals: {previous: true}, tolerance: {absolute: 1}",
        "check: aggregate, of: mean(a), equals: {previous: true}, tolerance: {relative: 0.5}",
        "check: column_type, column: a, types: [int8, utf8]",
        "check: column_type, column: a",
        "check: source, min_files: 1, expected: [a, b]",
        "check: source, max_bytes: 100, expected: [b]",
        "check: ordered, column: a, strict: true",
        "check: row_count, min: 3",
    ];
    let around = [
        "severity: warn",
        "mostly: 0.5",
        "mostly: 0.7",
        "where: a > 1",
        "nulls: fail",
        "nan: pass",
    ];
    let check = (select(checks.to_vec()), subsequence(around.to_vec(), 0..3), any::<bool>());
    let suite_fields = (1_u32..3, select(vec!["pass", "warn", "fail"]));
    (proptest::collection::vec(check, 1..6), suite_fields, any::<Index>()).prop_filter_map(
        "a field twice",
        |(checks, (version, on_empty), id)| {
            let id = id.index(checks.len());
            let list: Vec<String> = checks
                .iter()
                .enumerate()
                .map(|(place, (check, around, named))| {
                    let id =
                        if *named { format!(", id: c{}", (place + id) % 6) } else { String::new() };
                    let around = around.iter().fold(String::new(), |all, a| all + ", " + a);
                    format!("{{{check}{around}{id}}}")
                })
                .collect();
            let text = format!(
                "suite: s\nversion: {version}\non_empty: {on_empty}\nchecks: [{}]",
                list.join(", ")
            );
            Template::parse(&text, "s").ok()?.bind(&BTreeMap::new()).ok()
        },
    )
}

fn mirrored(mut diff: SuiteDiff) -> SuiteDiff {
    let turn = |field: &mut FieldChange| {
        std::mem::swap(&mut field.old, &mut field.new);
        field.effect = field.effect.mirrored();
    };
    std::mem::swap(&mut diff.added, &mut diff.removed);
    diff.suite.iter_mut().for_each(turn);
    for change in &mut diff.changed {
        std::mem::swap(&mut change.old, &mut change.new);
        change.effect = change.effect.mirrored();
        change.fields.iter_mut().for_each(turn);
    }
    diff.changed.sort_by(|a, b| (&a.old, &a.new).cmp(&(&b.old, &b.new)));
    diff
}

proptest! {
    #[test]
    fn a_suite_does_not_differ_from_itself(suite in any_suite()) {
        prop_assert!(diff(&suite, &suite).is_empty());
    }

    #[test]
    fn the_other_way_round_is_the_mirror_image(a in any_suite(), b in any_suite()) {
        let mut back = diff(&b, &a);
        back.changed.sort_by(|a, b| (&a.old, &a.new).cmp(&(&b.old, &b.new)));
        prop_assert_eq!(mirrored(diff(&a, &b)), back);
    }
}
