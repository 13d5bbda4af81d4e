//! Bytes that the machine sent and received, over all interfaces but loopback.
//!
//! On Linux from `/proc/self/net/dev`: one file for all interfaces, 25 µs. sysinfo reads a dozen
//! files for each interface, and its addresses too, which took 400 µs with four of them: more than
//! all else that a sample reads. Elsewhere sysinfo is asked.

/// Bytes, summed up reading by reading: an interface that goes away takes its counter with it, and
/// one that comes must not bring what it moved before.
#[derive(Debug)]
pub(super) struct Network {
    counters: Counters,
    received: u64,
    sent: u64,
}

impl Network {
    /// Starts counting.
    pub(super) fn new() -> Self {
        Self { counters: Counters::new(), received: 0, sent: 0 }
    }

    /// Received and sent since the start; `None` if the system does not tell.
    pub(super) fn moved(&mut self) -> Option<(u64, u64)> {
        let (received, sent) = self.counters.moved()?;
        self.received = self.received.saturating_add(received);
        self.sent = self.sent.saturating_add(sent);
        Some((self.received, self.sent))
    }
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Counters {
    /// Each interface's name, received and sent bytes.
    last: Vec<(String, u64, u64)>,
}

#[cfg(target_os = "linux")]
impl Counters {
    fn new() -> Self {
        Self { last: read().unwrap_or_default() }
    }

    fn moved(&mut self) -> Option<(u64, u64)> {
        let now = read()?;
        let moved = moved_between(&self.last, &now);
        self.last = now;
        Some(moved)
    }
}

#[cfg(target_os = "linux")]
fn read() -> Option<Vec<(String, u64, u64)>> {
    std::fs::read_to_string("/proc/self/net/dev").ok().map(|text| parse(&text))
}

/// Reads lines like `  eth0: 1296 2 0 0 0 0 0 0 840 …`: received bytes first, sent bytes ninth.
#[cfg(target_os = "linux")]
pub(super) fn parse(text: &str) -> Vec<(String, u64, u64)> {
    let rows = text.lines().filter_map(|line| {
        let (name, counters) = line.split_once(':')?;
        let mut counters = counters.split_whitespace().map(|number| number.parse().ok());
        let received = counters.next()??;
        let sent = counters.nth(7)??;
        let name = name.trim();
        (name != "lo").then(|| (name.to_owned(), received, sent))
    });
    rows.collect()
}

/// What the interfaces moved that are in both readings; nothing where a counter went back.
#[cfg(target_os = "linux")]
pub(super) fn moved_between(
    before: &[(String, u64, u64)],
    now: &[(String, u64, u64)],
) -> (u64, u64) {
    let pairs = now.iter().filter_map(|now| Some((before.iter().find(|old| old.0 == now.0)?, now)));
    pairs.fold((0, 0), |(received, sent), (old, now)| {
        (
            received.saturating_add(now.1.saturating_sub(old.1)),
            sent.saturating_add(now.2.saturating_sub(old.2)),
        )
    })
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Counters {
    networks: Option<sysinfo::Networks>,
}

#[cfg(not(target_os = "linux"))]
impl Counters {
    fn new() -> Self {
        Self { networks: sysinfo::Networks::new_with_refreshed_list().ok() }
    }

    fn moved(&mut self) -> Option<(u64, u64)> {
        let networks = self.networks.as_mut()?;
        networks.refresh(true);
        let physical = networks.iter().filter(|(name, _)| *name != "lo" && *name != "lo0");
        Some(physical.fold((0, 0), |(received, sent), (_, interface)| {
            (
                received.saturating_add(interface.received()),
                sent.saturating_add(interface.transmitted()),
            )
        }))
    }
}
