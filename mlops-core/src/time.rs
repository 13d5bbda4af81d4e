//! Instants, and the one file that may read the wall clock.
//!
//! All instants are UTC with microseconds. Everything that needs "now" takes a [`Clock`], so a test
//! steps time by hand and never sleeps.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeZone, Utc};

use crate::{Error, Result};

/// An instant: UTC, microseconds.
pub type Instant = DateTime<Utc>;

/// The first instant that may be stored: 1970-01-01T00:00:00Z, in microseconds.
pub const MIN_MICROS: i64 = 0;
/// The last instant that may be stored: 9999-12-31T23:59:59.999999Z, in microseconds.
pub const MAX_MICROS: i64 = 253_402_300_799_999_999;

/// Where "now" comes from.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Microseconds since 1970-01-01T00:00:00Z. May step backwards as the system's clock does.
    fn now_micros(&self) -> i64;

    /// [`Clock::now_micros`] as an [`Instant`].
    fn now(&self) -> Instant {
        from_micros_lossy(self.now_micros())
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now_micros(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
    }
}

/// A clock that moves only when told to, for tests and replays.
///
/// ```
/// use mlops_core::time::{Clock, ManualClock};
///
/// let clock = ManualClock::at_micros(1_000);
/// clock.advance_micros(500);
/// assert_eq!(clock.now_micros(), 1_500);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `micros` since 1970.
    pub fn at_micros(micros: i64) -> Self {
        Self(AtomicI64::new(micros))
    }

    /// Moves the clock forward (or back, if negative).
    pub fn advance_micros(&self, by: i64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Microseconds since 1970 of an instant within 1970..=9999.
///
/// # Errors
/// `Invalid` outside that range.
///
/// ```
/// use mlops_core::time::{from_micros, to_micros};
/// let t = from_micros(1_700_000_000_000_001).unwrap();
/// assert_eq!(to_micros(t).unwrap(), 1_700_000_000_000_001);
/// assert!(from_micros(-1).is_err());
/// ```
pub fn to_micros(instant: Instant) -> Result<i64> {
    check_micros(instant.timestamp_micros())
}

/// The instant of microseconds since 1970, within 1970..=9999.
///
/// # Errors
/// `Invalid` outside that range.
pub fn from_micros(micros: i64) -> Result<Instant> {
    check_micros(micros).map(from_micros_lossy)
}

/// `micros`, if it is within 1970..=9999.
///
/// # Errors
/// `Invalid` outside that range.
#[inline]
pub fn check_micros(micros: i64) -> Result<i64> {
    if (MIN_MICROS..=MAX_MICROS).contains(&micros) {
        Ok(micros)
    } else {
        Err(Error::invalid("time", "instant is outside 1970-01-01..9999-12-31")
            .with("microseconds", micros))
    }
}

/// The instant of microseconds since 1970; what lies outside chrono's range is cut to its bounds.
pub fn from_micros_lossy(micros: i64) -> Instant {
    Utc.timestamp_micros(micros).single().unwrap_or(if micros < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}
