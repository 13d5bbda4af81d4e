//! The signature of a webhook: what the sender writes, and how a receiver checks it.
//!
//! A delivery has the headers
//!
//! ```text
//! mlops-timestamp: 1700000000
//! mlops-signature: v1=<hex of HMAC-SHA256(secret, timestamp + "." + body)>
//! ```
//!
//! A receiver takes the body's bytes as they came, computes the same, compares in constant time,
//! and refuses a timestamp that is more than some minutes away: otherwise a delivery that somebody
//! recorded could be sent again for ever. What was delivered twice has the same `id` in its body.
//! Rust receivers call [`verify_signature`]; in Python it is
//!
//! ```python
//! import hashlib, hmac, time
//!
//! def verified(secret: bytes, headers, body: bytes, tolerance=300) -> bool:
//!     timestamp = headers["mlops-timestamp"]
//!     expected = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
//!     given = headers["mlops-signature"].removeprefix("v1=")
//!     fresh = abs(time.time() - int(timestamp)) <= tolerance
//!     return fresh and hmac.compare_digest(expected, given)
//! ```
//!
//! Needs the feature `webhooks`.

use std::fmt::Write as _;
use std::time::Duration;

use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, Result, Secret};
use ring::hmac;

/// The header of the signature.
pub const SIGNATURE_HEADER: &str = "mlops-signature";
/// The header of the instant of signing, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "mlops-timestamp";
/// The header of the event's operation.
pub const EVENT_HEADER: &str = "mlops-event";
/// The header of the event's number in the journal.
pub const DELIVERY_HEADER: &str = "mlops-delivery";

/// The value of the signature's header: `v1=` and 64 hexadecimal digits.
pub fn signature(secret: &Secret<String>, timestamp: &str, body: &[u8]) -> String {
    let mut text = String::from("v1=");
    let tag = hmac::sign(&key(secret), &signed(timestamp, body));
    for byte in tag.as_ref() {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Checks a delivery, for receivers: `timestamp` and `header` as they stood in the headers.
///
/// The header may hold several signatures with commas between them, so that a sender can change its
/// secret; one that is right is enough. Compares in constant time.
///
/// # Errors
/// `Denied` if no signature is right, or if `timestamp` is further than `tolerance` from `now`.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use mlops_core::{Secret, time::from_micros_lossy};
/// use mlops_registry::feed::sign::{signature, verify_signature};
///
/// let secret = Secret::new("it's a secret".to_owned());
/// let body = br#"{"id":"team/7","sequence":7}"#;
/// let header = signature(&secret, "1700000000", body);
///
/// let tolerance = Duration::from_mins(5);
/// let now = from_micros_lossy(1_700_000_010_000_000);
/// verify_signature(&secret, "1700000000", body, &header, now, tolerance)?;
/// assert!(verify_signature(&secret, "1700000000", b"{}", &header, now, tolerance).is_err());
/// # Ok::<_, mlops_core::Error>(())
/// ```
pub fn verify_signature(
    secret: &Secret<String>,
    timestamp: &str,
    body: &[u8],
    header: &str,
    now: Instant,
    tolerance: Duration,
) -> Result<()> {
    let denied =
        |message: &'static str| Error::new(ErrorKind::Denied, "feed.verify_signature", message);
    let (key, signed_bytes) = (key(secret), signed(timestamp, body));
    let right = header.split(',').any(|one| {
        let digits = one.trim().strip_prefix("v1=").and_then(unhex);
        digits.is_some_and(|tag| hmac::verify(&key, &signed_bytes, &tag).is_ok())
    });
    if !right {
        return Err(denied("the signature is not the secret's")
            .with_hint("sign the timestamp's text, a dot and the body's bytes as they came"));
    }
    let age = timestamp.parse::<i64>().ok().map(|signed| now.timestamp().abs_diff(signed));
    match age {
        Some(age) if age <= tolerance.as_secs() => Ok(()),
        _ => Err(denied("the delivery was signed too long ago, or in the future")
            .with("timestamp", timestamp.escape_debug())
            .with("tolerance_secs", tolerance.as_secs())
            .with_hint("if the clocks are right, somebody sent an old delivery again")),
    }
}

fn key(secret: &Secret<String>) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

/// The bytes that are signed.
fn signed(timestamp: &str, body: &[u8]) -> Vec<u8> {
    [timestamp.as_bytes(), b".", body].concat()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let pairs = digits.chunks_exact(2).map(|pair| {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        Some((nibble(pair[0])? * 16 + nibble(pair[1])?) as u8)
    });
    if digits.len() == 64 { pairs.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use mlops_core::time::from_micros_lossy;

    use super::*;

    const BODY: &[u8] = br#"{"id":"team/7","sequence":7}"#;
    /// `hmac.new(b"it's a secret", b"1700000000." + body, hashlib.sha256).hexdigest()` of Python 3.
    const GOLDEN: &str = "v1=b56dbdd44687304732dc6a68aedc77d1b22b98222f89a84fa1f90ee3fed890b2";

    fn verified(secret: &str, timestamp: &str, body: &[u8], header: &str, now_secs: i64) -> bool {
        let secret = Secret::new(secret.to_owned());
        let now = from_micros_lossy(now_secs * 1_000_000);
        verify_signature(&secret, timestamp, body, header, now, Duration::from_mins(5)).is_ok()
    }

    #[test]
    fn the_signature_is_the_one_that_python_computes() {
        let secret = Secret::new("it's a secret".to_owned());
        assert_eq!(signature(&secret, "1700000000", BODY), GOLDEN);
    }

    #[test]
    fn nothing_but_the_same_secret_body_and_timestamp_verifies() {
        let (secret, at, now) = ("it's a secret", "1700000000", 1_700_000_000);
        assert!(verified(secret, at, BODY, GOLDEN, now));
        assert!(verified(secret, at, BODY, &format!("v1={}, {GOLDEN}", "0".repeat(64)), now));
        assert!(!verified("it's another", at, BODY, GOLDEN, now));
        assert!(!verified(secret, at, b"{}", GOLDEN, now));
        assert!(!verified(secret, "1700000001", BODY, GOLDEN, now));
        for wrong in ["", "v1=", "v1=é", &GOLDEN[3..], &GOLDEN[..66], &GOLDEN.replace("v1", "v0")]
        {
            assert!(!verified(secret, at, BODY, wrong, now), "{wrong}");
        }
    }

    #[test]
    fn an_old_delivery_does_not_verify() {
        let at = "1700000000";
        for (now, right) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let now = 1_700_000_000 + now;
            assert_eq!(verified("it's a secret", at, BODY, GOLDEN, now), right, "{now}");
        }
    }
}
