//! The online store in Redis (6.2 or above) or Valkey: what is served is shared by many machines.
//!
//! One key of the server holds the entry of one key of a table, in the bytes of
//! [`Entry`](mlops_core::features::Entry), so a service of five views reads all its rows by one `MGET`. A
//! write is a script, `merge.lua`, which does to a batch of rows what
//! [`merge_entry`](mlops_core::features::merge_entry) says, on the server and atomically: between
//! read and write there is no race, and one round trip does hundreds of rows. Where
//! [`OnlineRow::expires`] is set the server forgets an entry then by its own clock; a row that is written
//! beside others, or again, makes that later and never earlier.
//!
//! The non-obvious decision: the protocol is spoken here, by four small files, and not by a client crate.
//! The store must work under any executor (the library's synchronous calls drive futures without tokio),
//! bound each wait, and hand out values without copying each; see the ADR for the figures.
//!
//! What it does not do: TLS, Sentinel, Unix sockets; a Cluster, except for one node that has the slot of
//! the prefix's hash tag. Reading a key of another type, which something else must have written into
//! the store's prefix, finds nothing (`MGET` says no more); writing it is `Corrupt`. The rows of one call
//! of `read` are consistent up to 4,096 keys. Keys that were erased are gone from the server's memory, and
//! stay in its files until it writes them anew: `BGREWRITEAOF` for the log, `BGSAVE` for the snapshot.
//! Dropping a table looks at each key of the whole database, a thousand at a time.

mod address;
mod errors;
mod names;
mod options;
mod pool;
mod resp;
mod server;
mod wire;
mod write;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mlops_core::features::{
    KeyBatch, LocalTable, OnlineRow, OnlineStore, OnlineWritten, TableId, TableRead, Watermark,
};
use mlops_core::{Capability, Error, ErrorKind, Result, Secret};

use self::address::Address;
use self::names::Names;
pub use self::options::RedisOptions;
use self::pool::Pool;
use self::resp::{Reply, Request};
use self::server::Server;
use self::write::Writing;

const ADVANCE: &str = include_str!("advance.lua");
/// Most keys of one `MGET`, which the server answers before it does anything else.
const READ_KEYS: usize = 4096;
/// Most keys that are taken away by one command, and that one step of a scan looks at.
const DROP_KEYS: usize = 1000;

/// An online store in Redis.
///
/// Inside tokio it waits as a task; elsewhere, and in a runtime without I/O or time enabled, it blocks the
/// thread that polls. Connections are made as they are needed, also after the server was away.
///
/// ```no_run
/// # async fn open() -> mlops_core::Result<()> {
/// use mlops_core::Secret;
/// use mlops_features::online::{RedisOnline, RedisOptions};
///
/// let url = Secret::new("redis://:hunter2@cache:6379/0".to_owned());
/// let store = RedisOnline::connect(&url, RedisOptions::default()).await?;
/// assert_eq!(format!("{store:?}"), "RedisOnline(cache:6379/0, mlops)");
/// # Ok(())
/// # }
/// ```
pub struct RedisOnline {
    pool: Pool,
    names: Names,
    server: Server,
    merge: Option<String>,
}

impl RedisOnline {
    /// Connects to `redis://[[user]:password@]host[:port][/database]` and checks that the server can keep
    /// rows.
    ///
    /// # Errors
    /// `Invalid`: the address or an option. `Denied`: the account. `Unavailable`: no answer within the
    /// bound. `Unsupported`: TLS; a server older than 6.2; one that evicts keys, unless that is allowed.
    pub async fn connect(url: &Secret<String>, options: RedisOptions) -> Result<Self> {
        options.check()?;
        let address = Address::parse(url)?;
        let names = Names::new(&options.prefix);
        let pool = Pool::new(address, options);
        let server = server::check(&pool).await?;
        let load = Request::of(&[b"SCRIPT", b"LOAD", write::MERGE.as_bytes()]);
        let loaded = pool.ask("features.redis.connect", &load, pool.options().read_limit).await;
        let merge = match loaded {
            Ok((Reply::Value(Some(sha)), _)) => Some(String::from_utf8_lossy(&sha).into_owned()),
            // An account may be allowed to run scripts and not to leave them.
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::Denied => None,
            Err(error) => return Err(error),
        };
        Ok(Self { pool, names, server, merge })
    }

    async fn number(&self, operation: &'static str, request: &Request) -> Result<u64> {
        match self.pool.ask(operation, request, self.pool.options().write_limit).await?.0 {
            Reply::Int(number) => Ok(number.max(0) as u64),
            _ => Err(self.malformed(operation)),
        }
    }

