//! Objects in memory, a catalog in them, and stores over both.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::Arc;

use futures::TryStreamExt;
use mlops_core::features::Table;
use mlops_core::journal::Actor;
use mlops_core::registry::Catalog;
use mlops_core::time::{Clock, ManualClock};
use mlops_testkit::Absent;
use mlops_testkit::features::offline::{OfflineFixture, OfflineOpened, WriteFile};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use crate::catalog::ObjectCatalog;
use crate::offline::SegmentStore;

pub(super) const NOW: i64 = mlops_testkit::build::NOW;

/// What outlives a process.
#[derive(Clone)]
pub(super) struct World {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) clock: Arc<ManualClock>,
}

impl World {
    pub(super) fn new() -> Self {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        Self { objects, clock: Arc::new(ManualClock::at_micros(NOW)) }
    }

    /// A store as another process would open it.
    pub(super) fn open(&self) -> SegmentStore {
        self.over(Arc::clone(&self.objects))
    }

    /// A store whose segments, manifests and catalog go through `store`.
    pub(super) fn over(&self, store: Arc<dyn ObjectStore>) -> SegmentStore {
        let clock = || Arc::clone(&self.clock) as Arc<dyn Clock>;
        let actor = Actor::new("test").unwrap();
        let catalog = ObjectCatalog::unprobed(Arc::clone(&store), "p", clock(), actor).unwrap();
        let catalog: Arc<dyn Catalog> = Arc::new(catalog);
        SegmentStore::new(store, "p", catalog, clock()).unwrap()
    }

    /// The segments that are there, whoever names them.
    pub(super) async fn segments(&self, table: &Table) -> BTreeSet<String> {
        let folder = Path::from(format!("p/tables/{}", table.id));
        let there: Vec<_> = self.objects.list(Some(&folder)).try_collect().await.unwrap();
        let paths = there.into_iter().map(|meta| meta.location.to_string());
        let segments = paths.filter(|path| path.ends_with(".parquet"));
        segments.map(|path| path.trim_start_matches("p/").to_owned()).collect()
    }
}

/// What the cases of the testkit run on.
pub(super) fn conformance() -> OfflineOpened {
    let directory = tempfile::tempdir().map_err(|error| Absent(error.to_string()))?;
    let world = World::new();
    let (clock, write) = (Arc::clone(&world.clock), writer(&directory));
    let store = Arc::new(world.open());
    let reopen = move || Arc::new(world.open()) as Arc<dyn mlops_core::features::OfflineStore>;
    let keep = Arc::new(directory);
    Ok(OfflineFixture { store, clock, write, reopen: Some(Arc::new(reopen)), keep })
}

fn writer(directory: &TempDir) -> WriteFile {
    let root = directory.path().to_owned();
    Arc::new(move |name, batches| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batches[0].schema(), None).unwrap();
        for batch in batches {
            writer.write(batch).unwrap();
        }
        writer.close().unwrap();
        path.to_str().unwrap().to_owned()
    })
}
