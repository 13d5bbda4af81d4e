//! What is said about what is wrong, and where.

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};

use crate::{Expr, Parameters};

fn schema() -> Schema {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let paris = DataType::Timestamp(TimeUnit::Second, Some("Europe/Paris".into()));
    let fields = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
    let column = |name: &str, data_type| Field::new(name, data_type, true);
    Schema::new(vec![
        column("total", DataType::Int64),
        column("state", DataType::Utf8),
        column("ok", DataType::Boolean),
        column("created_at", utc),
        column("local_at", DataType::Timestamp(TimeUnit::Second, None)),
        column("paris_at", paris),
        column("point", DataType::Struct(fields)),
        column("raw", DataType::Binary),
        column("twice", DataType::Int64),
        column("twice", DataType::Int64),
    ])
}

#[track_caller]
fn says(text: &str, message: &str, hint: &str) {
    let bound = text
        .parse::<Expr>()
        .and_then(|expr| expr.bind(&schema(), &Parameters::new().with("limit", 5_i64)));
    let error = bound.map(|bound| bound.expr().to_string()).expect_err(text);
    assert_eq!(error.kind(), mlops_core::ErrorKind::Invalid);
    assert_eq!((error.message(), error.hint().unwrap_or_default()), (message, hint), "{text}");
    assert!(!error.to_string().contains('\n'));
}

#[test]
fn texts_that_are_no_expression() {
    says("", "expected an expression, found the end at 1:1: ^", "");
    says("a +", "expected an expression, found the end at 1:4: a +^", "");
    says("a = 1 b", "expected an operator or the end, found `b` at 1:7: a = 1 ^b", "");
    says("(a = 1", "expected `)`, found the end at 1:7: (a = 1^", "");
    says("a = 'x", "this ' has no second one at 1:5: a = ^'x", "");
    says("a = 1;", "`;` means nothing here at 1:6: a = 1^;", "one expression, without `;`");
    says("a && b", "`&` means nothing here at 1:3: a ^&& b", "write AND");
    says(
        "1 < total < 5",
        "comparisons do not chain at 1:11: 1 < total ^< 5",
        "write a < b AND b < c, or parentheses",
    );
    says(
        "total > 1\n  and\n  or",
        "expected an expression, found `or` at 3:3: total > 1   and   ^or",
        "if it is a column, write \"or\"",
    );
    says("1e999 > 0", "a number out of range at 1:1: ^1e999 > 0", "");
    says(
        "12abc",
        "`12abc` is no number at 1:1: ^12abc",
        "a name that begins with a digit stands in double quotes",
    );
    says("case when 1 = 1 end", "expected THEN, found `end` at 1:17: case when 1 = 1 ^end", "");
    says(
        "cast(total as money)",
        "expected a type, found `money` at 1:15: cast(total as ^money)",
        "types: BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, DECIMAL(p, s), REAL, DOUBLE, TEXT, DATE, TIMESTAMP[(0|3|6|9)] [WITH TIME ZONE]",
    );
    says(
        "date '2024-02-30' < x",
        "this is no date at 1:6: date ^'2024-02-30' < x",
        "such as DATE '2024-02-29'",
    );
}

#[test]
fn what_is_not_about_one_row() {
    let one = "an expression is about one row: sums and counts of rows are checks of their own";
    says("sum(total) > 1", "unknown function `sum` at 1:1: ^sum(total) > 1", one);
    says("count(*) > 1", "count of rows at 1:1: ^count(*) > 1", one);
    says(
        "max(total) > 1",
        "unknown function `max` at 1:1: ^max(total) > 1",
        &format!("{one}; of one row's values: greatest(a, b)"),
    );
    says(
        "total in (select 1)",
        "a subquery at 1:11: total in (^select 1)",
        "an expression is about one row; references between tables are checks",
    );
    says(
        "row_number() over (x)",
        "expected an operator or the end, found `over` at 1:14: row_number() ^over (x)",
        "an expression is about one row: there are no window functions",
    );
    says(
        "now() > created_at",
        "unknown function `now` at 1:1: ^now() > created_at",
        "the same rows give the same answer: pass it as a parameter",
    );
}

#[test]
fn names() {
    says("Total > 1", "no column `Total` at 1:1: ^Total > 1", "did you mean `total`?");
    says(
        "zzz > 1",
        "no column `zzz` at 1:1: ^zzz > 1",
        "columns: total, state, ok, created_at, local_at, paris_at, point, raw, twice, twice",
    );
    says("twice > 1", "two columns are called `twice` at 1:1: ^twice > 1", "");
    says("point.y > 1", "no field `y` at 1:1: ^point.y > 1", "did you mean `x`?");
    says(
        "total.y > 1",
        "`total` has no fields: it is Int64 at 1:1: ^total.y > 1",
        "a name with a dot stands in \"double quotes\"",
    );
    says(
        "total > :limi",
        "no value for parameter `:limi` at 1:9: total > ^:limi",
        "did you mean `:limit`?",
    );
    says(
        "lenght(state) > 1",
        "unknown function `lenght` at 1:1: ^lenght(state) > 1",
        "did you mean `length`?",
    );
    says("round() > 1", "round() takes 1 or 2 arguments, found 0 at 1:1: ^round() > 1", "");
}

