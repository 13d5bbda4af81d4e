//! Named formats of text.

use serde::{Deserialize, Serialize};

/// A format that text can have. What each accepts, and by which source, is said by `mlops-validate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// `name@host`, as HTML's input field of that type takes it.
    Email,
    /// An absolute URL with a scheme and a host.
    Url,
    /// A UUID: `8-4-4-4-12` hexadecimal digits.
    Uuid,
    /// A calendar date of ISO 8601: `2013-01-31`.
    Date,
    /// A time of day: `23:59:59.5`.
    Time,
    /// An instant of RFC 3339: `2013-01-31T23:59:59Z`.
    DateTime,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A host name of RFC 1123.
    Hostname,
    /// One JSON value.
    Json,
}
