//! The embedded metadata store: one SQLite file in WAL mode, for many processes at once.
//!
//! Each call is one transaction. Writers take SQLite's write lock at the start (`BEGIN IMMEDIATE`), so
//! a transaction never fails in its middle for another's sake; readers never wait. Commits are synced
//! to disk before a call returns.
//!
//! SQLite is linked in, never the system's: versions before 3.51.3 can corrupt a WAL that several
//! processes checkpoint. What runs is checked when the store is opened.
//!
//! What it does not do: work on a network file system, where file locks lie.

mod artifacts;
mod catalog;
mod chunks;
mod experiments;
mod fail;
mod journal;
mod lineage;
mod model_pages;
mod model_trash;
mod models;
mod names;
mod page;
mod pages;
mod promotion;
mod registry;
mod runs;
mod schema;
mod search;
mod trash;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::journal::{Actor, Event, Journal, JournalProof};
use mlops_core::lineage::Node;
use mlops_core::time::Clock;
use mlops_core::tracking::{
    Artifact, Blob, BlobLocation, CreateExperiment, CreateRun, Digest, Experiment,
    ExperimentChanges, ExperimentQuery, Page, Purge, PurgePlan, PurgeReport, Run, RunChanges,
    RunQuery, StoredChunk, Tracker, check,
};
use mlops_core::{
    Capability, Error, ErrorKind, ExperimentId, ExperimentName, Key, Result, RunId, SpoolId, filter,
};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use self::fail::{Fail, Outcome};
use crate::blocking::blocking;

/// The first version without the bug that corrupts a WAL checkpointed by several processes.
const SAFE_SQLITE: i32 = 3_051_003;
/// How long a writer waits for another process before it gives up.
const WAIT_FOR_LOCK: Duration = Duration::from_mins(1);
/// Connections kept open for reading; more readers than this open their own for a moment.
const IDLE_READERS: usize = 8;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 256;

/// How the embedded store is opened.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// The database file may not grow beyond this; a write that would is `Unavailable`.
    pub max_bytes: Option<u64>,
}

impl SqliteOptions {
    /// Bounds the size of the database file.
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

/// Tracker, registry, catalog, lineage and journal in one SQLite file. Clones share its connections.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    store: Arc<Store>,
    actor: Actor,
}

#[derive(Debug)]
struct Store {
    path: PathBuf,
    options: SqliteOptions,
    clock: Arc<dyn Clock>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

/// A write transaction: where, when and who.
struct Writer<'a> {
    sql: &'a Connection,
    now: i64,
    actor: &'a Actor,
}

impl Writer<'_> {
    fn journal(&self, operation: &str, node: &Node, payload: &serde_json::Value) -> Outcome<i64> {
        journal::append(self.sql, self.now, self.actor, operation, node, payload)
    }
}

impl SqliteStore {
    /// Opens the store in `file`, and makes it if it is not there; any number of processes may do so
    /// at the same instant.
    ///
    /// # Errors
    /// `Denied` if the file may not be written; `Corrupt` if it is damaged; `Unsupported` if it is of
    /// a newer version of this library; `Invalid` if it is another program's database.
    pub fn open(
        file: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        actor: Actor,
        options: SqliteOptions,
    ) -> Result<Self> {
        let path = file.into();
        let op = "store.open";
        if rusqlite::version_number() < SAFE_SQLITE {
            return Err(Error::new(
                ErrorKind::Unsupported,
                op,
                "this SQLite can corrupt a database that several processes write",
            )
            .with("version", rusqlite::version())
            .with_hint("build with rusqlite's feature `bundled`, version 3.51.3 or newer"));
        }
        let writer = connect(&path, &options, true).map_err(|e| e.publish(op, &path))?;
        let store =
            Store { path, options, clock, writer: Mutex::new(writer), readers: Mutex::default() };
        Ok(Self { store: Arc::new(store), actor })
    }

    async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Writer<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        blocking(operation, move || this.store.write(operation, &this.actor, work)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        blocking(operation, move || store.read(operation, work)).await
    }
}

