use super::{canonical, parse};
use crate::filter::{Aggregate, Attribute, Comparison, Field, Filter, Literal, OrderBy};

fn metric(name: &str, comparison: Comparison) -> Filter {
    Filter::Term(Field::Metric(Aggregate::Last, name.into()), comparison)
}

#[test]
fn an_empty_text_matches_everything() {
    assert_eq!(parse(""), Filter::All);
    assert_eq!(parse(" \t\n"), Filter::All);
    assert_eq!(Filter::All.to_string(), "");
}

#[test]
fn the_examples_of_the_essay_parse() {
    for text in [
        "metrics.auc > 0.9 and (params.model = 'gbdt' or not tags.team in ('a', 'b'))",
        "min(metrics.loss) < 0.1 and duration between 60 and 3600 and status != 'failed'",
    ] {
        canonical(text);
    }
}

#[test]
fn a_term_becomes_its_tree() {
    let number = |n| Literal::Number(n);
    assert_eq!(parse("metrics.a = 1"), metric("a", Comparison::Eq(number(1.0))));
    assert_eq!(
        parse("metrics.a between 1 and 2 and metrics.b is null"),
        Filter::And(vec![
            metric("a", Comparison::Between(number(1.0), number(2.0))),
            metric("b", Comparison::IsNull),
        ]),
    );
    assert_eq!(
        parse("params.a not in ('x')"),
        Filter::Not(Box::new(Filter::Term(
            Field::Param("a".into()),
            Comparison::In(vec![Literal::Text("x".into())]),
        ))),
    );
}

#[test]
fn comparators_have_their_spellings() {
    for (text, printed) in [
        ("metrics.a=1", "metrics.a = 1"),
        ("metrics.a == 1", "metrics.a = 1"),
        ("metrics.a != 1", "metrics.a != 1"),
        ("metrics.a <> 1", "metrics.a != 1"),
        ("metrics.a<1", "metrics.a < 1"),
        ("metrics.a<=1", "metrics.a <= 1"),
        ("metrics.a>1", "metrics.a > 1"),
        ("metrics.a>=1", "metrics.a >= 1"),
        ("metrics.a BETWEEN 1 AND 2", "metrics.a between 1 and 2"),
        ("metrics.a NOT between 1 and 2", "metrics.a not between 1 and 2"),
        ("metrics.a in(1,2)", "metrics.a in (1, 2)"),
        ("tags.a Not In ('x')", "tags.a not in ('x')"),
        ("tags.a LIKE 'x%'", "tags.a like 'x%'"),
        ("tags.a not like 'x%'", "tags.a not like 'x%'"),
        ("tags.a ILIKE 'x%'", "tags.a ilike 'x%'"),
        ("tags.a not ilike 'x%'", "tags.a not ilike 'x%'"),
        ("tags.a IS NULL", "tags.a is null"),
        ("tags.a is not null", "tags.a is not null"),
        ("not tags.a is null", "tags.a is not null"),
        ("not tags.a is not null", "not tags.a is not null"),
        ("NOT metrics.a = 1", "not metrics.a = 1"),
        ("not not metrics.a = 1", "not not metrics.a = 1"),
    ] {
        assert_eq!(canonical(text), printed);
    }
}

#[test]
fn not_binds_tighter_than_and_which_binds_tighter_than_or() {
    let [a, b, c] = ["a", "b", "c"].map(|name| metric(name, Comparison::IsNull));
    let not = |filter: &Filter| Filter::Not(Box::new(filter.clone()));
    assert_eq!(
        parse("not metrics.a is null and metrics.b is null or metrics.c is null"),
        Filter::Or(vec![Filter::And(vec![not(&a), b.clone()]), c.clone()]),
    );
    assert_eq!(
        parse("metrics.a is null or metrics.b is null and metrics.c is null"),
        Filter::Or(vec![a.clone(), Filter::And(vec![b.clone(), c.clone()])]),
    );
    assert_eq!(
        parse("not (metrics.a is null or metrics.b is null) and metrics.c is null"),
        Filter::And(vec![not(&Filter::Or(vec![a.clone(), b.clone()])), c.clone()]),
    );
    assert_eq!(
        parse("metrics.a is null and metrics.b is null and metrics.c is null"),
        Filter::And(vec![a, b, c]),
    );
}

