use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, LargeStringArray, StringArray, StringViewArray};
use mlops_core::ErrorKind;
use proptest::prelude::*;

use super::automaton::Automaton;
use super::*;

/// Every engine that can be made of a pattern.
fn engines(text: &str, full: bool) -> Vec<(&'static str, Pattern)> {
    let hir = parse::parse(text, full).unwrap();
    let dense = Automaton::dense(&hir);
    let table = dense.as_ref().and_then(Automaton::table);
    [("table", table), ("dense", dense), ("meta", Automaton::meta(&hir))]
        .into_iter()
        .filter_map(|(name, engine)| Some((name, Pattern(engine?))))
        .collect()
}

fn oracle(text: &str, full: bool) -> regex::Regex {
    let text = if full { format!(r"\A(?:{text})\z") } else { text.to_owned() };
    regex::Regex::new(&text).unwrap()
}

/// The rows in every layout, and as the middle of a larger array.
fn layouts(rows: &[Option<String>]) -> Vec<ArrayRef> {
    let around = [Some("x".to_owned()), None, Some("between two cities, a long way".to_owned())];
    let wide: Vec<_> = around.iter().chain(rows).chain(&around).cloned().collect();
    let sliced = |array: ArrayRef| array.slice(around.len(), rows.len());
    vec![
        Arc::new(rows.iter().cloned().collect::<StringArray>()),
        Arc::new(rows.iter().cloned().collect::<LargeStringArray>()),
        Arc::new(rows.iter().cloned().collect::<StringViewArray>()),
        sliced(Arc::new(wide.iter().cloned().collect::<StringArray>())),
        sliced(Arc::new(wide.iter().cloned().collect::<StringViewArray>())),
    ]
}

fn failing(pattern: &Pattern, array: &dyn Array) -> Vec<usize> {
    let mut bits = vec![u64::MAX; 9];
    pattern.mask(array, &mut bits).unwrap();
    assert_eq!(bits.len(), array.len().div_ceil(64));
    (0..64 * bits.len()).filter(|i| bits[i / 64] >> (i % 64) & 1 == 1).collect()
}

fn agree(text: &str, full: bool, rows: &[Option<String>]) {
    let oracle = oracle(text, full);
    let expected: Vec<usize> = (0..rows.len())
        .filter(|&i| rows[i].as_ref().is_some_and(|row| !oracle.is_match(row)))
        .collect();
    for (name, pattern) in engines(text, full) {
        for row in rows.iter().flatten() {
            assert_eq!(
                pattern.is_match(row.as_bytes()),
                oracle.is_match(row),
                "{name}: {text:?} (full: {full}) in {row:?}"
            );
        }
        for array in layouts(rows) {
            let found = failing(&pattern, &array);
            assert_eq!(found, expected, "{name}: {text:?} in {:?}", array.data_type());
        }
    }
}

/// Patterns of everything that the syntax has, short enough to match now and then.
fn pattern_text() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        4 => "[ab1.é-]".prop_map(|text| regex_syntax::escape(&text)),
        2 => prop::sample::select(vec![
            "[a-z]", "[0-9]", "[^a]", "[ab.-]", ".", r"\d", r"\w", r"\s", r"\W", "[é-ü]", "(?s:.)",
            r"[[:alpha:]]", "(?i:AB)", r"\p{Greek}",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "^", "$", r"\b", r"\B", r"(?-u:\b)", "(?m:^)", "(?m:$)", r"\A", r"\z", "",
        ]).prop_map(str::to_owned),
    ];
    atom.prop_recursive(4, 12, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            1 => prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|parts| format!("({})", parts.join("|"))),
            2 => (inner, prop::sample::select(vec!["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"]))
                .prop_map(|(part, count)| format!("(?:{part}){count}")),
        ]
    })
}

proptest! {
    #[test]
    fn every_engine_answers_as_the_regex_crate_does(
        text in pattern_text(),
        anchored in 0..4,
        full: bool,
        rows in prop::collection::vec(
            prop::option::weighted(0.9, "([ab1.-]{0,6}|[ab1.é\nBα -]{0,12}|[a-b1é]{20,70})"), 0..80),
    ) {
        let text = match anchored {
            0 => format!("^(?:{text})"),
            1 => format!("(?:{text})$"),
            _ => text,
        };
        agree(&text, full, &rows);
    }
}

