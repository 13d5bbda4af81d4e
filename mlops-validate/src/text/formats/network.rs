//! Addresses of machines, by the standard library's parsers.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest text of an IPv6 address: six groups and an IPv4 address.
const LONGEST: usize = 45;

pub(super) fn is_ipv4(text: &[u8]) -> bool {
    short(text, 15).is_some_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

pub(super) fn is_ipv6(text: &[u8]) -> bool {
    short(text, LONGEST).is_some_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// The text, if it is not longer than any that could be right.
fn short(text: &[u8], most: usize) -> Option<&str> {
    if text.len() > most {
        return None;
    }
    std::str::from_utf8(text).ok()
}
