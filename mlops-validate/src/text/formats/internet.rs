//! Addresses of people and things: e-mail, URL, host name, UUID.

use super::network;

/// What a byte may be part of.
const LOCAL: u8 = 1;
const LABEL: u8 = 2;
const ALPHANUMERIC: u8 = 4;
const HEX: u8 = 8;
/// RFC 3986: unreserved and sub-delims.
const REG_NAME: u8 = 16;
/// And `:`, of userinfo.
const USER: u8 = 32;
/// And `@`, of paths; with `/` and `?`, of queries.
const PATH: u8 = 64;
const SCHEME: u8 = 128;

const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let mut kind = 0;
        if alphanumeric {
            kind |= ALPHANUMERIC | LABEL | LOCAL | REG_NAME | USER | PATH | SCHEME;
        }
        if byte.is_ascii_hexdigit() {
            kind |= HEX;
        }
        if matches!(
            byte,
            b'.' | b'!'
                | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
                | b'-'
        ) {
            kind |= LOCAL;
        }
        if byte == b'-' {
            kind |= LABEL;
        }
        if matches!(byte, b'+' | b'-' | b'.') {
            kind |= SCHEME;
        }
        if matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        ) {
            kind |= REG_NAME | USER | PATH;
        }
        if byte == b':' {
            kind |= USER | PATH;
        }
        if matches!(byte, b'@' | b'/' | b'?') {
            kind |= PATH;
        }
        kinds[byte as usize] = kind;
        byte += 1;
    }
    kinds
};

#[inline]
fn is(byte: u8, kind: u8) -> bool {
    KINDS[usize::from(byte)] & kind != 0
}

/// Whether all bytes are of the kind. Looks at every one: on the way there nothing can be mispredicted.
#[inline]
fn all(text: &[u8], kind: u8) -> bool {
    text.iter().fold(kind, |kinds, byte| kinds & KINDS[usize::from(*byte)]) != 0
}

#[inline]
pub(super) fn is_email(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|byte| *byte == b'@') else {
        return false;
    };
    let (local, domain) = (&text[..at], &text[at + 1..]);
    !local.is_empty() && all(local, LOCAL) && are_labels(domain)
}

pub(super) fn is_hostname(text: &[u8]) -> bool {
    text.len() <= 253 && are_labels(text)
}

/// Labels of 1 to 63 letters, digits and hyphens (inner ones), with dots between them.
#[inline]
fn are_labels(text: &[u8]) -> bool {
    let mut length = 0;
    // As after a dot: a hyphen may neither follow one nor be followed by one.
    let mut before = b'.';
    for &byte in text {
        if byte == b'.' {
            if length == 0 || length > 63 || before == b'-' {
                return false;
            }
            length = 0;
        } else {
            if !is(byte, LABEL) || (byte == b'-' && before == b'.') {
                return false;
            }
            length += 1;
        }
        before = byte;
    }
    length != 0 && length <= 63 && before != b'-'
}

#[inline]
pub(super) fn is_uuid(text: &[u8]) -> bool {
    let Some((text, [])) = text.split_first_chunk::<36>() else {
        return false;
    };
    let hyphens = [8, 13, 18, 23].map(|at| text[at] == b'-') == [true; 4];
    hyphens
        && all(&text[..8], HEX)
        && all(&text[9..13], HEX)
        && all(&text[14..18], HEX)
        && all(&text[19..23], HEX)
        && all(&text[24..], HEX)
}

pub(super) fn is_url(text: &[u8]) -> bool {
    let Some(colon) = text.iter().position(|byte| !is(*byte, SCHEME)) else {
        return false;
    };
    let Some(rest) = text[colon..].strip_prefix(b"://") else {
        return false;
    };
    if !text[0].is_ascii_alphabetic() {
        return false;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (rest, fragment) = match rest.iter().position(|byte| *byte == b'#') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &[][..]),
    };
    is_authority(authority) && is_encoded(rest, PATH) && is_encoded(fragment, PATH)
}

/// `[user@]host[:port]`, with a host.
fn is_authority(text: &[u8]) -> bool {
    let host = match text.iter().rposition(|byte| *byte == b'@') {
        Some(at) if !is_encoded(&text[..at], USER) => return false,
        Some(at) => &text[at + 1..],
        None => text,
    };
    let (host, port) = if let Some(literal) = host.strip_prefix(b"[") {
        let Some(end) = literal.iter().position(|byte| *byte == b']') else {
            return false;
        };
        if !is_ip_literal(&literal[..end]) {
            return false;
        }
        (&b"[]"[..], &literal[end + 1..])
    } else {
        let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
        if !is_encoded(&host[..end], REG_NAME) {
            return false;
        }
        host.split_at(end)
    };
    let port = match port.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    };
    !host.is_empty() && port
}

/// An IPv6 address, or `IPvFuture`.
fn is_ip_literal(text: &[u8]) -> bool {
    if let [b'v' | b'V', rest @ ..] = text {
        let Some(dot) = rest.iter().position(|byte| *byte == b'.') else {
            return false;
        };
        let (version, address) = (&rest[..dot], &rest[dot + 1..]);
        return !version.is_empty() && all(version, HEX) && !address.is_empty() && all(address, USER);
    }
    network::is_ipv6(text)
}

/// Whether each byte is of the kind or part of a percent-encoded one.
fn is_encoded(text: &[u8], kind: u8) -> bool {
    let mut rest = text;
    loop {
        match rest {
            [] => return true,
            [b'%', high, low, after @ ..] if is(*high, HEX) && is(*low, HEX) => rest = after,
            [byte, after @ ..] if is(*byte, kind) => rest = after,
            _ => return false,
        }
    }
}
