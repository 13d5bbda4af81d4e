use proptest::prelude::*;
use serde_json::json;

use super::*;

fn core(text: &str) -> Value {
    read(text, Scalars::Core).unwrap()
}

fn refused(text: &str) -> Bad {
    read(text, Scalars::Core).unwrap_err()
}

#[test]
fn scalars_are_those_of_the_core_schema() {
    let text = "[null, ~, , true, FALSE, no, on, 12, 014, 0o14, 0x1f, -3, +4, 1.5, .5, 2., 1e3, \
                '12', \"true\", 1_000, 12:30, 2026-01-01, 18446744073709551615, \
                18446744073709551616, -9223372036854775808, e3, '', 0o8, .e1, -]";
    assert_eq!(
        core(text.replace(", , ", ", null, ").replace(", -]", ", '-']").as_str()),
        json!([
            null,
            null,
            null,
            true,
            false,
            "no",
            "on",
            12,
            14,
            12,
            31,
            -3,
            4,
            1.5,
            0.5,
            2.0,
            1000.0,
            "12",
            "true",
            "1_000",
            "12:30",
            "2026-01-01",
            18_446_744_073_709_551_615_u64,
            18_446_744_073_709_551_616.0,
            i64::MIN,
            "e3",
            "",
            "0o8",
            ".e1",
            "-"
        ])
    );
}

#[test]
fn maps_lists_comments_and_blocks_are_read() {
    let text = "# a policy\n---\na:\n  - b: 1\n    c: [x, y]\n  - >-\n    folded\n    text\nd: |\n  kept\n  \
                lines\n? e\n: f\n!!str g: !!str 5\n...\n";
    assert_eq!(
        core(text),
        json!({"a": [{"b": 1, "c": ["x", "y"]}, "folded text"], "d": "kept\nlines\n", "e": "f",
               "g": "5"})
    );
    assert_eq!(core(""), Value::Null);
    assert_eq!(core("# nothing\n"), Value::Null);
    assert_eq!(core("just text"), json!("just text"));
}