    async fn watermark_bytes(&self, operation: &'static str, table: &TableId) -> Result<Watermark> {
        let request = Request::of(&[b"HGET", &self.names.tables(), table.as_bytes()]);
        let reply = self.pool.ask(operation, &request, self.pool.options().read_limit).await?.0;
        let Reply::Value(bytes) = reply else {
            return Err(self.malformed(operation));
        };
        names::watermark(&bytes.unwrap_or_default()).ok_or_else(|| self.no_watermark(table))
    }

    #[cold]
    fn malformed(&self, operation: &'static str) -> Error {
        errors::malformed(operation, self.pool.address())
    }

    #[cold]
    fn no_watermark(&self, table: &TableId) -> Error {
        Error::corrupt("features.online.watermark", "the bytes of a watermark are none")
            .with("table", table)
            .with("server", self.pool.address())
            .with_hint("an online store is derived: drop the table and materialize it again")
    }

    /// Asks for all keys of `reads` that are no null, in requests of at most [`READ_KEYS`].
    fn requests(&self, reads: &[TableRead<'_>]) -> Vec<(Request, usize)> {
        let total = reads.iter().map(|read| read.keys.iter().flatten().count()).sum::<usize>();
        let mut requests: Vec<(Request, usize)> = Vec::with_capacity(total.div_ceil(READ_KEYS));
        let mut done = 0;
        for read in reads {
            let prefix = self.names.entries(read.table);
            for key in read.keys.iter().flatten() {
                if done % READ_KEYS == 0 {
                    let keys = READ_KEYS.min(total - done);
                    let mut request = Request::with_capacity(32 + keys * (prefix.len() + 32));
                    request.command(1 + keys);
                    request.argument(&[b"MGET"]);
                    requests.push((request, keys));
                }
                if let Some((request, _)) = requests.last_mut() {
                    request.argument(&[&prefix, key]);
                }
                done += 1;
            }
        }
        requests
    }
}

#[async_trait]
impl OnlineStore for RedisOnline {
    fn capability(&self) -> Capability {
        Capability::default().with_durable(self.server.durable).with_many_processes(true)
    }

    fn local(&self, _table: &TableId) -> Result<Option<Arc<dyn LocalTable>>> {
        Ok(None)
    }