#[test]
fn parentheses_that_say_nothing_are_dropped_and_levels_are_kept() {
    for (text, printed) in [
        ("((metrics.a = 1))", "metrics.a = 1"),
        ("(metrics.a = 1) and (metrics.b = 2)", "metrics.a = 1 and metrics.b = 2"),
        (
            "(metrics.a = 1 and metrics.b = 2) or metrics.c = 3",
            "metrics.a = 1 and metrics.b = 2 or metrics.c = 3",
        ),
        (
            "(metrics.a = 1 and metrics.b = 2) and metrics.c = 3",
            "(metrics.a = 1 and metrics.b = 2) and metrics.c = 3",
        ),
        (
            "metrics.a = 1 or (metrics.b = 2 or metrics.c = 3)",
            "metrics.a = 1 or (metrics.b = 2 or metrics.c = 3)",
        ),
        (
            "(metrics.a = 1 or metrics.b = 2) and not(metrics.c = 3 and metrics.d = 4)",
            "(metrics.a = 1 or metrics.b = 2) and not (metrics.c = 3 and metrics.d = 4)",
        ),
    ] {
        assert_eq!(canonical(text), printed);
    }
}

#[test]
fn fields_have_mlflows_spellings() {
    for (text, printed) in [
        ("metrics.x", "metrics.x"),
        ("metric.x", "metrics.x"),
        ("Metrics.X", "metrics.X"),
        ("params.x", "params.x"),
        ("param.x", "params.x"),
        ("parameters.x", "params.x"),
        ("parameter.x", "params.x"),
        ("tags.x", "tags.x"),
        ("tag.x", "tags.x"),
        ("tags.mlflow.parentRunId", "tags.mlflow.parentRunId"),
        ("tags.`mlflow.runName`", "tags.mlflow.runName"),
        ("datasets.name", "datasets.name"),
        ("dataset.digest", "datasets.digest"),
        ("dataset.Context", "datasets.context"),
        ("attributes.status", "status"),
        ("attribute.status", "status"),
        ("attr.status", "status"),
        ("run.status", "status"),
        ("id", "id"),
        ("run_id", "id"),
        ("name", "name"),
        ("run_name", "name"),
        ("\"run name\"", "name"),
        ("`Run Name`", "name"),
        ("attributes.\"run name\"", "name"),
        ("user", "user"),
        ("user_id", "user"),
        ("started", "started"),
        ("start_time", "started"),
        ("created", "started"),
        ("creation_time", "started"),
        ("ended", "ended"),
        ("end_time", "ended"),
        ("duration", "duration"),
        ("note", "note"),
        ("parent", "parent"),
        ("parent_id", "parent"),
        ("parent_run_id", "parent"),
        ("experiment", "experiment"),
        ("experiment_id", "experiment"),
        ("LAST(metrics.x)", "metrics.x"),
        ("min(metric.x)", "min(metrics.x)"),
        ("Max ( metrics.x )", "max(metrics.x)"),
        ("count(metrics.`a b`)", "count(metrics.\"a b\")"),
    ] {
        assert_eq!(canonical(&format!("{text} is null")), format!("{printed} is null"));
    }
}

#[test]
fn keys_are_bare_or_quoted_as_a_whole() {
    for (text, printed) in [
        ("metrics.val/top-1_a.b:c", "metrics.val/top-1_a.b:c"),
        ("metrics.größe", "metrics.größe"),
        ("metrics.1", "metrics.1"),
        ("metrics.\"plain\"", "metrics.plain"),
        ("metrics.\"val loss\"", "metrics.\"val loss\""),
        ("metrics.`val loss`", "metrics.\"val loss\""),
        ("metrics.`a``b`", "metrics.\"a`b\""),
        ("metrics.\"a\"\"b\"", "metrics.\"a\"\"b\""),
        ("metrics.and", "metrics.and"),
    ] {
        assert_eq!(canonical(&format!("{text} is null")), format!("{printed} is null"));
    }
}

#[test]
fn literals_keep_their_value() {
    for (text, printed) in [
        ("params.a = 'it''s'", "params.a = 'it''s'"),
        ("params.a = \"say \"\"hi\"\"\"", "params.a = 'say \"hi\"'"),
        ("params.a = ''", "params.a = ''"),
        ("params.a = ''''", "params.a = ''''"),
        ("params.a = '\u{1F980} %_'", "params.a = '\u{1F980} %_'"),
        ("params.a = 1", "params.a = 1"),
        ("params.a in (1, 2.5)", "params.a in (1, 2.5)"),
        ("metrics.a > -1.5", "metrics.a > -1.5"),
        ("metrics.a>-1", "metrics.a > -1"),
        ("metrics.a > +1", "metrics.a > 1"),
        ("metrics.a > .5", "metrics.a > 0.5"),
        ("metrics.a > -.5", "metrics.a > -0.5"),
        ("metrics.a > 5.", "metrics.a > 5"),
        ("metrics.a > 1e-3", "metrics.a > 0.001"),
        ("metrics.a > 1.5E+300", "metrics.a > 1.5e300"),
        ("metrics.a > 1e-300", "metrics.a > 1e-300"),
        ("metrics.a > 1e-999", "metrics.a > 0"),
        ("duration >= 60", "duration >= 60"),
        ("status = 'FINISHED'", "status = 'finished'"),
        ("status in ('Failed', 'KILLED')", "status in ('failed', 'killed')"),
        ("status like 'FIN%'", "status like 'fin%'"),
        ("id like '0191D2%'", "id like '0191d2%'"),
        ("run_id = '0191D2A0B1C27DEF8123456789ABCDEF'", "id = '0191d2a0b1c27def8123456789abcdef'"),
        (
            "experiment_id in ('0191d2a0-b1c2-7def-8123-456789abcdef')",
            "experiment in ('0191d2a0b1c27def8123456789abcdef')",
        ),
    ] {
        assert_eq!(canonical(text), printed);
    }
}

