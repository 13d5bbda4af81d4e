//! What a service means.

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::features::{Lifecycle, ServiceRef};

use super::super::{resolve_service, set_state};
use super::{Documents, SHOP, apply, at, loaded, shop};

fn resolve(catalog: &Documents, service: &str) -> mlops_core::Result<super::super::Resolved> {
    let service: ServiceRef = service.parse().unwrap();
    resolve_service(&loaded(catalog).registered, &service, at(5))
}

#[test]
fn a_service_is_its_views_keys_and_columns() {
    let resolved = resolve(&shop(), "eta").unwrap();
    let names: Vec<_> = resolved.schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["trips", "rating", "wind", "rating_by_km"]);
    let keys: Vec<_> = resolved.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(keys, ["driver_id", "origin_airport"]);
    assert_eq!(resolved.request[0].name, "distance");
    let origin = &resolved.views[1];
    assert_eq!(origin.keys[0].key.name, "airport");
    assert_eq!(origin.keys[0].column, "origin_airport");
    assert_eq!(origin.features.len(), 1);
    assert_eq!(origin.features[0].output, "wind");
    assert_eq!(origin.view.table.id.as_str(), "weather.1");
    assert_eq!(resolved.schema.fields().len(), 4);
    assert_eq!(resolved.version.on_demand.len(), 1);
    assert!(resolved.check_online().is_ok());
}

#[test]
fn full_names_have_the_prefix() {
    let catalog = Documents::default();
    let full = SHOP
        .replace("    on_demand: [by_km]\n", "    full_names: true\n    on_demand: [by_km]\n")
        .replace("rating / distance", "driver_stats__rating / distance");
    apply(&catalog, &full);
    let resolved = resolve(&catalog, "eta").unwrap();
    let names: Vec<_> = resolved.schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(
        names,
        ["driver_stats__trips", "driver_stats__rating", "origin__wind", "rating_by_km"]
    );
}

#[test]
fn an_old_version_answers_as_it_did() {
    let catalog = shop();
    apply(&catalog, &SHOP.replace("{name: trips, type: int}", "{name: trips, type: string}"));
    let old = resolve(&catalog, "eta@1").unwrap();
    let new = resolve(&catalog, "eta").unwrap();
    assert_eq!(old.views[0].view.table.id.as_str(), "driver_stats.1");
    assert_eq!(new.views[0].view.table.id.as_str(), "driver_stats.2");
    assert_ne!(old.schema, new.schema);
    assert_eq!(new.version.version, 2);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let catalog = shop();
    let error = resolve(&catalog, "etta").unwrap_err();
    assert_eq!((error.kind(), error.hint()), (ErrorKind::NotFound, Some("did you mean `eta`?")));
    let error = resolve(&catalog, "eta@9").unwrap_err();
    let hint = error.hint();
    assert_eq!((error.kind(), hint), (ErrorKind::NotFound, Some("its last version is 1")));
}

#[test]
fn a_retired_view_is_denied_and_a_draft_is_not_served_online() {
    let catalog = shop();
    let weather = "weather".parse().unwrap();
    let until = |day| Lifecycle::Deprecated { until: at(day) };
    block_on(set_state(&catalog, &weather, until(6), at(1))).unwrap();
    let resolved = resolve(&catalog, "eta").unwrap();
    assert_eq!(resolved.views[1].state, until(6));
    assert!(resolved.check_online().is_ok());
    block_on(set_state(&catalog, &weather, until(5), at(1))).unwrap();
    let error = resolve(&catalog, "eta").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("weather"), "{error}");

    apply(&catalog, "views: [{name: lone, features: [{name: x, type: int}]}]");
    block_on(set_state(&catalog, &"lone".parse().unwrap(), Lifecycle::Draft, at(1))).unwrap();
    apply(&catalog, "services: [{name: trial, views: [{view: lone}]}]");
    let trial = resolve(&catalog, "trial").unwrap();
    assert_eq!(trial.check_online().unwrap_err().kind(), ErrorKind::Denied);
}
