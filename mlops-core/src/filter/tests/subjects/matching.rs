use std::borrow::Cow;
use std::cmp::Ordering;

use super::{MODEL, VERSION, parse};
use crate::filter::{Aggregate, Attribute, DatasetEntry, Field, Member, OrderBy, Record, compare};

/// Version 3 of `churn`, made on 2024-01-05T12:00:00Z and changed a minute later.
#[derive(Default)]
struct Version {
    number: f64,
    aliases: Vec<&'static str>,
    stages: Vec<&'static str>,
}

impl Record for Version {
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        match attribute {
            Attribute::Name => Some("churn".into()),
            Attribute::SourceRun => Some("0191d2a0b1c27def8123456789abcdef".into()),
            Attribute::Digest => Some("ab".repeat(32).into()),
            _ => None,
        }
    }

    fn attribute_number(&self, attribute: Attribute) -> Option<f64> {
        match attribute {
            Attribute::Version => Some(self.number),
            Attribute::Started => Some(1_704_456_000_000_000.0),
            Attribute::Updated => Some(1_704_456_060_000_000.0),
            _ => None,
        }
    }

    fn metric(&self, _: Aggregate, name: &str) -> Option<f64> {
        (name == "auc").then_some(0.9)
    }

    fn param(&self, name: &str) -> Option<&str> {
        (name == "lr").then_some("0.10")
    }

    fn tag(&self, name: &str) -> Option<&str> {
        (name == "team").then_some("x")
    }

    fn datasets(&self) -> Vec<DatasetEntry<'_>> {
        vec![DatasetEntry { name: "mnist", digest: "d1", context: "train" }]
    }

    fn members(&self, member: Member) -> Vec<Cow<'_, str>> {
        let texts = match member {
            Member::Alias => &self.aliases,
            Member::Stage => &self.stages,
        };
        texts.iter().map(|text| Cow::Borrowed(*text)).collect()
    }
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const UNKNOWN: Option<bool> = None;

fn check(version: &Version, cases: &[(&str, Option<bool>)]) {
    for (text, truth) in cases {
        let filter = parse(VERSION, text);
        assert_eq!(filter.truth(version), *truth, "{text}");
        assert_eq!(filter.matches(version), *truth == YES, "{text}");
    }
}

#[test]
fn attributes_of_a_version_are_compared() {
    let version = Version { number: 3.0, ..Version::default() };
    check(
        &version,
        &[
            ("model_name = 'churn' and version > 2", YES),
            ("version_number in (1, 2)", NO),
            ("run = '0191D2A0-B1C2-7DEF-8123-456789ABCDEF'", YES),
            ("digest like 'ABAB%'", YES),
            ("updated > '2024-01-05T12:00:00Z' and created = '2024-01-05T12:00'", YES),
            ("metrics.auc > 0.8 and params.lr = 0.1", YES),
            ("params.lr = '0.1'", NO),
            ("datasets.name = 'mnist'", YES),
            ("user is null", YES),
            ("author = 'x'", UNKNOWN),
            ("tags.`mlflow.prompt.is_prompt` != 'true'", UNKNOWN),
            ("not tags.team = 'y'", YES),
        ],
    );
}

#[test]
fn any_member_will_do_and_nothing_is_unknown() {
    let version = Version {
        aliases: vec!["champion", "Blue"],
        stages: vec!["Production"],
        ..Version::default()
    };
    check(
        &version,
        &[
            ("alias = 'champion'", YES),
            ("alias = 'Blue'", YES),
            ("alias = 'blue'", NO),
            ("alias ilike 'bl%'", YES),
            ("alias != 'champion'", YES),
            ("not alias = 'champion'", NO),
            ("alias not in ('x')", YES),
            ("alias is null", NO),
            ("stage = 'PRODUCTION'", YES),
            ("stage != 'production'", NO),
            ("stage in ('staging', 'production')", YES),
            ("stage like 'prod%'", NO),
            ("stage ilike 'prod%'", YES),
            ("stage is not null", YES),
        ],
    );
    check(
        &Version::default(),
        &[
            ("alias = 'x'", NO),
            ("alias != 'x'", NO),
            ("alias like '%'", NO),
            ("not alias = 'x'", YES),
            ("alias is null", YES),
            ("stage = 'None'", NO),
            ("stage is null", YES),
        ],
    );
    let unmoved = Version { stages: vec!["None"], ..Version::default() };
    check(&unmoved, &[("stage = 'none'", YES), ("stage is null", NO)]);
    let model = Version { stages: vec!["Production", "Archived"], ..Version::default() };
    for text in ["stage = 'archived'", "stage = 'production'", "not stage = 'staging'"] {
        assert!(parse(MODEL, text).matches(&model), "{text}");
    }
}

#[test]
fn versions_are_ordered_by_their_number() {
    let [second, tenth] = [2.0, 10.0].map(|number| Version { number, ..Version::default() });
    let order = |text| [OrderBy::parse_for(VERSION, text).unwrap()];
    assert_eq!(compare(&order("version"), &second, &tenth), Ordering::Less);
    assert_eq!(compare(&order("version_number DESC"), &second, &tenth), Ordering::Greater);
    // Made by hand; it orders nothing.
    let by_alias = OrderBy { field: Field::Member(Member::Alias), descending: false };
    assert_eq!(compare(&[by_alias], &second, &tenth), Ordering::Equal);
}
