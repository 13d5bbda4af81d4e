//! Formats that have a name, so that nobody needs to write their pattern again.
//!
//! Each follows one published document, named with it, and where that leaves a choice takes the strict
//! side: `2024-02-30` is no date, an e-mail address has no display name. What is checked is the form;
//! whether a mailbox or a host exists is another question. Checking reads a text once and allocates
//! nothing.

mod internet;
mod json;
mod network;
mod time;

#[cfg(test)]
mod tests;

use arrow::array::Array;
use mlops_core::Result;
use serde::{Deserialize, Serialize};

use super::strings::text_mask;

/// A named format of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// An e-mail address, as a browser's `<input type=email>` takes it: WHATWG HTML, "valid e-mail
    /// address", a subset of RFC 5322 without comments, quoted names and address literals.
    Email,
    /// An absolute URI with scheme, `//` and a host: RFC 3986, §3. Letters beyond ASCII must be
    /// percent-encoded, or `xn--` in the host.
    Url,
    /// A UUID: RFC 9562 (before, RFC 4122), §4: 8-4-4-4-12 hexadecimal digits of either case, any
    /// version.
    Uuid,
    /// A calendar date `YYYY-MM-DD` that there is: ISO 8601, RFC 3339 `full-date`.
    Date,
    /// An instant, `2024-01-31T23:59:59.5+01:00`: RFC 3339 `date-time`. Second 60 only where a leap
    /// second can be: when it is 23:59 in UTC.
    DateTime,
    /// A time of day, `23:59:59.5`, with or without `Z` or an offset: RFC 3339 `partial-time` or
    /// `full-time`. Without an offset second 60 is taken at 23:59.
    Time,
    /// Four decimal numbers: RFC 3986 `IPv4address`; no leading zeros, for some read them as octal.
    Ipv4,
    /// An IPv6 address: RFC 4291, §2.2, all three forms; no zone.
    Ipv6,
    /// An address of either kind.
    Ip,
    /// An address of either kind, `/`, and the length of a prefix: RFC 4632, RFC 4291, §2.3. Bits
    /// after the prefix may be set.
    Cidr,
    /// A host name: RFC 1123, §2.1: labels of 1 to 63 letters, digits and inner hyphens, at most 253
    /// in all; no final dot.
    Hostname,
    /// A JSON text of any kind: RFC 8259. Nesting is not limited, nor the size of numbers; a `\u`
    /// escape may be half of a pair.
    Json,
}

impl Format {
    /// Every format.
    pub(crate) const ALL: [Self; 12] = [
        Self::Email,
        Self::Url,
        Self::Uuid,
        Self::Date,
        Self::DateTime,
        Self::Time,
        Self::Ipv4,
        Self::Ipv6,
        Self::Ip,
        Self::Cidr,
        Self::Hostname,
        Self::Json,
    ];

    /// Whether the whole text, which is valid UTF-8, has this format.
    #[inline]
    pub(crate) fn is_valid(self, text: &[u8]) -> bool {
        match self {
            Self::Email => internet::is_email(text),
            Self::Url => internet::is_url(text),
            Self::Uuid => internet::is_uuid(text),
            Self::Date => time::is_date(text),
            Self::DateTime => time::is_date_time(text),
            Self::Time => time::is_time(text),
            Self::Ipv4 => network::is_ipv4(text),
            Self::Ipv6 => network::is_ipv6(text),
            Self::Ip => network::is_ipv4(text) || network::is_ipv6(text),
            Self::Cidr => network::is_cidr(text),
            Self::Hostname => internet::is_hostname(text),
            Self::Json => json::is_json(text),
        }
    }

    /// Bit i of `failing`: row i is not null and has not this format. What it held before is replaced.
    ///
    /// # Errors
    /// `Invalid` if the array is neither `Utf8` nor `LargeUtf8` nor `Utf8View`.
    pub(crate) fn mask(self, array: &dyn Array, failing: &mut Vec<u64>) -> Result<()> {
        // One loop for each, so that the check is compiled into it.
        match self {
            Self::Email => text_mask(array, failing, |text| !internet::is_email(text)),
            Self::Uuid => text_mask(array, failing, |text| !internet::is_uuid(text)),
            Self::Date => text_mask(array, failing, |text| !time::is_date(text)),
            other => text_mask(array, failing, |text| !other.is_valid(text)),
        }
    }
}
