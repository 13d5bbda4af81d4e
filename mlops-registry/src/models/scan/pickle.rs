//! Follows the opcodes of a pickle, without making any object.
//!
//! The unpickler acts while it reads: what follows a harmful opcode does not matter, not even whether
//! the file is whole. So the question is not whether a file is a pickle from start to end, but whether
//! an unpickler would come to an opcode that calls something before it fails. To tell that from text
//! that happens to start with the letters of opcodes, the depth of the stack is followed as well:
//! where the unpickler would fail for want of an object, so does this.
//!
//! Where in doubt it follows on: it must never stop before the unpickler does.

use super::view::{Cursor, Stop, View};

/// More marks than any pickler sets.
const MARKS: usize = 100_000;
/// Longest line of a number; the rest of a line is not looked at.
const NUMBER_BYTES: usize = 64;

/// What an unpickler would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pickled {
    /// It would import or call something; or it is a pickle by its first two bytes.
    Runs,
    /// It would come to the end and make plain data.
    Harmless,
    /// It would fail and have done nothing.
    No,
}

/// Follows all pickles that stand one after the other.
pub(super) fn follow(view: &mut View<'_>) -> Result<Pickled, Stop> {
    let mut cursor = view.cursor();
    let mut found = Pickled::No;
    loop {
        match one(&mut cursor)? {
            Pickled::Harmless => found = Pickled::Harmless,
            Pickled::Runs => return Ok(Pickled::Runs),
            Pickled::No => return Ok(found),
        }
    }
}

/// How many objects lie above each mark.
struct Stack {
    levels: Vec<u64>,
}

impl Stack {
    fn push(&mut self) {
        if let Some(top) = self.levels.last_mut() {
            *top += 1;
        }
    }

    /// Whether so many objects lie above the last mark.
    fn has(&self, objects: u64) -> bool {
        self.levels.last().is_some_and(|top| *top >= objects)
    }

    /// Takes so many objects, and puts so many there.
    fn swap(&mut self, taken: u64, put: u64) -> bool {
        match self.levels.last_mut() {
            Some(top) if *top >= taken => {
                *top = *top - taken + put;
                true
            }
            _ => false,
        }
    }

    /// Takes everything down to the last mark; `None` if there is no mark.
    fn pop_mark(&mut self) -> Option<u64> {
        if self.levels.len() < 2 { None } else { self.levels.pop() }
    }
}

