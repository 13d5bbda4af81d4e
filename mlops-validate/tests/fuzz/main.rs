//! Bounded fuzzing: whatever stands in a suite, a pattern or an expression, the answer is a value or
//! an error, and it comes soon.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "the oracle's; fuzzing needs less")]
#[path = "../oracle/rng.rs"]
mod rng;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use mlops_core::validation::{
    Check, Expression, HasFormat, InSet, Length, Literal, Matches, Range, Rule, Suite,
};
use mlops_validate::{Inputs, Plan};

use self::rng::Rng;

/// Far above what the slowest case takes, far below what a blow-up would.
const SOON: Duration = Duration::from_secs(10);

fn table() -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MAX)]));
    let x: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, -0.0, f64::INFINITY]));
    let name: ArrayRef = Arc::new(StringArray::from(vec![Some("é"), Some(""), None]));
    let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MIN, i64::MAX]));
    let lists = vec![Some(vec![Some(1), None]), None, Some(vec![])];
    let tags: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
    RecordBatch::try_from_iter([("id", id), ("x", x), ("name", name), ("at", at), ("tags", tags)])
        .unwrap()
}

fn inputs() -> Inputs {
    Inputs::new(mlops_core::time::Instant::from_timestamp(1_700_000_000, 0).unwrap())
}

