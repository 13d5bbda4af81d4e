//! Input that nobody meant well: no panic, no overflow of the stack, bounded time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringArray};
use proptest::prelude::*;

use super::batch;
use super::tables::Random;
use crate::{Expr, Parameters};

/// Parses, prints, parses again, binds and evaluates, as far as each is possible.
fn survive(text: &str) {
    let Ok(expr) = text.parse::<Expr>() else { return };
    let printed = expr.to_string();
    if printed.len() <= crate::MAX_BYTES
        && let Ok(again) = printed.parse::<Expr>()
    {
        assert_eq!(again.to_string(), printed, "{text}");
    }
    let table = batch(vec![
        ("a", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])) as ArrayRef),
        ("f", Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(-0.0), Some(f64::MAX)]))),
        ("t", Arc::new(StringArray::from(vec![Some("é"), None, Some("")]))),
        ("d", Arc::new(Date32Array::from(vec![i32::MIN, 0, i32::MAX]))),
    ]);
    let parameters = Parameters::new().with("p", f64::NAN).with("q", "x");
    if let Ok(bound) = expr.bind(&table.schema(), &parameters) {
        let array = bound.eval(&table).unwrap();
        array.to_data().validate_full().unwrap();
        assert_eq!(array.data_type(), bound.data_type(), "{text}");
        assert_eq!(array.len(), 3);
        bound.eval(&table.slice(3, 0)).unwrap();
    }
}

const WORDS: &[&str] = &[
    "a",
    "f",
    "t",
    "d",
    ":p",
    ":q",
    "1",
    "0",
    "-1",
    "9223372036854775807",
    "1.5",
    "1e308",
    ".5e-300",
    "99999999999999999999999999999999999999",
    "'x'",
    "''",
    "'%_\\'",
    "'2024-02-29'",
    "null",
    "true",
    "false",
    "(",
    ")",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "~",
    "!~*",
    "and",
    "or",
    "not",
    "is",
    "is not null",
    "is true",
    "is distinct from",
    "between",
    "in (",
    "like",
    "ilike",
    "escape '!'",
    "case",
    "when",
    "then",
    "else",
    "end",
    "cast(",
    "try_cast(",
    "as",
    "int)",
    "decimal(38, 10))",
    "text)",
    "date)",
    "timestamp(9))",
    "double)",
    "date '9999-12-31'",
    "timestamp '0001-01-01Z'",
    "interval '3 months'",
    "interval '-1 day 00:00:00.000000001'",
    "round(",
    ", -3)",
    "power(",
    "substring(",
    "extract(week from",
    "date_trunc('quarter',",
    "coalesce(",
    "greatest(",
    "nullif(",
    "replace(",
    "concat(",
    "length(",
    "sqrt(",
    "year(",
    "::bigint",
    ".",
    "\"",
    "--",
    "/*",
    "abs(",
    "ceil(",
    "sign(",
    "mod(",
    "upper(",
    "trim(",
    "strpos(",
    "is_nan(",
];

