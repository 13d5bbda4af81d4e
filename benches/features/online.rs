//! Online reads, of one entity and of many.
//!
//! Three ways: one row and a batch into memory that is used again, as a service in Rust reads; and Arrow in,
//! Arrow out, as other languages do. Each call asks other keys, and every value is compared with the file's
//! once. A ttl is in force; it is long, because Redis forgets by its own clock, which is of today.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use mlops::feature_store::PreparedService;
use mlops::feature_store::prepared::{Columns, KeyValue, Row};
use mlops::features::{Append, FeatureStore, Materialize, Span};
use mlops::time::{Clock, SystemClock};
use serde_json::json;

use crate::Sizes;
use crate::harness::{cpu, noise, round};
use crate::line::line;
use crate::store::{Store, table, view};

const ROUNDS: usize = 7;
pub(crate) const TTL: Span = Span::days(20_000);

/// CPU microseconds of a call that are to be reached: of which store, entities, features.
const AIMS: [(&str, usize, u64, f64); 6] = [
    ("embedded", 1, 10, 1.0),
    ("embedded", 100, 10, 40.0),
    ("embedded", 100, 50, 60.0),
    ("redis", 1, 10, 15.0),
    ("redis", 100, 10, 100.0),
    ("redis", 100, 50, 130.0),
];

/// What is asked, and what is known of the answer.
struct Bench {
    store: &'static str,
    service: PreparedService,
    features: u64,
    /// The file.
    rows: RecordBatch,
    now: i64,
}

pub(crate) fn online(store: &str, features: u64, sizes: &Sizes) {
    tokio_block_on(async {
        let bench = Bench::new(store, features, sizes).await;
        for entities in [1, 10, 100] {
            bench.reused(entities).await;
            bench.arrow(entities).await;
        }
    });
}

impl Bench {
    async fn new(store: &str, features: u64, sizes: &Sizes) -> Self {
        let count = if features == 10 { 100_000 } else { 10_000 };
        let rows = table(&sizes.dir.join(format!("latest_{count}x{features}.parquet")));
        let (name, defined) = (format!("online_{store}_{features}"), format!("latest_{features}"));
        let opened = Store::open(&name, store, view(&defined, features, TTL), sizes).await;
        let features_of = &opened.features;
        // A store that was filled before is filled again, so that each round has the same.
        features_of.online_store().drop_table(&opened.table.id).await.unwrap();
        if features_of.offline().manifest(&opened.table.id, None).await.unwrap().position == 0 {
            features_of.append(&opened.view, rows.clone(), Append::default()).await.unwrap();
        }
        let what = Materialize::default().view(opened.view.clone()).full();
        let done = features_of.materialize(what).await.unwrap();
        assert_eq!(done.views[0].changed, count);
        let service = features_of.prepare(&opened.service).await.unwrap();
        let store = if store == "redis" { "redis" } else { "embedded" };
        Self { store, service, features, rows, now: SystemClock.now_micros() }
    }

    /// Keys of as many calls as one store bears and the other deserves.
    fn calls(&self, entities: usize) -> Vec<Vec<i64>> {
        let calls = match (self.store, entities) {
            ("redis", 1) => 2_000,
            ("redis", 10) => 1_000,
            ("redis", _) => 500,
            _ => 200_000 / entities,
        };
        let (mut seed, rows) = (5, self.rows.num_rows() as f64);
        (0..calls)
            .map(|_| (0..entities).map(|_| (noise(&mut seed) * rows) as i64).collect())
            .collect()
    }

    fn expect(&self, feature: usize, key: i64) -> f64 {
        let column = self.rows.column_by_name(&format!("f{feature}")).unwrap();
        column.as_primitive::<Float64Type>().value(key as usize)
    }

