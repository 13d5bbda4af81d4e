//! Every case for offline stores against each of them, random histories, and the cases against
//! stores that sin.

use std::fs::{self, File};
use std::sync::Arc;
use std::thread;

use futures::executor::block_on;
use libtest_mimic::Arguments;
use mlops_core::journal::Actor;
use mlops_core::time::{Clock, ManualClock};
use mlops_features::OfflineStore;
use mlops_features::catalog::ObjectCatalog;
use mlops_features::offline::{MemoryOffline, SegmentStore};
use mlops_testkit::Absent;
use mlops_testkit::build::{ACTOR, NOW};
use mlops_testkit::features::offline::saboteurs::offline_saboteur_trials;
use mlops_testkit::features::offline::{
    OFFLINE_ANSWERS, OfflineBackend, OfflineFixture, OfflineOpened, WriteFile, offline_trials,
};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

const BACKENDS: &[OfflineBackend] = &[
    OfflineBackend { name: "memory", open: memory },
    OfflineBackend { name: "segments", open: segments },
];

fn main() {
    let mut tests = offline_saboteur_trials(memory);
    for backend in BACKENDS {
        tests.extend(offline_trials(backend, OFFLINE_ANSWERS));
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

fn memory() -> OfflineOpened {
    let directory = directory()?;
    let clock = Arc::new(ManualClock::at_micros(NOW));
    Ok(OfflineFixture {
        store: Arc::new(MemoryOffline::new(Arc::clone(&clock) as Arc<dyn Clock>)),
        clock,
        write: writer(&directory),
        reopen: None,
        keep: Arc::new(directory),
    })
}

/// Segments in a directory, named by a catalog in the same.
fn segments() -> OfflineOpened {
    let directory = directory()?;
    let clock = Arc::new(ManualClock::at_micros(NOW));
    let root = directory.path().join("store");
    fs::create_dir_all(&root).map_err(|error| Absent(error.to_string()))?;
    let open = {
        let clock = Arc::clone(&clock);
        move || -> Arc<dyn OfflineStore> {
            let store = LocalFileSystem::new_with_prefix(&root).expect("a directory");
            let store: Arc<dyn ObjectStore> = Arc::new(store);
            let clock = Arc::clone(&clock) as Arc<dyn Clock>;
            let actor = Actor::new(ACTOR).expect("a fixed name");
            let catalog = ObjectCatalog::open(Arc::clone(&store), "", Arc::clone(&clock), actor);
            // On a thread of its own: a case that opens the store again runs in an executor already.
            let catalog = thread::scope(|scope| scope.spawn(|| block_on(catalog)).join());
            let catalog = Arc::new(catalog.expect("no panic").expect("a catalog"));
            Arc::new(SegmentStore::new(store, "", catalog, clock).expect("a store"))
        }
    };
    Ok(OfflineFixture {
        store: open(),
        clock,
        write: writer(&directory),
        reopen: Some(Arc::new(open)),
        keep: Arc::new(directory),
    })
}

fn directory() -> Result<TempDir, Absent> {
    tempfile::tempdir().map_err(|error| Absent(error.to_string()))
}

/// Writes Parquet files below a directory.
fn writer(directory: &TempDir) -> WriteFile {
    let root = directory.path().join("files");
    Arc::new(move |name, batches| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
        let file = File::create(&path).expect("a new file");
        let mut writer = ArrowWriter::try_new(file, batches[0].schema(), None).expect("a writer");
        for batch in batches {
            writer.write(batch).expect("rows are written");
        }
        writer.close().expect("a whole file");
        path.to_str().expect("a path of text").to_owned()
    })
}
