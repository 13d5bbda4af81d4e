//! Definitions that do not hold together, and what is said of them.

use mlops_core::ErrorKind;
use mlops_core::features::Registered;

use super::super::check::faults;
use super::{SHOP, plan, read, shop};

/// What is wrong with the shop's definitions if `from` is replaced by `to`.
fn wrong(from: &str, to: &str) -> Vec<String> {
    assert!(SHOP.contains(from), "{from}");
    let found = faults(&Registered::default(), &read(&SHOP.replacen(from, to, 1)));
    found.iter().map(ToString::to_string).collect()
}

fn view(features: &str) -> Vec<String> {
    let yaml = format!("views: [{{name: v, entities: [], features: [{features}]}}]");
    faults(&Registered::default(), &read(&yaml)).iter().map(ToString::to_string).collect()
}

#[test]
fn good_definitions_have_no_faults() {
    assert_eq!(wrong("ttl: 7d", "ttl: 8d"), [""; 0]);
}

#[test]
fn a_name_that_is_not_there_is_said_with_the_nearest_one() {
    assert_eq!(
        wrong("entities: [driver]", "entities: [drivr]"),
        ["view driver_stats: there is no entity `drivr`; did you mean `driver`?"]
    );
    let service = wrong("view: weather,", "view: wether,");
    assert_eq!(service, ["service eta: there is no view `wether`; did you mean `weather`?"]);
    assert_eq!(
        wrong("features: [wind]", "features: [wimd]"),
        ["service eta: view `weather` has no feature `wimd`; did you mean `wind`?"]
    );
    assert_eq!(
        wrong("keys: {airport:", "keys: {airprt:"),
        ["service eta: view `weather` has no join key `airprt`; did you mean `airport`?",]
    );
    assert_eq!(
        wrong("on_demand: [by_km]", "on_demand: [by_mile]"),
        ["service eta: there is no on-demand transform `by_mile`; there is by_km"]
    );
}

#[test]
fn all_faults_are_found_not_the_first() {
    let yaml = "
entities:
  - {name: driver, keys: []}
  - {name: driver, keys: [{name: _id, type: int}, {name: a, type: int}, {name: a, type: int}]}
views:
  - {name: v, features: []}
services:
  - {name: s, views: []}
";
    let found = faults(&Registered::default(), &read(yaml));
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 6, "{said:#?}");
    assert!(said[0].contains("entity `driver` is defined twice"), "{said:#?}");
    assert!(said[2].contains("starts with `_`"), "{said:#?}");
    let error = super::super::plan(&super::Loaded::default(), &read(yaml), &[], super::at(0));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.context().count(), 6);
}

#[test]
fn a_column_has_one_part() {
    for (name, part) in [("driver_id", "a join key"), ("event_time", "event times")] {
        let said = wrong("{name: trips, type: int}", &format!("{{name: {name}, type: int}}"));
        assert!(said[0].contains(part), "{said:?}");
        // Under another column it is only called so.
        let renamed = format!("{{name: {name}, type: int, column: x}}");
        let said = wrong("{name: trips, type: int}", &renamed);
        assert!(said[0].contains("is called as"), "{said:?}");
    }
    let said = view("{name: a, type: int, column: x}, {name: b, type: float, column: x}");
    assert_eq!(
        said,
        ["view v: column `x` is int for feature `a` and float for `b`; it has one type"]
    );
    assert!(view("{name: a, type: int, column: _seq}")[0].contains("the store's own"));
}

#[test]
fn aggregates_and_columns_of_one_row_do_not_mix() {
    let sum = "{name: s, type: float, aggregate: {function: sum, window: 1d}}";
    let said = view(&format!("{sum}, {{name: x, type: float}}"));
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("put them into two views"), "{said:?}");
    let with_ttl = wrong(
        "      - {name: trips, type: int}\n      - {name: rating, type: float}",
        &format!(
            "      - {sum}\n      - {{name: rating, type: float, aggregate: {{function: last, window: 1d}}}}"
        ),
    );
    assert!(with_ttl[0].contains("leave ttl out"), "{with_ttl:?}");
}

