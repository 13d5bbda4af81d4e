//! What a plan says, and which versions and tables come of it.

use futures::executor::block_on;
use mlops_core::Key;
use mlops_core::features::{ChangeKind, FeatureName, ViewVersion};
use mlops_core::registry::{Catalog as _, PutDocument};

use super::{Documents, SHOP, apply, loaded, plan, read, shop};

fn changed(from: &str, to: &str) -> String {
    assert!(SHOP.contains(from), "{from}");
    SHOP.replacen(from, to, 1)
}

fn last(catalog: &Documents, view: &str) -> ViewVersion {
    loaded(catalog).registered.views[&FeatureName::new(view).unwrap()].last().clone()
}

#[test]
fn a_plan_for_what_is_already_so_is_empty() {
    let catalog = shop();
    let again = plan(&catalog, SHOP);
    assert!(again.is_empty(), "{again}");
    assert_eq!(again.to_string(), "nothing changes\n");
}

#[test]
fn a_plan_can_be_read() {
    let catalog = shop();
    let wanted = changed("ttl: 7d", "ttl: 1d")
        .replace("{name: rain, type: float}", "{name: rain, type: int}");
    let plan = plan(&catalog, &wanted);
    assert_eq!(
        plan.to_string(),
        "\
view driver_stats  ~ version 2
    ttl: 7d → 1d
    service eta: gets a new version, which uses version 2
view weather  ! version 2, its rows start anew
    feature rain: float → int
    service eta: gets a new version, which uses version 2
service eta  ~ version 2
    view driver_stats: version: 1 → 2
    view weather: version: 1 → 2
"
    );
}

#[test]
fn texts_make_no_version() {
    let catalog = shop();
    let digest = last(&catalog, "driver_stats").digest;
    let told = changed(
        "ttl: 7d",
        "ttl: 7d\n    description: what they did\n    owner: fleet\n    tags: {a: b}",
    )
    .replace(
        "{name: trips, type: int}",
        "{name: trips, type: int, description: so far, pii: false}",
    );
    let plan = plan(&catalog, &told);
    assert_eq!(plan.changes.len(), 1, "{plan}");
    assert_eq!(plan.changes[0].change, ChangeKind::Describe);
    assert_eq!(
        plan.changes[0].details,
        [
            "feature trips: description changes",
            "feature trips: pii: none → false",
            "description changes",
            "owner: none → fleet",
            "tag a: none → b"
        ]
    );
    apply(&catalog, &told);
    let now = last(&catalog, "driver_stats");
    assert_eq!((now.version, now.digest), (1, digest));
    assert_eq!(now.definition.owner, "fleet");
}

#[test]
fn all_that_can_change_a_value_makes_a_version() {
    for (from, to, new_table) in [
        ("ttl: 7d", "ttl: 8d", false),
        ("ttl: 7d", "ttl: 7d\n    boundary: strict", false),
        ("ttl: 7d", "ttl: 7d\n    ahead: 1h", false),
        ("ttl: 7d", "ttl: 7d\n    created: loaded", false),
        ("ttl: 7d", "ttl: 7d\n    event_time: at", false),
        ("ttl: 7d", "ttl: 7d\n    source: {files: [x.parquet]}", true),
        ("{name: trips, type: int}", "{name: trips, type: int, column: n}", false),
        ("{name: trips, type: int}", "{name: trips, type: string}", true),
        (
            "{name: trips, type: int}",
            "{name: trips, type: int}\n      - {name: more, type: bool}",
            false,
        ),
        ("      - {name: trips, type: int}\n", "", false),
        ("{name: driver_id, type: int}", "{name: driver_id, type: string}", true),
    ] {
        let catalog = shop();
        let plan = plan(&catalog, &changed(from, to));
        let change = plan.changes.iter().find(|change| change.kind == "view").unwrap();
        assert_eq!(change.change, ChangeKind::Version { version: 2, new_table }, "{to}");
        assert!(!change.details.is_empty() || to.contains("driver_id"), "{to}: {plan}");
    }
}

