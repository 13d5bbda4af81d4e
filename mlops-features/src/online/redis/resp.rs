//! The words of Redis' protocol (RESP 2) that the store needs: requests, and replies that are cut out of
//! the bytes as they come.
//!
//! A value of a reply is a slice of the bytes that were received, so that reading a hundred rows makes
//! one allocation and not a hundred.

use bytes::Bytes;

/// Longest line of a reply that is no value: a status, an error, a number.
const LINE: usize = 64 * 1024;
/// Deepest list in a list.
const DEPTH: usize = 4;

/// Commands, one after the other.
#[derive(Debug, Default)]
pub(super) struct Request {
    bytes: Vec<u8>,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// `OK` and the like.
    Status(String),
    /// The command failed.
    Error(String),
    /// A number.
    Int(i64),
    /// A value, or none.
    Value(Option<Bytes>),
    /// Several.
    List(Vec<Reply>),
}

/// The bytes are no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Finds where a reply ends, going on where it stopped when more bytes have come.
#[derive(Debug)]
pub(super) struct Ending {
    at: usize,
    left: u64,
}

impl Request {
    /// Makes room for about `bytes` bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// One command with arguments.
    pub(super) fn of(arguments: &[&[u8]]) -> Self {
        let mut request = Self::default();
        request.command(arguments.len());
        for argument in arguments {
            request.argument(&[argument]);
        }
        request
    }

    /// Begins a command of so many arguments, its name the first.
    pub(super) fn command(&mut self, arguments: usize) {
        self.header(b'*', arguments);
    }

    /// Adds an argument that is put together of parts.
    #[inline]
    pub(super) fn argument(&mut self, parts: &[&[u8]]) {
        self.header(b'$', parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Adds a number as an argument.
    pub(super) fn number(&mut self, number: usize) {
        let mut digits = [0; 20];
        self.argument(&[decimal(number, &mut digits)]);
    }

    /// Forgets the commands and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// What is sent.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[inline]
    fn header(&mut self, kind: u8, number: usize) {
        let mut digits = [0; 20];
        self.bytes.push(kind);
        self.bytes.extend_from_slice(decimal(number, &mut digits));
        self.bytes.extend_from_slice(b"\r\n");
    }
}

#[inline]
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[first..];
        }
    }
}

impl Ending {
    /// Of the reply that begins with the next byte.
    pub(super) fn new() -> Self {
        Self { at: 0, left: 1 }
    }

    /// How long the reply is, if all of it is in `bytes`, which begin with it.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        while self.left > 0 {
            let Some((kind, line, next)) = line(bytes, self.at)? else {
                return Ok(None);
            };
            self.left -= 1;
            self.at = next;
            match kind {
                b'$' => {
                    if let Some(length) = length(line)? {
                        self.at = next.checked_add(length + 2).ok_or(Malformed)?;
                    }
                }
                b'*' => self.left += length(line)?.unwrap_or(0) as u64,
                b'+' | b'-' | b':' => {}
                _ => return Err(Malformed),
            }
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }

    /// How many bytes are needed at least.
    pub(super) fn needed(&self) -> usize {
        self.at
    }
}

impl Reply {
    /// Reads a whole reply.
    pub(super) fn read(frame: &Bytes) -> Result<Self, Malformed> {
        read(frame, &mut 0, DEPTH)
    }
}

/// Hands the values of a list to `take`, in order; gives back what it is if it is no list of values.
pub(super) fn values(
    frame: &Bytes,
    mut take: impl FnMut(Option<Bytes>),
) -> Result<Option<Reply>, Malformed> {
    if frame.first() != Some(&b'*') {
        return Reply::read(frame).map(Some);
    }
    let (_, count, mut at) = line(frame, 0)?.ok_or(Malformed)?;
    for _ in 0..length(count)?.unwrap_or(0) {
        let (kind, text, next) = line(frame, at)?.ok_or(Malformed)?;
        if kind != b'$' {
            return Err(Malformed);
        }
        take(value(frame, length(text)?, next, &mut at)?);
    }
    Ok(None)
}

