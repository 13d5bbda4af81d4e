use super::parse;
use crate::ErrorKind;
use crate::filter::{Filter, OrderBy};

/// The message of what is wrong with `text`, and the hint.
fn wrong(text: &str) -> (String, Option<String>) {
    let error = Filter::parse(text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.operation(), "filter");
    assert!(!error.to_string().contains('\n'), "{error}");
    let position = error.context().find(|(name, _)| *name == "position").expect("a position").1;
    assert!(error.message().contains(&format!(" at position {position}: ")), "{error}");
    (error.message().to_owned(), error.hint().map(str::to_owned))
}

#[track_caller]
fn says(text: &str, message: &str, hint: &str) {
    assert_eq!(wrong(text), (message.to_owned(), (!hint.is_empty()).then(|| hint.to_owned())));
}

#[test]
fn an_error_is_one_line_with_position_and_place() {
    let error = Filter::parse("metrics.auc foo\nbar").unwrap_err();
    assert_eq!(
        error.to_string(),
        "filter: invalid: expected a comparison such as `=`, `<`, `in`, `like` or `is null`, \
         found `foo` at position 13: metrics.auc ^foo bar (position: 13)",
    );
}

#[test]
fn long_texts_and_pieces_are_cut() {
    says(
        "metrics.auc > 0.9 and metrics.f1 > 0.5 foo and metrics.loss < 0.1",
        "expected `and`, `or` or the end, found `foo` at position 40: \
         ….9 and metrics.f1 > 0.5 ^foo and metrics.loss < 0…",
        "",
    );
    let word = "x".repeat(1000);
    says(
        &format!("{word} = 1"),
        &format!("unknown attribute `{}…` at position 1: ^{}…", "x".repeat(40), "x".repeat(24)),
        "known attributes: id, name, status, user, started, ended, duration, note, parent, \
         experiment; others have a prefix: `metrics.`, `params.`, `tags.`, `datasets.`",
    );
}

#[test]
fn positions_count_characters() {
    says(
        "tags.größe = 'ü' x",
        "expected `and`, `or` or the end, found `x` at position 18: tags.größe = 'ü' ^x",
        "",
    );
}

#[test]
fn stray_characters() {
    says("metrics.a @ 1", "unexpected `@` at position 11: metrics.a ^@ 1", "");
    says("!metrics.a = 1", "unexpected `!` at position 1: ^!metrics.a = 1", "write `not`, or `!=`");
    let text = "metrics.a = 1 && metrics.b = 1";
    let message = "unexpected `&` at position 15: metrics.a = 1 ^&& metrics.b = 1";
    says(text, message, "write `and`");
    let text = "metrics.a = 1 || metrics.b = 1";
    let message = "unexpected `|` at position 15: metrics.a = 1 ^|| metrics.b = 1";
    says(text, message, "write `or`");
    says("metrics.a > - 1", "unexpected `-` at position 13: metrics.a > ^- 1", "");
}

#[test]
fn quotes_that_are_not_closed() {
    let hint = "inside quotes, a quote is written twice";
    says("tags.a = 'x", "the quote ' is not closed at position 10: tags.a = ^'x", hint);
    says("tags.a = 'x''", "the quote ' is not closed at position 10: tags.a = ^'x''", hint);
    says("tags.`a = 1", "the quote ` is not closed at position 6: tags.^`a = 1", hint);
}

#[test]
fn malformed_numbers() {
    let hint = "strings, dates and ids are quoted: '2024-01-05'";
    for (text, message) in [
        ("metrics.a > 1abc", "`1abc` is not a number at position 13: metrics.a > ^1abc"),
        ("metrics.a > 1.2.3", "`1.2.3` is not a number at position 13: metrics.a > ^1.2.3"),
        ("metrics.a > 1e", "`1e` is not a number at position 13: metrics.a > ^1e"),
        (
            "started > 2024-01-05",
            "`2024-01-05` is not a number at position 11: started > ^2024-01-05",
        ),
    ] {
        says(text, message, hint);
    }
    says("metrics.a > 1e999", "`1e999` is out of range at position 13: metrics.a > ^1e999", "");
    let hint = "literals are finite; `> 1e308` finds infinity, and no comparison finds NaN";
    for word in ["nan", "inf", "-inf", "+Infinity"] {
        says(
            &format!("metrics.a > {word}"),
            &format!("expected a number, found `{word}` at position 13: metrics.a > ^{word}"),
            hint,
        );
    }
}