/// Compiles and runs; true if there was a report.
fn run(suite: &Suite, batch: &RecordBatch) -> bool {
    let began = Instant::now();
    let found = Plan::new(suite, &batch.schema(), &inputs()).and_then(|plan| plan.validate(batch));
    let took = began.elapsed();
    assert!(took < SOON, "{took:?} for {}", suite.digest());
    match found {
        Ok(report) => {
            serde_json::to_string(&report).unwrap();
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

fn one(rule: impl Into<Rule>) -> Suite {
    Suite::new("fuzz").unwrap().with(Check::new(rule))
}

const SEEDS: [&str; 24] = [
    r#"{"check":"range","column":"id","min":0,"max":10,"exclusive_min":true}"#,
    r#"{"check":"range","column":"at","min":"2013-01-31","max":"2014-01-31T12:00:00"}"#,
    r#"{"check":"range","column":"x","min":"0.1","mostly":0.5,"nan":"skip"}"#,
    r#"{"check":"in_set","column":"id","values":[1,2,3],"nulls":"fail"}"#,
    r#"{"check":"in_set","column":"name","values":["é","b"]}"#,
    r#"{"check":"not_in_set","column":"x","values":[0,1e300,-0.0]}"#,
    r#"{"check":"matches","column":"name","pattern":"^[a-z]+$","full":true}"#,
    r#"{"check":"format","column":"name","format":"date"}"#,
    r#"{"check":"length","column":"tags","min":1,"max":3,"unit":"bytes"}"#,
    r#"{"check":"compare","left":"id","op":"<=","right":"x"}"#,
    r#"{"check":"expression","sql":"id > 3 and name like 'a%'"}"#,
    r#"{"check":"implies","when":"x > 0","then":"id is not null","where":"at is not null"}"#,
    r#"{"check":"unique","columns":["id","name"],"key_nulls":"equal","memory":"one_pass"}"#,
    r#"{"check":"distinctness","columns":["id"],"min":0.5,"max":1.0,"method":"sketch"}"#,
    r#"{"check":"ordered","column":"at","direction":"descending","strict":true}"#,
    r#"{"check":"functional_dependency","from":["id"],"to":["name","x"]}"#,
    r#"{"check":"aggregate","of":"sum(id)","min":0,"max":"1e30"}"#,
    r#"{"check":"aggregate","of":"quantile(x, 0.9)","equals":{"metric":"max(x)"},"tolerance":{"absolute":1}}"#,
    r#"{"check":"aggregate","of":"rows()","equals":{"previous":true}}"#,
    r#"{"check":"anomaly","of":"mean(x)","last":9,"at_least":5,"one_in":100,"ignore_below":0.1}"#,
    r#"{"check":"freshness","column":"at","max_age_secs":10,"max_ahead_secs":5}"#,
    r#"{"check":"row_completeness","columns":["id","x","name"],"min":2}"#,
    r#"{"check":"mutually_exclusive","columns":["id","x"],"required":true,"severity":"warn"}"#,
    r#"{"check":"schema","columns":[{"name":"id","type":"int64","nullable":true}],"mode":"contains"}"#,
];

/// Words that mean something somewhere.
const WORDS: [&str; 26] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "9007199254740993",
    "\"id\"",
    "\"tags[]\"",
    "\"tags[].x\"",
    "\"\"",
    "\"2013-02-30\"",
    "\"NaN\"",
    "\"inf\"",
    "1e-400",
    "\\u0000",
    "\u{202e}",
    "\"-0\"",
    "\"1e1000\"",
];

fn word(rng: &mut Rng) -> &'static str {
    WORDS[rng.below(WORDS.len())]
}

#[test]
fn a_mangled_suite_is_a_report_or_an_error() {
    let (mut rng, batch) = (Rng::new(1), table());
    let (mut read, mut ran) = (0, 0);
    for _ in 0..3_000 {
        let mut text = (*rng.pick(&SEEDS)).to_owned();
        for _ in 0..rng.below(4) {
            let place = |rng: &mut Rng, text: &str| {
                let at = rng.below(text.len() + 1);
                (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
            };
            let (a, b) = (place(&mut rng, &text), place(&mut rng, &text));
            let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 12));
            let b = (a..=b).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(a);
            match rng.below(4) {
                0 => text.replace_range(a..b, ""),
                1 => text.replace_range(a..b, word(&mut rng)),
                2 => text.insert_str(a, word(&mut rng)),
                // A value of another check in the place of one.
                _ => {
                    let other = *rng.pick(&SEEDS);
                    let value = |text: &str, rng: &mut Rng| {
                        let colons: Vec<usize> =
                            text.match_indices(':').map(|(at, _)| at + 1).collect();
                        (!colons.is_empty()).then(|| *rng.pick(&colons))
                    };
                    if let (Some(at), Some(from)) = (value(&text, &mut rng), value(other, &mut rng))
                    {
                        let end = text[at..].find([',', '}']).map_or(text.len(), |n| at + n);
                        let until =
                            other[from..].find([',', '}']).map_or(other.len(), |n| from + n);
                        text.replace_range(at..end, &other[from..until]);
                    }
                }
            }
        }
        let suite = format!(r#"{{"suite":"fuzz","checks":[{text}]}}"#);
        if let Ok(suite) = serde_json::from_str::<Suite>(&suite) {
            read += 1;
            ran += usize::from(run(&suite, &batch));
            let again = serde_json::to_string(&suite).unwrap();
            assert_eq!(serde_json::from_str::<Suite>(&again).unwrap(), suite, "{again}");
        }
    }
    assert!(read > 500 && ran > 200, "{read} were suites, {ran} of them ran");
}

#[test]
fn random_bytes_are_no_suite_and_no_panic() {
    let mut rng = Rng::new(2);
    for _ in 0..20_000 {
        let length = rng.below(60);
        let bytes: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
        assert!(serde_json::from_slice::<Suite>(&bytes).is_err());
    }
    let deep = format!(r#"{{"suite":"fuzz","checks":{}"#, "[".repeat(100_000));
    assert!(serde_json::from_str::<Suite>(&deep).is_err());
}

fn nasty_texts() -> RecordBatch {
    let long = 100_000;
    let texts = [
        "a".repeat(long),
        format!("{}!", "a".repeat(long)),
        "ab".repeat(long / 2),
        "é".repeat(long / 2),
        format!("{}b", "(".repeat(long)),
        "1.".repeat(long / 2),
        "\n".repeat(long),
        "@".repeat(long),
        format!("[{}", "[".repeat(long)),
        String::new(),
    ];
    let array: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_from_iter([("name", array)]).unwrap()
}

#[test]
fn no_pattern_takes_exponential_time_or_memory() {
    let batch = nasty_texts();
    let matches = |pattern: String, full: bool| {
        let rule = Matches { column: "name".to_owned(), pattern, full };
        run(&one(rule), &batch)
    };
    for pattern in [
        "(a+)+$",
        "(a|aa)+$",
        "(a*)*b",
        "(.*a){20}",
        "(.*)(.*)(.*)(.*)(.*)b$",
        "(a?){50}a{50}",
        "(x+x+)+y",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        r"(\w{1000}){1000}",
        "((a{100}){100}){100}",
        r"[\p{L}--\p{Lu}]{500}",
        r"\pL{1000}",
        r"(?i)\w+\d+\s+\w+",
        r"\b\b\b\b",
        "((((((((((((((((((((a?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)?)*",
        "a{0}",
        "[^a]*a[^a]*$",
        "",
        "$^",
        "(?:)",
    ] {
        matches(pattern.to_owned(), false);
        matches(pattern.to_owned(), true);
    }
    matches("(".repeat(60_000), false);
    matches("a|".repeat(30_000), false);
    matches("[a-z]".repeat(10_000), true);
    let mut rng = Rng::new(3);
    let parts = [
        "a", "b", ".", "*", "+", "?", "{2,}", "{0,300}", "(", ")", "|", "[a-z]", "[^é]", r"\w",
        r"\b", "^", "$", "(?i)", r"\pL", "é",
    ];
    let small = batch.slice(0, 3);
    for _ in 0..300 {
        let pattern: String = (0..=rng.below(12)).map(|_| *rng.pick(&parts)).collect();
        let rule = Matches { column: "name".to_owned(), pattern, full: rng.chance(50) };
        run(&one(rule), &small);
    }
}

#[test]
fn formats_and_lengths_of_nasty_text_take_time_in_proportion() {
    let batch = nasty_texts();
    let names = [
        "email",
        "url",
        "uuid",
        "date",
        "time",
        "date_time",
        "ipv4",
        "ipv6",
        "ip",
        "hostname",
        "json",
    ];
    for name in names {
        let format = serde_json::from_value(name.into()).unwrap();
        assert!(run(&one(HasFormat { column: "name".to_owned(), format }), &batch), "{name}");
    }
    let length = Length {
        column: "name".to_owned(),
        min: Some(u64::MAX),
        max: None,
        unit: mlops_core::validation::LengthUnit::Chars,
    };
    assert!(run(&one(length), &batch));
}

#[test]
fn no_expression_takes_more_than_its_share() {
    let batch = table();
    let texts = nasty_texts();
    let sql = |sql: String, batch: &RecordBatch| run(&one(Expression { sql }), batch);
    sql("(".repeat(60_000), &batch);
    sql("not ".repeat(15_000) + "true", &batch);
    sql(format!("id > 0{}", " or id > 0".repeat(5_000)), &batch);
    sql(format!("id > 0{}", " + 1".repeat(15_000)), &batch);
    sql(format!("id in ({}1)", "1, ".repeat(9_000)), &batch);
    sql(format!("{}id{} is null", "abs(".repeat(63), ")".repeat(63)), &batch);
    sql("case ".repeat(10_000), &batch);
    sql("x > 1e99999999".to_owned(), &batch);
    sql("id > 99999999999999999999999999999999999999999999999".to_owned(), &batch);
    sql("at > timestamp '9999999-01-01'".to_owned(), &batch);
    sql("name like '%a%a%a%a%a%a%a%a%a%a%b'".to_owned(), &texts);
    sql("name ~ '(a+)+$'".to_owned(), &texts);
    sql(
        "length(replace(name, 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')) > 0".to_owned(),
        &texts,
    );
    let mut rng = Rng::new(4);
    let parts = [
        "id",
        "x",
        "name",
        "at",
        "tags",
        "1",
        "'a'",
        "null",
        "true",
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "<",
        "=",
        "<>",
        "and",
        "or",
        "not",
        "is",
        "in",
        "(",
        ")",
        ",",
        "like",
        "between",
        "case",
        "when",
        "then",
        "else",
        "end",
        "cast",
        "as",
        "int",
        "abs",
        "length",
        "::",
        "date",
        "--",
        "/*",
        ":p",
        "\"",
        "'",
        "interval '1 month'",
        "extract",
        "from",
        "\u{0}",
        "é",
    ];
    for _ in 0..2_000 {
        let text: Vec<&str> = (0..=rng.below(14)).map(|_| *rng.pick(&parts)).collect();
        sql(text.join(" "), &batch);
    }
}

#[test]
fn bounds_and_sets_of_any_literal_are_a_report_or_an_error() {
    let (mut rng, batch) = (Rng::new(5), table());
    let texts = [
        "",
        " ",
        "-",
        ".",
        "e",
        "1e",
        "1e5",
        "1e-5",
        "1e1000",
        "-0",
        "+1",
        "1_000",
        "0x10",
        "nan",
        "inf",
        "2013-01-31",
        "99999-01-01",
        "-2013-01-01",
        "2013-01-31T23:59:60Z",
        "23:59",
        "1.5h",
        "1e400",
        "99999999999999999999d",
        "é",
        "9".repeat(400).leak(),
        "0.0000000000000000000000000000001",
    ];
    for _ in 0..3_000 {
        let mut literal = || match rng.below(5) {
            0 => Literal::Bool(rng.chance(50)),
            1 => Literal::Int(*rng.pick(&[0, 1, -1, i64::MIN, i64::MAX])),
            2 => Literal::UInt(u64::MAX),
            3 => Literal::Float(*rng.pick(&[
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::MAX,
                f64::MIN_POSITIVE,
                -0.0,
                0.1,
            ])),
            _ => Literal::Text((*rng.pick(&texts)).to_owned()),
        };
        let (min, max, values) = (Some(literal()), Some(literal()), vec![literal(), literal()]);
        let column = (*rng.pick(&["id", "x", "name", "at", "tags"])).to_owned();
        let (exclusive_min, exclusive_max) = (rng.chance(50), rng.chance(50));
        run(&one(InSet { column: column.clone(), values }), &batch);
        run(&one(Range { column, min, max, exclusive_min, exclusive_max }), &batch);
    }
}
