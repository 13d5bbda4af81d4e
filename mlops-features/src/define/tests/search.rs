//! Finding features to reuse.

use mlops_core::features::{FeatureType, Registered};

use super::super::{Search, search, used_by};
use super::{Documents, SHOP, apply, at};

fn store() -> Registered {
    let told = SHOP.replace("ttl: 7d", "owner: fleet\n    tags: {tier: gold}").replace(
        "{name: wind, type: float}",
        "{name: wind, type: float, description: Speed in knots, pii: false}",
    );
    apply(&Documents::default(), &told)
}

fn names(query: &Search) -> Vec<String> {
    let found = search(&store(), query, at(1));
    found.iter().map(|found| format!("{}.{}", found.view, found.feature)).collect()
}

fn text(text: &str) -> Search {
    Search { text: text.to_owned(), ..Search::default() }
}

#[test]
fn text_is_found_in_names_and_descriptions_the_best_first() {
    assert_eq!(names(&text("rating")), ["driver_stats.rating", "by_km.rating_by_km"]);
    assert_eq!(names(&text("KNOTS speed")), ["weather.wind"]);
    assert_eq!(names(&text("gold trips")), ["driver_stats.trips"]);
    assert_eq!(names(&text("nothing")), [""; 0]);
    assert_eq!(names(&text("")).len(), 5);
}

#[test]
fn each_part_of_a_query_must_hold() {
    let none = Search::default;
    let tag = |value: &str| [("tier".to_owned(), value.to_owned())].into();
    assert_eq!(names(&Search { tags: tag("gold"), ..none() }).len(), 2);
    assert_eq!(names(&Search { tags: tag(""), ..none() }).len(), 2);
    assert_eq!(names(&Search { tags: tag("lead"), ..none() }).len(), 0);
    assert_eq!(names(&Search { owner: Some("Fleet".to_owned()), ..none() }).len(), 2);
    assert_eq!(names(&Search { entity: Some("airport".parse().unwrap()), ..none() }).len(), 2);
    let int = Search { data_type: Some(FeatureType::Int), ..none() };
    assert_eq!(names(&int), ["driver_stats.trips"]);
    assert_eq!(names(&Search { pii: Some(false), ..none() }), ["weather.wind"]);
    assert_eq!(names(&Search { state: Some("active".to_owned()), ..none() }).len(), 4);
    assert_eq!(names(&Search { state: Some("retired".to_owned()), ..none() }).len(), 0);
}

#[test]
fn who_uses_what_is_known() {
    let store = store();
    let of = |feature| used_by(&store, "weather", feature).len();
    assert_eq!((of(None), of(Some("wind")), of(Some("rain"))), (1, 1, 0));
    let stats = used_by(&store, "driver_stats", Some("trips"));
    assert_eq!(
        (stats[0].service.to_string(), stats[0].version, stats[0].last),
        ("eta@1".into(), 1, true)
    );
    let found = search(&store, &text("wind"), at(1));
    assert_eq!(found[0].used_by.len(), 1);
    assert!(search(&store, &text("rain"), at(1))[0].used_by.is_empty());
}
