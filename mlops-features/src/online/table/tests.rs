use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::features::{FeatureName, WriteOrder};
use mlops_core::time::SystemClock;

use super::*;

const NOW: i64 = 1 << 40;

fn table() -> TableId {
    TableId::new(&FeatureName::new("view").unwrap(), 1)
}

fn open(directory: &Path) -> EmbeddedOnline {
    EmbeddedOnline::open(directory, Arc::new(SystemClock)).unwrap()
}

/// As after the machine has started again.
fn open_in_boot(directory: &Path, boot: &str) -> EmbeddedOnline {
    let file = directory.join("boot");
    fs::write(&file, boot).unwrap();
    let options = EmbeddedOptions::default().with_boot_id(file);
    EmbeddedOnline::open_with(directory.join("store"), Arc::new(SystemClock), options).unwrap()
}

fn key(n: u64) -> Vec<u8> {
    format!("key number {n}").into_bytes()
}

fn keys(of: impl IntoIterator<Item = u64>) -> KeyBatch {
    let mut batch = KeyBatch::new();
    for n in of {
        batch.text(&key(n));
        batch.end(true).unwrap();
    }
    batch
}

/// Writes version `at` of these keys.
fn write(store: &EmbeddedOnline, of: impl IntoIterator<Item = u64>, at: i64) -> OnlineWritten {
    let batch = keys(of);
    let payload = format!("payload of {at}").repeat(10);
    let rows: Vec<OnlineRow<'_>> = batch
        .iter()
        .flatten()
        .map(|key| OnlineRow {
            key,
            order: WriteOrder { event_time: at, created: 0, seq: 0 },
            payload: payload.as_bytes(),
            expires: None,
        })
        .collect();
    block_on(store.write(&table(), &rows, NOW)).unwrap()
}

fn read(store: &EmbeddedOnline, of: impl IntoIterator<Item = u64>) -> Result<Vec<bool>> {
    let batch = keys(of);
    let found = block_on(store.read(&[TableRead { table: &table(), keys: &batch }]))?;
    Ok(found[0].iter().map(Option::is_some).collect())
}

fn advance(store: &EmbeddedOnline, next_seq: u64) {
    let was = block_on(store.watermark(&table())).unwrap();
    block_on(store.advance(&table(), was, Watermark { next_seq, at: 1 })).unwrap();
}

/// Overwrites bytes of the table's file where it holds this text.
fn spoil(path: &Path, text: &[u8]) {
    let bytes = fs::read(path).unwrap();
    let at = bytes.windows(text.len()).rposition(|window| window == text).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(b"#", at as u64).unwrap();
}

fn holds(directory: &Path, text: &[u8]) -> bool {
    fs::read_dir(directory).unwrap().any(|file| {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text)
    })
}

#[test]
fn a_table_that_grows_is_rewritten_and_readers_follow() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, reader) = (open(directory.path()), open(directory.path()));
    let local = reader.local(&table()).unwrap().unwrap();
    for round in 0..20 {
        write(&writer, 0..(round + 1) * 200, round as i64);
        let mut found = 0;
        local
            .visit(&keys(0..4_000), &mut |_, entry| {
                found += u64::from(entry.is_some());
                Ok(())
            })
            .unwrap();
        assert_eq!(found, (round + 1) * 200);
    }
    let amount = writer.table(&table()).current().unwrap().unwrap().amount();
    assert_eq!(amount.entries, 4_000, "counted once each");
    let path = directory.path().join("view.1.table");
    let size = fs::metadata(&path).unwrap().len();
    assert!(size < 8 * amount.bytes, "{size} for {}", amount.bytes);
}

#[test]
fn of_erased_keys_no_byte_is_left_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for at in 0..3 {
        write(&store, 0..50, at);
    }
    advance(&store, 150);
    assert!(holds(directory.path(), b"key number 33"));
    assert_eq!(block_on(store.erase(&table(), &keys([33, 33, 99]))).unwrap(), 1);
    assert!(!holds(directory.path(), b"key number 33"));
    assert!(holds(directory.path(), b"key number 34"));
    assert_eq!(read(&store, [33, 34]).unwrap(), [false, true]);
    assert_eq!(block_on(store.watermark(&table())).unwrap().next_seq, 150);
}

#[test]
fn what_a_killed_writer_left_of_an_erased_key_is_erased_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, 0..5, 1);
    // Killed after the record was added, and before a slot named it; and in the middle of a rewrite.
    let generation = store.table(&table()).current().unwrap().unwrap();
    generation.begin();
    generation.add_unnamed(&key(7));
    fs::write(directory.path().join("view.1.next"), key(7)).unwrap();
    assert!(holds(directory.path(), &key(7)));
    assert_eq!(block_on(store.erase(&table(), &keys([7]))).unwrap(), 0);
    assert!(!holds(directory.path(), &key(7)));
    assert_eq!(read(&store, 0..6).unwrap(), [true, true, true, true, true, false]);
}

