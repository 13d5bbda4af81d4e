use proptest::prelude::*;

use super::matching::Run;
use crate::filter::{
    Aggregate, Attribute, Comparison, DatasetField, Field, Filter, Literal, Member, OrderBy,
    Subject, compare, like,
};

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        Just("gbdt".to_owned()),
        Just("3".to_owned()),
        "[a-c'\"`%_ ]{0,6}",
        any::<String>(),
    ]
    .boxed()
}

fn key() -> BoxedStrategy<String> {
    prop_oneof![
        3 => Just("a".to_owned()),
        3 => Just("b".to_owned()),
        1 => any::<String>().prop_filter("a key is not empty", |key| !key.is_empty()),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<f64> {
    prop_oneof![(-3_i32..3).prop_map(f64::from), proptest::num::f64::NORMAL, -1.0..1.0].boxed()
}

/// Any comparison that the parser makes of such literals.
fn comparison(literal: &BoxedStrategy<Literal>, ordered: bool) -> BoxedStrategy<Comparison> {
    let l = || literal.clone();
    let any_order = prop_oneof![
        l().prop_map(Comparison::Eq),
        l().prop_map(Comparison::Ne),
        proptest::collection::vec(l(), 1..4).prop_map(Comparison::In),
        Just(Comparison::IsNull),
    ];
    if !ordered {
        return any_order.boxed();
    }
    prop_oneof![
        any_order,
        l().prop_map(Comparison::Lt),
        l().prop_map(Comparison::Le),
        l().prop_map(Comparison::Gt),
        l().prop_map(Comparison::Ge),
        (l(), l()).prop_map(|(low, high)| Comparison::Between(low, high)),
    ]
    .boxed()
}

fn texts() -> BoxedStrategy<Comparison> {
    prop_oneof![
        4 => comparison(&text().prop_map(Literal::Text).boxed(), true),
        1 => text().prop_map(Comparison::Like),
        1 => text().prop_map(Comparison::ILike),
    ]
    .boxed()
}

fn numbers() -> BoxedStrategy<Comparison> {
    comparison(&number().prop_map(Literal::Number).boxed(), true)
}

fn metric() -> impl Strategy<Value = Field> {
    let aggregates = [Aggregate::Last, Aggregate::Min, Aggregate::Max, Aggregate::Count];
    (proptest::sample::select(aggregates.to_vec()), key())
        .prop_map(|(aggregate, key)| Field::Metric(aggregate, key))
}

fn attribute(attributes: &[Attribute]) -> impl Strategy<Value = Field> + use<> {
    proptest::sample::select(attributes.to_vec()).prop_map(Field::Attribute)
}

fn one_of(texts: &[&'static str]) -> BoxedStrategy<Literal> {
    proptest::sample::select(texts.to_vec()).prop_map(|s| Literal::Text(s.to_owned())).boxed()
}

fn ids() -> BoxedStrategy<Comparison> {
    let id = any::<u128>().prop_map(|id| Literal::Text(format!("{id:032x}")));
    comparison(&id.boxed(), true)
}

fn instants() -> BoxedStrategy<Comparison> {
    let instant = (0..253_402_300_799_999_000_i64).prop_map(|us| Literal::Number(us as f64));
    comparison(&instant.boxed(), true)
}

fn dataset() -> impl Strategy<Value = Field> {
    let fields = vec![DatasetField::Name, DatasetField::Digest, DatasetField::Context];
    proptest::sample::select(fields).prop_map(Field::Dataset)
}

fn term() -> BoxedStrategy<Filter> {
    let status = one_of(&["running", "finished", "failed", "killed", "lost"]);
    prop_oneof![
        3 => (metric(), numbers()),
        2 => (key().prop_map(Field::Param), texts()),
        2 => (key().prop_map(Field::Param), numbers()),
        1 => (key().prop_map(Field::Tag), texts()),
        1 => (dataset(), texts()),
        1 => (attribute(&[Attribute::Duration]), numbers()),
        1 => (attribute(&[Attribute::Name, Attribute::User, Attribute::Note]), texts()),
        1 => (attribute(&[Attribute::Status]), comparison(&status, false)),
        1 => (attribute(&[Attribute::Id, Attribute::Parent, Attribute::Experiment]), ids()),
        1 => (attribute(&[Attribute::Started, Attribute::Ended]), instants()),
    ]
    .prop_map(|(field, comparison)| Filter::Term(field, comparison))
    .boxed()
}

/// What models and versions both have.
fn registered() -> BoxedStrategy<(Field, Comparison)> {
    let stage = one_of(&["None", "Development", "Staging", "Production", "Archived"]);
    let alias = text().prop_map(Literal::Text).boxed();
    let like =
        || prop_oneof![text().prop_map(Comparison::Like), text().prop_map(Comparison::ILike)];
    prop_oneof![
        (key().prop_map(Field::Tag), texts()),
        (attribute(&[Attribute::Name, Attribute::Note]), texts()),
        (attribute(&[Attribute::Started, Attribute::Updated]), instants()),
        (
            Just(Field::Member(Member::Alias)),
            prop_oneof![2 => comparison(&alias, false), 1 => like()]
        ),
        (
            Just(Field::Member(Member::Stage)),
            prop_oneof![2 => comparison(&stage, false), 1 => like()]
        ),
    ]
    .boxed()
}

fn model_term() -> BoxedStrategy<Filter> {
    registered().prop_map(|(field, comparison)| Filter::Term(field, comparison)).boxed()
}

fn version_term() -> BoxedStrategy<Filter> {
    let digest = "[0-9a-f]{64}".prop_map(Literal::Text).boxed();
    prop_oneof![
        4 => registered(),
        1 => (key().prop_map(|key| Field::Metric(Aggregate::Last, key)), numbers()),
        1 => (key().prop_map(Field::Param), prop_oneof![texts(), numbers()]),
        1 => (dataset(), texts()),
        1 => (attribute(&[Attribute::Version]), numbers()),
        1 => (attribute(&[Attribute::User]), texts()),
        1 => (attribute(&[Attribute::SourceRun]), ids()),
        1 => (attribute(&[Attribute::Digest]), comparison(&digest, true)),
    ]
    .prop_map(|(field, comparison)| Filter::Term(field, comparison))
    .boxed()
}

/// Any tree that a text says, but for the empty one.
fn filter() -> impl Strategy<Value = Filter> {
    tree(term())
}

/// A subject, and any tree that a text says of it.
fn of_any_subject() -> impl Strategy<Value = (Subject, Filter)> {
    prop_oneof![
        (Just(Subject::Run), tree(term())),
        (Just(Subject::Model), tree(model_term())),
        (Just(Subject::Version), tree(version_term())),
    ]
}

fn tree(term: BoxedStrategy<Filter>) -> impl Strategy<Value = Filter> {
    term.prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

fn run() -> impl Strategy<Value = Run> {
    let metric = prop_oneof![
        Just(vec![]),
        Just(vec![("a", f64::NAN)]),
        number().prop_map(|value| vec![("a", value)]),
    ];
    let param = prop_oneof![Just(vec![]), text().prop_map(|text| vec![("a", text)])];
    let dataset = prop_oneof![Just(vec![]), Just(vec![["gbdt", "3", ""]])];
    (metric, param, dataset).prop_map(|(metrics, params, datasets)| Run {
        metrics,
        params,
        datasets,
    })
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// As the definition says, in exponential time.
fn naive_like(text: &[char], pattern: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['%', rest @ ..], _) => (0..=text.len()).any(|i| naive_like(&text[i..], rest)),
        (['_', rest @ ..], [_, text @ ..]) => naive_like(text, rest),
        ([p, rest @ ..], [t, text @ ..]) if p == t => naive_like(text, rest),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_for_a_subject_parses_to_the_same_tree_for_it(
        (subject, filter) in of_any_subject(),
    ) {
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse_for(subject, &text).unwrap(), filter, "{}", text);
    }

    #[test]
    fn any_pieces_of_the_grammar_are_a_filter_or_an_error_for_every_subject(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "and", "not", "in", "like", "is", "null", "(", ")", "=", "<", "metrics.a", "min",
            "alias", "stage", "aliases.a", "'production'", "version", "run.name", "run", "digest",
            "'A'", "1", "updated", "tag.`a b`", "attributes.stage", "datasets.name", "created",
        ]), 0..6),
        subject in proptest::sample::select(vec![Subject::Run, Subject::Model, Subject::Version]),
    ) {
        let text = pieces.join(" ");
        match Filter::parse_for(subject, &text) {
            Ok(filter) => {
                prop_assert_eq!(Filter::parse_for(subject, &filter.to_string()).unwrap(), filter);
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
        if let Ok(order) = OrderBy::parse_for(subject, &text) {
            prop_assert_eq!(OrderBy::parse_for(subject, &order.to_string()).unwrap(), order);
        }
    }

    #[test]
    fn any_text_is_a_filter_or_an_error_of_one_line(text in any::<String>()) {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(!error.to_string().contains('\n'));
        }
        let _ = OrderBy::parse(&text);
    }

    #[test]
    fn any_pieces_of_the_grammar_are_a_filter_or_an_error(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "and", "or", "not", "in", "between", "like", "is", "null", "(", ")", ",", "=", "<>", "!",
            "metrics.a", "params.", "tags.`", "\"run name\"", "status", "min", "'", "'a'", "\"", "`",
            "1", "-", "1e", ".5", "'running'", "started", "ü", "\n", "nan", "dataset.name",
        ]), 0..12),
        separator in proptest::sample::select(vec!["", " "]),
    ) {
        let text = pieces.join(separator);
        match Filter::parse(&text) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }

    #[test]
    fn what_is_printed_parses_to_the_same_tree(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(text.parse::<Filter>().unwrap(), filter, "{}", text);
    }

    #[test]
    fn and_of_two_trees_is_printed_and_parsed_to_the_same(a in filter(), b in filter()) {
        let both = a.and(b);
        prop_assert_eq!(both.to_string().parse::<Filter>().unwrap(), both);
    }

    #[test]
    fn an_ordering_is_printed_and_parsed_to_the_same(field in metric(), descending: bool) {
        let order = OrderBy { field, descending };
        prop_assert_eq!(order.to_string().parse::<OrderBy>().unwrap(), order);
    }

    #[test]
    fn de_morgans_laws_hold_for_unknown_too(a in filter(), b in filter(), run in run()) {
        let (na, nb) = (not(a.clone()), not(b.clone()));
        let ab = vec![a, b];
        prop_assert_eq!(
            not(Filter::And(ab.clone())).truth(&run),
            Filter::Or(vec![na.clone(), nb.clone()]).truth(&run)
        );
        prop_assert_eq!(
            not(Filter::Or(ab)).truth(&run),
            Filter::And(vec![na, nb]).truth(&run)
        );
    }

    #[test]
    fn not_twice_is_nothing(filter in filter(), run in run()) {
        prop_assert_eq!(not(not(filter.clone())).truth(&run), filter.truth(&run));
    }

    #[test]
    fn and_matches_what_both_match(a in filter(), b in filter(), run in run()) {
        let both = a.matches(&run) && b.matches(&run);
        prop_assert_eq!(a.and(b).matches(&run), both);
    }

    #[test]
    fn like_is_what_its_definition_says(text in "[abü]{0,8}", pattern in "[abü%_]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(like(&text, &pattern), naive_like(&chars(&text), &chars(&pattern)));
    }

    #[test]
    fn an_ordering_is_a_total_preorder(
        runs in proptest::array::uniform3(run()),
        descending: bool,
        key in proptest::sample::select(vec!["metrics.a", "params.a", "id"]),
    ) {
        let orders = [OrderBy { descending, ..OrderBy::parse(key).unwrap() }];
        let [a, b, c] = &runs;
        prop_assert_eq!(compare(&orders, a, b), compare(&orders, b, a).reverse());
        if compare(&orders, a, b).is_le() && compare(&orders, b, c).is_le() {
            prop_assert!(compare(&orders, a, c).is_le());
        }
    }
}
