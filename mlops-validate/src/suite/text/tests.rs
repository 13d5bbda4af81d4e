use mlops_core::validation::{Check, Matches, Mostly, NotNull, Range, Rule};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn bound(text: &str) -> Result<Suite> {
    Template::parse(text, "s.yaml")?.bind(&BTreeMap::new())
}

fn refused(text: &str) -> String {
    bound(text).unwrap_err().to_string()
}

fn of_check(check: &str) -> String {
    refused(&format!("suite: s\nchecks:\n  - check: not_null\n    column: a\n  - {check}\n"))
        .replace("suite.text: invalid: ", "")
        .replace("file: s.yaml", "…")
}

#[test]
fn a_suite_is_read_from_yaml_and_from_json() {
    let yaml =
        "suite: s\nversion: 3\nchecks:\n  - {check: range, column: a, min: 1, mostly: 0.9}\n";
    let json = r#"{"suite": "s", "version": 3,
        "checks": [{"check": "range", "column": "a", "min": 1, "mostly": 0.9}]}"#;
    let suite = bound(yaml).unwrap();
    assert_eq!(suite, bound(json).unwrap());
    assert_eq!((suite.name.as_str(), suite.version), ("s", 3));
    assert_eq!(suite.checks[0].mostly, Mostly::new(0.9).unwrap());
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_was_probably_meant() {
    let messages: Vec<String> = [
        "{check: rnge, column: x}",
        "{check: magic, column: x}",
        "{check: range, column: x, mininum: 0}",
        "{check: range, column: x, wher: a > 1}",
        "{check: range, column: x, min: [1]}",
        "{check: range, min: 1}",
        "{check: length, column: x, min: -1}",
        "{check: format, column: x, format: emal}",
        "{check: aggregate, of: avg(x), min: 0}",
        "{check: aggregate, of: rows(), equals: {table: x}}",
        "{check: aggregate, of: rows(), tolerance: {absolut: 1}}",
        "{check: not_null, column: x, severity: fatal}",
        "{check: not_null, column: x, mostly: 97}",
        "{check: schema, columns: [{name: a, type: double, nullable: true}]}",
        "not_null",
        "{column: x}",
    ]
    .map(of_check)
    .into();
    let expected = [
        "checks[1]: no such rule (check: rnge, …); hint: did you mean `range`?",
        "checks[1]: no such rule (check: magic, …); hint: one of source, schema,",
        "checks[1]: `range` has no field \"mininum\" (…); hint: known: column, min, max, exclusive_min,",
        "checks[1]: `range` has no field \"wher\" (…); hint: did you mean `where`?",
        "checks[1].min: no number, text or truth value (found: a list, …)",
        "checks[1]: missing field `column` (…)",
        "checks[1].min: invalid value: integer `-1`, expected u64 (found: -1, …)",
        "checks[1].format: unknown \"emal\" (…); hint: did you mean `email`?",
        "checks[1].of: metric: invalid: no such function (metric: avg(x)); hint: one of rows,",
        "checks[1].equals: write `{metric: …, reference: …}`, `{metric: …}` or",
        "checks[1].tolerance: unknown \"absolut\" (…); hint: did you mean `absolute`?",
        "checks[1].severity: unknown \"fatal\" (…); hint: known: warn, error",
        "checks[1].mostly: mostly: invalid: a share of rows is more than 0 and at most 1 (mostly: 97)",
        "checks[1].columns[0].type: column_type: invalid: not the name of a type",
        "checks[1]: write a map with the rule's name under `check` (found: a text, …)",
        "checks[1]: no rule (…); hint: its name stands under `check`",
    ];
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.starts_with(expected), "{message}\n{expected}");
    }
}

