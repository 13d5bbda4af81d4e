//! Killing writers of the embedded online store: readers in other processes see whole entries that
//! never go back, and what was acknowledged is there.
//!
//! Children (this same test binary) are two writers, of even keys and of odd ones, and two readers. In
//! each round the writers write versions of random keys, of random sizes so that the table is often
//! rewritten, and acknowledge them over a pipe; at a random moment they are killed with SIGKILL. The
//! readers go on through all rounds. `MLOPS_CRASH_ROUNDS` sets how often.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test stops where it fails"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures::executor::block_on;
use mlops_core::time::SystemClock;
use mlops_features::online::EmbeddedOnline;
use mlops_features::{
    Entry, FeatureName, KeyBatch, OnlineRow, OnlineStore, TableId, Visibility, Watermark,
    WriteOrder,
};
use xxhash_rust::xxh3::xxh3_64;

const CHILD: &str = "MLOPS_CRASH_CHILD";
const SEED: &str = "MLOPS_CRASH_SEED";
const DIRECTORY: &str = "MLOPS_CRASH_DIRECTORY";
const ROUNDS: &str = "MLOPS_CRASH_ROUNDS";
const KEYS: u64 = 200;
/// All rows are of the past.
const NOW: i64 = i64::MAX;

#[test]
fn what_was_acknowledged_survives_sigkill_and_readers_never_see_half_of_it() {
    let rounds: u64 = std::env::var(ROUNDS).map_or(30, |n| n.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let readers: Vec<Child> = (0..2).map(|n| start("reader", path, n)).collect();
    let mut acknowledged = vec![0; KEYS as usize];
    let (mut rewritten, mut file) = (0, None);
    for round in 0..rounds {
        let started: Vec<_> =
            (0..2).map(|which| listen(start("writer", path, round * 2 + which))).collect();
        // Most kills hit writers at work, however slow the machine is; some hit them as they open.
        if round % 8 != 7 {
            for (_, first, _) in &started {
                first.recv_timeout(Duration::from_mins(1)).expect("a writer writes");
            }
        }
        std::thread::sleep(Duration::from_micros(300 + round * 7_919 % 60_000));
        for (mut writer, _, listener) in started {
            writer.kill().unwrap();
            writer.wait().unwrap();
            for (key, version) in listener.join().unwrap() {
                acknowledged[key as usize] = version;
            }
        }
        let now = current_file(path);
        rewritten += u64::from(now != file);
        file = now;
        check(path, &acknowledged, round);
    }
    std::fs::write(path.join("stop"), "").unwrap();
    for reader in readers {
        let output = reader.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "a reader failed: {text}");
        let reads = text.lines().find_map(|line| line.strip_prefix("@reads ")).unwrap();
        assert!(reads.parse::<u64>().unwrap() > 100, "{reads} reads");
    }
    let all: u64 = acknowledged.iter().sum();
    println!("{rounds} rounds, {all} versions acknowledged, {rewritten} times another file");
    assert!(rounds < 30 || (all > 1_000 && rewritten > 5), "the table is written and rewritten");
}

fn start(what: &str, directory: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, what)
        .env(DIRECTORY, directory)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(if what == "reader" { Stdio::inherit() } else { Stdio::null() })
        .spawn()
        .unwrap()
}

type Listening = (Child, mpsc::Receiver<()>, std::thread::JoinHandle<Vec<(u64, u64)>>);

/// Hears what a writer acknowledges until it is dead.
fn listen(mut writer: Child) -> Listening {
    let out = writer.stdout.take().unwrap();
    let (started, first) = mpsc::channel();
    let listener = std::thread::spawn(move || {
        let mut heard = Vec::new();
        // A line without its end was not written whole: the last of a killed writer.
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let Some(line) = line.strip_prefix("@ack ") else { continue };
            let Some(line) = line.strip_suffix(" .") else { continue };
            let numbers: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            heard.extend(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            // Nobody listens in the rounds that kill early.
            let _ = started.send(());
        }
        heard
    });
    (writer, first, listener)
}

/// Opens the store as it was left, and looks for all that was acknowledged.
fn check(directory: &Path, acknowledged: &[u64], round: u64) {
    let store = open(directory);
    let versions = versions(&store);
    for (key, (found, told)) in versions.iter().zip(acknowledged).enumerate() {
        assert!(found >= told, "round {round}: key {key} is of {found}, {told} was acknowledged");
    }
    let mark = block_on(store.watermark(&table())).unwrap();
    assert_eq!(mark.at as u64, mark.next_seq.wrapping_mul(3), "round {round}: half a watermark");
}

