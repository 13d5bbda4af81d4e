//! Random histories against the oracle.
//!
//! Domains are tiny (keys 0–3, times and creation times 0–9, ttl 0–5), so that ties and both bounds are
//! met all the time. One row that asks, under one ttl, boundary and cut-off, is one answer. Each history
//! is also told in other ways that must not change an answer: its rows in another order, with later
//! rows added, compacted in between, asked by several threads and by fewer askers.

use futures::executor::block_on;
use mlops_core::features::{
    Append, Boundary, Compaction, KeyType, KnownAt, RowStatus, Source, Table, Visibility,
};
use mlops_core::time::Clock;

use super::build::{self, CREATED, Encoding};
use super::dice::Dice;
use super::oracle::{Answer, Ask, Part, Row, oracle};
use super::{OfflineFixture, OfflineOpened};

/// How many random answers a test-suite compares.
pub const OFFLINE_ANSWERS: usize = 100_000;

/// Compares a store with the oracle over random histories that come to so many answers.
///
/// The histories are the same in each run; more answers are more of them. One store has them all, each
/// in tables of its own.
///
/// # Panics
/// With the history after which the two differ, who asked, and what each answered.
pub fn offline_differential(open: impl Fn() -> OfflineOpened, answers: usize) {
    if let Err(difference) = find(&open().unwrap(), answers) {
        panic!("{difference}");
    }
}

/// The first difference, if there is one.
pub(super) fn find(fixture: &OfflineFixture, answers: usize) -> Result<(), String> {
    let (mut compared, mut number) = (0, 0);
    while compared < answers {
        let history = History::random(&mut Dice::new(number), fixture.clock.now_micros());
        compared += block_on(history.compare(fixture, number))?;
        number += 1;
        fixture.clock.advance_micros(10_000_000);
    }
    Ok(())
}

/// What is written, in which parts, and who asks.
#[derive(Debug)]
struct History {
    keys: Vec<KeyType>,
    /// What one step of time is, in microseconds.
    step: i64,
    /// Parts that are appended, or files.
    parts: Vec<Vec<Row>>,
    in_files: bool,
    asks: Vec<Ask>,
    /// What each round of asks sees.
    rounds: Vec<(Visibility, KnownAt)>,
    /// How many threads a round is asked by.
    threads: usize,
}

impl History {
    fn random(dice: &mut Dice, now: i64) -> Self {
        let keys = match dice.below(5) {
            0 => vec![],
            1 => vec![KeyType::String],
            2 => vec![KeyType::Int, KeyType::String],
            _ => vec![KeyType::Int],
        };
        // Times end at the clock, so that none is ahead of it; a ttl of half a second is met too.
        let step = [1, 1_000, 500_000][dice.below(3) as usize];
        let in_files = dice.one_in(4);
        let nanos_of = |tick: i64| (now - (9 - tick) * step) * 1_000;
        let key = |dice: &mut Dice| keys.iter().map(|kind| part(*kind, dice.below(4))).collect();
        let says_when = !dice.one_in(4);
        let row = |dice: &mut Dice, number: i64| Row {
            key: {
                let mut key: Vec<Part> = key(dice);
                if in_files && dice.one_in(12) && !key.is_empty() {
                    key[0] = Part::Null;
                }
                key
            },
            event_time: nanos_of(dice.below(10)) + if in_files { dice.below(3) * 400 } else { 0 },
            created: (says_when && !dice.one_in(8)).then(|| nanos_of(dice.below(10))),
            value: (!dice.one_in(10)).then_some(number),
        };
        let mut number = 0;
        let mut group = |dice: &mut Dice| {
            let rows = dice.below(12);
            (0..rows)
                .map(|_| {
                    number += 1;
                    row(dice, number)
                })
                .collect::<Vec<_>>()
        };

        let parts = (0..=dice.below(4)).map(|_| group(dice)).collect();
        let fine = dice.one_in(3);
        let ask = |dice: &mut Dice| Ask {
            key: {
                let mut key: Vec<Part> = key(dice);
                if dice.one_in(15) && !key.is_empty() {
                    let last = key.len() - 1;
                    key[last] = Part::Null;
                }
                key
            },
            time: nanos_of(dice.below(12) - 1) + if fine { dice.below(3) * 400 - 400 } else { 0 },
        };
        let asks = (0..40 + dice.below(40)).map(|_| ask(dice)).collect();
        let round = |dice: &mut Dice| {
            let known_at = match dice.below(3) {
                0 => KnownAt::Now,
                1 => KnownAt::EventTime,
                _ => KnownAt::Instant(nanos_of(dice.below(10)) / 1_000),
            };
            let mut visibility = Visibility { ttl: dice.below(6) * step, ..Visibility::default() };
            if dice.one_in(3) {
                visibility.boundary = Boundary::Strict;
            }
            (visibility, known_at)
        };
        let rounds = (0..6).map(|_| round(dice)).collect();
        let threads = [1, 1, 3][dice.below(3) as usize];
        Self { keys, step, parts, in_files, asks, rounds, threads }
    }

    /// Compares every round, and says how many answers that were.
    async fn compare(&self, fixture: &OfflineFixture, number: u64) -> Result<usize, String> {
        let (table, rows) = self.write(fixture, &format!("h{number}"), &self.parts).await;
        let mut compared = 0;
        for (visibility, known_at) in &self.rounds {
            let expected = oracle(&rows, &self.asks, *visibility, *known_at);
            let expected = build::in_micros(expected);
            let found = self.ask(fixture, &table, &self.asks, *visibility, *known_at).await;
            self.same(&found, &expected, (*visibility, *known_at), "")?;
            compared += expected.len();
        }
        Ok(compared + self.compare_retold(fixture, number, &table, &rows).await?)
    }

