//! Who uses what changes, what becomes of them, and what is refused for their sake.

use futures::executor::block_on;
use mlops_core::features::{Consumer, Definitions, Lifecycle};
use mlops_core::{Error, ErrorKind};

use super::super::set_state;
use super::{Documents, ModelUse, SHOP, apply, at, loaded, plan, plan_with, read, shop};

/// Only the views of the shop, with `from` replaced by `to`.
fn views(from: &str, to: &str) -> String {
    let mut definitions = read(&SHOP.replacen(from, to, 1));
    definitions.services.clear();
    definitions.to_yaml()
}

fn go(catalog: &Documents, view: &str, state: Lifecycle) -> Result<(), Error> {
    block_on(set_state(catalog, &view.parse().unwrap(), state, at(1)))
}

#[test]
fn a_service_that_is_not_mentioned_stays_on_its_version() {
    let catalog = shop();
    let models = [
        ModelUse::new("churn/7 in Production", "eta@1".parse().unwrap()),
        ModelUse::new("other/1", "none@1".parse().unwrap()),
    ];
    let plan = plan_with(&catalog, &views("ttl: 7d", "ttl: 1d"), &models);
    assert_eq!(
        plan.changes[0].consumers,
        [
            Consumer::new("service eta@1", "stays on version 1", false),
            Consumer::new(
                "model churn/7 in Production",
                "stays on version 1 (service eta@1)",
                false
            ),
        ]
    );
    apply(&catalog, &views("ttl: 7d", "ttl: 1d"));
    let registered = loaded(&catalog).registered;
    assert_eq!(registered.services["eta"].last().views["driver_stats"], 1);
    // Applied again, the service is pinned to the views as they are now.
    let mut service = Definitions::new();
    service.services = read(SHOP).services;
    apply(&catalog, &service.to_yaml());
    let registered = loaded(&catalog).registered;
    assert_eq!(registered.services["eta"].last().version, 2);
    assert_eq!(registered.services["eta"].last().views["driver_stats"], 2);
}

#[test]
fn a_feature_that_a_service_uses_is_not_taken_away_behind_its_back() {
    let catalog = shop();
    let gone = views("      - {name: wind, type: float}\n", "");
    let plan = plan(&catalog, &gone);
    assert!(plan.is_refused());
    assert_eq!(
        plan.changes[0].refused,
        ["service `eta` uses it: column `wind` is gone, and it would get null from new rows; \
          define the service in the same step"]
    );
    assert!(plan.changes[0].consumers[0].broken);
    let error = block_on(super::super::apply(&catalog, &plan, at(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    // A feature that no service uses may go.
    let plan = super::plan(&catalog, &views("      - {name: rain, type: float}\n", ""));
    assert!(!plan.is_refused(), "{plan}");
}

#[test]
fn a_feature_may_go_together_with_the_service_s_use_of_it() {
    let catalog = shop();
    let both = SHOP.replacen("      - {name: wind, type: float}\n", "", 1).replacen(
        "features: [wind]",
        "features: [rain]",
        1,
    );
    let models = [ModelUse::new("churn/7", "eta@1".parse().unwrap())];
    let plan = plan_with(&catalog, &both, &models);
    assert!(!plan.is_refused(), "{plan}");
    let model = &plan.changes[0].consumers[1];
    assert!(model.broken && model.effect.contains("column `wind` is gone"), "{model:?}");
}

#[test]
fn who_is_pinned_to_rows_of_before_is_told() {
    let catalog = shop();
    let retyped = views("{name: wind, type: float}", "{name: wind, type: int}");
    let plan = plan(&catalog, &retyped);
    assert!(!plan.is_refused(), "{plan}");
    let eta = &plan.changes[0].consumers[0];
    assert!(eta.broken && eta.effect.contains("new rows do not reach it"), "{eta:?}");
}

#[test]
fn a_service_keeps_the_transform_that_it_was_made_with() {
    let catalog = shop();
    let plan = plan(&catalog, &views("rating / distance", "rating * distance"));
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.changes[0].consumers[0].effect, "stays with the transform as it was");
    apply(&catalog, &views("rating / distance", "rating * distance"));
    let registered = loaded(&catalog).registered;
    let kept = &registered.services["eta"].last().on_demand[0];
    assert_eq!(kept.features[0].expr.as_deref(), Some("rating / distance"));
    let again = super::plan(&catalog, &SHOP.replacen("rating / distance", "rating * distance", 1));
    assert_eq!(again.changes.len(), 1, "{again}");
    assert_eq!(again.changes[0].kind, "service");
}

#[test]
fn deprecated_takes_no_new_consumers_and_lets_the_old_go_on() {
    let catalog = shop();
    go(&catalog, "weather", Lifecycle::Deprecated { until: at(10) }).unwrap();
    let new = "services: [{name: other, views: [{view: weather}]}]";
    let plan = plan(&catalog, new);
    assert!(plan.changes[0].refused[0].contains("deprecated until 1970-01-11"), "{plan}");
    let old = super::plan(&catalog, &SHOP.replacen("features: [wind]", "features: [rain]", 1));
    assert!(!old.is_refused(), "{old}");
    // When the date has come it is retired, for all.
    let late = super::super::plan(
        &loaded(&catalog),
        &read(&SHOP.replacen("features: [wind]", "features: [rain]", 1)),
        &[],
        at(10),
    )
    .unwrap();
    assert!(late.changes[0].refused[0].contains("is retired"), "{late}");
    go(&catalog, "weather", Lifecycle::Active).unwrap();
    assert!(!super::plan(&catalog, new).is_refused());
}

#[test]
fn states_move_as_they_may() {
    let catalog = shop();
    let denied = go(&catalog, "weather", Lifecycle::Retired).unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert!(denied.to_string().contains("eta@1"), "{denied}");
    assert_eq!(go(&catalog, "weather", Lifecycle::Draft).unwrap_err().kind(), ErrorKind::Denied);
    let past = go(&catalog, "weather", Lifecycle::Deprecated { until: at(1) }).unwrap_err();
    assert_eq!(past.kind(), ErrorKind::Invalid);
    let unknown = go(&catalog, "wether", Lifecycle::Draft).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert_eq!(unknown.hint(), Some("did you mean `weather`?"));

    apply(&catalog, "views: [{name: lone, features: [{name: x, type: int}]}]");
    for state in [
        Lifecycle::Draft,
        Lifecycle::Draft,
        Lifecycle::Active,
        Lifecycle::Deprecated { until: at(10) },
        Lifecycle::Deprecated { until: at(9) },
        Lifecycle::Active,
        Lifecycle::Retired,
        Lifecycle::Retired,
    ] {
        go(&catalog, "lone", state).unwrap();
        assert_eq!(loaded(&catalog).registered.views["lone"].state, state);
    }
    assert_eq!(go(&catalog, "lone", Lifecycle::Active).unwrap_err().kind(), ErrorKind::Denied);
    let plan = plan(&catalog, "views: [{name: lone, ttl: 1d, features: [{name: x, type: int}]}]");
    assert!(plan.is_refused(), "{plan}");
    let plan = super::plan(&catalog, "services: [{name: new, views: [{view: lone}]}]");
    assert!(plan.changes[0].refused[0].contains("no new consumers"), "{plan}");
}
