//! The clauses of reading: manifests, scans, probes, and tables of files.

use std::sync::Arc;
use std::thread;

use futures::executor::block_on;
use mlops_core::ErrorKind::{Invalid, NotFound};
use mlops_core::arrow::array::{
    Array, ArrayRef, Int64Array, TimestampMicrosecondArray, TimestampSecondArray,
};
use mlops_core::arrow::datatypes::{DataType, TimeUnit};
use mlops_core::features::{
    KeyBatch, KeyType, KnownAt, OfflineStore, RowStatus, Scan, Source, Table, Visibility,
};

use super::build::{self, Encoding, Scanned, VALUE, ask, ask_store, row, scan, scanned, table};
use super::oracle::Row;
use super::{OfflineCase, OfflineFixture, offline_cases_of};
use crate::case::fails;

pub(super) fn cases() -> Vec<OfflineCase> {
    offline_cases_of![
        a_table_that_was_never_written_is_empty_at_0,
        a_position_that_never_was_is_not_found,
        a_manifest_names_its_segments,
        a_position_answers_as_it_did,
        a_scan_is_by_seq_and_in_a_segment_by_key_and_time,
        a_scan_of_a_segment_or_after_a_seq,
        a_scan_of_times_is_half_open,
        a_scan_of_keys,
        a_scan_of_columns_in_their_order,
        a_scan_of_an_unknown_column_or_segment_is_an_error,
        a_probe_of_no_rows_is_answered,
        a_probe_that_does_not_fit_is_invalid,
        an_answer_has_the_times_of_its_winner,
        an_answer_does_not_depend_on_threads_or_on_who_else_asks,
        a_read_sees_one_manifest_while_rows_are_appended,
        files_are_read_in_their_order,
        files_below_a_folder_are_all_read,
        a_file_that_is_gone_is_not_found,
        files_without_creation_times_have_unknown_ones,
        rows_of_files_without_an_event_time_are_never_seen,
        a_key_of_another_type_in_a_file_is_invalid,
        a_table_of_files_is_at_position_0,
    ]
}

fn ints() -> Table {
    table("t", &[KeyType::Int])
}

async fn all(
    store: &dyn OfflineStore,
    table: &Table,
    change: impl FnOnce(&mut Scan),
) -> Vec<Scanned> {
    let mut options = Scan::default();
    change(&mut options);
    scanned(&scan(store, table, options).await.unwrap())
}

async fn values(store: &dyn OfflineStore, table: &Table, asks: &[super::Ask]) -> Vec<Option<i64>> {
    let any = Visibility::default();
    let found = ask_store(store, table, asks, any, KnownAt::Now).await.unwrap();
    found.into_iter().map(|answer| answer.value).collect()
}

fn value_of(row: &Scanned) -> i64 {
    row.4.unwrap()
}

async fn a_table_that_was_never_written_is_empty_at_0(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let manifest = store.manifest(&table.id, None).await.unwrap();
    assert_eq!((manifest.position, manifest.segments.len()), (0, 0));
    assert_eq!(store.manifest(&table.id, Some(0)).await.unwrap(), manifest);
    assert_eq!(all(&*store, &table, |_| ()).await, []);
    let found = store.as_of(&table, build::probe(&table, &[ask(1, 1)], false)).await.unwrap();
    assert_eq!((found.position, &found.rows[..]), (0, &[RowStatus::NotFound][..]));
}

async fn a_position_that_never_was_is_not_found(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 1, 1, 1)]).await;
    fails(NotFound, store.manifest(&table.id, Some(99)).await);
    let mut options = Scan::default();
    options.position = Some(99);
    fails(NotFound, scan(&*store, &table, options).await);
    let mut probe = build::probe(&table, &[ask(1, 1)], false);
    probe.position = Some(99);
    fails(NotFound, store.as_of(&table, probe).await);
}

