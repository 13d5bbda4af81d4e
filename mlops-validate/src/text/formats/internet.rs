//! Addresses of people and things: e-mail, URL, host name, UUID.

use super::network;

/// What a byte may be part of.
const LOCAL: u8 = 1;
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
            kind |= ALPHANUMERIC | LOCAL | REG_NAME | USER | PATH | SCHEME;
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

/// Where a host name, or the address before it, has come to. A table and not branches, because a
/// processor cannot foresee which byte is a dot.
mod place {
    pub(super) const LOCAL_START: u8 = 0;
    pub(super) const LOCAL: u8 = 1;
    pub(super) const LABEL_START: u8 = 2;
    pub(super) const LABEL: u8 = 3;
    pub(super) const HYPHEN: u8 = 4;
    pub(super) const WRONG: u8 = 5;
}

/// The place after a place and a byte; of eight, so that no index needs to be checked.
const PLACES: [[u8; 256]; 8] = {
    let mut places = [[place::WRONG; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let kind = KINDS[byte];
        if kind & LOCAL != 0 {
            places[place::LOCAL_START as usize][byte] = place::LOCAL;
            places[place::LOCAL as usize][byte] = place::LOCAL;
        }
        if kind & ALPHANUMERIC != 0 {
            places[place::LABEL_START as usize][byte] = place::LABEL;
            places[place::LABEL as usize][byte] = place::LABEL;
            places[place::HYPHEN as usize][byte] = place::LABEL;
        }
        byte += 1;
    }
    places[place::LOCAL as usize][b'@' as usize] = place::LABEL_START;
    places[place::LABEL as usize][b'.' as usize] = place::LABEL_START;
    places[place::LABEL as usize][b'-' as usize] = place::HYPHEN;
    places[place::HYPHEN as usize][b'-' as usize] = place::HYPHEN;
    places
};

#[inline]
fn walk(from: u8, text: &[u8]) -> u8 {
    text.iter().fold(from, |place, byte| PLACES[usize::from(place & 7)][usize::from(*byte)])
}

#[inline]
pub(super) fn is_email(text: &[u8]) -> bool {
    if walk(place::LOCAL_START, text) != place::LABEL {
        return false;
    }
    let domain = || text.splitn(2, |byte| *byte == b'@').nth(1).unwrap_or_default();
    text.len() <= LONGEST_LABEL || labels_fit(domain())
}

pub(super) fn is_hostname(text: &[u8]) -> bool {
    text.len() <= 253 && walk(place::LABEL_START, text) == place::LABEL && labels_fit(text)
}

/// RFC 1034, §3.1.
const LONGEST_LABEL: usize = 63;

fn labels_fit(text: &[u8]) -> bool {
    text.len() <= LONGEST_LABEL
        || text.split(|byte| *byte == b'.').all(|label| label.len() <= LONGEST_LABEL)
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
        return !version.is_empty()
            && all(version, HEX)
            && !address.is_empty()
            && all(address, USER);
    }
    network::is_ipv6(text)
}

/// Whether each byte is of the kind or part of a percent-encoded one.
fn is_encoded(text: &[u8], kind: u8) -> bool {
    if all(text, kind) {
        return true;
    }
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