fn read(frame: &Bytes, at: &mut usize, depth: usize) -> Result<Reply, Malformed> {
    let (kind, text, next) = line(frame, *at)?.ok_or(Malformed)?;
    *at = next;
    let words = || String::from_utf8_lossy(text).into_owned();
    match kind {
        b'+' => Ok(Reply::Status(words())),
        b'-' => Ok(Reply::Error(words())),
        b':' => Ok(Reply::Int(int(text)?)),
        b'$' => Ok(Reply::Value(value(frame, length(text)?, next, at)?)),
        b'*' if depth > 0 => {
            let mut list = Vec::new();
            for _ in 0..length(text)?.unwrap_or(0) {
                list.push(read(frame, at, depth - 1)?);
            }
            Ok(Reply::List(list))
        }
        _ => Err(Malformed),
    }
}

#[inline]
fn value(
    frame: &Bytes,
    length: Option<usize>,
    first: usize,
    at: &mut usize,
) -> Result<Option<Bytes>, Malformed> {
    *at = first;
    let Some(length) = length else {
        return Ok(None);
    };
    let end = first.checked_add(length).ok_or(Malformed)?;
    if frame.get(end..end + 2) != Some(b"\r\n") {
        return Err(Malformed);
    }
    *at = end + 2;
    Ok(Some(frame.slice(first..end)))
}

/// The kind of a line, its text, and where the next begins.
type Line<'a> = (u8, &'a [u8], usize);

/// The line at `at`, if all of it is there.
#[inline]
fn line(bytes: &[u8], at: usize) -> Result<Option<Line<'_>>, Malformed> {
    let Some(rest) = bytes.get(at..) else {
        return Ok(None);
    };
    match rest.iter().take(LINE).position(|byte| *byte == b'\n') {
        Some(end) if end >= 2 && rest[end - 1] == b'\r' => {
            Ok(Some((rest[0], &rest[1..end - 1], at + end + 1)))
        }
        None if rest.len() < LINE => Ok(None),
        _ => Err(Malformed),
    }
}

/// A length, or `None` for -1.
#[inline]
fn length(text: &[u8]) -> Result<Option<usize>, Malformed> {
    if text == b"-1" {
        return Ok(None);
    }
    if text.is_empty() || text.len() > 10 {
        return Err(Malformed);
    }
    let mut number = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Malformed);
        }
        number = number * 10 + usize::from(digit);
    }
    Ok(Some(number))
}

fn int(text: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Result<Reply, Malformed> {
        assert_eq!(Ending::new().find(bytes)?, Some(bytes.len()));
        Reply::read(&Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_request_is_a_list_of_values() {
        let request = Request::of(&[b"GET", b"a\r\n\0"]);
        assert_eq!(request.as_bytes(), b"*2\r\n$3\r\nGET\r\n$4\r\na\r\n\0\r\n");
    }

    #[test]
    fn replies_of_all_kinds_are_read() {
        let bytes = b"*5\r\n$2\r\n\r\n\r\n$-1\r\n:-7\r\n*1\r\n+OK\r\n-ERR no\r\n";
        let expected = Reply::List(vec![
            Reply::Value(Some(Bytes::from_static(b"\r\n"))),
            Reply::Value(None),
            Reply::Int(-7),
            Reply::List(vec![Reply::Status("OK".to_owned())]),
            Reply::Error("ERR no".to_owned()),
        ]);
        assert_eq!(whole(bytes).unwrap(), expected);
    }

    #[test]
    fn a_reply_that_comes_byte_by_byte_ends_where_it_ends() {
        let bytes = b"*3\r\n$5\r\nab\r\nc\r\n*2\r\n:1\r\n$0\r\n\r\n$-1\r\n+NEXT\r\n";
        let end = bytes.len() - 7;
        let mut ending = Ending::new();
        for length in 0..end {
            assert_eq!(ending.find(&bytes[..length]), Ok(None), "{length}");
        }
        assert_eq!(ending.find(&bytes[..end]), Ok(Some(end)));
        assert_eq!(Ending::new().find(bytes), Ok(Some(end)));
    }

    #[test]
    fn lists_in_lists_have_a_bound() {
        let deep = b"*1\r\n".repeat(100);
        assert_eq!(Reply::read(&Bytes::from(deep)), Err(Malformed));
        assert_eq!(Ending::new().find(b"$99999999999\r\n"), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(b"*$:+-\r\n0123".to_vec())], 0..60,
        )) {
            let mut ending = Ending::new();
            for length in 0..=bytes.len() {
                let Ok(None) = ending.find(&bytes[..length]) else { break };
            }
            let frame = Bytes::from(bytes);
            let _ = Reply::read(&frame);
            let _ = values(&frame, |_| ());
        }
    }
}