#[test]
fn a_column_that_comes_back_with_another_type_starts_anew() {
    let catalog = shop();
    apply(&catalog, &changed("      - {name: trips, type: int}\n", ""));
    assert_eq!(last(&catalog, "driver_stats").table.id.as_str(), "driver_stats.1");
    apply(&catalog, &changed("{name: trips, type: int}", "{name: trips, type: string}"));
    let now = last(&catalog, "driver_stats");
    assert_eq!((now.version, now.table.id.as_str()), (3, "driver_stats.2"));
    apply(&catalog, SHOP);
    let now = last(&catalog, "driver_stats");
    assert_eq!((now.version, now.table.id.as_str()), (4, "driver_stats.3"));
}

#[test]
fn what_is_not_mentioned_stays() {
    let catalog = shop();
    let before = loaded(&catalog).registered;
    apply(&catalog, "entities: [{name: plane, keys: [{name: tail, type: string}]}]");
    let mut after = loaded(&catalog).registered;
    assert!(after.entities.remove("plane").is_some());
    assert_eq!(before, after);
}

#[test]
fn an_expression_written_otherwise_is_the_same_transform() {
    let catalog = shop();
    let plan = plan(&catalog, &changed("rating / distance", "'( rating)  /  distance'"));
    assert_eq!(plan.changes.len(), 1, "{plan}");
    assert_eq!(plan.changes[0].change, ChangeKind::Describe, "{plan}");
}

#[test]
fn the_policy_asks_for_owners_descriptions_and_marks() {
    let catalog = shop();
    let policy = serde_json::json!({
        "require_owner": true, "require_description": true, "require_pii": true,
    });
    let put =
        PutDocument::new(Key::new("feature_policy").unwrap(), Key::new("default").unwrap(), policy);
    block_on(catalog.put_document(put)).unwrap();
    assert!(plan(&catalog, SHOP).is_empty(), "what is there is left in peace");
    let refused = plan(&catalog, &changed("ttl: 7d", "ttl: 1d")).changes[0].refused.join("\n");
    for lack in ["no owner", "no description", "`trips` has no", "`rating` does not say whether"] {
        assert!(refused.contains(lack), "{refused}");
    }
    let whole = "
views:
  - name: driver_stats
    entities: [driver]
    owner: fleet
    description: what they did
    features:
      - {name: trips, type: int, description: so far, pii: false}
      - {name: rating, type: float, description: mean, pii: true}
";
    let plan = plan(&catalog, whole);
    assert!(!plan.is_refused(), "{plan}");
}

#[test]
fn a_view_that_outgrows_its_document_is_refused_before_anything_is_stored() {
    let catalog = shop();
    let description = "x".repeat(1 << 20);
    let big = changed("ttl: 7d", &format!("ttl: 7d\n    description: {description}"));
    let plan = plan(&catalog, &big);
    assert!(plan.is_refused());
    assert!(plan.changes[0].refused[0].contains("bytes"), "{}", plan.changes[0].refused[0]);
}

#[test]
fn the_digest_is_of_values_alone() {
    use super::super::digest::view_digest;
    let definitions = read(SHOP);
    let mut view = definitions.views[0].clone();
    let digest = view_digest(&view, &[]);
    view.description = "other".to_owned();
    view.owner = "other".to_owned();
    view.tags.insert("a".to_owned(), "b".to_owned());
    for feature in &mut view.features {
        feature.description = "other".to_owned();
        feature.owner = "other".to_owned();
        feature.pii = Some(true);
        feature.tags.insert("a".to_owned(), "b".to_owned());
        feature.column = Some(feature.name.to_string());
    }
    assert_eq!(view_digest(&view, &[]), digest);
    view.features.swap(0, 1);
    assert_ne!(view_digest(&view, &[]), digest, "the answer's columns change places");
}