async fn a_manifest_names_its_segments(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 5, 9, 1), row(2, 3, 8, None), row(1, 4, 7, 9)]).await;
    build::append(&*store, &table, &[row(3, 6, 6, 4)]).await;
    let manifest = store.manifest(&table.id, None).await.unwrap();
    assert_eq!(manifest.segments.iter().map(|segment| segment.rows).sum::<u64>(), 4);
    let pairs = manifest.segments.windows(2);
    assert!(pairs.into_iter().all(|pair| pair[0].seq.1 < pair[1].seq.0), "disjoint, in order");
    for segment in &manifest.segments {
        let rows = all(&*store, &table, |scan| scan.segment = Some(segment.path.clone())).await;
        let bounds = |of: fn(&Scanned) -> i64| {
            (rows.iter().map(of).min().unwrap(), rows.iter().map(of).max().unwrap())
        };
        assert_eq!(rows.len() as u64, segment.rows);
        assert_eq!(bounds(|row| row.1), segment.event_time);
        assert_eq!(bounds(|row| row.2.unwrap()), segment.created);
        assert_eq!(bounds(|row| row.3 as i64), (segment.seq.0 as i64, segment.seq.1 as i64));
        let column = segment.columns.iter().find(|column| column.name == VALUE).unwrap();
        let known: Vec<_> = rows.iter().filter_map(|row| row.4).collect();
        assert_eq!(column.nulls as usize, rows.len() - known.len());
        assert_eq!(column.max, known.iter().max().map(|max| *max as f64));
        assert_eq!(column.min, known.iter().min().map(|min| *min as f64));
    }
}

async fn a_position_answers_as_it_did(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let mut seen = Vec::new();
    for n in 1..=3 {
        let position = build::append(&*store, &table, &[row(1, n, n, n)]).await.position;
        seen.push((position, store.manifest(&table.id, None).await.unwrap()));
    }
    for (n, (position, manifest)) in (1..).zip(seen) {
        assert_eq!(store.manifest(&table.id, Some(position)).await.unwrap(), manifest);
        let rows = all(&*store, &table, |scan| scan.position = Some(position)).await;
        assert_eq!(rows.len() as i64, n);
        let mut probe = build::probe(&table, &[ask(1, 9)], false);
        probe.position = Some(position);
        let found = store.as_of(&table, probe).await.unwrap();
        assert_eq!(found.position, position);
        assert_eq!(build::answers(&found)[0].value, Some(n));
    }
}

async fn a_scan_is_by_seq_and_in_a_segment_by_key_and_time(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let mixed =
        [row(2, 1, 1, 1), row(-1, 7, 3, 2), row(-1, 7, 2, 3), row(2, 1, 1, 4), row(-1, 3, 9, 5)];
    for rows in [&mixed[..], &mixed[1..4]] {
        build::append(&*store, &table, rows).await;
    }
    let batches = scan(&*store, &table, Scan::default()).await.unwrap();
    let manifest = store.manifest(&table.id, None).await.unwrap();
    let segment_of = |seq: u64| {
        manifest.segments.iter().position(|s| (s.seq.0..=s.seq.1).contains(&seq)).unwrap()
    };
    let mut last = None;
    for batch in &batches {
        let rows = scanned(std::slice::from_ref(batch));
        let segments: Vec<_> = rows.iter().map(|row| segment_of(row.3)).collect();
        assert!(segments.windows(2).all(|pair| pair[0] == pair[1]), "no batch spans two segments");
        for (row, segment) in rows.iter().zip(segments) {
            let place = (segment, row.0, row.1, row.2, row.3);
            assert!(last < Some(place), "{last:?} is not before {place:?}");
            last = Some(place);
        }
    }
    assert_eq!(scanned(&batches).len(), 8);
    let names: Vec<_> = batches[0].schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["k0", Table::EVENT_TIME, Table::CREATED, Table::SEQ, VALUE]);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(batches[0].column(1).data_type(), &utc);
}

async fn a_scan_of_a_segment_or_after_a_seq(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let first = build::append(&*store, &table, &[row(1, 1, 1, 1), row(2, 2, 2, 2)]).await;
    build::append(&*store, &table, &[row(1, 3, 3, 3)]).await;
    let after = |seq| all(&*store, &table, move |scan| scan.after_seq = Some(seq));
    let rest = |rows: Vec<Scanned>| rows.iter().map(value_of).collect::<Vec<_>>();
    assert_eq!(rest(after(first.first_seq).await), [2, 3]);
    assert_eq!(rest(after(first.first_seq + 1).await), [3]);
    assert_eq!(rest(after(u64::MAX).await), [0; 0]);
    let mut by_segment = Vec::new();
    for segment in store.manifest(&table.id, None).await.unwrap().segments {
        by_segment.extend(all(&*store, &table, |scan| scan.segment = Some(segment.path)).await);
    }
    assert_eq!(by_segment, all(&*store, &table, |_| ()).await);
}