#[test]
fn what_could_be_misread_or_unfold_is_refused_with_its_place() {
    let at = |bad: Bad| (bad.line, bad.column);
    assert_eq!(refused("a: &x [1]\nb: *x\n").message, "has an alias; write out what it stands for");
    assert_eq!(at(refused("a: &x [1]\nb: *x\n")), (2, 4));
    assert_eq!(
        refused("a: {b: 1}\nc:\n  <<: {b: 2}\n").message,
        "has a merge key; write out what it merges"
    );
    let twice = refused("a: 1\nb: 2\na: 3\n");
    assert_eq!((twice.message.as_str(), twice.line), ("has the key \"a\" twice", 3));
    assert!(refused("a: !python/object:os.system ls\n").message.starts_with("has the tag"));
    assert!(refused("a: !!binary aGk=\n").message.starts_with("has the tag"));
    assert_eq!(refused("a: .nan").message, "has a number that is not finite");
    assert_eq!(refused("a: -.inf").message, "has a number that is not finite");
    assert_eq!(refused("a: 1e999").message, "has a number that is not finite");
    assert_eq!(refused("a: 0xfffffffffffffffff").message, "has a number above 2^64 - 1");
    assert_eq!(refused("a: 1\n---\nb: 2\n").message, "has a second document");
    assert_eq!(refused("? [a]\n: b\n").message, "has a key that is not a text");
    assert_eq!(refused("a: 1\nb: [1, 2\nc: 3\n").line, 3);
    let deep = format!("a: {}1{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(refused(&deep).message, "is nested too deeply");
}

#[test]
fn a_writer_of_yaml_1_1_keeps_its_texts() {
    let text = "a: 0o14\nb: no\nc: null\nd: 'null'\ne: !!python/name:x y\nf: [1, 2]\n";
    assert_eq!(
        read(text, Scalars::AsText).unwrap(),
        json!({"a": "0o14", "b": "no", "c": null, "d": "null", "e": "y", "f": ["1", "2"]})
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-c0-9:{}\\[\\],&*!|>'\"#%@?.~<\\\\ \t\n]{0,60}") {
        drop(read(&text, Scalars::Core));
        drop(read(&text, Scalars::AsText));
    }

    #[test]
    fn json_is_read_as_it_was_written(
        number in any::<f64>().prop_filter("finite", |n| n.is_finite()),
        whole in any::<i64>(),
        text in "[ -~äöü✓]{0,20}",
    ) {
        let value = json!({"n": number, "w": whole, "t": [text, null, true, {"x": {}}]});
        prop_assert_eq!(core(&value.to_string()), value.clone());
        prop_assert_eq!(core(&serde_json::to_string_pretty(&value).unwrap()), value);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~\n]{0,12}",
        "\\PC{0,6}",
        any::<String>(),
        "[a-z]{1,3}[:#\\[,'\"> |-]{0,2}[a-z \n]{0,4}",
        "[-+]?[0-9_]{1,3}[.:eE_-]{0,2}[0-9+]{0,3}",
        proptest::sample::select(vec![
            "no",
            "On",
            "y",
            "~",
            "null",
            "1_000",
            "0o17",
            "12:30",
            ".inf",
            "-.INF",
            ".nan",
            "=",
            "<<",
            "---",
            "...",
            "0x1F",
            "0b11",
            "017",
            "1e3",
            "+1",
            "2001-01-01",
            "a: b",
            "a #b",
            "- a",
            "? a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "a:",
            ":",
            "#",
            " a",
            "a ",
            "a\n",
            "a\n\n",
            "\n",
            "\na",
            " a\nb",
            "a\n b\n",
            "a\n\n  b",
            "a \nb",
            "a\tb",
            "\ta\nb",
            "{a}",
            "[a]",
            "a, b",
            "a\u{85}b",
            "\u{feff}",
            "'",
            "''",
            "\"",
            "\\",
            "a'b",
            "é",
            "日本",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(text.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(value in any_value()) {
        let text = write(&value);
        prop_assert_eq!(read(&text, Scalars::Core).map_err(|e| format!("{e}\n{text}")), Ok(value));
    }
}

#[test]
fn what_either_version_would_misread_is_quoted() {
    let texts = [
        "no",
        "Off",
        "YES",
        "y",
        "N",
        "true",
        "Null",
        "~",
        "",
        "1_000",
        "0o17",
        "017",
        "12:30",
        "1:2:3",
        "1e3",
        ".5",
        "+1",
        "-",
        "0x1f",
        "0b1",
        ".inf",
        "-.inf",
        ".NaN",
        "2001-12-14",
        "=",
        "<<",
        "1.",
        "685_230.15",
        "a: b",
        "a #b",
        "a:",
        "#a",
        "&a",
        "*a",
        "!a",
        "%a",
        "@a",
        "`a",
        "- a",
        "? a",
        "[a",
        "{a",
        "'a",
        "\"a",
        "|",
        ">",
        " a",
        "a ",
        "---",
        "...",
    ];
    for text in texts {
        assert_eq!(write(&json!(text)), format!("'{}'\n", text.replace('\'', "''")));
    }
    for text in ["yes sir", "origin = 'JFK'", "a:b", "a#b", "quantile(x, 0.9)", "e-mail", "_1"] {
        assert_eq!(write(&json!(text)), format!("{text}\n"));
    }
    assert_eq!(write(&json!([1e300, -1.5e-9, 2.0])), "[1.0e+300, -1.5e-9, 2.0]\n");
}

#[test]
fn a_suite_looks_as_a_person_would_write_it() {
    let value = json!({
        "suite": "orders", "version": 2,
        "checks": [
            {"check": "in_set", "column": "state", "values": ["CA", "NO", "NY"]},
            {"check": "expression", "sql": "shipped_at >= created_at\nor status = 'open'",
             "where": "total > 0", "severity": "warn"},
            {"check": "matches", "column": "zip", "pattern": "^\\d{5}$", "empty": {}, "none": []},
        ],
    });
    let order = ["suite", "version", "checks", "check", "column", "values", "sql", "where"];
    let expected = "\
suite: orders
version: 2
checks:
  - check: in_set
    column: state
    values: [CA, 'NO', NY]
  - check: expression
    sql: |-
      shipped_at >= created_at
      or status = 'open'
    where: total > 0
    severity: warn
  - check: matches
    column: zip
    empty: {}
    none: []
    pattern: '^\\d{5}$'
";
    assert_eq!(write_in_order(&value, &order), expected);
    assert_eq!(read(expected, Scalars::Core).unwrap(), value);
}