#[test]
fn types() {
    let mix = "texts and numbers do not mix: CAST(x AS TEXT), or TRY_CAST(x AS DOUBLE)";
    says("total = '5'", "int64 and text cannot be compared at 1:7: total ^= '5'", mix);
    says("state in (1)", "text and int64 cannot be compared at 1:7: state ^in (1)", mix);
    says(
        "ok and total",
        "expected a condition, found int64 at 1:8: ok and ^total",
        "compare it: x <> 0",
    );
    says(
        "ok = 1",
        "boolean and int64 cannot be compared at 1:4: ok ^= 1",
        "a condition is no number: CAST(x AS INT), or x <> 0",
    );
    says(
        "state + 1 = 2",
        "text + int64 has no meaning at 1:7: state ^+ 1 = 2",
        "texts are joined by ||; a text becomes a number by TRY_CAST(x AS DOUBLE)",
    );
    says(
        "state || 1",
        "expected a text, found int64 at 1:10: state || ^1",
        "CAST(x AS TEXT) makes one",
    );
    let zone = "one has a zone: CAST(x AS TIMESTAMP WITH TIME ZONE) reads the other as UTC; a literal takes Z or an offset";
    says(
        "created_at > local_at",
        "timestamp in UTC and timestamp cannot be compared at 1:12: created_at ^> local_at",
        zone,
    );
    says(
        "created_at > '2024-01-01'",
        "this text is no timestamp in UTC at 1:14: created_at > ^'2024-01-01'",
        "the other side is an instant: add Z, or an offset such as +02:00",
    );
    says(
        "local_at > '2024-01-01T00:00:00Z'",
        "this text is no timestamp at 1:12: local_at > ^'2024-01-01T00:00:00Z'",
        "the other side has no zone: leave the offset out",
    );
    says(
        "local_at > 'yesterday'",
        "this text is no timestamp at 1:12: local_at > ^'yesterday'",
        "such as '2024-02-29 13:45:00', with Z or +02:00 for an instant",
    );
    says(
        "local_at + 1 > local_at",
        "timestamp + int64 has no meaning at 1:10: local_at ^+ 1 > local_at",
        "a span of time is an interval: INTERVAL '1 day'",
    );
    says(
        "hour(paris_at) > 1",
        "the calendar of zone Europe/Paris is not known at 1:6: hour(^paris_at) > 1",
        "CAST(x AS TIMESTAMP) has the calendar of UTC",
    );
    says(
        "raw = 'x'",
        "Binary and text cannot be compared at 1:5: raw ^= 'x'",
        "CAST(x AS TEXT), or cast the text",
    );
    says("cast(total as date)", "int64 never becomes date at 1:6: cast(^total as date)", "");
    says(
        "case when ok then 1 else state end",
        "text and int64 have no type in common at 1:19: case when ok then ^1 else state end",
        mix,
    );
    says("interval '1 day'", "an interval is no value of its own at 1:1: ^interval '1 day'", "");
}

#[test]
fn patterns() {
    says(
        "state ~ '(a'",
        "this pattern is not understood: unclosed group at 1:9: state ~ ^'(a'",
        "",
    );
    says(
        "state ~ '(?=a)'",
        "this pattern is not understood: look-around, including look-ahead and look-behind, is not supported at 1:9: state ~ ^'(?=a)'",
        "",
    );
    says(
        "state ~ '(a{1000}){1000}'",
        "this pattern is not understood: it needs more than 1048576 bytes when compiled at 1:9: state ~ ^'(a{1000}){1000}'",
        "",
    );
    says(
        "state like state",
        "a pattern has to be known before any row at 1:12: state like ^state",
        "a text or a parameter; or starts_with(), ends_with(), contains()",
    );
    says(
        "state like 'a\\'",
        "this pattern is not understood: it ends with its escape character at 1:12: state like ^'a\\'",
        "",
    );
}

#[test]
fn sizes() {
    let deep = format!("{}total{} = 1", "(".repeat(200), ")".repeat(200));
    let error = deep.parse::<Expr>().unwrap_err();
    assert!(error.message().starts_with("nested deeper than 64 levels"), "{error}");
    let many = vec!["ok"; 10_500].join(" or ");
    let error = many.parse::<Expr>().unwrap_err();
    assert!(error.message().starts_with("more than 10000 parts"), "{error}");
    let long = format!("state = '{}'", "x".repeat(crate::MAX_BYTES));
    assert_eq!(long.parse::<Expr>().unwrap_err().message(), "the text is longer than 64 KiB");
    let fine = vec!["total = 1"; 3_000].join(" or ");
    fine.parse::<Expr>().unwrap().bind(&schema(), &Parameters::new()).unwrap();
}