async fn a_scan_of_times_is_half_open(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    let rows: Vec<_> = (1..=5).map(|n| row(1, n, n, n)).collect();
    build::append(&*store, &table, &rows).await;
    let between = |from, until| all(&*store, &table, move |s| (s.from, s.until) = (from, until));
    let of = |rows: Vec<Scanned>| rows.iter().map(value_of).collect::<Vec<_>>();
    assert_eq!(of(between(Some(2), Some(4)).await), [2, 3]);
    assert_eq!(of(between(Some(4), None).await), [4, 5]);
    assert_eq!(of(between(None, Some(2)).await), [1]);
    assert_eq!(of(between(Some(4), Some(4)).await), [0; 0]);
}

async fn a_scan_of_keys(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 1, 1, 1), row(2, 2, 2, 2), row(3, 3, 3, 3)]).await;
    build::append(&*store, &table, &[row(3, 4, 4, 4), row(1, 5, 5, 5)]).await;
    let wanted: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(9), Some(3)]));
    let wanted = Arc::new(KeyBatch::from_columns(&[wanted], 4).unwrap());
    let rows = all(&*store, &table, |scan| scan.keys = Some(wanted)).await;
    assert_eq!(rows.iter().map(value_of).collect::<Vec<_>>(), [3, 4]);
}

async fn a_scan_of_columns_in_their_order(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints().with("b", mlops_core::features::FeatureType::Bool));
    build::append(&*store, &table, &[row(1, 1, 1, 1)]).await;
    for wanted in [vec!["b", VALUE], vec![VALUE, "b"], vec![]] {
        let mut options = Scan::default();
        options.columns = Some(wanted.iter().map(|&name| name.to_owned()).collect());
        let batches = scan(&*store, &table, options).await.unwrap();
        let names: Vec<_> = batches[0].schema().fields().iter().map(|f| f.name().clone()).collect();
        let fixed = ["k0", Table::EVENT_TIME, Table::CREATED, Table::SEQ];
        assert_eq!(names, [&fixed[..], &wanted].concat());
    }
}

async fn a_scan_of_an_unknown_column_or_segment_is_an_error(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 1, 1, 1)]).await;
    let mut options = Scan::default();
    options.columns = Some(vec!["nothing".to_owned()]);
    let error = fails(Invalid, scan(&*store, &table, options).await);
    assert!(error.to_string().contains("nothing"), "{error}");
    let mut options = Scan::default();
    options.segment = Some("nothing".to_owned());
    let error = fails(NotFound, scan(&*store, &table, options).await);
    assert!(error.to_string().contains("nothing"), "{error}");
}

async fn a_probe_of_no_rows_is_answered(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 1, 1, 1)]).await;
    let found = store.as_of(&table, build::probe(&table, &[], false)).await.unwrap();
    assert_eq!((found.rows.len(), found.columns[0].len()), (0, 0));
    assert_eq!(found.columns[0].data_type(), &DataType::Int64);
    let mut probe = build::probe(&table, &[ask(1, 1)], false);
    probe.columns.clear();
    let found = store.as_of(&table, probe).await.unwrap();
    assert_eq!((found.rows, found.columns.len()), (vec![RowStatus::Found], 0));
}

async fn a_probe_that_does_not_fit_is_invalid(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 1, 1, 1)]).await;
    let good = || build::probe(&table, &[ask(1, 1), ask(2, 2)], false);
    let mut wrong = vec![good(), good(), good(), good(), good(), good()];
    wrong[0].keys.clear();
    wrong[1].keys = vec![Arc::new(Int64Array::from(vec![1]))];
    wrong[2].times = Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]));
    wrong[3].times = Arc::new(Int64Array::from(vec![1, 2]));
    wrong[4].times = Arc::new(TimestampSecondArray::from(vec![1, 2]));
    wrong[5].columns = vec!["nothing".to_owned()];
    for probe in wrong {
        fails(Invalid, store.as_of(&table, probe).await);
    }
}