#[test]
fn a_writer_killed_before_the_next_file_took_its_place_leaves_a_table_that_works() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, reader) = (open(directory.path()), open(directory.path()));
    write(&writer, 0..5, 1);
    assert_eq!(read(&reader, [1]).unwrap(), [true]);
    writer.table(&table()).current().unwrap().unwrap().set_retired(true);
    assert_eq!(read(&reader, [1]).unwrap(), [true], "found again under its name");
    write(&writer, 5..6, 1);
    assert!(!reader.table(&table()).current().unwrap().unwrap().is_retired());
    assert_eq!(read(&reader, [1, 5]).unwrap(), [true, true]);
}

#[test]
fn a_record_that_is_not_what_was_written_is_an_error_and_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    write(&store, 0..5, 1);
    for text in [b"key number 3".as_slice(), b"payload of 1"] {
        spoil(&directory.path().join("view.1.table"), text);
    }
    let error = read(&store, [3]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.hint().unwrap().contains("materialize"));
    assert_eq!(read(&store, [0]).unwrap(), [true], "others answer");
    block_on(store.drop_table(&table())).unwrap();
    write(&store, 0..5, 1);
    assert_eq!(read(&store, [3]).unwrap(), [true]);
}

#[test]
fn a_file_that_is_cut_foreign_or_newer_is_an_error_and_can_be_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("view.1.table");
    write(&open(directory.path()), 0..5, 1);
    let good = fs::read(&path).unwrap();
    let newer = [&[2], &good[1..]].concat();
    let cases = [
        (&good[..0], ErrorKind::Corrupt),
        (&good[..100], ErrorKind::Corrupt),
        (&good[..good.len() / 2], ErrorKind::Corrupt),
        (b"PAR1 and more than three words of text".as_slice(), ErrorKind::Corrupt),
        (&newer, ErrorKind::Unsupported),
    ];
    for (bytes, kind) in cases {
        fs::write(&path, bytes).unwrap();
        let store = open(directory.path());
        assert_eq!(read(&store, [1]).unwrap_err().kind(), kind);
        assert_eq!(block_on(store.watermark(&table())).unwrap_err().kind(), kind);
        block_on(store.drop_table(&table())).unwrap();
        assert_eq!(read(&store, [1]).unwrap(), [false]);
    }
}

#[test]
fn after_a_new_start_of_the_machine_a_sound_table_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_in_boot(directory.path(), "one");
    write(&store, 0..500, 1);
    advance(&store, 500);
    for (at, boot) in (2..).zip(["two", "", "three"]) {
        let store = open_in_boot(directory.path(), boot);
        assert!(read(&store, 0..500).unwrap().iter().all(|there| *there));
        assert_eq!(block_on(store.watermark(&table())).unwrap().next_seq, 500);
        // Whether the disk kept what was reserved is not known.
        let generation = store.table(&table()).current().unwrap().unwrap();
        assert!(generation.is_reserved_anew(), "{boot}");
        assert_eq!(write(&store, 0..10, 1).stale, 10);
        assert_eq!(write(&store, 0..10, at).changed, 10);
    }
}

#[test]
fn after_a_power_loss_a_torn_table_begins_anew_without_a_watermark() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store/view.1.table");
    // A record whose page was lost; and a record whose slot was.
    let losses: [fn(&Path, &EmbeddedOnline); 2] = [
        |file, _| spoil(file, b"payload of 1"),
        |_, store| {
            let generation = store.table(&table()).current().unwrap().unwrap();
            generation.lose_a_slot_before_another();
        },
    ];
    for lose in losses {
        let store = open_in_boot(directory.path(), "one");
        write(&store, 0..700, 1);
        advance(&store, 500);
        let reader = store.local(&table()).unwrap().unwrap();
        lose(&file, &store);
        let store = open_in_boot(directory.path(), "two");
        assert!(read(&store, 0..700).unwrap().iter().all(|there| !there));
        assert_eq!(block_on(store.watermark(&table())).unwrap(), Watermark::default());
        assert!(block_on(store.tables()).unwrap().is_empty());
        write(&store, 0..5, 1);
        assert_eq!(read(&store, [4, 5]).unwrap(), [true, false]);
        drop(reader);
        block_on(store.drop_table(&table())).unwrap();
    }
}

#[test]
fn a_key_or_entry_that_is_too_large_is_refused_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let order = WriteOrder { event_time: 1, created: 0, seq: 0 };
    let row = |key, payload| OnlineRow { key, order, payload, expires: None };
    let (long, large) = (vec![0; layout::MAX_KEY + 1], vec![0; layout::MAX_ENTRY]);
    for wrong in [row(&long, b""), row(b"k", &large)] {
        let error = block_on(store.write(&table(), &[row(b"a", b""), wrong], NOW)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let said = error.to_string();
        let parts = ["at_most", "table: view.1", "key: "];
        assert!(parts.iter().all(|part| said.contains(part)) && said.len() < 400, "{said}");
    }
    let most = [row(&long[1..], &large[30..])];
    assert_eq!(block_on(store.write(&table(), &most, NOW)).unwrap().changed, 1);
}

#[test]
fn a_directory_that_was_taken_away_is_not_written_into_the_void() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path);
    write(&store, 0..5, 1);
    fs::remove_file(path.join("view.1.table")).unwrap();
    write(&store, 0..1, 1);
    assert_eq!(read(&open(&path), [0, 1]).unwrap(), [true, false]);
}