#[test]
fn a_file_that_is_no_suite_is_refused_with_file_and_place() {
    for (text, expected) in [
        ("a: [1, 2\nb: 3", "line: 2, column: "),
        ("suite: s\nsuite: t\n", "the text has the key \"suite\" twice (file: s.yaml, line: 2,"),
        ("[1]", "the text is no map of names to values (file: s.yaml, found: a list)"),
        ("", "the text is no map of names to values (file: s.yaml, found: nothing)"),
        ("checks: []", "a suite has no name"),
        ("suite: s\nchecks: []", "suite: invalid: has no checks"),
        (
            "suite: s\ncheks: []",
            "a suite has no field \"cheks\" (file: s.yaml); hint: did you mean",
        ),
        ("suite: s\nchecks: {a: 1}", "checks: write a list of checks (file: s.yaml, found: a map)"),
        (
            "suite: s\nversion: two\nchecks: []",
            "version: invalid type: string \"two\", expected u32",
        ),
        ("suite: s\nparams: [a]", "params: write a map of names to default values"),
        ("suite: s\nparams: {a b: 1}", "params: a name has letters, digits and `_`"),
        ("suite: s\ninclude: a.yaml", "an include, and nothing that reads it (include: a.yaml)"),
        (
            "suite: s\nchecks:\n  - {check: not_null, column: a}\n  - {check: not_null, column: a}",
            "has two checks of one name",
        ),
    ] {
        let message = refused(text);
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("s.yaml") || message.contains("include: a.yaml"), "{message}");
    }
}

#[test]
fn a_parameter_keeps_its_type_alone_and_is_pasted_within_a_text() {
    let text = "
suite: orders_${region}
params: {region: eu, states: [CA, NO], least: 0.5, oldest: 60, strict: true}
checks:
  - check: in_set
    column: state_${region}
    values: ${states}
  - {check: range, column: x, min: '${least}', exclusive_min: '${strict}'}
  - {check: matches, column: y, pattern: '^$${x}${oldest}$', where: 'a > :least and b = ''$${c}'''}
";
    let template = Template::parse(text, "s.yaml").unwrap();
    let given = BTreeMap::from([("least".to_owned(), json!(2))]);
    let suite = template.bind(&given).unwrap();
    assert_eq!(suite.name.as_str(), "orders_eu");
    assert_eq!(suite.checks[0].name(), "in_set(state_eu)");
    let Rule::Range(range) = &suite.checks[1].rule else { panic!() };
    assert_eq!((range.min.clone(), range.exclusive_min), (Some(2.into()), true));
    let Rule::Matches(matches) = &suite.checks[2].rule else { panic!() };
    assert_eq!(matches.pattern, "^${x}60$");
    assert_eq!(suite.checks[2].filter.as_deref(), Some("a > :least and b = '${c}'"));
    let parameters = template.parameters(&given).unwrap();
    assert_eq!(
        parameters.into_iter().collect::<Vec<_>>(),
        [
            ("least".to_owned(), 2.into()),
            ("oldest".to_owned(), 60.into()),
            ("region".to_owned(), "eu".into()),
            ("strict".to_owned(), true.into()),
        ]
    );
}

#[test]
fn parameters_that_do_not_fit_are_named() {
    let with = |check: &str| {
        let text = format!("suite: s\nparams: {{least: 1, list: [1]}}\nchecks: [{check}]");
        refused(&text)
    };
    for (check, expected) in [
        (
            "{check: expression, sql: 'a > ${least}'}",
            "checks[0].sql: `${…}` does not stand in SQL (text: \"a > ${least}\", file: s.yaml); hint: write `:least`",
        ),
        ("{check: not_null, column: a, where: 'a > ${b}'}", "hint: write `:name`"),
        ("{check: not_null, column: '${leest}'}", "hint: did you mean `${least}`?"),
        ("{check: not_null, column: 'a${least'}", "checks[0].column: has a `${` without a `}`"),
        (
            "{check: not_null, column: 'a${list}'}",
            "can be pasted (text: \"a${list}\", parameter is: a list,",
        ),
    ] {
        let message = with(check);
        assert!(message.contains(expected), "{message}");
    }
    let template = Template::parse("suite: s\nparams: {least: 1, day: null}", "s.yaml").unwrap();
    let bind = |name: &str, value: Value| {
        template.bind(&BTreeMap::from([(name.to_owned(), value)])).unwrap_err().to_string()
    };
    assert!(bind("leest", json!(1)).ends_with("hint: did you mean `least`?"));
    assert!(bind("least", json!("1")).contains("a parameter of another type (parameter: least,"));
    assert!(bind("least", json!(2)).contains("without a value (parameters: day,"));
}

