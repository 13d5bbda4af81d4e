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
mod golden;
#[cfg(test)]
mod tests;

use arrow::array::Array;
use mlops_core::Result;
use mlops_core::validation::Format;

use super::strings::text_mask;

/// Whether the whole text, which is valid UTF-8, has the format.
///
/// - `Email`: what a browser's `<input type=email>` takes. WHATWG HTML, "valid e-mail address": a
///   subset of RFC 5322 without comments, quoted names and address literals.
/// - `Url`: an absolute URI with scheme, `//` and a host. RFC 3986, §3. Letters beyond ASCII must be
///   percent-encoded, or `xn--` in the host.
/// - `Uuid`: 8-4-4-4-12 hexadecimal digits of either case, any version. RFC 9562 (before, RFC 4122),
///   §4.
/// - `Date`: a calendar date `YYYY-MM-DD` that there is. ISO 8601, RFC 3339 `full-date`.
/// - `DateTime`: an instant, `2024-01-31T23:59:59.5+01:00`. RFC 3339 `date-time`. Second 60 only where
///   a leap second can be: when it is 23:59 in UTC.
/// - `Time`: a time of day, `23:59:59.5`, with or without `Z` or an offset. RFC 3339 `partial-time` or
///   `full-time`. Without an offset second 60 is taken at 23:59.
/// - `Ipv4`: four decimal numbers. RFC 3986 `IPv4address`; no leading zeros, for some read them as
///   octal.
/// - `Ipv6`: RFC 4291, §2.2, all three forms; no zone. `Ip`: an address of either kind.
/// - `Hostname`: labels of 1 to 63 letters, digits and inner hyphens, at most 253 bytes in all; no final
///   dot. RFC 1123, §2.1.
/// - `Json`: a JSON text of any kind. RFC 8259. Nesting is not limited, nor the size of numbers; a `\u`
///   escape may be half of a pair.
#[inline]
pub(crate) fn is_valid(format: Format, text: &[u8]) -> bool {
    match format {
        Format::Email => internet::is_email(text),
        Format::Url => internet::is_url(text),
        Format::Uuid => internet::is_uuid(text),
        Format::Date => time::is_date(text),
        Format::DateTime => time::is_date_time(text),
        Format::Time => time::is_time(text),
        Format::Ipv4 => network::is_ipv4(text),
        Format::Ipv6 => network::is_ipv6(text),
        Format::Ip => network::is_ipv4(text) || network::is_ipv6(text),
        Format::Hostname => internet::is_hostname(text),
        Format::Json => json::is_json(text),
        // One that is newer than this file: nothing is known to have it.
        _ => false,
    }
}

/// Bit i of `failing`: row i is not null and has not the format. What it held before is replaced.
///
/// # Errors
/// `Invalid` if the array is neither `Utf8` nor `LargeUtf8` nor `Utf8View`.
pub(crate) fn mask(format: Format, array: &dyn Array, failing: &mut Vec<u64>) -> Result<()> {
    // One loop for each of the common ones, so that the check is compiled into it.
    match format {
        Format::Email => text_mask(array, failing, |text| !internet::is_email(text)),
        Format::Uuid => text_mask(array, failing, |text| !internet::is_uuid(text)),
        Format::Date => text_mask(array, failing, |text| !time::is_date(text)),
        other => text_mask(array, failing, |text| !is_valid(other, text)),
    }
}