#[test]
fn missing_pieces() {
    for (text, message) in [
        ("and", "expected a field, found `and` at position 1: ^and"),
        ("()", "expected a field, found `)` at position 2: (^)"),
        ("not", "expected a field, found the end at position 4: not^"),
        ("metrics.a = 1 or", "expected a field, found the end at position 17: metrics.a = 1 or^"),
        ("metrics.a >", "expected a number, found the end at position 12: metrics.a >^"),
        ("metrics.a => 1", "expected a number, found `>` at position 12: metrics.a =^> 1"),
        (
            "(metrics.a = 1",
            "expected `and`, `or` or `)`, found the end at position 15: (metrics.a = 1^",
        ),
        (
            "metrics.a = 1)",
            "expected `and`, `or` or the end, found `)` at position 14: metrics.a = 1^)",
        ),
        (
            "metrics.a is 1",
            "expected `null` or `not null`, found `1` at position 14: metrics.a is ^1",
        ),
        ("metrics.a is not 1", "expected `null`, found `1` at position 18: metrics.a is not ^1"),
        (
            "metrics.a not = 1",
            "expected `in`, `like`, `ilike` or `between`, found `=` at position 15: metrics.a not ^= 1",
        ),
        (
            "metrics.a not is null",
            "expected `in`, `like`, `ilike` or `between`, found `is` at position 15: \
             metrics.a not ^is null",
        ),
        (
            "metrics.a between 1, 2",
            "expected `and` of `between`, found `,` at position 20: metrics.a between 1^, 2",
        ),
        ("tags.a in 'x'", "expected `(`, found `'x'` at position 11: tags.a in ^'x'"),
        ("tags.a in ()", "the list of `in` is empty at position 12: tags.a in (^)"),
        (
            "tags.a in ('x' 'y')",
            "expected `,` or `)`, found `'y'` at position 16: tags.a in ('x' ^'y')",
        ),
        (
            "tags.a in ('x',)",
            "expected a quoted string, found `)` at position 16: tags.a in ('x',^)",
        ),
    ] {
        says(text, message, "");
    }
    says(
        "0.9 < metrics.auc",
        "expected a field, found `0.9` at position 1: ^0.9 < metrics.auc",
        "the field stands left of the comparison: `metrics.auc > 0.9`",
    );
}

#[test]
fn unknown_names() {
    let known = "known attributes: id, name, status, user, started, ended, duration, note, parent, \
                 experiment; others have a prefix: `metrics.`, `params.`, `tags.`, `datasets.`";
    for (text, message, hint) in [
        (
            "staus = 'x'",
            "unknown attribute `staus` at position 1: ^staus = 'x'",
            "did you mean `status`?",
        ),
        (
            "attributes.star_time > 1",
            "unknown attribute `star_time` at position 1: ^attributes.star_time > 1",
            "did you mean `start_time`?",
        ),
        ("lr = 1", "unknown attribute `lr` at position 1: ^lr = 1", known),
        ("auc > 0.9", "unknown attribute `auc` at position 1: ^auc > 0.9", known),
        (
            "metrcis.auc > 0.9",
            "unknown prefix `metrcis` at position 1: ^metrcis.auc > 0.9",
            "did you mean `metrics.auc`?",
        ),
        (
            "foo.auc > 0.9",
            "unknown prefix `foo` at position 1: ^foo.auc > 0.9",
            "known prefixes: metrics, params, tags, attributes, datasets",
        ),
        ("metrics. > 1", "`metrics.` has no key at position 1: ^metrics. > 1", ""),
        ("metrics.`` > 1", "`metrics.``` has no key at position 1: ^metrics.`` > 1", ""),
        (
            "metrics.a.'b c' > 1",
            "a key is quoted as a whole at position 11: \
             metrics.a.^'b c' > 1",
            "with double quotes or backticks: `metrics.\"val loss\"`",
        ),
        (
            "metrics.'b' > 1",
            "a key is quoted as a whole at position 9: \
             metrics.^'b' > 1",
            "with double quotes or backticks: `metrics.\"val loss\"`",
        ),
        (
            "datasets.nam = 'x'",
            "a dataset has no `nam` at position 1: ^datasets.nam = 'x'",
            "a dataset has name, digest and context",
        ),
        (
            "avg(metrics.a) > 1",
            "unknown aggregate `avg` at position 1: ^avg(metrics.a) > 1",
            "known aggregates: last, min, max, count",
        ),
        (
            "min(params.a) > 1",
            "`params.a` is not a metric at position 5: min(^params.a) > 1",
            "for example `min(metrics.loss)`",
        ),
        ("min(metrics.a > 1", "expected `)`, found `>` at position 15: min(metrics.a ^> 1", ""),
        (
            "min(max(metrics.a)) > 1",
            "unknown attribute `max` at position 5: min(^max(metrics.a)) > 1",
            known,
        ),
    ] {
        says(text, message, hint);
    }
}

