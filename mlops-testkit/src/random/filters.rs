//! Random parts of filters, which those of every subject are made of.
//!
//! The texts and numbers are few and the same for populations and filters, so that filters find
//! something; among them is what backends are known to get wrong: quotes, patterns, other scripts, the
//! ends of the doubles, texts that are numbers.

use mlops_core::filter::{Comparison, Field, Filter, Literal};
use mlops_core::time;
use proptest::prelude::*;
use proptest::sample::select;

use crate::build::NOW;

pub(super) const NUMBERS: [f64; 14] =
    [0.0, -0.0, 0.5, 0.55, 0.1, 0.01, 1.0, 2.0, 10.0, -1.0, 1e308, -1e308, 5e-324, 90.0];
pub(super) const TEXTS: [&str; 26] = [
    "",
    "0.1",
    "1e-2",
    "1",
    "10",
    "2",
    "abc",
    " 0.5 ",
    "inf",
    "gbdt",
    "mlp",
    "x",
    "y",
    "it's",
    "100%",
    "a_b",
    "ÄÖÜ",
    "äöü",
    "back\\slash",
    "line\nbreak",
    "ann",
    "bob",
    "çelik",
    "grid-3",
    "iris",
    "train",
];
const PATTERNS: [&str; 16] = [
    "%", "_", "", "a%", "%a%", "a_b", "___", "100%", "%\\%", "ÄÖ_", "%b%k", "grid-_", "GRID%",
    "_'%", "%%", "sha256:%",
];

/// Filters of such terms: one of them, a tree of them, or none.
pub(super) fn tree(term: fn() -> BoxedStrategy<Filter>) -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![20 => term(), 1 => Just(Filter::All)];
    let tree = term().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    });
    prop_oneof![leaf, tree]
}

pub(super) fn with(
    field: impl Strategy<Value = Field> + 'static,
    comparison: impl Strategy<Value = Comparison> + 'static,
) -> BoxedStrategy<Filter> {
    let comparison = prop_oneof![9 => comparison, 1 => Just(Comparison::IsNull)];
    (field, comparison).prop_map(|(field, comparison)| Filter::Term(field, comparison)).boxed()
}

pub(super) fn equal(literal: BoxedStrategy<Literal>) -> BoxedStrategy<Comparison> {
    prop_oneof![
        literal.clone().prop_map(Comparison::Eq),
        literal.clone().prop_map(Comparison::Ne),
        prop::collection::vec(literal, 1..4).prop_map(Comparison::In),
    ]
    .boxed()
}

pub(super) fn ordered(literal: BoxedStrategy<Literal>) -> BoxedStrategy<Comparison> {
    prop_oneof![
        3 => equal(literal.clone()),
        1 => literal.clone().prop_map(Comparison::Lt),
        1 => literal.clone().prop_map(Comparison::Le),
        1 => literal.clone().prop_map(Comparison::Gt),
        1 => literal.clone().prop_map(Comparison::Ge),
        1 => (literal.clone(), literal).prop_map(|(low, high)| Comparison::Between(low, high)),
    ]
    .boxed()
}

pub(super) fn like() -> BoxedStrategy<Comparison> {
    let patterns = || select(PATTERNS.to_vec()).prop_map(String::from);
    prop_oneof![patterns().prop_map(Comparison::Like), patterns().prop_map(Comparison::ILike)]
        .boxed()
}

pub(super) fn number_literal() -> BoxedStrategy<Literal> {
    prop_oneof![4 => select(NUMBERS.to_vec()), 1 => -100.0_f64..100.0]
        .prop_map(Literal::Number)
        .boxed()
}

pub(super) fn text_literal() -> BoxedStrategy<Literal> {
    select(TEXTS.to_vec()).prop_map(|text| Literal::Text(text.to_owned())).boxed()
}

/// To the microsecond, around the starts and ends of the population.
pub(super) fn instant_literal() -> BoxedStrategy<Literal> {
    let near =
        (0_i64..130, -1_i64..2).prop_map(|(second, micros)| NOW + second * 1_000_000 + micros);
    let edges = select(vec![0, NOW, time::MAX_MICROS / 2]);
    prop_oneof![9 => near, 1 => edges].prop_map(|micros| Literal::Number(micros as f64)).boxed()
}
