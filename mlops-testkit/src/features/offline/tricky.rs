//! The rules of the point-in-time join as small histories with answers that were worked out by hand.
//!
//! Each is data, so that a join in SQL can be held to it as well as a store. Each runs over rows that
//! are appended at once and one by one, and over one file and a file for each row.

mod encodings;
mod keys;
mod times;
mod winners;

use mlops_core::features::Append;
use mlops_core::features::{
    Boundary, KeyType, KnownAt, OfflineStore, RowStatus, Table, Visibility,
};

use super::build::{self, Encoding};
use super::oracle::{Answer, Ask, Part, Row};
use super::{OfflineCase, OfflineFixture};

/// A second, in nanoseconds.
const S: i64 = 1_000_000_000;
/// A microsecond, in nanoseconds.
const US: i64 = 1_000;

/// What an ask is answered, without times.
pub type Expected = (RowStatus, Option<i64>);

const NOT_FOUND: Expected = (RowStatus::NotFound, None);
const EXPIRED: Expected = (RowStatus::Expired, None);
const NULL: Expected = (RowStatus::Found, None);

fn found(value: i64) -> Expected {
    (RowStatus::Found, Some(value))
}

/// A small history, who asks, and what must be answered.
#[derive(Debug, Clone)]
pub struct Tricky {
    /// The rule that it is about.
    pub name: &'static str,
    /// The types of the keys.
    pub keys: Vec<KeyType>,
    /// The rows, in the order of the source.
    pub rows: Vec<Row>,
    /// How the source writes them.
    pub encoding: Encoding,
    /// What can be seen.
    pub visibility: Visibility,
    /// What was known when.
    pub known_at: KnownAt,
    /// Who asks.
    pub asks: Vec<Ask>,
    /// What each is answered.
    pub expected: Vec<Expected>,
}

/// All of them.
pub fn tricky() -> Vec<Tricky> {
    [winners::all(), times::all(), keys::all(), encodings::all()].concat()
}

impl Tricky {
    fn new(name: &'static str, rows: Vec<Row>) -> Self {
        Self {
            name,
            keys: vec![KeyType::Int],
            rows,
            encoding: Encoding::default(),
            visibility: Visibility::default(),
            known_at: KnownAt::Now,
            asks: Vec::new(),
            expected: Vec::new(),
        }
    }

    fn ttl(mut self, micros: i64) -> Self {
        self.visibility.ttl = micros;
        self
    }

    fn strict(mut self) -> Self {
        self.visibility.boundary = Boundary::Strict;
        self
    }

    fn known_at(mut self, known_at: KnownAt) -> Self {
        self.known_at = known_at;
        self
    }

    fn keys(mut self, keys: &[KeyType]) -> Self {
        self.keys = keys.to_vec();
        self
    }

    fn encoded(mut self, change: impl FnOnce(&mut Encoding)) -> Self {
        change(&mut self.encoding);
        self
    }

    /// Adds an ask of key 1, and its answer.
    fn ask(self, time: i64, expected: Expected) -> Self {
        self.ask_of(build::int(1), time, expected)
    }

    fn ask_of(mut self, key: Vec<Part>, time: i64, expected: Expected) -> Self {
        self.asks.push(Ask { key, time });
        self.expected.push(expected);
        self
    }

    /// Whether its rows can only stand in files: a store would refuse them, or stamp what they do not
    /// say.
    pub fn needs_files(&self) -> bool {
        let says_when = |row: &Row| row.created.is_some();
        let unsaid = !self.rows.iter().all(says_when)
            && (self.rows.iter().any(says_when) || self.known_at != KnownAt::Now);
        let refused = |row: &Row| row.key.contains(&Part::Null) || row.event_time % US != 0;
        unsaid || self.rows.iter().any(refused)
    }

    /// Asserts that these are the answers; `how` says of what.
    ///
    /// # Panics
    /// If they are not.
    pub fn check(&self, answers: &[Answer], how: &str) {
        let found: Vec<Expected> = answers.iter().map(|a| (a.status, a.value)).collect();
        assert_eq!(found, self.expected, "{} {how}: asked {:#?}", self.name, self.asks);
    }

    async fn check_store(&self, store: &dyn OfflineStore, table: &Table, how: &str) {
        let (visibility, known_at) = (self.visibility, self.known_at);
        let answers = build::ask_store(store, table, &self.asks, visibility, known_at).await;
        self.check(&answers.unwrap(), how);
    }

    async fn appended(self, fixture: OfflineFixture) {
        for (name, each) in [("whole", self.rows.len().max(1)), ("cut", 1)] {
            let table = build::table(name, &self.keys);
            for rows in self.rows.chunks(each) {
                let batch = build::batch(&table, rows, &self.encoding);
                fixture.store.append(&table, batch, Append::default()).await.unwrap();
            }
            self.check_store(&*fixture.store, &table, name).await;
        }
    }

    async fn in_files(self, fixture: OfflineFixture) {
        for (name, each) in [("whole", self.rows.len().max(1)), ("cut", 1)] {
            let mut table = build::files_table(name, &self.keys, Vec::new());
            let file = |(at, rows): (usize, &[Row])| {
                let batch = build::batch(&table, rows, &self.encoding);
                (fixture.write)(&format!("{name}-{at:02}.parquet"), &[batch])
            };
            let urls = self.rows.chunks(each).enumerate().map(file).collect();
            table.source = mlops_core::features::Source::Files(urls);
            self.check_store(&*fixture.store, &table, name).await;
        }
    }
}

pub(super) fn cases() -> Vec<OfflineCase> {
    let mut cases = Vec::new();
    for case in tricky() {
        if !case.needs_files() {
            let case = case.clone();
            cases.push(OfflineCase {
                name: case.name.to_owned(),
                run: std::sync::Arc::new(move |f| Box::pin(case.clone().appended(f))),
            });
        }
        cases.push(OfflineCase {
            name: format!("{}_in_files", case.name),
            run: std::sync::Arc::new(move |f| Box::pin(case.clone().in_files(f))),
        });
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::offline::oracle;

    #[test]
    fn the_oracle_answers_as_was_worked_out_by_hand() {
        for case in tricky() {
            let answers = oracle(&case.rows, &case.asks, case.visibility, case.known_at);
            case.check(&answers, "by the oracle");
        }
    }
}