async fn an_answer_has_the_times_of_its_winner(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 5, 8, 1), row(1, 6, 7, None)]).await;
    let mut probe = build::probe(&table, &[ask(1, 5), ask(1, 6), ask(1, 20), ask(2, 9)], false);
    probe.visibility.ttl = 10;
    let found = build::answers(&store.as_of(&table, probe).await.unwrap());
    let said: Vec<_> = found.iter().map(|a| (a.status, a.value, a.event_time, a.created)).collect();
    let expected = [
        (RowStatus::Found, Some(1), Some(5_000), Some(8_000)),
        (RowStatus::Found, None, Some(6_000), Some(7_000)),
        (RowStatus::Expired, None, Some(6_000), Some(7_000)),
        (RowStatus::NotFound, None, None, None),
    ];
    assert_eq!(said, expected);
}

async fn an_answer_does_not_depend_on_threads_or_on_who_else_asks(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    for batch in 0..4 {
        let rows: Vec<_> =
            (0..40).map(|n| row(n % 7, (n * 5) % 11, batch, batch * 40 + n)).collect();
        build::append(&*store, &table, &rows).await;
    }
    let asks: Vec<_> = (0..60).map(|n| ask(n % 9, (n * 7) % 13)).collect();
    let whole = store.as_of(&table, build::probe(&table, &asks, false)).await.unwrap();
    let whole = build::answers(&whole);
    for threads in [0, 1, 4] {
        let mut probe = build::probe(&table, &asks, false);
        probe.threads = threads;
        let found = store.as_of(&table, probe).await.unwrap();
        assert_eq!(build::answers(&found), whole, "{threads} threads");
    }
    for bucket in 0..3 {
        let mine = |at: &usize| at % 3 == bucket;
        let at: Vec<_> = (0..asks.len()).filter(mine).collect();
        let part: Vec<_> = at.iter().map(|at| asks[*at].clone()).collect();
        let found = store.as_of(&table, build::probe(&table, &part, false)).await.unwrap();
        let expected: Vec<_> = at.iter().map(|at| whole[*at]).collect();
        assert_eq!(build::answers(&found), expected);
    }
}

async fn a_read_sees_one_manifest_while_rows_are_appended(fixture: OfflineFixture) {
    let (store, table) = (fixture.store, ints());
    build::append(&*store, &table, &[row(1, 1, 1, 0), row(2, 1, 1, 0)]).await;
    let (to, written) = (Arc::clone(&store), table.clone());
    let writer = thread::spawn(move || {
        for n in 1..20 {
            block_on(build::append(&*to, &written, &[row(1, n, n, n), row(2, n, n, n)]));
        }
    });
    for _ in 0..20 {
        let probe = build::probe(&table, &[ask(1, 90), ask(2, 90)], false);
        let found = build::answers(&store.as_of(&table, probe).await.unwrap());
        assert_eq!(found[0].value, found[1].value, "both keys of one append, or none");
        assert_eq!(all(&*store, &table, |_| ()).await.len() % 2, 0, "half an append");
    }
    writer.join().unwrap();
}

/// A table over two files with these rows.
fn two_files(fixture: &OfflineFixture, first: &[Row], second: &[Row]) -> (Table, Vec<String>) {
    let plain = ints();
    let write = |name: &str, rows: &[Row]| {
        (fixture.write)(name, &[build::batch(&plain, rows, &Encoding::default())])
    };
    let urls = vec![write("in/b.parquet", first), write("in/a.parquet", second)];
    (build::files_table("t", &[KeyType::Int], urls.clone()), urls)
}

async fn files_are_read_in_their_order(fixture: OfflineFixture) {
    let (first, second) = ([row(1, 5, 5, 1), row(2, 5, 5, 2)], [row(1, 5, 5, 3)]);
    let (mut table, mut urls) = two_files(&fixture, &first, &second);
    let store = &*fixture.store;
    let rows = all(store, &table, |_| ()).await;
    let seen: Vec<_> = rows.iter().map(|row| (row.3, value_of(row))).collect();
    assert_eq!(seen, [(0, 1), (1, 2), (2, 3)], "their seq is their place");
    assert_eq!(values(store, &table, &[ask(1, 9)]).await, [Some(3)]);
    urls.reverse();
    table.source = Source::Files(urls);
    assert_eq!(values(store, &table, &[ask(1, 9)]).await, [Some(1)]);
}