/// Expressions that are mostly well-formed, from pieces that go together often.
fn grown(random: &mut Random, depth: usize) -> String {
    let leaf = random.pick(&WORDS[..21]).to_owned();
    if depth == 0 {
        return leaf;
    }
    let a = grown(random, depth - 1);
    let b = grown(random, depth - 1);
    match random.below(12) {
        0 => leaf,
        1 => format!("({a}) {} ({b})", random.pick(&["+", "-", "*", "/", "%"])),
        2 => format!(
            "({a}) {} ({b})",
            random.pick(&["=", "<>", "<", ">=", "is distinct from", "||"])
        ),
        3 => format!("({a}) {} ({b})", random.pick(&["and", "or"])),
        4 => format!(
            "cast({a} as {})",
            random.pick(&[
                "int",
                "tinyint",
                "bigint",
                "decimal(38, 38)",
                "decimal(5, 2)",
                "real",
                "double",
                "text",
                "date",
                "timestamp(0)",
                "timestamp(9)",
                "timestamptz",
                "boolean",
            ])
        ),
        5 => format!("case when {a} then {b} end"),
        6 => format!(
            "{}({a}, {b})",
            random.pick(&[
                "coalesce",
                "nullif",
                "greatest",
                "least",
                "power",
                "mod",
                "concat",
                "strpos",
                "round",
                "substring",
                "trim",
            ])
        ),
        7 => format!(
            "{}({a})",
            random.pick(&[
                "abs", "sign", "round", "floor", "ceil", "trunc", "sqrt", "exp", "ln", "length",
                "upper", "is_nan", "year", "week", "doy", "second", "-", "not ",
            ])
        ),
        8 => format!(
            "({a}) + interval '{}'",
            random.pick(&["1 day", "-2147483648 months", "1 nanosecond"])
        ),
        9 => format!(
            "date_trunc('{}', {a})",
            random.pick(&["year", "week", "day", "hour", "microsecond"])
        ),
        10 => format!("({a}) between ({b}) and ({leaf})"),
        _ => format!("({a}) in ({b}, {leaf})"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 1..24)) {
        survive(&words.join(" "));
    }

    #[test]
    fn grown_expressions(seed in any::<u64>()) {
        let mut random = Random(seed);
        for _ in 0..8 {
            survive(&grown(&mut random, 4));
        }
    }
}

#[test]
fn long_chains_and_deep_nests_need_little_stack_and_time() {
    let texts = || {
        let deep = |open: &str, close: &str, n: usize| open.repeat(n) + "1" + &close.repeat(n);
        let n = 16_000;
        let mut texts = vec![
            vec!["a"; 30_000].join("+"),
            vec!["a=1"; 12_000].join(" and "),
            vec!["t"; 3_000].join("||"),
            "not ".repeat(n),
            "-".repeat(60_000),
            "+".repeat(60_000),
            "- ".repeat(30_000) + "1",
            "case when ".repeat(6_000),
            "a is null ".repeat(6_000),
            "a in (".repeat(n / 2),
            "a between ".repeat(n / 4),
            "1::int".to_owned() + &"::int".repeat(n / 2),
            format!("a in ({})", vec!["1"; 9_000].join(",")),
            format!("t ~ '{}'", "(a|b)*".repeat(9_000)),
            format!("t like '{}'", "%a_".repeat(20_000)),
            format!("t like '{}'", "%".repeat(60_000)),
        ];
        for n in [31, 63, 64, 65, 130, 16_000] {
            texts.push(deep("(", ")", n));
            texts.push(deep("abs(", ")", n));
            texts.push(deep("cast(", " as int)", n));
            texts.push(deep("case when a = 1 then ", " end", n.min(3_000)));
            texts.push(deep("coalesce(a, ", ")", n.min(5_000)));
        }
        texts
    };
    // Three quarters of what a thread usually has, in an unoptimized build.
    let run = move || {
        for text in texts() {
            let start = Instant::now();
            survive(&text);
            let took = start.elapsed();
            assert!(took < Duration::from_secs(20), "{took:?}: {}", &text[..40]);
        }
    };
    std::thread::Builder::new().stack_size(3 << 19).spawn(run).unwrap().join().unwrap();
}

#[test]
fn texts_that_grow_beyond_a_bound_are_null() {
    let mut text = "t".to_owned();
    for _ in 0..40 {
        text = format!("replace({text}, 'a', 'aaaa')");
    }
    let table = batch(vec![("t", Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef)]);
    assert_eq!(super::values(&text, &table), ["-", "b"]);
}

#[test]
fn a_pattern_that_backtracking_would_never_finish_is_linear() {
    let table = batch(vec![(
        "t",
        Arc::new(StringArray::from(vec!["a".repeat(100_000) + "b"])) as ArrayRef,
    )]);
    assert_eq!(super::values("t ~ '^(a*)*$'", &table), ["false"]);
    assert_eq!(super::values("t like '%a%a%a%a%a%a%c'", &table), ["false"]);
}