#[test]
fn an_aggregate_fits_its_column_and_its_window() {
    let one = |type_: &str, aggregate: &str| {
        view(&format!("{{name: a, type: {type_}, column: x, aggregate: {{{aggregate}}}}}"))
    };
    for (type_, aggregate) in [
        ("int", "function: sum, window: 1h"),
        ("float", "function: sum, window: 1h"),
        ("float", "function: mean, window: 1h"),
        ("float", "function: mean, window: 1h, input: int"),
        ("int", "function: count, window: 1h, input: string"),
        ("int", "function: distinct, window: 90d, input: string"),
        ("timestamp", "function: max, window: 400d"),
        ("float32", "function: mean, window: 1h"),
        ("float", "function: sum, window: 1h, input: float32"),
        ("int", "function: count, window: 1h, input: vector"),
    ] {
        assert_eq!(one(type_, aggregate), [""; 0], "{type_} {aggregate}");
    }
    for (type_, aggregate, said) in [
        ("string", "function: sum, window: 1h", "are of numbers"),
        ("int", "function: mean, window: 1h, input: int", "makes, float"),
        ("float", "function: count, window: 1h, input: string", "makes, int"),
        ("int", "function: distinct, window: 1h", "give the aggregate an `input`"),
        ("vector", "function: last, window: 1h", "not of vector"),
        ("float32", "function: sum, window: 1h, input: float", "makes, float"),
        ("int", "function: distinct, window: 1h, input: vector", "of single values"),
        ("int", "function: max, window: 1h, input: float", "makes, float"),
        ("int", "function: sum, window: 401d", "at most 400d"),
        ("int", "function: sum, window: 0s", "above 0"),
        ("int", "function: sum, window: 1h, resolution: 2h", "at most the window"),
        ("int", "function: sum, window: 1h, resolution: 0s", "above 0"),
        ("int", "function: sum, window: 90d, resolution: 1s", "coarser"),
    ] {
        let found = one(type_, aggregate);
        assert_eq!(found.len(), 1, "{type_} {aggregate}: {found:?}");
        assert!(found[0].contains(said), "{found:?}");
    }
    let rows = view("{name: n, type: int, aggregate: {function: count, window: 1h}}");
    assert_eq!(rows, [""; 0], "a count without a column counts rows");
}

#[test]
fn names_that_collide_are_an_error_unless_full_names_are_asked() {
    let twice =
        "      - {view: weather, features: [wind], alias: destination, keys: {airport: to}}\n";
    let said = wrong("    on_demand: [by_km]\n", &format!("{twice}    on_demand: [by_km]\n"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("`wind` comes from view `origin` and from view `destination`"));
    // The transform must then use the full name.
    let full = format!("{twice}    full_names: true\n    on_demand: [by_km]\n");
    let said = wrong("    on_demand: [by_km]\n", &full);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("no column `rating`"), "{said:?}");
    assert!(said[0].contains("driver_stats__rating") || said[0].contains("by_km"), "{said:?}");
    let same = "      - {view: driver_stats}\n    on_demand: [by_km]\n";
    let said = wrong("    on_demand: [by_km]\n", same);
    assert!(said[0].contains("give one of them an alias"), "{said:?}");
}

#[test]
fn key_columns_of_two_views_agree() {
    let said = wrong("keys: {airport: origin_airport}", "keys: {airport: driver_id}");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("is a key of type int and, for view `weather`, of type string"));
}

#[test]
fn a_transform_has_one_way_to_compute_and_names_only_what_is_there() {
    let with = |how: &str| wrong("expr: rating / distance", how);
    assert!(with("expr: rating /")[0].starts_with("on_demand by_km: feature `rating_by_km`"));
    let said = with("expr: ratng / distance");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("did you mean `rating`?"), "{said:?}");
    assert!(with("expr: rating, function: f@1")[0].contains("both expr and function"));
    assert!(with("description: none")[0].contains("neither expr nor function"));
    assert!(with("function: far, inputs: [rating]")[0].contains("distance@1"));
    let said = with("function: far@1, inputs: [rating, distanc]");
    assert!(said[0].contains("no column `distanc`; did you mean `distance`?"), "{said:?}");
    assert!(with("expr: rating / :km")[0].contains("parameter `:km`"));
    let said = with("expr: \"'far'\"");
    assert!(said[0].contains("the expression makes Utf8, and its type is float"), "{said:?}");
}

#[test]
fn a_source_with_credentials_is_refused_without_showing_them() {
    let files = "ttl: 7d\n    source: {files: ['s3://key:hunter2@bucket/x/']}";
    let said = wrong("ttl: 7d", files);
    assert_eq!(said.len(), 1);
    assert!(!said[0].contains("hunter2") && said[0].contains("credentials"), "{said:?}");
    for bad in ["[]", "['']", "[a.parquet, a.parquet]"] {
        assert_eq!(wrong("ttl: 7d", &format!("source: {{files: {bad}}}")).len(), 1, "{bad}");
    }
}

#[test]
fn definitions_hold_together_with_what_is_registered() {
    let catalog = shop();
    // The service's views are not in these definitions, but in the store.
    let more = "services: [{name: other, views: [{view: weather}]}]";
    assert_eq!(plan(&catalog, more).changes.len(), 1);
    let keys = "entities: [{name: airport, keys: [{name: code, type: string}]}]";
    let error = super::super::plan(&super::loaded(&catalog), &read(keys), &[], super::at(1));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("view `weather` has rows by those of before"), "{error}");
}
