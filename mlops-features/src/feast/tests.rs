//! A registry that a real Feast 0.67 wrote, and bytes that are none.

use mlops_core::ErrorKind;
use mlops_core::features::{Definitions, FeatureName, Source, Span};
use mlops_core::time::from_micros;
use proptest::prelude::*;

use super::{import, import_project};
use crate::define::catalog::Loaded;
use crate::define::plan;

/// Made by `benches/peers/features/make_feast_registry.py`.
const REAL: &[u8] = include_bytes!("../../tests/data/feast_registry.db");

fn yaml(text: &str) -> Definitions {
    Definitions::from_yaml(text).unwrap()
}

#[test]
fn a_real_registry_becomes_definitions_that_hold_together() {
    let imported = import(REAL).unwrap();
    let expected = yaml(
        "
entities:
  - {name: driver, description: who drives, owner: fleet@example.com, tags: {team: fleet},
     keys: [{name: driver_id, type: int}]}
  - {name: airport, keys: [{name: airport, type: string}]}
views:
  - name: driver_stats
    description: what a driver did
    owner: fleet@example.com
    tags: {tier: gold}
    entities: [driver]
    source: {files: [data/trips.parquet]}
    event_time: happened_at
    created: loaded_at
    ttl: 7d
    features:
      - {name: trips, type: int, column: n_trips, description: trips so far, pii: false}
      - {name: rating, type: float}
      - {name: score, type: float32}
      - {name: vip, type: bool}
      - {name: note, type: string}
      - {name: blob, type: bytes}
      - {name: since, type: timestamp}
      - {name: embedding, type: vector}
  - name: weather
    entities: [airport]
    source: {files: ['s3://bucket/weather/']}
    event_time: event_timestamp
    ttl: 3600500ms
    features:
      - {name: wind, type: float}
      - {name: rain, type: float}
  - name: live
    entities: [driver]
    source: {files: [data/live.parquet]}
    event_time: ts
    features: [{name: speed, type: float}]
  - name: calendar
    source: {files: [data/calendar.parquet]}
    event_time: day
    features: [{name: holiday, type: bool}]
services:
  - name: eta
    description: time of arrival
    owner: models@example.com
    tags: {model: eta}
    full_names: true
    views:
      - {view: driver_stats, features: [rating, trips]}
      - {view: weather, alias: origin_weather, keys: {airport: origin}}
      - {view: weather, features: [wind], alias: destination_weather,
         keys: {airport: destination}}
  - {name: plain, views: [{view: driver_stats}, {view: live}, {view: calendar}]}
",
    );
    assert_eq!(imported.definitions, expected, "{}", imported.definitions.to_yaml());
    assert_eq!(
        imported.left,
        [
            "view driver_stats: the path `data/trips.parquet` is relative to the Feast repository",
            "view driver_stats: feature `badges` of type STRING_LIST has no counterpart",
            "view live: the path `data/live.parquet` is relative to the Feast repository",
            "view live: rows are pushed to it (`live_push`); here a view reads files or is appended \
             to. To append, leave `source` out",
            "view calendar: the path `data/calendar.parquet` is relative to the Feast repository",
            "on-demand view by_km: it is Python code; write rating_by_km as expressions or functions",
            "service eta: it uses `by_km`, which was left out",
            "service eta: two of its columns have one name, so each is called view__feature",
        ]
    );
    let now = from_micros(0).unwrap();
    let plan = plan(&Loaded::default(), &imported.definitions, &[], now).unwrap();
    assert_eq!(plan.changes.len(), 8, "{plan}");
    assert!(!plan.is_refused());
}

#[test]
fn one_of_several_projects_is_asked_for() {
    assert_eq!(import_project(REAL, "shop").unwrap(), import(REAL).unwrap());
    let error = import_project(REAL, "other").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("shop"), "{error}");
    let mut two = REAL.to_vec();
    two.extend(message(1, &message(1, &[text(1, "e"), text(9, "b"), number(2, 4)].concat())));
    let error = import(&two).unwrap_err();
    assert!(error.to_string().contains("b, shop"), "{error}");
    assert_eq!(import_project(&two, "b").unwrap().definitions.entities.len(), 1);
}

