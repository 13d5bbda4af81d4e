//! What is wrong with a suite for some data is said before any value is read: the thing, the value,
//! and what would be right.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use mlops_core::validation::Suite;
use mlops_validate::{Inputs, Plan, row_function};

fn schema() -> Schema {
    let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let zip = Fields::from(vec![Field::new("zip", DataType::Utf8, true)]);
    Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("price", DataType::Decimal128(10, 2), true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("day", DataType::Date32, true),
        Field::new("ratio", DataType::Float64, true),
        Field::new("ok", DataType::Boolean, true),
        Field::new("tags", DataType::List(item), true),
        Field::new("address", DataType::Struct(zip), true),
    ])
}

fn inputs() -> Inputs {
    Inputs::new(mlops_core::time::Instant::from_timestamp(1_700_000_000, 0).unwrap())
}

fn suite(checks: &str) -> Result<Suite, serde_json::Error> {
    serde_json::from_str(&format!(r#"{{"suite": "orders", "checks": [{checks}]}}"#))
}

fn error_of(checks: &str) -> String {
    match suite(checks) {
        Ok(suite) => match Plan::new(&suite, &schema(), &inputs()) {
            Ok(_) => "no error".to_owned(),
            Err(error) => error.to_string(),
        },
        // What follows is the place in the text, which is this test's own.
        Err(error) => match error.to_string().split_once(" at line ") {
            Some((message, _)) => format!("json: {message}"),
            None => format!("json: {error}"),
        },
    }
}

/// All of them, so that one change of words is seen at once.
fn all(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (checks, expected) in cases {
        let found = error_of(checks);
        if found != *expected {
            wrong.push(format!("{checks}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn ids(ids: Vec<i64>) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(ids));
    RecordBatch::try_from_iter([("id", ids)]).unwrap()
}

fn plan(checks: &str, batch: &RecordBatch) -> Plan {
    let mut inputs = inputs();
    let one = row_function(|_, _| Ok(BooleanArray::from(vec![true])));
    inputs.functions.insert("one_answer".to_owned(), one);
    let fails = row_function(|_, options| {
        Err(mlops_core::Error::invalid("is_prime", "the sieve is too small").with("most", options))
    });
    inputs.functions.insert("fails".to_owned(), fails);
    Plan::new(&suite(checks).unwrap(), &batch.schema(), &inputs).unwrap()
}

#[test]
fn a_batch_of_another_schema_is_refused_in_the_middle_of_a_stream() {
    let first = ids(vec![1, 2]);
    let mut state = plan(r#"{"check": "not_null", "column": "id"}"#, &first).start();
    state.update(&first).unwrap();
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let renamed = RecordBatch::try_from_iter([("name", names)]).unwrap();
    assert_eq!(
        state.update(&renamed).unwrap_err().to_string(),
        "validate: invalid: a batch is of another schema than the first \
         (expected: id: Int64, found: name: Utf8)",
    );
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let narrow = RecordBatch::try_from_iter([("id", narrow)]).unwrap();
    assert_eq!(
        state.update(&narrow).unwrap_err().to_string(),
        "validate: invalid: a batch is of another schema than the first \
         (expected: id: Int64, found: id: Int32)",
    );
    // Nothing of them was taken in.
    state.update(&first).unwrap();
    assert_eq!(state.report().unwrap().rows, 4);
}

#[test]
fn states_of_different_suites_do_not_merge() {
    let batch = ids(vec![1]);
    let one = plan(r#"{"check": "not_null", "column": "id"}"#, &batch).start();
    let other = plan(r#"{"check": "range", "column": "id", "min": 0}"#, &batch).start();
    assert_eq!(
        one.merge(other).unwrap_err().to_string(),
        "validate.merge: invalid: the states are of different plans (suite: orders, other suite: \
         orders); hint: states merge if suite, schema, parameters, references, profiles and history are the same",
    );
}

#[test]
fn a_function_must_answer_for_every_row_and_may_fail() {
    let batch = ids(vec![1, 2]);
    let of = |name: &str| {
        let check = format!(
            r#"{{"check": "custom", "function": "{name}", "columns": ["id"], "options": 100}}"#
        );
        plan(&check, &batch).validate(&batch).unwrap_err().to_string()
    };
    assert_eq!(
        of("one_answer"),
        "validate: invalid: a function did not answer for every row (function: one_answer, rows: 2, \
         answers: 1)",
    );
    assert_eq!(of("fails"), "is_prime: invalid: the sieve is too small (most: 100)");
}

#[test]
fn a_comment_at_the_end_of_a_filter_hides_nothing() {
    let check = r#"{"check": "implies", "when": "id > 3 -- big", "then": "ratio > 0", "where": "ok -- fine"}"#;
    assert_eq!(error_of(check), "no error");
}

#[test]
fn a_path_that_leads_nowhere_is_refused() {
    all(&[
        (
            r#"{"check": "not_null", "column": "nmae"}"#,
            "suite: invalid: the data has no such column (column: nmae, check: not_null(nmae)); hint: there are id, name, price, at, day, ratio, ok, tags, address",
        ),
        (
            r#"{"check": "not_null", "column": "address.zpi"}"#,
            "suite: invalid: the data has no such column (column: zpi, path: address.zpi, check: not_null(address.zpi)); hint: there are zip",
        ),
        (
            r#"{"check": "not_null", "column": "name.first"}"#,
            r#"suite: invalid: only a struct has fields (path: name.first, field: "first", type: Utf8, check: not_null(name.first))"#,
        ),
        (
            r#"{"check": "range", "column": "id[]", "min": 1}"#,
            "suite: invalid: `[]` stands for the items of a list (path: id[], type: Int64, check: range(id[])); hint: a path goes through one list at most",
        ),
    ]);
}

#[test]
fn a_value_that_the_type_cannot_have_is_refused() {
    all(&[
        (
            r#"{"check": "range", "column": "ok", "min": 1}"#,
            "suite: invalid: values of this type have no range (column: ok, type: Boolean, check: range(ok))",
        ),
        (
            r#"{"check": "range", "column": "address", "min": 1}"#,
            r#"suite: invalid: values of this type have no range (column: address, type: Struct("zip": Utf8), check: range(address))"#,
        ),
        (
            r#"{"check": "range", "column": "id"}"#,
            "suite: invalid: a range has a least or a greatest value (column: id, check: range(id))",
        ),
        (
            r#"{"check": "range", "column": "id", "min": 5, "max": 3}"#,
            "suite: invalid: no value is in this range (column: id, range: 5 to 3, check: range(id))",
        ),
        (
            r#"{"check": "range", "column": "id", "min": 1.2, "max": 1.8}"#,
            "suite: invalid: no value is in this range (column: id, range: 1.2 to 1.8, check: range(id))",
        ),
        (
            r#"{"check": "range", "column": "price", "min": "1.00", "max": "1.00", "exclusive_min": true}"#,
            r#"suite: invalid: no value is in this range (column: price, range: above "1.00", at most "1.00", check: range(price))"#,
        ),
        (
            r#"{"check": "range", "column": "name", "min": "b", "max": "a"}"#,
            r#"suite: invalid: no value is in this range (column: name, range: "b" to "a", check: range(name))"#,
        ),
        (
            r#"{"check": "range", "column": "id", "min": "many"}"#,
            r#"suite: invalid: a value does not fit the column's type (value: "many", type: Int64, check: range(id)); hint: a number; a decimal in quotes, as "12.50", is taken digit by digit"#,
        ),
        (
            r#"{"check": "range", "column": "name", "min": 5}"#,
            "suite: invalid: a value does not fit the column's type (value: 5, type: Utf8, check: range(name)); hint: text in quotes",
        ),
        (
            r#"{"check": "range", "column": "at", "min": "2024-01-01T00:00:00"}"#,
            r#"suite: invalid: a value does not fit the column's type (value: "2024-01-01T00:00:00", type: Timestamp(µs, "UTC"), check: range(at)); hint: an instant with its zone in quotes, as "2013-01-31T12:00:00Z""#,
        ),
        (
            r#"{"check": "range", "column": "day", "min": "2023-02-29"}"#,
            r#"suite: invalid: a value does not fit the column's type (value: "2023-02-29", type: Date32, check: range(day)); hint: a date in quotes, as "2013-01-31""#,
        ),
        (
            r#"{"check": "in_set", "column": "id", "values": [1, 2.5]}"#,
            "suite: invalid: a value does not fit the column's type (value: 2.5, type: Int64, check: in_set(id)); hint: no value of this type is equal to it: take it out",
        ),
        (
            r#"{"check": "in_set", "column": "price", "values": ["1.005"]}"#,
            r#"suite: invalid: a value does not fit the column's type (value: "1.005", type: Decimal128(10, 2), check: in_set(price)); hint: no value of this type is equal to it: take it out"#,
        ),
        (
            r#"{"check": "in_set", "column": "id", "values": []}"#,
            "suite: invalid: a set has at least one value (check: in_set(id))",
        ),
        (
            r#"{"check": "in_set", "column": "ok", "values": ["yes"]}"#,
            r#"suite: invalid: a value does not fit the column's type (value: "yes", type: Boolean, check: in_set(ok)); hint: true or false"#,
        ),
        (
            r#"{"check": "in_set", "column": "address", "values": [1]}"#,
            r#"suite: invalid: values of this type cannot be listed (type: Struct("zip": Utf8), check: in_set(address))"#,
        ),
    ]);
}

#[test]
fn rules_for_text_are_for_text() {
    all(&[
        (
            r#"{"check": "matches", "column": "id", "pattern": "[0-9]+"}"#,
            "suite: invalid: the rule is for text (column: id, type: Int64, check: matches(id))",
        ),
        (
            r#"{"check": "matches", "column": "name", "pattern": "a(b"}"#,
            "validate.pattern: invalid: unclosed group at position 2: a^(b (position: 2, check: matches(name))",
        ),
        (
            r#"{"check": "matches", "column": "name", "pattern": "^(?=a)"}"#,
            "validate.pattern: invalid: look-around `(?=` is not supported at position 2: ^^(?=a) (position: 2, check: matches(name)); hint: such patterns can take exponential time; use two checks, or a negated class such as `[^,]`",
        ),
        (
            r#"{"check": "not_matches", "column": "name", "pattern": "(a)\\1"}"#,
            r"validate.pattern: invalid: backreference `\1` is not supported at position 4: (a)^\1 (position: 4, check: not_matches(name)); hint: such patterns can take exponential time; compare two columns or use a function instead",
        ),
        (
            r#"{"check": "matches", "column": "name", "pattern": "(\\w{1000}){1000}"}"#,
            r"validate.pattern: invalid: the pattern needs too much memory (pattern: (\w{1000}){1000}, check: matches(name)); hint: lower the counts of its repetitions, or use ASCII classes such as `[0-9]` for `\d`",
        ),
        (
            r#"{"check": "format", "column": "id", "format": "email"}"#,
            "suite: invalid: the rule is for text (column: id, type: Int64, check: format(id))",
        ),
        (
            r#"{"check": "length", "column": "id", "min": 1}"#,
            "suite: invalid: text, bytes and lists have a length (column: id, type: Int64, check: length(id))",
        ),
        (
            r#"{"check": "length", "column": "name"}"#,
            "suite: invalid: a length has a least or a greatest value, in order (column: name, check: length(name))",
        ),
        (
            r#"{"check": "length", "column": "name", "min": 5, "max": 2}"#,
            "suite: invalid: a length has a least or a greatest value, in order (column: name, check: length(name))",
        ),
    ]);
}

#[test]
fn an_expression_that_is_no_condition_shows_the_place() {
    all(&[
        (
            r#"{"check": "all_or_none", "columns": ["id"]}"#,
            "suite: invalid: the rule is about two columns or more (columns: id, check: all_or_none(id))",
        ),
        (
            r#"{"check": "row_completeness", "columns": ["id", "name"], "min": 3}"#,
            "suite: invalid: no row can have so many columns (min: 3, columns: 2, check: row_completeness(id, name))",
        ),
        (
            r#"{"check": "compare", "left": "id", "op": "<", "right": "name"}"#,
            r#"expression: invalid: int64 and text cannot be compared at 1:6: "id" ^< "name" (position: 1:6, check: compare(id < name)); hint: texts and numbers do not mix: CAST(x AS TEXT), or TRY_CAST(x AS DOUBLE)"#,
        ),
        (
            r#"{"check": "compare", "left": "tags", "op": "<", "right": "tags"}"#,
            "suite: invalid: a column is compared with itself (column: tags, check: compare(tags < tags)); hint: `right` is another column",
        ),
        (
            r#"{"check": "expression", "sql": "id > > 3"}"#,
            "expression: invalid: expected an expression, found `>` at 1:6: id > ^> 3 (position: 1:6, check: expression(id > > 3))",
        ),
        (
            r#"{"check": "expression", "sql": "idd > 3"}"#,
            "expression: invalid: no column `idd` at 1:1: ^idd > 3 (position: 1:1, check: expression(idd > 3)); hint: did you mean `id`?",
        ),
        (
            r#"{"check": "expression", "sql": "id + 3"}"#,
            "suite: invalid: the expression is no condition (expression: id + 3, type: Int64, check: expression(id + 3)); hint: compare it with something: `x > 0`, `x is not null`",
        ),
        (
            r#"{"check": "expression", "sql": "name > 3"}"#,
            "expression: invalid: text and int64 cannot be compared at 1:6: name ^> 3 (position: 1:6, check: expression(name > 3)); hint: texts and numbers do not mix: CAST(x AS TEXT), or TRY_CAST(x AS DOUBLE)",
        ),
        (
            r#"{"check": "expression", "sql": "id > :least"}"#,
            "expression: invalid: no value for parameter `:least` at 1:6: id > ^:least (position: 1:6, check: expression(id > :least)); hint: no parameters are given",
        ),
        (
            r#"{"check": "implies", "when": "id", "then": "ratio > 0"}"#,
            "suite: invalid: the expression is no condition (expression: id, type: Int64, check: implies(id => ratio > 0)); hint: compare it with something: `x > 0`, `x is not null`",
        ),
        (
            r#"{"check": "not_null", "column": "name", "where": "id >"}"#,
            "expression: invalid: expected an expression, found the end at 1:5: id >^ (position: 1:5, check: not_null(name))",
        ),
        (
            r#"{"check": "implies", "when": "id > 3", "then": "ratio > 0", "where": "ok) or (ok"}"#,
            "expression: invalid: expected an operator or the end, found `)` at 1:3: ok^) or (ok (position: 1:3, check: implies(id > 3 => ratio > 0))",
        ),
        (
            r#"{"check": "not_null", "column": "name", "where": ""}"#,
            "expression: invalid: expected an expression, found the end at 1:1: ^ (position: 1:1, check: not_null(name))",
        ),
    ]);
}

#[test]
fn an_aggregate_that_cannot_be_is_refused() {
    all(&[
        (
            r#"{"check": "column_type", "column": "id", "where": "id > 3"}"#,
            "suite: invalid: a rule that looks at no rows has no `where` (rule: column_type, check: column_type(id))",
        ),
        (
            r#"{"check": "column_type", "column": "id", "mostly": 0.9}"#,
            "suite: invalid: a rule that judges no rows has no `mostly` (rule: column_type, check: column_type(id)); hint: widen its bounds, or give it a tolerance",
        ),
        (
            r#"{"check": "aggregate", "of": "sum(id)", "min": 1, "mostly": 0.9}"#,
            "suite: invalid: a rule that judges no rows has no `mostly` (rule: aggregate, check: sum(id)); hint: widen its bounds, or give it a tolerance",
        ),
        (
            r#"{"check": "aggregate", "of": "sum(id)"}"#,
            "suite: invalid: an aggregate has a bound, or what it must equal (check: sum(id))",
        ),
        (
            r#"{"check": "aggregate", "of": "sum(id)", "min": 1, "tolerance": {"absolute": -1.0}}"#,
            "suite: invalid: a tolerance is not negative (check: sum(id))",
        ),
        (
            r#"{"check": "aggregate", "of": "sum(name)", "min": 1}"#,
            "suite: invalid: the column has no such metric (metric: sum(name), type: Utf8, check: sum(name)); hint: it is of integers, decimals, floats and durations",
        ),
        (
            r#"{"check": "aggregate", "of": "min(address)", "min": 1}"#,
            r#"suite: invalid: the column has no such metric (metric: min(address), type: Struct("zip": Utf8), check: min(address)); hint: min and max are of what has an order"#,
        ),
        (
            r#"{"check": "aggregate", "of": "median(id)", "min": 1}"#,
            "json: metric: invalid: no such function (metric: median(id)); hint: one of rows, count, nulls, null_rate, distinct, approx_distinct, sum, mean, min, max, stddev, quantile, approx_quantile",
        ),
        (
            r#"{"check": "aggregate", "of": "max(day)", "max": 5}"#,
            r#"suite: invalid: a value does not fit the column's type (value: 5, type: Date32, check: max(day)); hint: a date in quotes, as "2013-01-31""#,
        ),
    ]);
}

#[test]
fn what_was_not_handed_in_is_named() {
    all(&[
        (
            r#"{"check": "foreign_key", "columns": ["id"], "reference": "customers"}"#,
            "suite: invalid: no such reference was handed in (reference: customers, check: foreign_key(id in customers)); hint: hand it in under this name: `Validation::with_reference`, or `--reference name=url`",
        ),
        (
            r#"{"check": "aggregate", "of": "sum(id)", "equals": {"metric": "sum(id)", "reference": "ledger"}}"#,
            "suite: invalid: no such reference was handed in (reference: ledger, check: sum(id)); hint: hand it in under this name: `Validation::with_reference`, or `--reference name=url`",
        ),
        (
            r#"{"check": "distribution", "column": "ratio", "profile": "good", "measure": "psi", "max": 0.1}"#,
            "suite: invalid: no such profile was handed in (profile: good, check: distribution(ratio)); hint: `--profile name=file`; `mlops suite profile` writes one",
        ),
        (
            r#"{"check": "custom", "function": "is_prime", "columns": ["id"]}"#,
            "suite: invalid: no such function was handed in (function: is_prime, check: is_prime(id)); hint: hand it in under this name: `Engine::with_function`",
        ),
        (
            r#"{"check": "unique", "columns": []}"#,
            "validate.key: invalid: a key needs at least one column (check: unique)",
        ),
        (
            r#"{"check": "distinctness", "columns": ["id"], "min": 50.0}"#,
            "suite: invalid: a share of rows has a bound from 0 to 1 (check: distinctness(id))",
        ),
        (
            r#"{"check": "distinctness", "columns": ["id"]}"#,
            "suite: invalid: a share of rows has a bound from 0 to 1 (check: distinctness(id))",
        ),
        (
            r#"{"check": "distinctness", "columns": ["id", "name"], "min": 0.5, "method": "sketch"}"#,
            "suite: invalid: a sketch is of one column (columns: id, name, check: distinctness(id, name)); hint: `method: exact` takes several",
        ),
        (
            r#"{"check": "ordered", "column": "tags"}"#,
            "suite: invalid: values of this type have no order (column: tags, type: List(Utf8), check: ordered(tags))",
        ),
        (
            r#"{"check": "freshness", "column": "id", "max_age_secs": 60}"#,
            "suite: invalid: only instants and dates have an age (column: id, type: Int64, check: freshness(id))",
        ),
        (
            r#"{"check": "row_count"}"#,
            "suite: invalid: an aggregate has a bound, or what it must equal (check: row_count)",
        ),
        (
            r#"{"check": "row_count", "min": 5, "max": 3}"#,
            "suite: invalid: no value is between these bounds (metric: rows(), bounds: at least 5, at most 3, check: row_count)",
        ),
        (
            r#"{"check": "aggregate", "of": "sum(id)", "min": 5, "max": 3}"#,
            "suite: invalid: no value is between these bounds (metric: sum(id), bounds: at least 5, at most 3, check: sum(id))",
        ),
    ]);
}

#[test]
fn a_suite_that_is_none_is_refused() {
    all(&[
        (
            r#"{"check": "source", "min_files": 1}"#,
            "suite: invalid: the data is no files, so there is no source to look at (rule: source, check: source)",
        ),
        (
            r#"{"check": "fits"}"#,
            "suite: invalid: a destination is either columns or a reference (check: fits)",
        ),
        (
            "",
            "suite: invalid: has no checks (suite: orders); hint: an empty suite would pass any data",
        ),
        (
            r#"{"check": "not_null", "column": "id"}, {"check": "not_null", "column": "id"}"#,
            "suite: invalid: has two checks of one name (suite: orders, check: not_null(id), position: 1); hint: give one of them an `id`",
        ),
        (
            r#"{"check": "not_null", "column": "nmae"}, {"check": "range", "column": "id"}"#,
            "suite: invalid: 2 checks cannot be run over this data (suite: orders, fault: not_null(nmae): suite: invalid: the data has no such column (column: nmae); hint: there are id, name, price, at, day, ratio, ok, tags, address, fault: range(id): suite: invalid: a range has a least or a greatest value (column: id))",
        ),
        (
            r#"{"check": "range", "column": "id", "mni": 1}"#,
            "json: unknown field `mni`, expected one of `column`, `min`, `max`, `exclusive_min`, `exclusive_max`",
        ),
        (
            r#"{"check": "rnage", "column": "id", "min": 1}"#,
            "json: unknown variant `rnage`, expected one of `source`, `schema`, `column_type`, `fits`, `row_count`, `freshness`, `not_null`, `is_null`, `all_or_none`, `mutually_exclusive`, `row_completeness`, `range`, `in_set`, `not_in_set`, `matches`, `not_matches`, `format`, `length`, `compare`, `expression`, `implies`, `custom`, `unique`, `distinctness`, `ordered`, `foreign_key`, `functional_dependency`, `aggregate`, `anomaly`, `distribution`",
        ),
        (
            r#"{"check": "not_null", "column": "id", "mostly": 97}"#,
            "json: mostly: invalid: a share of rows is more than 0 and at most 1 (mostly: 97); hint: 97 % is written 0.97",
        ),
        (
            r#"{"check": "not_null", "column": "id", "mostly": 0}"#,
            "json: mostly: invalid: a share of rows is more than 0 and at most 1 (mostly: 0)",
        ),
        (r#"{"check": "not_null"}"#, "json: missing field `column`"),
        (
            r#"{"check": "functional_dependency", "from": ["id"], "to": []}"#,
            "validate.key: invalid: a key needs at least one column (check: functional_dependency(id -> ))",
        ),
        (
            r#"{"check": "aggregate", "of": "sum()", "min": 1}"#,
            "json: metric: invalid: no column (metric: sum()); hint: written as sum(column), quantile(column, 0.9) or rows()",
        ),
        (
            r#"{"check": "aggregate", "of": "quantile(id, 90)", "min": 1}"#,
            "json: metric: invalid: a quantile's share is from 0 to 1 (share: 90); hint: the 90th percentile is quantile(column, 0.9)",
        ),
        (
            r#"{"check": "range", "column": "ratio", "min": "NaN"}"#,
            r#"suite: invalid: a value does not fit the column's type (value: "NaN", type: Float64, check: range(ratio)); hint: a number, as 0.5 or 1e-9"#,
        ),
        (
            r#"{"check": "distribution", "column": "ratio", "profile": "good", "measure": "psi", "max": -0.1}"#,
            "suite: invalid: no such profile was handed in (profile: good, check: distribution(ratio)); hint: `--profile name=file`; `mlops suite profile` writes one",
        ),
        (
            r#"{"check": "anomaly", "of": "rows()", "mostly": 0.5}"#,
            "suite: invalid: a rule that judges no rows has no `mostly` (rule: anomaly, check: anomaly(rows())); hint: widen its bounds, or give it a tolerance",
        ),
        (
            r#"{"check": "anomaly", "of": "rows()", "last": 0}"#,
            "validate.anomaly: invalid: the window holds fewer runs than there must be (window: 0, min_history: 8, check: anomaly(rows()))",
        ),
        (
            r#"{"check": "anomaly", "of": "rows()", "one_in": 0}"#,
            "validate.anomaly: invalid: a rate of false alarms is between 0.001 and 0.1 (rate: inf, check: anomaly(rows()))",
        ),
        (
            r#"{"check": "anomaly", "of": "rows()", "ignore_below": -1.0}"#,
            "validate.anomaly: invalid: an ignored change is a share, 0 or more (share: -1, check: anomaly(rows()))",
        ),
    ]);
}