async fn files_below_a_folder_are_all_read(fixture: OfflineFixture) {
    let (first, second) = ([row(1, 5, 5, 1)], [row(1, 5, 5, 3), row(2, 5, 5, 4)]);
    let (mut table, urls) = two_files(&fixture, &first, &second);
    let folder = urls[0].strip_suffix("b.parquet").unwrap();
    table.source = Source::Files(vec![folder.to_owned()]);
    let store = &*fixture.store;
    // In the order of their names: `a` before `b`.
    assert_eq!(values(store, &table, &[ask(1, 9), ask(2, 9)]).await, [Some(1), Some(4)]);
}

async fn a_file_that_is_gone_is_not_found(fixture: OfflineFixture) {
    let (mut table, mut urls) = two_files(&fixture, &[row(1, 5, 5, 1)], &[row(1, 5, 5, 3)]);
    urls.push(urls[0].replace("b.parquet", "gone.parquet"));
    table.source = Source::Files(urls);
    let probe = build::probe(&table, &[ask(1, 9)], false);
    let error = fails(NotFound, fixture.store.as_of(&table, probe).await);
    assert!(error.to_string().contains("gone.parquet"), "{error}");
    fails(NotFound, scan(&*fixture.store, &table, Scan::default()).await);
}

async fn files_without_creation_times_have_unknown_ones(fixture: OfflineFixture) {
    let (mut table, _) = two_files(&fixture, &[row(1, 5, 5, 1)], &[row(1, 5, 5, 3)]);
    table.created = None;
    let store = &*fixture.store;
    assert!(all(store, &table, |_| ()).await.iter().all(|row| row.2.is_none()));
    assert_eq!(values(store, &table, &[ask(1, 9)]).await, [Some(3)]);
    let any = Visibility::default();
    let found = ask_store(store, &table, &[ask(1, 9)], any, KnownAt::EventTime).await.unwrap();
    assert_eq!(found[0].status, RowStatus::NotFound);
}

async fn rows_of_files_without_an_event_time_are_never_seen(fixture: OfflineFixture) {
    let plain = ints();
    let batch = build::batch(
        &plain,
        &[row(1, 5, 5, 1), row(1, 6, 6, 2), row(2, 6, 6, 3)],
        &Encoding::default(),
    );
    let times = TimestampMicrosecondArray::from(vec![Some(5), None, None]);
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let times = || Arc::new(times.clone()) as ArrayRef;
        let is_times = field.name() == "event_time";
        (field.name().clone(), if is_times { times() } else { Arc::clone(column) })
    });
    let url = (fixture.write)("nulls.parquet", &[build::record(columns.collect())]);
    let table = build::files_table("t", &[KeyType::Int], vec![url]);
    assert_eq!(values(&*fixture.store, &table, &[ask(1, 9), ask(2, 9)]).await, [Some(1), None]);
}

async fn a_key_of_another_type_in_a_file_is_invalid(fixture: OfflineFixture) {
    let (mut table, _) = two_files(&fixture, &[row(1, 5, 5, 1)], &[row(1, 5, 5, 3)]);
    table.keys[0].data_type = KeyType::String;
    let mut probe = build::probe(&table, &[], false);
    probe.keys = vec![Arc::new(mlops_core::arrow::array::StringArray::from(vec!["1"]))];
    probe.times = Arc::new(TimestampMicrosecondArray::from(vec![9]));
    let error = fails(Invalid, fixture.store.as_of(&table, probe).await);
    assert!(error.to_string().contains("k0"), "{error}");
}

async fn a_table_of_files_is_at_position_0(fixture: OfflineFixture) {
    let (table, _) = two_files(&fixture, &[row(1, 5, 5, 1)], &[row(1, 5, 5, 3)]);
    let manifest = fixture.store.manifest(&table.id, None).await.unwrap();
    assert_eq!((manifest.position, manifest.segments.len()), (0, 0));
    let probe = build::probe(&table, &[ask(1, 9)], false);
    assert_eq!(fixture.store.as_of(&table, probe).await.unwrap().position, 0);
}