#[test]
fn patterns_of_practice_answer_as_the_regex_crate_does() {
    let patterns = [
        r"^u[0-9]+@[a-z0-9.]+\.[a-z]{2,3}$",
        r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^[A-Z]{2,3}\d{1,4}[A-Z]?$",
        r"@[a-z]+\.(com|org|net)",
        r"^\s*$",
        r"\bflight\b",
        r"^(?:[a-z0-9]+\.)*[a-z]+$",
        r"^N[0-9A-Z]{1,5}$",
        "",
        r"[^\x00-\x7f]",
    ];
    let rows = [
        "u1@a.de",
        "u123456@mail.example.org",
        "u@a.de",
        "u1@a.d",
        "u1@a.info",
        "u1@.de",
        "a",
        "x u1@mail.org",
        "2024-01-31",
        "２０２４-01-31",
        "2024-1-31",
        "AA1",
        "ABC1234Z",
        "N14228",
        "n14228",
        "",
        " ",
        "\u{3000}\t",
        "one flight left",
        "flights",
        "é",
        "a.b.c",
        "a..b",
        "a.b.",
        "123e4567-e89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-42661417400",
        "u1234567890123456789012345678901234567890@abcdefghijklmnopqrstuvwxyz.abcdefghijk.lmn",
        "12345678901234567890123456789.1",
        "123456789012345678901234567890.1",
        "1234567890123456789012345678901.1",
        "ends with a line feed\n",
        "2024-01-31\n",
    ];
    let rows: Vec<_> = rows.iter().map(|row| Some((*row).to_owned())).chain([None]).collect();
    let many: Vec<_> = rows.iter().cycle().take(300).cloned().collect();
    for text in patterns {
        for full in [false, true] {
            agree(text, full, &rows);
            agree(text, full, &many);
        }
    }
}

#[test]
fn each_engine_is_what_some_pattern_gets() {
    let engine = |text: &str| match Pattern::new(text, false).unwrap().0 {
        Automaton::Table(_) => "table",
        Automaton::Dense(..) => "dense",
        Automaton::Meta(_) => "meta",
    };
    assert_eq!(engine(r"^u[0-9]+@[a-z0-9.]+\.[a-z]{2,3}$"), "table");
    assert_eq!(engine(r"^\d{4}-\d\d-\d\d$"), "table");
    assert_eq!(engine("^[a-z]{300}$"), "dense");
    assert_eq!(engine(r"\bword\b"), "meta");
    assert_eq!(engine(r"\pL{100}"), "meta");
}

#[test]
fn a_pattern_is_searched_for_unless_it_is_to_be_full() {
    assert!(Pattern::new("[0-9]$", false).unwrap().is_match(b"abc1"));
    assert!(!Pattern::new("[0-9]$", true).unwrap().is_match(b"abc1"));
    // `full` is of the whole pattern, and no prefix of the text is enough.
    let either = Pattern::new("a|ab", true).unwrap();
    assert!(either.is_match(b"a") && either.is_match(b"ab") && !either.is_match(b"abc"));
    assert!(Pattern::new("(?x) a # a comment", true).unwrap().is_match(b"a"));
}

#[test]
fn what_would_take_exponential_time_is_refused_by_name() {
    let error = |text| {
        let error = Pattern::new(text, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    assert_eq!(
        error("^é(?<!a)b"),
        "validate.pattern: invalid: look-around `(?<!` is not supported at position 3: ^é^(?<!a)b \
         (position: 3); hint: such patterns can take exponential time; use two checks, or a negated \
         class such as `[^,]`"
    );
    assert_eq!(
        error(r"(a)\1"),
        "validate.pattern: invalid: backreference `\\1` is not supported at position 4: (a)^\\1 \
         (position: 4); hint: such patterns can take exponential time; compare two columns or use a \
         function instead"
    );
    assert_eq!(
        error("a(b"),
        "validate.pattern: invalid: unclosed group at position 2: a^(b (position: 2)"
    );
    assert_eq!(
        error(r"\p{Klingon}"),
        "validate.pattern: invalid: Unicode property not found at position 1: ^\\p{Klingon} \
         (position: 1)"
    );
}

#[test]
fn a_pattern_that_would_fill_the_memory_is_refused() {
    for text in
        [r"\w{1000}{1000}", "(((a{100}){100}){100}){100}", &"(".repeat(500), &"a".repeat(1 << 17)]
    {
        let error = Pattern::new(text, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().len() < 300, "{error}");
    }
}

#[test]
fn the_classic_of_catastrophic_backtracking_takes_no_time() {
    let text = "a".repeat(100_000) + "!";
    for (_, pattern) in engines("^(a+)+$", false) {
        assert!(!pattern.is_match(text.as_bytes()));
    }
}

#[test]
fn a_column_that_is_not_text_is_an_error() {
    let error = Pattern::new("a", false)
        .unwrap()
        .mask(&Int64Array::from(vec![1]), &mut Vec::new())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "validate.text: invalid: the column is not text (type: Int64); hint: pattern, format and \
         length checks are for text columns; cast it first"
    );
}

#[test]
fn no_rows_make_an_empty_mask() {
    for array in layouts(&[]) {
        assert_eq!(failing(&Pattern::new("a", false).unwrap(), &array), [0; 0]);
    }
}
