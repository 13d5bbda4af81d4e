use std::borrow::Cow;
use std::cmp::Ordering;

use super::parse;
use crate::filter::{
    Aggregate, Attribute, Comparison, DatasetEntry, Field, Filter, Literal, Member, OrderBy,
    Record, compare, ilike, like, param_number,
};

/// A run that started 2024-01-05T12:00:00Z and still runs.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) metrics: Vec<(&'static str, f64)>,
    pub(super) params: Vec<(&'static str, String)>,
    pub(super) datasets: Vec<[&'static str; 3]>,
}

fn find<'a, T>(pairs: &'a [(&str, T)], name: &str) -> Option<&'a T> {
    pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

impl Record for Run {
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        match attribute {
            Attribute::Id => Some("0191d2a0b1c27def8123456789abcdef".into()),
            Attribute::Name => Some("Train ResNet".into()),
            Attribute::Status => Some("running".into()),
            _ => None,
        }
    }

    fn attribute_number(&self, attribute: Attribute) -> Option<f64> {
        (attribute == Attribute::Started).then_some(1_704_456_000_000_000.0)
    }

    fn metric(&self, aggregate: Aggregate, name: &str) -> Option<f64> {
        let last = find(&self.metrics, name).copied()?;
        Some(match aggregate {
            Aggregate::Last => last,
            Aggregate::Min => last - 1.0,
            Aggregate::Max => last + 1.0,
            Aggregate::Count => 3.0,
        })
    }

    fn param(&self, name: &str) -> Option<&str> {
        find(&self.params, name).map(String::as_str)
    }

    fn tag(&self, name: &str) -> Option<&str> {
        (name == "team").then_some("vision")
    }

    fn datasets(&self) -> Vec<DatasetEntry<'_>> {
        let entry =
            |[name, digest, context]: &[&'static str; 3]| DatasetEntry { name, digest, context };
        self.datasets.iter().map(entry).collect()
    }

    fn members(&self, _: Member) -> Vec<Cow<'_, str>> {
        Vec::new()
    }
}