    /// The same history told otherwise, in one of the ways that change nothing.
    async fn compare_retold(
        &self,
        fixture: &OfflineFixture,
        number: u64,
        table: &Table,
        rows: &[Row],
    ) -> Result<usize, String> {
        let round = self.rounds[0];
        let name = format!("r{number}");
        let whole: Vec<Row> = self.parts.concat();
        match number % 4 {
            // Who asks beside does not matter, nor how often.
            0 => {
                let some: Vec<Ask> = self.asks.iter().rev().step_by(2).cloned().collect();
                let expected = build::in_micros(oracle(rows, &some, round.0, round.1));
                let found = self.ask(fixture, table, &some, round.0, round.1).await;
                self.same(&found, &expected, round, "asked by fewer")?;
                Ok(some.len())
            }
            // Nor the order of rows that do not tie exactly, nor how they are cut.
            1 if whole.iter().all(|row| row.created.is_some()) => {
                let mut distinct: Vec<Row> = Vec::new();
                for row in &whole {
                    let ties = |other: &Row| {
                        (&other.key, other.event_time, other.created)
                            == (&row.key, row.event_time, row.created)
                    };
                    if !distinct.iter().any(ties) {
                        distinct.push(row.clone());
                    }
                }
                let expected = build::in_micros(oracle(&distinct, &self.asks, round.0, round.1));
                distinct.sort_by_key(|row| (row.value.map(|value| value * 7 % 5), row.event_time));
                let parts: Vec<Vec<Row>> = distinct.chunks(3).map(<[Row]>::to_vec).collect();
                let (table, _) = self.write(fixture, &name, &parts).await;
                let found = self.ask(fixture, &table, &self.asks, round.0, round.1).await;
                self.same(&found, &expected, round, "permuted and cut")?;
                Ok(expected.len())
            }
            // Nor rows that are later than every ask.
            2 => {
                let later = whole.iter().map(|row| Row {
                    event_time: row.event_time + 12 * self.step * 1_000,
                    ..row.clone()
                });
                let mut parts = self.parts.clone();
                parts.push(later.collect());
                let (table, written) = self.write(fixture, &name, &parts).await;
                let expected = oracle(&written[..rows.len()], &self.asks, round.0, round.1);
                let found = self.ask(fixture, &table, &self.asks, round.0, round.1).await;
                self.same(&found, &build::in_micros(expected), round, "with later rows")?;
                Ok(self.asks.len())
            }
            _ => Ok(0),
        }
    }

    /// Writes parts as a table, and returns the rows with what the store is to have stamped.
    async fn write(
        &self,
        fixture: &OfflineFixture,
        name: &str,
        parts: &[Vec<Row>],
    ) -> (Table, Vec<Row>) {
        let mut table = build::table(name, &self.keys);
        let mut rows = Vec::new();
        if self.in_files {
            let write = |(at, part): (usize, &Vec<Row>)| {
                let times = mlops_core::arrow::datatypes::TimeUnit::Nanosecond;
                let times = mlops_core::arrow::datatypes::DataType::Timestamp(times, None);
                let encoding = Encoding { times, ..Encoding::default() };
                let batch = build::batch(&table, part, &encoding);
                (fixture.write)(&format!("{name}-{at}.parquet"), &[batch])
            };
            let urls = parts.iter().enumerate().map(write).collect();
            table.source = Source::Files(urls);
            return (table, parts.concat());
        }
        assert_eq!(table.created.as_deref(), Some(CREATED));
        let store = &*fixture.store;
        let mut stamped = i64::MIN;
        for (at, part) in parts.iter().enumerate() {
            let batch = build::batch(&table, part, &Encoding::default());
            store.append(&table, batch, Append::default()).await.unwrap();
            stamped = stamped.max(fixture.clock.now_micros());
            let stamp =
                |row: &Row| Row { created: row.created.or(Some(stamped * 1_000)), ..row.clone() };
            rows.extend(part.iter().map(stamp));
            if at % 2 == 1 {
                let mut compaction = Compaction::default();
                compaction.full = part.len() % 2 == 0;
                store.compact(&table, compaction).await.unwrap();
            }
        }
        (table, rows)
    }

    async fn ask(
        &self,
        fixture: &OfflineFixture,
        table: &Table,
        asks: &[Ask],
        visibility: Visibility,
        known_at: KnownAt,
    ) -> Vec<Answer> {
        let nanos = asks.iter().any(|ask| ask.time % 1_000 != 0);
        let mut probe = build::probe(table, asks, nanos);
        (probe.visibility, probe.known_at, probe.threads) = (visibility, known_at, self.threads);
        build::answers(&fixture.store.as_of(table, probe).await.unwrap())
    }

    fn same(
        &self,
        found: &[Answer],
        expected: &[Answer],
        round: (Visibility, KnownAt),
        how: &str,
    ) -> Result<(), String> {
        if found.len() != expected.len() {
            return Err(format!("{} answers instead of {} {how}", found.len(), expected.len()));
        }
        let differs = found.iter().zip(expected).position(|(a, b)| a != b);
        let Some(at) = differs else { return Ok(()) };
        let never = RowStatus::NotFound;
        Err(format!(
            "row {at} is answered otherwise {how}\n   store: {:?}\n  oracle: {:?}\n  under {round:?}\n  \
             asked {:?}\nafter {:#?}\n({never:?} is no row)",
            found[at],
            expected[at],
            self.asks.get(at),
            self.parts
        ))
    }
}

fn part(kind: KeyType, number: i64) -> Part {
    match kind {
        KeyType::Int => Part::Int(number),
        // One of them is empty, and two are the same when they are joined.
        _ => Part::Text(["", "a", "ab", "b"][number as usize].to_owned()),
    }
}