#[expect(
    clippy::too_many_lines,
    clippy::match_same_arms,
    reason = "one arm for each kind of opcode"
)]
fn one(cursor: &mut Cursor<'_>) -> Result<Pickled, Stop> {
    let mut stack = Stack { levels: vec![0] };
    let (mut imports, mut marked, mut first) = (false, false, true);
    loop {
        let Some(opcode) = cursor.byte()? else { return Ok(Pickled::No) };
        let good = match opcode {
            // PROTO. By its first two bytes a pickle, if there is more than them.
            0x80 => match cursor.byte()? {
                Some(protocol @ 0..=5) => {
                    marked |= first && protocol >= 2;
                    true
                }
                _ => false,
            },
            b'.' => {
                let done = stack.has(1);
                return Ok(match (done, imports || marked) {
                    (false, _) => Pickled::No,
                    (true, true) => Pickled::Runs,
                    (true, false) => Pickled::Harmless,
                });
            }
            b'(' => {
                stack.levels.push(0);
                if stack.levels.len() > MARKS {
                    return Ok(Pickled::Runs);
                }
                true
            }
            // POP takes a mark where there is nothing above it.
            b'0' => stack.swap(1, 0) || stack.pop_mark().is_some(),
            b'1' => stack.pop_mark().is_some(),
            b'2' => stack.swap(1, 2),
            // Numbers as lines.
            b'I' | b'L' | b'F' => pushed(&mut stack, number_line(cursor)?),
            // Memo: what is got was put, or the unpickler fails; nothing is called either way.
            b'g' => pushed(&mut stack, number_line(cursor)?),
            b'p' => number_line(cursor)? && stack.has(1),
            b'q' => cursor.skip(1) && stack.has(1),
            b'r' => cursor.skip(4) && stack.has(1),
            0x94 => stack.has(1),
            // Numbers, texts and bytes of a fixed size or with a length before them.
            b'N' | b'}' | b']' | b')' | 0x88 | 0x89 | 0x8f => pushed(&mut stack, true),
            b'K' | b'h' => pushed(&mut stack, cursor.skip(1)),
            b'M' => pushed(&mut stack, cursor.skip(2)),
            b'J' | b'j' => pushed(&mut stack, cursor.skip(4)),
            b'G' => pushed(&mut stack, cursor.skip(8)),
            b'S' => pushed(&mut stack, quoted_line(cursor)?),
            b'V' => pushed(&mut stack, line(cursor)?),
            b'U' | b'C' | 0x8a | 0x8c => pushed(&mut stack, sized(cursor, 1)?),
            b'T' | b'X' | b'B' | 0x8b => pushed(&mut stack, sized(cursor, 4)?),
            0x8d | 0x8e | 0x96 => pushed(&mut stack, sized(cursor, 8)?),
            0x95 => cursor.number(8)?.is_some(),
            // Buffers and ids that come from outside.
            0x97 => pushed(&mut stack, true),
            0x98 => stack.has(1),
            b'P' => pushed(&mut stack, line(cursor)?),
            b'Q' => stack.swap(1, 1),
            // Containers.
            b'a' => stack.swap(1, 0) && stack.has(1),
            b's' => stack.swap(2, 0) && stack.has(1),
            b'e' | b'u' | 0x90 => stack.pop_mark().is_some() && stack.has(1),
            b't' | b'l' | b'd' | 0x91 => {
                let marked = stack.pop_mark().is_some();
                pushed(&mut stack, marked)
            }
            0x85 => stack.swap(1, 1),
            0x86 => stack.swap(2, 1),
            0x87 => stack.swap(3, 1),
            // Imports: harmful with what follows, or if the whole is a pickle.
            b'c' => {
                let two = line(cursor)? && line(cursor)?;
                imports |= two;
                pushed(&mut stack, two)
            }
            0x93 => {
                let two = stack.swap(2, 1);
                imports |= two;
                two
            }
            // Calls.
            b'i' => {
                if line(cursor)? && line(cursor)? && stack.pop_mark().is_some() {
                    return Ok(Pickled::Runs);
                }
                false
            }
            0x82..=0x84 => {
                if cursor.skip(1 << (opcode - 0x82)) {
                    return Ok(Pickled::Runs);
                }
                false
            }
            b'o' => {
                let object = stack.pop_mark().is_some_and(|above| above >= 1);
                if object && imports {
                    return Ok(Pickled::Runs);
                }
                pushed(&mut stack, object)
            }
            b'R' | 0x81 | b'b' | 0x92 => {
                let needed = if opcode == 0x92 { 3 } else { 2 };
                if stack.has(needed) && imports {
                    return Ok(Pickled::Runs);
                }
                stack.swap(needed, 1)
            }
            _ => false,
        };
        if !good {
            // Importing is enough, in what says that it is a pickle.
            return Ok(if imports && marked { Pickled::Runs } else { Pickled::No });
        }
        first = false;
    }
}

fn pushed(stack: &mut Stack, good: bool) -> bool {
    if good {
        stack.push();
    }
    good
}

/// Skips what has a length of so many bytes before it.
fn sized(cursor: &mut Cursor<'_>, bytes: u32) -> Result<bool, Stop> {
    Ok(match cursor.number(bytes)? {
        Some(length) => cursor.skip(length),
        None => false,
    })
}

/// Skips a line; `false` if it does not end.
fn line(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    loop {
        match cursor.byte()? {
            Some(b'\n') => return Ok(true),
            Some(_) => {}
            None => return Ok(false),
        }
    }
}

/// A line that may be a number, in any of Python's spellings.
fn number_line(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    let mut length = 0;
    loop {
        match cursor.byte()? {
            Some(b'\n') => return Ok(length > 0),
            Some(byte) => {
                // Of inf and nan, too, and of bases; far less than letters.
                let spelt = byte.is_ascii_digit()
                    || b"+-_.xXoOlLaAbBcCdDeEfFiInNtTyY \t\r\x0b\x0c\0".contains(&byte);
                length += 1;
                if !spelt && length <= NUMBER_BYTES {
                    return Ok(false);
                }
            }
            None => return Ok(false),
        }
    }
}

/// A line in quotes, as `repr` writes a text.
fn quoted_line(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    let (mut first, mut last, mut length) = (0, 0, 0_u64);
    loop {
        match cursor.byte()? {
            Some(b'\n') => {
                return Ok(length >= 2 && first == last && matches!(first, b'\'' | b'"'));
            }
            Some(byte) if byte.is_ascii_whitespace() || byte == 0x0b => {}
            Some(byte) => {
                if length == 0 {
                    first = byte;
                }
                last = byte;
                length += 1;
            }
            None => return Ok(false),
        }
    }
}
