use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::super::SystemSampler;
#[cfg(target_os = "linux")]
use super::super::network;

type Sample = BTreeMap<&'static str, f64>;

fn sample(sampler: &mut SystemSampler) -> Sample {
    let list = sampler.sample();
    let count = list.len();
    let sample: Sample = list.into_iter().collect();
    assert_eq!(sample.len(), count, "a name stands twice");
    sample
}

fn spin(time: Duration) {
    let start = Instant::now();
    let mut x = 1_u64;
    while start.elapsed() < time {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005));
    }
}

#[test]
fn a_sample_holds_sane_numbers() {
    let mut sampler = SystemSampler::new();
    spin(Duration::from_millis(250));
    let sample = sample(&mut sampler);
    for (name, value) in &sample {
        assert!(mlops_core::Key::new(name).is_ok());
        assert!(value.is_finite() && *value >= 0.0, "{name}: {value}");
    }
    for name in ["system/cpu_percent", "system/memory_percent"] {
        assert!((0.0..=100.0).contains(&sample[name]), "{name}: {}", sample[name]);
    }
    assert!(sample["system/process_rss_bytes"] > 1e5);
    assert!(sample["system/process_rss_bytes"] < sample["system/memory_used_bytes"]);
    assert!(sample["system/disk_free_bytes"] > 0.0);
}

#[test]
fn the_processs_load_grows_with_work() {
    let mut sampler = SystemSampler::new().without_gpus();
    spin(Duration::from_millis(600));
    let busy = sample(&mut sampler)["system/process_cpu_percent"];
    // Other tests run beside this one, and on few cores: work shows, idleness may not.
    assert!(busy > 20.0, "{busy}");
    assert!(busy <= 100.0 * 1_024.0);
}

#[test]
fn the_load_is_absent_at_first_and_stays_for_a_moment() {
    let mut sampler = SystemSampler::new();
    let start = Instant::now();
    let first = sample(&mut sampler);
    if start.elapsed() < Duration::from_millis(150) {
        assert!(!first.contains_key("system/cpu_percent"));
        assert!(!first.contains_key("system/process_cpu_percent"));
    }
    assert!(first.contains_key("system/memory_used_bytes"));
    spin(Duration::from_millis(250));
    let second = sample(&mut sampler);
    let start = Instant::now();
    let third = sample(&mut sampler);
    if start.elapsed() < Duration::from_millis(150) {
        assert_eq!(second["system/cpu_percent"], third["system/cpu_percent"]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_process_writes_is_counted_since_the_sampler_was_made() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let mut file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        file.sync_all().unwrap();
    };
    write("before");
    let mut sampler = SystemSampler::new().with_disk(dir.path());
    write("after");
    let Some(written) = sample(&mut sampler).get("system/disk_write_bytes").copied() else {
        return;
    };
    // Other tests write too; a file system in memory counts nothing.
    assert!(written == 0.0 || written >= f64::from(1 << 20), "{written}");
}

#[test]
fn a_disk_that_is_not_there_is_absent() {
    let mut sampler = SystemSampler::new().with_disk("/no/such/path");
    assert!(!sample(&mut sampler).contains_key("system/disk_free_bytes"));
}

#[test]
#[cfg(target_os = "linux")]
fn network_counters_survive_interfaces_that_come_and_go() {
    let text = "Inter-|   Receive                    |  Transmit\n face |bytes    packets errs|bytes\n    \
                lo: 99 1 0 0 0 0 0 0 99 1 0 0 0 0 0 0\n  eth0:100 2 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n";
    let before = network::parse(text);
    assert_eq!(before, [("eth0".to_owned(), 100, 50)]);
    let row = |name: &str, received, sent| (name.to_owned(), received, sent);
    let now = [row("wlan0", 1_000, 1_000), row("eth0", 130, 51)];
    assert_eq!(network::moved_between(&before, &now), (30, 1), "wlan0 is new");
    assert_eq!(network::moved_between(&now, &[]), (0, 0), "all are gone");
    assert_eq!(network::moved_between(&before, &[row("eth0", 7, 60)]), (0, 10), "started over");
}