#[test]
fn literals_of_the_wrong_type() {
    let unquote = "write the number without quotes";
    for (text, message, hint) in [
        (
            "metrics.a > '1'",
            "metrics.a is a number, and `'1'` is not at position 13: metrics.a > ^'1'",
            unquote,
        ),
        (
            "count(metrics.a) > '1'",
            "count(metrics.a) is a number, and `'1'` is not at position 20: count(metrics.a) > ^'1'",
            unquote,
        ),
        (
            "duration > '1h'",
            "duration is a number, and `'1h'` is not at position 12: duration > ^'1h'",
            unquote,
        ),
        (
            "tags.a = 3",
            "tags.a is text, and `3` is not at position 10: tags.a = ^3",
            "quote it: '3'",
        ),
        ("name = 3", "name is text, and `3` is not at position 8: name = ^3", "quote it: '3'"),
        (
            "datasets.name = 3",
            "datasets.name is text, and `3` is not at position 17: datasets.name = ^3",
            "quote it: '3'",
        ),
        (
            "status = 3",
            "status is text, and `3` is not at position 10: status = ^3",
            "quote it: '3'",
        ),
        ("id = 3", "id is text, and `3` is not at position 6: id = ^3", "quote it: '3'"),
        (
            "params.a = gbdt",
            "expected a number or a quoted string, found `gbdt` at position 12: params.a = ^gbdt",
            "quote strings: 'gbdt'",
        ),
        (
            "params.a = null",
            "expected a number or a quoted string, found `null` at position 12: params.a = ^null",
            "write `is null` or `is not null`",
        ),
        ("metrics.a > x", "expected a number, found `x` at position 13: metrics.a > ^x", ""),
        (
            "tags.a = `x`",
            "expected a quoted string, found ``x`` at position 10: tags.a = ^`x`",
            "backticks quote keys; strings have single or double quotes",
        ),
        (
            "params.a in (1, 'x')",
            "a string and a number are mixed at position 17: params.a in (1, ^'x')",
            "a parameter is compared either as text or as a number",
        ),
        (
            "params.a between 1 and 'x'",
            "a string and a number are mixed at position 24: params.a between 1 and ^'x'",
            "a parameter is compared either as text or as a number",
        ),
        (
            "metrics.a like 'x'",
            "metrics.a is not text, which `like` needs at position 11: metrics.a ^like 'x'",
            "",
        ),
        (
            "started ilike 'x'",
            "started is not text, which `like` needs at position 9: started ^ilike 'x'",
            "",
        ),
        (
            "tags.a like 3",
            "expected a quoted pattern, found `3` at position 13: tags.a like ^3",
            "`%` is any text and `_` one character: 'resnet%'",
        ),
    ] {
        says(text, message, hint);
    }
}