    async fn read(&self, reads: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>> {
        const OPERATION: &str = "features.online.read";
        let mut found = Vec::new();
        for (request, keys) in self.requests(reads) {
            let limit = self.pool.options().read_limit;
            let (frames, _) = self.pool.call(OPERATION, &request, 1, limit).await?;
            let before = found.len();
            found.reserve(keys);
            let frame = frames.first().ok_or_else(|| self.malformed(OPERATION))?;
            let other = resp::values(frame, |value| found.push(value))
                .map_err(|_| self.malformed(OPERATION))?;
            if let Some(Reply::Error(words)) = other {
                return Err(errors::refused(OPERATION, self.pool.address(), &words));
            }
            if found.len() != before + keys {
                return Err(self.malformed(OPERATION));
            }
        }
        if let [read] = reads
            && read.keys.len() == found.len()
        {
            return Ok(vec![found]);
        }
        let mut found = found.into_iter();
        let place = |key: Option<&[u8]>| key.and_then(|_| found.next().flatten());
        let mut place = place;
        Ok(reads.iter().map(|read| read.keys.iter().map(&mut place).collect()).collect())
    }

    async fn write(
        &self,
        table: &TableId,
        rows: &[OnlineRow<'_>],
        now: i64,
    ) -> Result<OnlineWritten> {
        if rows.is_empty() {
            return Ok(OnlineWritten::default());
        }
        Writing::new(&self.pool, &self.names, self.merge.as_deref(), table, rows, now)?.run().await
    }

    async fn watermark(&self, table: &TableId) -> Result<Watermark> {
        self.watermark_bytes("features.online.watermark", table).await
    }

    async fn advance(&self, table: &TableId, expected: Watermark, next: Watermark) -> Result<()> {
        const OPERATION: &str = "features.online.advance";
        let [old, new] = [expected, next].map(names::watermark_bytes);
        let request = Request::of(&[
            b"EVAL",
            ADVANCE.as_bytes(),
            b"1",
            &self.names.tables(),
            table.as_bytes(),
            &old,
            &new,
        ]);
        let limit = self.pool.options().write_limit;
        let (reply, again) = self.pool.ask(OPERATION, &request, limit).await?;
        let found = match reply {
            Reply::Value(None) => return Ok(()),
            Reply::Value(Some(found)) => {
                names::watermark(&found).ok_or_else(|| self.no_watermark(table))?
            }
            _ => return Err(self.malformed(OPERATION)),
        };
        // The first try may have done it before its connection was lost.
        if again && found == next {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Conflict,
            OPERATION,
            "the watermark is no longer the expected one",
        )
        .with("table", table)
        .with("expected", expected.next_seq)
        .with("found", found.next_seq)
        .with_hint("somebody else writes the table; read the watermark and go on from there"))
    }

    async fn erase(&self, table: &TableId, keys: &KeyBatch) -> Result<u64> {
        const OPERATION: &str = "features.online.erase";
        let prefix = self.names.entries(table);
        // Each once, for `EXISTS` counts a key as often as it is named.
        let keys: BTreeSet<&[u8]> = keys.iter().flatten().collect();
        let keys: Vec<&[u8]> = keys.into_iter().collect();
        let command = |name: &[u8], keys: &[&[u8]]| {
            let mut request = Request::default();
            request.command(1 + keys.len());
            request.argument(&[name]);
            for key in keys {
                request.argument(&[&prefix, key]);
            }
            request
        };
        let mut erased = 0;
        for keys in keys.chunks(DROP_KEYS) {
            // Were the connection lost, the first try may have erased what the second does not find.
            let there = self.number(OPERATION, &command(b"EXISTS", keys)).await?;
            let request = command(b"UNLINK", keys);
            let limit = self.pool.options().write_limit;
            erased += match self.pool.ask(OPERATION, &request, limit).await? {
                (Reply::Int(gone), again) => {
                    let gone = gone.max(0) as u64;
                    if again { gone.max(there) } else { gone }
                }
                _ => return Err(self.malformed(OPERATION)),
            };
        }
        Ok(erased)
    }

    async fn tables(&self) -> Result<Vec<TableId>> {
        const OPERATION: &str = "features.online.tables";
        let request = Request::of(&[b"HKEYS", &self.names.tables()]);
        let limit = self.pool.options().read_limit;
        let Reply::List(names) = self.pool.ask(OPERATION, &request, limit).await?.0 else {
            return Err(self.malformed(OPERATION));
        };
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            let Reply::Value(Some(name)) = name else {
                return Err(self.malformed(OPERATION));
            };
            let name = String::from_utf8_lossy(&name).into_owned();
            tables.push(TableId::try_from(name)?);
        }
        tables.sort();
        Ok(tables)
    }

    async fn drop_table(&self, table: &TableId) -> Result<()> {
        const OPERATION: &str = "features.online.drop_table";
        let limit = self.pool.options().write_limit;
        // The watermark first: were it to outlive a row, what is dropped would never be written again.
        // The name last: what is only half dropped is still there.
        let tables = self.names.tables();
        let there = Request::of(&[b"HEXISTS", &tables, table.as_bytes()]);
        if self.number(OPERATION, &there).await? > 0 {
            self.number(OPERATION, &Request::of(&[b"HSET", &tables, table.as_bytes(), b""]))
                .await?;
        }
        let (pattern, count) = (self.names.pattern(table), DROP_KEYS.to_string());
        let mut cursor = Bytes::from_static(b"0");
        loop {
            let scan =
                Request::of(&[b"SCAN", &cursor, b"MATCH", &pattern, b"COUNT", count.as_bytes()]);
            let Reply::List(step) = self.pool.ask(OPERATION, &scan, limit).await?.0 else {
                return Err(self.malformed(OPERATION));
            };
            let [Reply::Value(Some(next)), Reply::List(keys)] = step.as_slice() else {
                return Err(self.malformed(OPERATION));
            };
            for keys in keys.chunks(DROP_KEYS) {
                let mut request = Request::default();
                request.command(1 + keys.len());
                request.argument(&[b"UNLINK"]);
                for key in keys {
                    let Reply::Value(Some(key)) = key else {
                        return Err(self.malformed(OPERATION));
                    };
                    request.argument(&[key]);
                }
                self.number(OPERATION, &request).await?;
            }
            cursor = next.clone();
            if *cursor == *b"0" {
                break;
            }
        }
        self.number(OPERATION, &Request::of(&[b"HDEL", &tables, table.as_bytes()])).await?;
        Ok(())
    }
}

impl fmt::Debug for RedisOnline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisOnline({:?}, {})", self.pool.address(), self.pool.options().prefix)
    }
}