fn run() -> Run {
    Run {
        metrics: vec![("auc", 0.9), ("bad", f64::NAN), ("big", f64::INFINITY)],
        params: [("lr", " 1e-3 "), ("model", "gbdt"), ("nan", "nan"), ("n", "10")]
            .map(|(name, text)| (name, text.to_owned()))
            .into(),
        datasets: vec![["mnist", "d1", "train"], ["cifar", "d2", ""]],
    }
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const UNKNOWN: Option<bool> = None;

fn check(cases: &[(&str, Option<bool>)]) {
    for (text, truth) in cases {
        let filter = parse(text);
        assert_eq!(filter.truth(&run()), *truth, "{text}");
        assert_eq!(filter.matches(&run()), *truth == YES, "{text}");
    }
}

#[test]
fn numbers_are_compared() {
    check(&[
        ("", YES),
        ("metrics.auc = 0.9", YES),
        ("metrics.auc != 0.9", NO),
        ("metrics.auc < 0.9", NO),
        ("metrics.auc <= 0.9", YES),
        ("metrics.auc > 0.8", YES),
        ("metrics.auc >= 0.91", NO),
        ("metrics.auc between 0.9 and 1", YES),
        ("metrics.auc between 0.91 and 1", NO),
        ("metrics.auc not between 0.91 and 1", YES),
        ("metrics.auc between 1 and 0", NO),
        ("metrics.auc in (1, 0.9)", YES),
        ("metrics.auc not in (1, 0.9)", NO),
        ("metrics.big > 1e308", YES),
        ("min(metrics.auc) < 0", YES),
        ("max(metrics.auc) > 1", YES),
        ("count(metrics.auc) = 3", YES),
        ("last(metrics.auc) = 0.9", YES),
        ("started = '2024-01-05T12:00'", YES),
        ("started > 1704455999999", YES),
        ("started between '2024-01-05' and '2024-01-06'", YES),
    ]);
}

#[test]
fn texts_are_compared_by_their_bytes() {
    check(&[
        ("name = 'Train ResNet'", YES),
        ("name = 'train resnet'", NO),
        ("name like 'Train%'", YES),
        ("name like 'train%'", NO),
        ("name ilike 'train%'", YES),
        ("name not ilike 'train%'", NO),
        ("status = 'RUNNING'", YES),
        ("status in ('failed', 'Running')", YES),
        ("id = '0191D2A0-B1C2-7DEF-8123-456789ABCDEF'", YES),
        ("tags.team > 'audio'", YES),
        ("tags.team between 'a' and 'b'", NO),
        ("params.model like 'g_d%'", YES),
    ]);
}

#[test]
fn what_a_run_does_not_have_is_unknown() {
    check(&[
        ("metrics.none = 1", UNKNOWN),
        ("metrics.none != 1", UNKNOWN),
        ("not metrics.none = 1", UNKNOWN),
        ("metrics.none in (1)", UNKNOWN),
        ("metrics.none not in (1)", UNKNOWN),
        ("params.none like '%'", UNKNOWN),
        ("params.none not like '%'", UNKNOWN),
        ("params.none is null", YES),
        ("params.none is not null", NO),
        ("params.lr is null", NO),
        ("ended > 0", UNKNOWN),
        ("ended is null", YES),
        ("parent is null", YES),
        ("duration < 60", UNKNOWN),
    ]);
}

#[test]
fn unknown_decides_nothing_that_is_decided_otherwise() {
    check(&[
        ("metrics.none = 1 and metrics.auc = 0.9", UNKNOWN),
        ("metrics.none = 1 and metrics.auc = 1", NO),
        ("metrics.auc = 1 and metrics.none = 1", NO),
        ("metrics.none = 1 or metrics.auc = 0.9", YES),
        ("metrics.none = 1 or metrics.auc = 1", UNKNOWN),
        ("not (metrics.none = 1 or metrics.auc = 1)", UNKNOWN),
        ("not (metrics.none = 1 and metrics.auc = 1)", YES),
    ]);
}

#[test]
fn nan_is_there_but_compares_with_nothing() {
    check(&[
        ("metrics.bad is null", NO),
        ("metrics.bad = 1", UNKNOWN),
        ("metrics.bad != 1", UNKNOWN),
        ("metrics.bad < 1", UNKNOWN),
        ("metrics.bad between 0 and 1", UNKNOWN),
        ("metrics.bad not in (1)", UNKNOWN),
    ]);
}

#[test]
fn a_parameter_is_text_or_a_number_as_it_is_asked() {
    check(&[
        ("params.lr = 0.001", YES),
        ("params.lr = '0.001'", NO),
        ("params.lr = ' 1e-3 '", YES),
        ("params.lr between 0 and 1", YES),
        ("params.n > 9", YES),
        ("params.n > '9'", NO),
        ("params.n in (10, 20)", YES),
        ("params.model = 1", UNKNOWN),
        ("params.model != 1", UNKNOWN),
        ("params.model in (1, 2)", UNKNOWN),
        ("params.nan != 1", UNKNOWN),
        ("params.nan = 'nan'", YES),
    ]);
    assert_eq!(param_number("-Infinity"), Some(f64::NEG_INFINITY));
    assert_eq!(param_number(""), None);
    assert_eq!(param_number("0x10"), None);
}

#[test]
fn any_dataset_will_do_and_nothing_is_unknown() {
    check(&[
        ("datasets.name = 'mnist'", YES),
        ("datasets.name = 'cifar'", YES),
        ("datasets.name = 'none'", NO),
        ("datasets.name != 'mnist'", YES),
        ("not datasets.name = 'mnist'", NO),
        ("datasets.digest in ('d1')", YES),
        ("datasets.context like 'tr%'", YES),
        ("datasets.context = 'test'", NO),
        ("datasets.name is null", NO),
    ]);
    let bare = Run { datasets: Vec::new(), ..run() };
    for (text, truth) in [
        ("datasets.name = 'x'", NO),
        ("datasets.name != 'x'", NO),
        ("not datasets.name = 'x'", YES),
        ("datasets.context is null", YES),
    ] {
        assert_eq!(parse(text).truth(&bare), truth, "{text}");
    }
}

#[test]
fn trees_made_by_hand_cannot_fail() {
    let text = || Literal::Text("0.9".into());
    for (field, comparison, truth) in [
        (Field::Metric(Aggregate::Last, "auc".into()), Comparison::Eq(text()), UNKNOWN),
        (Field::Tag("team".into()), Comparison::Ne(Literal::Number(1.0)), UNKNOWN),
        (Field::Attribute(Attribute::Started), Comparison::Like("%".into()), UNKNOWN),
        (Field::Param("n".into()), Comparison::Lt(Literal::Number(f64::NAN)), UNKNOWN),
        (Field::Param("n".into()), Comparison::In(vec![]), NO),
    ] {
        let filter = Filter::Term(field, comparison);
        assert_eq!(filter.truth(&run()), truth, "{filter:?}");
    }
    assert_eq!(Filter::And(vec![]).truth(&run()), YES);
    assert_eq!(Filter::Or(vec![]).truth(&run()), NO);
}

#[test]
fn like_has_two_wildcards_and_no_escape() {
    for (text, pattern, is_like) in [
        ("", "", true),
        ("", "%", true),
        ("", "_", false),
        ("a", "", false),
        ("abc", "abc", true),
        ("abc", "a%", true),
        ("abc", "%c", true),
        ("abc", "%b%", true),
        ("abc", "%%", true),
        ("abc", "_b_", true),
        ("abc", "__", false),
        ("abc", "%_%_%_%", true),
        ("abc", "%_%_%_%_%", false),
        ("aXbXc", "a%X%c", true),
        ("aab", "%ab", true),
        ("größe", "gr__e", true),
        ("a\nb", "a_b", true),
        ("50%", "50\\%", false),
        ("abc", "ABC", false),
    ] {
        assert_eq!(like(text, pattern), is_like, "{text:?} like {pattern:?}");
    }
    assert!(ilike("abc", "A%C"));
    assert!(!ilike("größe", "GRÖSSE"));
    assert!(!ilike("ö", "Ö"));
}

#[test]
fn a_hostile_pattern_costs_pattern_times_text() {
    let text = "a".repeat(8_000);
    assert!(!like(&text, &format!("{}b", "%a".repeat(500))));
    assert!(!like(&text, &format!("%{}b", "a".repeat(1_000))));
}

#[test]
fn what_is_missing_or_nan_comes_last_either_way() {
    let with = |value: Option<f64>| Run {
        metrics: value.map(|value| ("auc", value)).into_iter().collect(),
        ..run()
    };
    let by = |text: &str, a: &Run, b: &Run| {
        let forth = compare(&[OrderBy::parse(text).unwrap()], a, b);
        assert_eq!(compare(&[OrderBy::parse(text).unwrap()], b, a), forth.reverse());
        forth
    };
    let (low, high) = (with(Some(0.1)), with(Some(0.2)));
    assert_eq!(by("metrics.auc", &low, &high), Ordering::Less);
    assert_eq!(by("metrics.auc desc", &low, &high), Ordering::Greater);
    for last in [with(None), with(Some(f64::NAN))] {
        assert_eq!(by("metrics.auc", &low, &last), Ordering::Less);
        assert_eq!(by("metrics.auc desc", &low, &last), Ordering::Less);
        assert_eq!(by("metrics.auc", &last, &with(None)), Ordering::Equal);
    }
}

#[test]
fn parameters_are_ordered_as_texts_and_later_keys_break_ties() {
    let with = |n: &str, auc| Run {
        metrics: vec![("auc", auc)],
        params: vec![("n", n.to_owned())],
        ..run()
    };
    let orders = ["params.n", "metrics.auc desc"].map(|text| OrderBy::parse(text).unwrap());
    assert_eq!(compare(&orders, &with("10", 0.1), &with("9", 0.2)), Ordering::Less);
    assert_eq!(compare(&orders, &with("9", 0.1), &with("9", 0.2)), Ordering::Greater);
    assert_eq!(compare(&orders, &with("9", 0.1), &with("9", 0.1)), Ordering::Equal);
    assert_eq!(compare(&[], &with("9", 0.1), &with("10", 0.1)), Ordering::Equal);
}