#[test]
fn statuses_ids_and_instants_are_checked() {
    says(
        "status = 'done'",
        "unknown status `done` at position 10: status = ^'done'",
        "known statuses: running, finished, failed, killed, lost",
    );
    says(
        "status > 'failed'",
        "status has no order, which `>` needs at position 8: status ^> 'failed'",
        "use `=`, `!=` or `in`",
    );
    says(
        "status between 'failed' and 'lost'",
        "status has no order, which `between` needs at position 8: status ^between 'failed' and 'lo…",
        "use `=`, `!=` or `in`",
    );
    for id in
        ["abc", "", "{0191d2a0-b1c2-7def-8123-456789abcdef}", "0191d2a0b1c27def8123456789abcdeg"]
    {
        let (message, _) = wrong(&format!("id = '{id}'"));
        let expected =
            format!("id is an id of 32 hexadecimal digits or a UUID, and `'{id}'` is not");
        assert!(message.starts_with(&expected), "{message}");
    }
    let iso = "for example '2024-01-05' or '2024-01-05T12:00:00Z'";
    for text in ["yesterday", "2024-13-01", "1969-12-31", "10000-01-01", "2024-01-05T25:00"] {
        let (message, hint) = wrong(&format!("started > '{text}'"));
        let expected =
            format!("started is an instant of 1970 to 9999 in ISO 8601, and `'{text}'` is not");
        assert!(message.starts_with(&expected), "{message}");
        assert_eq!(hint.as_deref(), Some(iso));
    }
    for number in ["1.5", "-1", "1704456000000000", "253402300800000"] {
        let (message, hint) = wrong(&format!("ended > {number}"));
        let expected = format!(
            "ended is an instant of 1970 to 9999 in whole milliseconds, and `{number}` is not"
        );
        assert!(message.starts_with(&expected), "{message}");
        assert_eq!(hint.as_deref(), Some("an ISO 8601 string is clearer: '2024-01-05T12:00:00Z'"));
    }
    parse("ended > 253402300799999");
}

#[test]
fn orderings() {
    for (text, message) in [
        ("", "expected a field, found the end at position 1: ^"),
        (
            "metrics.a down",
            "expected `asc`, `desc` or the end, found `down` at position 11: metrics.a ^down",
        ),
        ("metrics.a desc, id", "expected the end, found `,` at position 15: metrics.a desc^, id"),
        ("dataset.name", "datasets.name gives no order at position 1: ^dataset.name"),
    ] {
        let error = OrderBy::parse(text).expect_err(text);
        assert_eq!((error.operation(), error.message()), ("order_by", message));
    }
}

#[test]
fn texts_lists_and_patterns_have_bounds() {
    let error = Filter::parse(&" ".repeat(64 * 1024 + 1)).unwrap_err();
    assert_eq!(error.to_string(), "filter: invalid: the text is longer than 64 KiB (bytes: 65537)");
    assert_eq!(parse(&" ".repeat(64 * 1024)), Filter::All);

    let list = |n: usize| format!("params.a in ({})", vec!["1"; n].join(","));
    parse(&list(1000));
    let (message, _) = wrong(&list(1001));
    assert!(message.starts_with("the list of `in` has more than 1000 literals at position 2014"));

    let like = |n: usize| format!("tags.a like '{}'", "ü".repeat(n));
    parse(&like(1024));
    let (message, _) = wrong(&like(1025));
    assert!(message.starts_with("the pattern is longer than 1024 characters at position 13"));
}

/// In a thread whose stack is a quarter of the usual one.
fn with_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(test);
    thread.unwrap().join().unwrap();
}

#[test]
fn deep_nesting_is_an_error_and_not_an_overflow() {
    with_a_small_stack(|| {
        let nested = |n: usize| format!("{}metrics.a = 1{}", "(".repeat(n), ")".repeat(n));
        let negated = |n: usize| format!("{}metrics.a = 1", "not ".repeat(n));
        for text in [nested(100), negated(100), format!("{} and {0} or {0}", nested(100))] {
            let filter = parse(&text);
            assert_eq!(parse(&filter.to_string()), filter);
            assert_eq!(filter.clone().and(filter.clone()), filter.clone().and(filter));
        }
        for text in [nested(101), negated(101), nested(30_000), negated(16_000), "(".repeat(65_536)]
        {
            let (message, _) = wrong(&text);
            let expected = "more than 100 levels of parentheses and `not` at position ";
            assert!(message.starts_with(expected), "{message}");
        }
        let chain = vec!["id is null"; 4000].join(" or ");
        assert_eq!(parse(&chain).fields().len(), 4000);
    });
}
