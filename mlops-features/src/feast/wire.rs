//! The wire format of Protocol Buffers, as much of it as a registry needs: fields of a message, one after
//! the other.
//!
//! Written by hand because a dozen messages are read and none written; a code generator with its runtime
//! would be the larger part. Nothing here recurses, and nothing is allocated but what is kept.

use std::collections::BTreeMap;

use mlops_core::{Error, Result};

/// A message's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Message<'a>(&'a [u8]);

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// Whole numbers, enumerations and truth values.
    Number(u64),
    /// Text, bytes and messages.
    Bytes(&'a [u8]),
    /// Fixed-width numbers, which a registry has only in what is not read.
    Other,
}

/// What is not a message, and why.
pub(super) fn bad(problem: &'static str) -> Error {
    Error::invalid("features.feast", "is no registry of Feast")
        .with("problem", problem)
        .with_hint("give the bytes of the file that `registry:` in feature_store.yaml names")
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The fields in their order, by number.
    pub(super) fn fields(self) -> impl Iterator<Item = Result<(u64, Value<'a>)>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let field = take_field(&mut rest);
            if field.is_err() {
                rest = &[];
            }
            Some(field)
        })
    }
}

impl<'a> Value<'a> {
    /// The text.
    pub(super) fn text(self) -> Result<&'a str> {
        match self {
            Self::Bytes(bytes) => {
                std::str::from_utf8(bytes).map_err(|_| bad("a text is not UTF-8"))
            }
            _ => Err(bad("a text is a number")),
        }
    }

    /// The text, to keep.
    pub(super) fn string(self) -> Result<String> {
        self.text().map(str::to_owned)
    }

    /// The number.
    pub(super) fn number(self) -> Result<u64> {
        match self {
            Self::Number(number) => Ok(number),
            _ => Err(bad("a number is none")),
        }
    }

    /// The message within.
    pub(super) fn message(self) -> Result<Message<'a>> {
        match self {
            Self::Bytes(bytes) => Ok(Message(bytes)),
            _ => Err(bad("a message is a number")),
        }
    }

    /// Adds an entry of a map of texts, which is a message of key and value.
    pub(super) fn entry(self, map: &mut BTreeMap<String, String>) -> Result<()> {
        let (mut key, mut value) = (String::new(), String::new());
        for field in self.message()?.fields() {
            match field? {
                (1, text) => key = text.string()?,
                (2, text) => value = text.string()?,
                _ => {}
            }
        }
        map.insert(key, value);
        Ok(())
    }
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Value<'a>)> {
    let tag = take_number(rest)?;
    let value = match tag & 7 {
        0 => Value::Number(take_number(rest)?),
        1 => take(rest, 8).map(|_| Value::Other)?,
        2 => {
            let length = take_number(rest)?;
            let length = usize::try_from(length).map_err(|_| bad("a length is too great"))?;
            Value::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Value::Other)?,
        _ => return Err(bad("a field has an unknown kind")),
    };
    match tag >> 3 {
        0 => Err(bad("a field has the number 0")),
        number => Ok((number, value)),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length).ok_or_else(|| bad("it ends too early"))?;
    *rest = left;
    Ok(taken)
}

/// A whole number: seven bits a byte, the least first, at most ten bytes.
fn take_number(rest: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(bad("a number is too great"))
}