impl Store {
    /// Reads with one statement, on the caller's thread: for questions that take some microseconds,
    /// less than handing them to another thread does. A reader never waits for a writer.
    fn ask<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Result<T> {
        self.reading(work).map_err(|e| e.publish(operation, &self.path))
    }

    fn write<T>(
        &self,
        operation: &'static str,
        actor: &Actor,
        work: impl FnOnce(&Writer<'_>) -> Outcome<T>,
    ) -> Result<T> {
        let mut connection = lock(&self.writer);
        let run = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // The clock is read under the lock, so the journal's times follow its order.
            let writer = Writer { sql: &transaction, now: self.clock.now_micros(), actor };
            let done = work(&writer)?;
            transaction.commit()?;
            Ok(done)
        };
        run().map_err(|e: Fail| e.publish(operation, &self.path))
    }

    /// Reads in one transaction, so that all statements see the same state.
    fn read<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Result<T> {
        let run = |connection: &Connection| {
            let transaction = connection.unchecked_transaction()?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        self.reading(run).map_err(|e: Fail| e.publish(operation, &self.path))
    }

    /// Lends an idle connection, or a new one; one that SQLite had to complain about is not used again.
    fn reading<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        let idle = lock(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, &self.options, false)?,
        };
        let done = work(&connection);
        if !matches!(done, Err(Fail::Sql(_))) {
            let mut readers = lock(&self.readers);
            if readers.len() < IDLE_READERS {
                readers.push(connection);
            }
        }
        done
    }
}

/// A panic cannot leave a connection in a transaction (it is rolled back), so poison means nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path, options: &SqliteOptions, first: bool) -> Outcome<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if first {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(WAIT_FOR_LOCK)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if first {
        prepare_file(path, &mut connection)?;
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;",
    )?;
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = (i64::try_from(bytes).unwrap_or(i64::MAX) / page).max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    for (name, like) in
        [("mlops_like", filter::like as fn(&str, &str) -> bool), ("mlops_ilike", filter::ilike)]
    {
        connection.create_scalar_function(name, 2, pure, move |context| {
            let text: Option<&str> = context.get_raw(0).as_str_or_null()?;
            let pattern = context.get_raw(1).as_str()?;
            Ok(text.map(|text| like(text, pattern)))
        })?;
    }
    Ok(connection)
}

/// Turns on the write-ahead log and brings the tables up to date.
///
/// Changing the journal mode needs the file alone and does not wait for it, so openers take turns: a
/// lock file, held for the few milliseconds that this takes.
fn prepare_file(path: &Path, connection: &mut Connection) -> Outcome<()> {
    let turn = path.with_extension("lock");
    let turn = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&turn)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|e| Fail::Api(crate::spool::io_error("cannot lock the store", &turn, e)))?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fail::Api(
            Error::new(ErrorKind::Unsupported, "store.open", "the write-ahead log cannot be used")
                .with("mode", mode)
                .with_hint("network file systems cannot hold a store; choose a local directory"),
        ));
    }
    schema::migrate(connection)?;
    drop(turn);
    Ok(())
}

#[async_trait]
impl Tracker for SqliteStore {
    fn capability(&self) -> Capability {
        Capability::default().with_durable(true).with_many_processes(true)
    }

    fn acting_as(&self, actor: Actor) -> Arc<dyn Tracker> {
        Arc::new(Self { store: Arc::clone(&self.store), actor })
    }

    async fn create_experiment(
        &self,
        name: &ExperimentName,
        options: CreateExperiment,
    ) -> Result<Experiment> {
        check::create_experiment(&options)?;
        let name = name.clone();
        self.write("tracker.create_experiment", move |w| experiments::create(w, &name, options))
            .await
    }

    async fn update_experiment(
        &self,
        id: ExperimentId,
        changes: ExperimentChanges,
    ) -> Result<Experiment> {
        check::experiment_changes(&changes)?;
        self.write("tracker.update_experiment", move |w| experiments::update(w, id, changes)).await
    }

    async fn search_experiments(&self, query: &ExperimentQuery) -> Result<Page<Experiment>> {
        let query = query.clone();
        self.read("tracker.search_experiments", move |sql| experiments::search(sql, &query)).await
    }