fn open(directory: &Path) -> EmbeddedOnline {
    EmbeddedOnline::open(directory, Arc::new(SystemClock)).unwrap()
}

fn table() -> TableId {
    TableId::new(&FeatureName::new("crash").unwrap(), 1)
}

fn current_file(directory: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(directory.join("crash.1.table")).ok().map(|file| file.ino())
}

fn keys() -> KeyBatch {
    let mut keys = KeyBatch::new();
    for key in 0..KEYS {
        keys.int(key as i64);
        keys.end(true).unwrap();
    }
    keys
}

/// Key, version, filling, and the check of these.
fn payload(key: u64, version: u64) -> Vec<u8> {
    let mut bytes = [key.to_le_bytes(), version.to_le_bytes()].concat();
    let filling = random(&mut (key ^ version << 8)) % 600;
    bytes.resize(16 + filling as usize, version as u8);
    bytes.extend(xxh3_64(&bytes).to_le_bytes());
    bytes
}

fn version(key: u64, entry: &[u8]) -> u64 {
    let row = Entry::parse(entry).unwrap().at(Visibility::default(), NOW).unwrap().unwrap();
    let version = u64::from_le_bytes(row.payload[8..16].try_into().unwrap());
    assert!(row.payload == payload(key, version), "key {key}: a torn payload of {version}");
    assert_eq!(row.order.event_time as u64, version);
    version
}

/// The version of each key; 0 where there is none.
fn versions(store: &EmbeddedOnline) -> Vec<u64> {
    let mut versions = vec![0; KEYS as usize];
    let local = store.local(&table()).unwrap().unwrap();
    local
        .visit(&keys(), &mut |row, entry| {
            versions[row] = entry.map_or(0, |entry| version(row as u64, entry));
            Ok(())
        })
        .unwrap();
    versions
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Not a test: what the children do.
#[test]
fn child() {
    let Ok(what) = std::env::var(CHILD) else { return };
    let directory = std::env::var(DIRECTORY).unwrap();
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    match what.as_str() {
        "writer" => write_until_killed(Path::new(&directory), seed),
        _ => read_until_stopped(Path::new(&directory)),
    }
}

fn write_until_killed(directory: &Path, seed: u64) {
    let store = open(directory);
    let mut versions = versions(&store);
    let (keys, table) = (keys(), table());
    let (mut state, odd) = (seed, seed % 2);
    let mut out = std::io::stdout().lock();
    loop {
        let rows: Vec<(u64, u64, Vec<u8>)> = (0..=random(&mut state) % 20)
            .map(|_| {
                let key = random(&mut state) % (KEYS / 2) * 2 + odd;
                versions[key as usize] += 1;
                let version = versions[key as usize];
                (key, version, payload(key, version))
            })
            .collect();
        let written: Vec<OnlineRow<'_>> = rows
            .iter()
            .map(|(key, version, payload)| OnlineRow {
                key: keys.get(*key as usize).unwrap(),
                order: WriteOrder { event_time: *version as i64, created: 0, seq: *version },
                payload,
                expires: None,
            })
            .collect();
        block_on(store.write(&table, &written, NOW)).unwrap();
        let pairs: Vec<String> = rows.iter().map(|(k, v, _)| format!("{k} {v}")).collect();
        // One write call a line: a line is acknowledged whole or not at all.
        out.write_all(format!("\n@ack {} .\n", pairs.join(" ")).as_bytes()).unwrap();
        if random(&mut state).is_multiple_of(16) {
            let mark = block_on(store.watermark(&table)).unwrap();
            let next_seq = mark.next_seq + 1;
            let next = Watermark { next_seq, at: next_seq.wrapping_mul(3) as i64 };
            // The other writer may have been first.
            let _ = block_on(store.advance(&table, mark, next));
        }
    }
}

fn read_until_stopped(directory: &Path) {
    let store = open(directory);
    let mut last = vec![0; KEYS as usize];
    let mut reads = 0_u64;
    while !directory.join("stop").exists() {
        let found = versions(&store);
        for (key, (found, last)) in found.iter().zip(&last).enumerate() {
            assert!(found >= last, "key {key} went back from {last} to {found}");
        }
        last = found;
        reads += 1;
    }
    println!("\n@reads {reads}");
}