#[test]
fn what_has_no_counterpart_is_said_and_left_out() {
    let feature =
        |name: &str, value_type| message(4, &[text(1, name), number(2, value_type)].concat());
    let spec = |parts: &[Vec<u8>]| message(6, &message(1, &parts.concat()));
    let warehouse = [
        number(1, 2),
        text(3, "at"),
        text(17, "feast.x.BigQuerySource"),
        message(12, &text(1, "db.t")),
    ];
    let gone = [text(1, "big"), message(2, &text(1, "y z"))].concat();
    let bytes = [
        spec(&[
            text(1, "big"),
            feature("x", 5),
            feature("y z", 5),
            message(7, &warehouse.concat()),
        ]),
        spec(&[text(1, "_odd"), feature("x", 5)]),
        spec(&[text(1, "nothing"), feature("x", 44)]),
        spec(&[text(1, "alone"), text(3, "nobody"), feature("x", 5)]),
        spec(&[text(1, "old"), feature("x", 32), message(6, &number(1, u64::MAX)), number(20, 1)]),
        message(7, &message(1, &[text(1, "s"), message(3, &text(1, "nothing"))].concat())),
        spec(&[text(1, "served"), feature("x", 5), number(8, 1)]),
        message(14, &message(1, &[text(1, "stream"), feature("x", 5), number(12, 1)].concat())),
        message(7, &message(1, &[text(1, "few"), message(3, &gone)].concat())),
    ];
    let imported = import(&bytes.concat()).unwrap();
    let views: Vec<_> = imported.definitions.views.iter().map(|view| &view.name).collect();
    let expected = ["big", "old", "served", "stream"].map(|name| FeatureName::new(name).unwrap());
    assert_eq!(views, expected.iter().collect::<Vec<_>>());
    let big = &imported.definitions.views[0];
    assert_eq!((&big.source, big.event_time.as_str()), (&Source::Log, "at"));
    assert_eq!(imported.definitions.views[1].ttl, Span::ZERO);
    let said = imported.left.join("\n");
    for part in [
        "view big: its rows are in BigQuerySource (`db.t`); they are to be appended",
        "the name of feature `y z` can be none here",
        "view _odd: its name can be none here",
        "view nothing: feature `x` of type DECIMAL has no counterpart",
        "view alone: its entity `nobody` was left out, and so is it",
        "view old: its ttl of -1 s is no span of time",
        "view old: it is disabled in Feast",
        "view old: feature `x` of type JSON is text here",
        "service s: nothing that it uses has a counterpart",
        "view big: it is not served online in Feast: set its state to draft",
        "service few: it uses `big:y z`, which was left out",
        "service few: of `big` no feature is left, and so this use is left out",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    for served in ["view served: it is not", "view stream: it is not"] {
        assert!(!said.contains(served), "{said}");
    }
}

#[test]
fn a_registry_that_is_cut_off_is_no_registry_or_a_smaller_one() {
    for end in 0..REAL.len() {
        match import(&REAL[..end]) {
            Ok(imported) => assert!(imported.definitions.entities.len() <= 2),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid),
        }
    }
    assert!(import(&[]).is_err() && import(b"PAR1....PAR1").is_err());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = import(&bytes);
    }

    #[test]
    fn a_registry_with_wrong_bytes_never_panics(
        wrong in proptest::collection::vec((0..REAL.len(), any::<u8>()), 1..20),
    ) {
        let mut bytes = REAL.to_vec();
        for (at, byte) in wrong {
            bytes[at] = byte;
        }
        if let Ok(imported) = import(&bytes) {
            // What comes out can be written and read.
            prop_assert_eq!(
                &Definitions::from_yaml(&imported.definitions.to_yaml()).unwrap(),
                &imported.definitions
            );
        }
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn text(field: u64, value: &str) -> Vec<u8> {
    message(field, value.as_bytes())
}

fn message(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}