    async fn create_run(&self, options: CreateRun) -> Result<Run> {
        check::create_run(&options)?;
        self.write("tracker.create_run", move |w| runs::create(w, options)).await
    }

    async fn update_run(&self, id: RunId, changes: RunChanges) -> Result<Vec<BlobLocation>> {
        check::run_changes(&changes)?;
        // Hashed here, outside the write lock.
        let digest =
            changes.metrics.as_ref().map(|chunk| Digest(*blake3::hash(&chunk.bytes).as_bytes()));
        self.write("tracker.update_run", move |w| runs::update(w, id, changes, digest)).await
    }

    async fn run(&self, id: RunId) -> Result<Run> {
        let op = "tracker.run";
        self.read(op, move |sql| {
            let stored = runs::find(sql, id)?.ok_or_else(|| runs::missing(op, id))?;
            runs::load(sql, stored, &mut names::Names::default())
        })
        .await
    }

    async fn search_runs(&self, query: &RunQuery) -> Result<Page<Run>> {
        let query = query.clone();
        self.read("tracker.search_runs", move |sql| pages::search(sql, &query)).await
    }

    async fn count_runs(&self, query: &RunQuery) -> Result<u64> {
        let query = query.clone();
        self.read("tracker.count_runs", move |sql| pages::count(sql, &query)).await
    }

    async fn metric_chunks(&self, id: RunId, _key: Option<&Key>) -> Result<Vec<StoredChunk>> {
        self.of_run("tracker.metric_chunks", id, chunks::list).await
    }

    async fn stored_points(&self, id: RunId, spool: SpoolId) -> Result<u64> {
        let op = "tracker.stored_points";
        self.of_run(op, id, move |sql, row| chunks::stored_points(sql, row, spool)).await
    }

    async fn artifacts(&self, id: RunId, prefix: &str) -> Result<Vec<Artifact>> {
        let prefix = prefix.to_owned();
        self.of_run("tracker.artifacts", id, move |sql, row| {
            artifacts::artifacts(sql, row, &prefix)
        })
        .await
    }

    async fn find_blob(&self, digest: Digest) -> Result<Option<Blob>> {
        self.store.ask("tracker.find_blob", |sql| artifacts::find_blob(sql, digest))
    }

    async fn plan_purge(&self, what: &Purge) -> Result<PurgePlan> {
        let what = what.clone();
        self.read("tracker.plan_purge", move |sql| trash::plan(sql, &what)).await
    }

    async fn purge(&self, plan: &PurgePlan) -> Result<PurgeReport> {
        let plan = plan.clone();
        self.write("tracker.purge", move |w| trash::purge(w, &plan)).await
    }
}

impl SqliteStore {
    /// Reads something that hangs on a run.
    async fn of_run<T: Send + 'static>(
        &self,
        op: &'static str,
        id: RunId,
        work: impl FnOnce(&Connection, i64) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        self.read(op, move |sql| {
            let stored = runs::find(sql, id)?.ok_or_else(|| runs::missing(op, id))?;
            work(sql, stored.row)
        })
        .await
    }
}

#[async_trait]
impl Journal for SqliteStore {
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>> {
        self.read("journal.events", move |sql| journal::events(sql, after, limit)).await
    }

    async fn last(&self) -> Result<u64> {
        self.read("journal.last", journal::last).await
    }

    async fn position(&self, reader: &Key) -> Result<u64> {
        let reader = reader.clone();
        self.read("journal.position", move |sql| journal::position(sql, &reader)).await
    }

    async fn advance(&self, reader: &Key, from: u64, to: u64) -> Result<()> {
        let reader = reader.clone();
        self.write("journal.advance", move |w| journal::advance(w.sql, &reader, from, to)).await
    }

    async fn seal(&self) -> Result<JournalProof> {
        self.write("journal.seal", |writer| journal::seal(writer.sql)).await
    }

    async fn verify(&self) -> Result<JournalProof> {
        self.read("journal.verify", journal::verify).await
    }
}

#[cfg(test)]
mod tests;
