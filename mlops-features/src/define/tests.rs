//! The rules of definitions, plans and states; a small catalog and a small store for all of them.

mod apply;
mod check;
mod pins;
mod plan;
mod resolve;
mod search;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use mlops_core::features::{ApplyPlan, Definitions, Registered};
use mlops_core::journal::Actor;
use mlops_core::registry::{Catalog, Document, PutDocument};
use mlops_core::time::{Instant, from_micros};
use mlops_core::{Error, ErrorKind, Key, Result};

use super::ModelUse;
use super::catalog::Loaded;

const SHOP: &str = "
entities:
  - {name: driver, keys: [{name: driver_id, type: int}]}
  - {name: airport, keys: [{name: airport, type: string}]}
views:
  - name: driver_stats
    entities: [driver]
    ttl: 7d
    features:
      - {name: trips, type: int}
      - {name: rating, type: float}
  - name: weather
    entities: [airport]
    features:
      - {name: wind, type: float}
      - {name: rain, type: float}
on_demand:
  - name: by_km
    request: [{name: distance, type: float}]
    features:
      - {name: rating_by_km, type: float, expr: rating / distance}
services:
  - name: eta
    views:
      - {view: driver_stats}
      - {view: weather, features: [wind], alias: origin, keys: {airport: origin_airport}}
    on_demand: [by_km]
";

/// A store of documents that can be told to fail.
#[derive(Debug, Default)]
struct Documents {
    all: Mutex<Vec<Document>>,
    /// How many more documents it takes.
    puts: Mutex<Option<usize>>,
}

impl Documents {
    fn history(&self, kind: &Key, name: &Key) -> Vec<Document> {
        let all = self.all.lock().unwrap();
        all.iter().filter(|d| d.kind == *kind && d.name == *name).cloned().collect()
    }

    /// Fails after so many more documents.
    fn fail_after(&self, puts: Option<usize>) {
        *self.puts.lock().unwrap() = puts;
    }
}

#[async_trait]
impl Catalog for Documents {
    fn catalog_as(&self, _: Actor) -> Arc<dyn Catalog> {
        unimplemented!("one actor is enough here")
    }

    async fn document(&self, kind: &Key, name: &Key) -> Result<Option<Document>> {
        Ok(self.history(kind, name).pop().filter(|document| document.body.is_some()))
    }

    async fn documents(&self, kind: &Key) -> Result<Vec<Document>> {
        let mut names: Vec<Key> = {
            let all = self.all.lock().unwrap();
            all.iter().filter(|d| d.kind == *kind).map(|d| d.name.clone()).collect()
        };
        names.sort();
        names.dedup();
        let last = names.iter().filter_map(|name| self.history(kind, name).pop());
        Ok(last.filter(|document| document.body.is_some()).collect())
    }

    async fn document_history(&self, kind: &Key, name: &Key) -> Result<Vec<Document>> {
        Ok(self.history(kind, name))
    }

    async fn put_document(&self, change: PutDocument) -> Result<Document> {
        change.check()?;
        if let Some(left) = self.puts.lock().unwrap().as_mut() {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| Error::unavailable("catalog.put_document", "the disk is away"))?;
        }
        let version = self.history(&change.kind, &change.name).len() as u64;
        if change.expect.is_some_and(|expected| expected != version) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "catalog.put_document",
                "has another version",
            ));
        }
        let PutDocument { kind, name, body, .. } = change;
        let document =
            Document::new(kind, name, version + 1, body, at(0), Actor::new("ann").unwrap());
        self.all.lock().unwrap().push(document.clone());
        Ok(document)
    }
}

fn at(days: i64) -> Instant {
    from_micros(days * 86_400_000_000).unwrap()
}

fn read(yaml: &str) -> Definitions {
    Definitions::from_yaml(yaml).unwrap()
}

fn loaded(catalog: &Documents) -> Loaded {
    block_on(super::load(catalog)).unwrap()
}

fn plan(catalog: &Documents, yaml: &str) -> ApplyPlan {
    super::plan(&loaded(catalog), &read(yaml), &[], at(1)).unwrap()
}

fn plan_with(catalog: &Documents, yaml: &str, models: &[ModelUse]) -> ApplyPlan {
    super::plan(&loaded(catalog), &read(yaml), models, at(1)).unwrap()
}

fn apply(catalog: &Documents, yaml: &str) -> Registered {
    let plan = plan(catalog, yaml);
    block_on(super::apply(catalog, &plan, at(1))).unwrap()
}

/// A store with the shop's definitions.
fn shop() -> Documents {
    let catalog = Documents::default();
    apply(&catalog, SHOP);
    catalog
}
