use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::suite::{Template, to_yaml};

fn one(name: &str, kwargs: &Value) -> Result<Made, Reason> {
    make(name, kwargs, None)
}

fn sql(condition: &str, parser: &str) -> String {
    condition::to_sql(condition, Some(parser)).unwrap_or_else(|reason| reason)
}

#[test]
fn row_conditions_mean_in_sql_what_they_meant() {
    for (condition, expected) in [
        ("y == \"abc\"", r#""y" = 'abc'"#),
        ("x!=1 & w!=6", r#""x" IS DISTINCT FROM 1 AND "w" IS DISTINCT FROM 6"#),
        ("(a == 5) & (b == 'it')", r#"("a" = 5) AND ("b" = 'it')"#),
        ("not (a < 5 or b)", r#"NOT ((COALESCE("a" < 5, FALSE) OR COALESCE("b", FALSE)))"#),
        ("a != b", r#"COALESCE("a" <> "b", TRUE)"#),
        ("a not in [1, 'x']", r#"COALESCE("a" NOT IN (1, 'x'), TRUE)"#),
        (
            "`unit price`.notnull() and ~a.isnull()",
            r#""unit price" IS NOT NULL AND NOT ("a" IS NULL)"#,
        ),
        ("paid == True", r#""paid" = TRUE"#),
    ] {
        assert_eq!(sql(condition, "pandas"), expected);
    }
    for (condition, parser, expected) in [
        ("col(\"a\") != -1.5", "great_expectations", r#""a" <> -1.5"#),
        ("col('a').notNull()", "great_expectations__experimental__", r#""a" IS NOT NULL"#),
        (
            "a = 1 AND NOT b IS NULL OR c IN (1, 2)",
            "spark",
            r#""a" = 1 AND NOT ("b" IS NULL) OR "c" IN (1, 2)"#,
        ),
    ] {
        assert_eq!(sql(condition, parser), expected);
    }
}

#[test]
fn row_conditions_that_are_more_are_refused_with_the_reason() {
    for (condition, expected) in [
        ("a + 1 == 2", "`+`"),
        ("len(a) == 2", "the function len"),
        ("a.str.len() == 2", "a method"),
        ("1 < a < 5", "`<` at its end"),
        ("a == None", "a comparison with null"),
        ("a == 'x", "a quote without its end"),
        ("a == ", "it ends in the middle"),
        ("a in [b]", "a column in a list"),
        ("a == 1e5", "\"e5\" at its end"),
        ("@x == 1", "`@`"),
    ] {
        let reason = sql(condition, "pandas");
        assert!(reason.ends_with(&format!("is more than comparisons: {expected}")), "{reason}");
    }
    let deep = format!("{}a{}", "(".repeat(1000), ")".repeat(1000));
    assert!(sql(&deep, "pandas").ends_with("too many parentheses"));
    assert_eq!(sql("a == 1", "bad"), "unknown `condition_parser` \"bad\"");
}

#[test]
fn an_argument_that_is_not_understood_is_never_dropped() {
    let between = |extra: &Value| {
        let mut kwargs = json!({"column": "x", "min_value": 1});
        if let (Value::Object(kwargs), Value::Object(extra)) = (&mut kwargs, extra.clone()) {
            kwargs.extend(extra);
        }
        one("expect_column_values_to_be_between", &kwargs).map(|made| made.checks).unwrap_err()
    };
    for (extra, reason) in [
        (
            json!({"parse_strings_as_datetimes": true}),
            "the argument `parse_strings_as_datetimes` has no counterpart",
        ),
        (json!({"max_value": 0}), "its `min_value` is above its `max_value`"),
        (
            json!({"max_value": {"$PARAMETER": "x"}}),
            "`max_value` is an evaluation parameter; write the value, or a suite with `params`",
        ),
        (json!({"mostly": 0.0}), "with a `mostly` of 0 it asks for nothing"),
        (json!({"mostly": 1.1}), "`mostly` is no share of rows"),
        (json!({"strict_min": "yes"}), "`strict_min` is not true or false"),
        (json!({"row_condition": "x > 1"}), "a `row_condition` without its `condition_parser`"),
    ] {
        assert_eq!(between(&extra), reason);
    }
    let look_ahead = json!({"column": "x", "regex": "(?=a)b"});
    let reason = one("expect_column_values_to_match_regex", &look_ahead).unwrap_err();
    assert!(reason.contains("look-around"), "{reason}");
}

#[test]
fn both_formats_of_a_suite_are_read() {
    let old = r#"{"expectation_suite_name": "old", "data_asset_type": null, "meta": {"notes": "a suite"},
        "expectations": [
            {"expectation_type": "expect_column_values_to_not_be_null",
             "kwargs": {"column": "id", "mostly": 0.95, "result_format": "SUMMARY"},
             "meta": {"notes": {"format": "markdown", "content": ["why", "so"]}}},
            {"expectation_type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id",
             "row_condition": "a > 1", "condition_parser": "pandas"}, "meta": {}},
            {"expectation_type": "expect_column_quantile_values_to_be_between", "kwargs": {"column": "x",
             "quantile_ranges": {"quantiles": [0.5, 0.9], "value_ranges": [[1, 2], [null, 5]]}}},
            {"expectation_type": "expect_table_columns_to_match_ordered_list", "kwargs": {"column_list": ["a"]}}
        ]}"#;
    let imported = import(old).unwrap();
    let expected = "\
suite: old
version: 1
description: a suite
checks:
  - check: not_null
    column: id
    mostly: 0.95
    description: |-
      why
      so
  - check: not_null
    id: 'not_null(id) #2'
    column: id
    where: '\"a\" > 1'
  - check: aggregate
    of: quantile(x, 0.5)
    min: 1
    max: 2
  - check: aggregate
    of: quantile(x, 0.9)
    max: 5
";
    assert_eq!(to_yaml(&imported.suite), expected);
    let template = Template::parse(expected, "s").unwrap();
    assert_eq!(template.bind(&std::collections::BTreeMap::new()).unwrap(), imported.suite);
    assert_eq!(imported.not_imported.len(), 1);
    assert_eq!(imported.notes.len(), 2);
    for (text, message) in [
        ("{", "the text is no JSON"),
        ("[]", "no suite of Great Expectations"),
        (r#"{"expectations": {}}"#, "no suite of Great Expectations"),
    ] {
        assert!(import(text).unwrap_err().to_string().contains(message));
    }
}

proptest! {
    #[test]
    fn no_condition_makes_it_panic(
        text in "(a|col\\(\"x\"\\)|[0-9.-]{1,3}|==|!=|<|&|\\||not|in|is|null|'|\"|`|\\(|\\)|\\[|\\]|,|é| ){0,12}",
        any in ".{0,20}",
    ) {
        for parser in ["pandas", "spark"] {
            drop(condition::to_sql(&text, Some(parser)));
            drop(condition::to_sql(&any, Some(parser)));
        }
    }
}