    async fn reused(&self, entities: usize) {
        let (calls, stored) = (self.calls(entities), self.service.stored());
        let features = self.features as usize;
        if self.store == "embedded" && entities == 1 {
            let mut row = Row::new();
            for keys in &calls {
                stored.row(&[KeyValue::Int(keys[0])], self.now, &mut row).unwrap();
                for feature in 0..features {
                    assert_eq!(row.float(feature), Some(self.expect(feature, keys[0])));
                }
            }
            let measured = measure(&calls, async |keys| {
                stored.row(&[KeyValue::Int(keys[0])], self.now, &mut row).unwrap();
                // Every value is taken, as a model would.
                black_box((0..features).filter_map(|feature| row.float(feature)).sum::<f64>());
            });
            return self.figure("", entities, measured.await);
        }
        let (mut request, mut out) = (stored.keys(), Columns::new());
        let mut ask = async |keys: &[i64], check: bool| {
            request.clear();
            for key in keys {
                request.push(&[KeyValue::Int(*key)]).unwrap();
            }
            stored.fetch(&request, self.now, &mut out).await.unwrap();
            let floats = out.columns().iter().filter_map(|column| column.floats());
            black_box(floats.flatten().sum::<f64>());
            if check {
                for (feature, column) in out.columns().iter().enumerate() {
                    assert!(column.valid().iter().all(|valid| *valid));
                    for (key, value) in keys.iter().zip(column.floats().unwrap()) {
                        assert_eq!(*value, self.expect(feature, *key));
                    }
                }
            }
        };
        for keys in &calls {
            ask(keys, true).await;
        }
        let measured = measure(&calls, async |keys: &Vec<i64>| ask(keys, false).await).await;
        self.figure("", entities, measured);
    }

    async fn arrow(&self, entities: usize) {
        let calls = self.calls(entities);
        let requests: Vec<RecordBatch> = calls
            .iter()
            .map(|keys| {
                let ids: ArrayRef = Arc::new(Int64Array::from(keys.clone()));
                RecordBatch::try_from_iter([("driver_id", ids)]).unwrap()
            })
            .collect();
        for (keys, request) in calls.iter().zip(&requests) {
            let answer = self.service.answer(request, self.now).await.unwrap().batch;
            for (feature, column) in answer.columns().iter().enumerate() {
                assert_eq!(column.null_count(), 0);
                let values = column.as_primitive::<Float64Type>().values();
                assert!(keys.iter().zip(values).all(|(key, v)| *v == self.expect(feature, *key)));
            }
        }
        let measured = measure(&requests, async |request| {
            black_box(self.service.answer(request, self.now).await.unwrap());
        });
        self.figure(", Arrow", entities, measured.await);
    }

    fn figure(&self, way: &str, entities: usize, measured: Measured) {
        let aim =
            AIMS.iter().find(|aim| (aim.0, aim.1, aim.2) == (self.store, entities, self.features));
        line(
            "online_read",
            &format!("{}{way}", self.store),
            json!({
                "entities": entities,
                "features": self.features,
                "store_rows": self.rows.num_rows(),
                "cpu_us_per_call": round(measured.cpu, 3),
                "min_us": round(measured.walls[0], 3),
                "p50_us": round(measured.at(0.5), 3),
                "p99_us": round(measured.at(0.99), 3),
                "n": measured.walls.len(),
                // The aims are those of reads into memory that is used again.
                "aim": aim.filter(|_| way.is_empty()).map(|aim| aim.3),
            }),
        );
    }
}

/// Waits on this thread, as Redis needs it.
pub(crate) fn tokio_block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

/// Microseconds: of CPU a call, and of each call's wall.
struct Measured {
    cpu: f64,
    walls: Vec<f64>,
}

impl Measured {
    fn at(&self, share: f64) -> f64 {
        self.walls[(share * (self.walls.len() - 1) as f64) as usize]
    }
}

/// CPU of the median round, without clocks between the calls; then each call by itself.
async fn measure<T>(calls: &[T], mut call: impl AsyncFnMut(&T)) -> Measured {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let before = cpu();
        for one in calls {
            call(one).await;
        }
        rounds.push((cpu() - before) / calls.len() as f64 * 1e6);
    }
    rounds.sort_by(f64::total_cmp);
    let mut walls = Vec::with_capacity(calls.len());
    for one in calls {
        let begun = Instant::now();
        call(one).await;
        walls.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    walls.sort_by(f64::total_cmp);
    Measured { cpu: rounds[ROUNDS / 2], walls }
}