#[test]
fn instants_are_microseconds_from_milliseconds_or_iso_8601() {
    let micros = |text: &str| match parse(&format!("started > {text}")) {
        Filter::Term(_, Comparison::Gt(Literal::Number(micros))) => micros,
        other => panic!("{other:?}"),
    };
    assert_eq!(micros("0"), 0.0);
    assert_eq!(micros("1704456000000"), 1_704_456_000_000_000.0);
    for text in [
        "'2024-01-05T12:00:00Z'",
        "'2024-01-05T13:00:00+01:00'",
        "'2024-01-05T12:00:00.000Z'",
        "'2024-01-05T12:00:00'",
        "'2024-01-05T12:00'",
        "\"2024-01-05T12:00\"",
    ] {
        assert_eq!(micros(text), 1_704_456_000_000_000.0, "{text}");
    }
    assert_eq!(micros("'2024-01-05'"), 1_704_412_800_000_000.0);
    assert_eq!(micros("'2024-01-05T12:00:00.000001'"), 1_704_456_000_000_001.0);
    for (text, printed) in [
        ("start_time > 1704456000001", "started > '2024-01-05T12:00:00.001Z'"),
        ("ended < '2024-01-05'", "ended < '2024-01-05T00:00:00Z'"),
        (
            "created between '2024-01-05T12:00:00.000001' and '2024-01-06'",
            "started between '2024-01-05T12:00:00.000001Z' and '2024-01-06T00:00:00Z'",
        ),
        ("ended <= '9999-12-31T23:59:59.999999Z'", "ended <= '9999-12-31T23:59:59.999968Z'"),
    ] {
        assert_eq!(canonical(text), printed);
    }
}

#[test]
fn an_ordering_is_a_field_and_a_direction() {
    for (text, printed) in [
        ("metrics.auc", "metrics.auc"),
        ("metrics.auc ASC", "metrics.auc"),
        ("metrics.auc DESC", "metrics.auc desc"),
        ("min(metrics.loss) desc", "min(metrics.loss) desc"),
        ("attributes.start_time DESC", "started desc"),
        ("params.`a b` desc", "params.\"a b\" desc"),
    ] {
        let order: OrderBy = text.parse().unwrap();
        assert_eq!(order.to_string(), printed);
        assert_eq!(OrderBy::parse(printed).unwrap(), order);
    }
}

#[test]
fn and_joins_without_a_new_level() {
    let join = |a: &str, b: &str| parse(a).and(parse(b));
    assert_eq!(join("", ""), Filter::All);
    assert_eq!(join("metrics.a = 1", ""), parse("metrics.a = 1"));
    assert_eq!(join("", "metrics.a = 1"), parse("metrics.a = 1"));
    assert_eq!(
        join("metrics.a = 1 and metrics.b = 2", "metrics.c = 3"),
        parse("metrics.a = 1 and metrics.b = 2 and metrics.c = 3"),
    );
    assert_eq!(
        join("metrics.a = 1 or metrics.b = 2", "metrics.c = 3"),
        parse("(metrics.a = 1 or metrics.b = 2) and metrics.c = 3"),
    );
}

#[test]
fn fields_lists_what_is_asked_for() {
    let filter = parse("metrics.a = 1 and not (params.b = 'x' or status is null)");
    assert_eq!(
        filter.fields(),
        [
            &Field::Metric(Aggregate::Last, "a".into()),
            &Field::Param("b".into()),
            &Field::Attribute(Attribute::Status),
        ],
    );
    assert!(Filter::All.fields().is_empty());
}

#[test]
fn trees_that_no_text_says_print_what_means_the_same() {
    let one = metric("a", Comparison::IsNull);
    for (filter, printed) in [
        (Filter::And(vec![]), "(id is null or id is not null)"),
        (Filter::Or(vec![]), "(id is null and id is not null)"),
        (Filter::And(vec![one.clone()]), "metrics.a is null"),
        (Filter::Not(Box::new(Filter::All)), "not (id is null or id is not null)"),
        (Filter::Or(vec![Filter::All, one]), "(id is null or id is not null) or metrics.a is null"),
    ] {
        assert_eq!(filter.to_string(), printed);
        canonical(printed);
    }
}