#[test]
fn parameters_do_not_unfold_to_gigabytes() {
    let long = "x".repeat(1 << 20);
    let columns = vec!["'${a}'"; 64].join(", ");
    let text = format!(
        "suite: s\nparams: {{a: {long}}}\nchecks: [{{check: unique, columns: [{columns}]}}]"
    );
    assert!(refused(&text).contains("the parameters paste more than 16 MiB"));
}

fn files(path: &str, from: &str) -> Result<Include> {
    let text = match path {
        "base" => {
            "suite: base\nparams: {p: 1, q: 2}\ninclude: [common]\nchecks: [{check: not_null, column: 'b${p}'}]"
        }
        "more" => "include: common\nchecks: [{check: not_null, column: 'm${q}'}]",
        "common" => "checks: [{check: not_null, column: c}]",
        "wrong" => "checks: [{check: not_null, column: d}, {check: not_nul, column: c}]",
        "loop" => "include: pool",
        "pool" => "include: loop",
        other => return Err(Error::not_found("read", format!("no {other} for {from}"))),
    };
    Ok(Include { origin: path.to_owned(), text: text.to_owned() })
}

#[test]
fn included_checks_come_first_and_each_file_counts_once() {
    let text =
        "suite: s\nparams: {p: 7}\ninclude: [base, more]\nchecks: [{check: not_null, column: a}]";
    let suite = Template::parse_with(text, "s", files).unwrap().bind(&BTreeMap::new()).unwrap();
    let names: Vec<String> = suite.checks.iter().map(Check::name).collect();
    assert_eq!(names, ["not_null(c)", "not_null(b7)", "not_null(m2)", "not_null(a)"]);
    assert_eq!(suite.name.as_str(), "s");
}

#[test]
fn includes_that_cannot_be_are_refused() {
    let read = |text| Template::parse_with(text, "s", files).and_then(|t| t.bind(&BTreeMap::new()));
    let message = |text| read(text).unwrap_err().to_string();
    assert!(
        message("suite: s\ninclude: loop").contains("s includes loop includes pool includes loop")
    );
    assert_eq!(message("suite: s\ninclude: none"), "read: not found: no none for s");
    assert!(
        message("suite: s\ninclude: wrong")
            .contains("checks[1]: no such rule (check: not_nul, file: wrong)")
    );
    assert!(message("suite: s\ninclude: {a: 1}").contains("include: write a list of paths"));
}

#[test]
fn what_is_written_is_read_as_the_same_suite() {
    let suite = Suite::new("or ders: no")
        .unwrap()
        .with_version(4)
        .with_description("several\nlines")
        .with(Check::from(NotNull { column: "${a}".into() }).warn().with_filter("x = '${b}'"))
        .with(Matches { column: "on".into(), pattern: "^\\d{5}(-\\d{4})?$".into(), full: false })
        .with(Range {
            column: "x".into(),
            min: Some("2013-01-01".into()),
            max: Some(1e300.into()),
            exclusive_min: false,
            exclusive_max: true,
        });
    let yaml = to_yaml(&suite);
    assert_eq!(bound(&yaml).unwrap(), suite, "{yaml}");
    assert_eq!(bound(&to_json(&suite)).unwrap(), suite);
    let expected = "\
suite: 'or ders: no'
version: 4
description: |-
  several
  lines
checks:
  - check: not_null
    column: '$${a}'
    where: x = '$${b}'
    severity: warn
  - check: matches
    column: 'on'
    pattern: '^\\d{5}(-\\d{4})?$'
  - check: range
    column: x
    min: '2013-01-01'
    max: 1.0e+300
    exclusive_max: true
";
    assert_eq!(yaml, expected);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in ".{0,80}",
        yaml in "(suite|checks|check|column|params|include|min|\\$\\{a\\}|[-:{}\\[\\], \n'a1]){0,30}",
        check in "\\{(check|column|min|range|of|[:,' a1{}\\[\\]$]){0,20}\\}",
    ) {
        drop(bound(&text));
        drop(bound(&yaml));
        drop(bound(&format!("suite: s\nparams: {{a: 1}}\nchecks: [{check}]")));
    }
}
