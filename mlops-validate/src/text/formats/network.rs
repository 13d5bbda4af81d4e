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

pub(super) fn is_cidr(text: &[u8]) -> bool {
    let Some(slash) = text.iter().position(|byte| *byte == b'/') else {
        return false;
    };
    let (address, prefix) = (&text[..slash], &text[slash + 1..]);
    let bits = match *prefix {
        [a @ b'0'..=b'9'] => u32::from(a - b'0'),
        [b'1'..=b'9', ..] => match short(prefix, 3).and_then(|digits| digits.parse().ok()) {
            Some(bits) => bits,
            None => return false,
        },
        _ => return false,
    };
    (bits <= 32 && is_ipv4(address)) || (bits <= 128 && is_ipv6(address))
}

/// The text, if it is not longer than any that could be right.
fn short(text: &[u8], most: usize) -> Option<&str> {
    if text.len() > most {
        return None;
    }
    std::str::from_utf8(text).ok()
}
