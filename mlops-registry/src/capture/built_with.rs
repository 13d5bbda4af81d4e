//! The compiler that built the running program, read out of the program itself.
//!
//! `rustc -V` says what is installed, which on a training machine is nothing or something else. But
//! rustc leaves its version in the section `.comment` of every ELF object, the linker merges those,
//! and `strip` leaves them: so the answer is in the executable, two small reads away.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const MARK: &[u8] = b"rustc version ";
/// Longest section that is read, in bytes; real ones have about 100.
const MAX_SECTION_BYTES: u64 = 1 << 16;

/// `1.95.0 (59807616e 2026-04-14)`, or `None` where the program is not a 64-bit ELF file of Rust
/// (another system, or a Rust library inside another program).
pub(super) fn rustc() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    // Not `current_exe`, which fails once the file was replaced by a newer build.
    rustc_of(Path::new("/proc/self/exe"))
}

pub(super) fn rustc_of(executable: &Path) -> Option<String> {
    let comment = section(&mut File::open(executable).ok()?, b".comment").ok()??;
    let start = comment.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let version = comment.get(start..)?.split(|byte| *byte == 0).next()?;
    let version = std::str::from_utf8(version).ok()?.trim();
    (!version.is_empty()).then(|| version.to_owned())
}

/// The bytes of a section of a little-endian 64-bit ELF file.
fn section(file: &mut (impl Read + Seek), name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    const ENTRY_BYTES: usize = 64;
    let header = read_at(file, 0, 64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") || number(&header, 0x3a, 2) != ENTRY_BYTES as u64 {
        return Ok(None);
    }
    let count = number(&header, 0x3c, 2);
    let table = read_at(file, number(&header, 0x28, 8), count * ENTRY_BYTES as u64)?;
    let names_at = number(&header, 0x3e, 2) as usize;
    let Some(names) = table.chunks_exact(ENTRY_BYTES).nth(names_at) else {
        return Ok(None);
    };
    let names = content(file, names)?;
    for entry in table.chunks_exact(ENTRY_BYTES) {
        let text = names.get(number(entry, 0, 4) as usize..).unwrap_or_default();
        if text.split(|byte| *byte == 0).next() == Some(name) {
            return content(file, entry).map(Some);
        }
    }
    Ok(None)
}

/// What a section's table entry points to.
fn content(file: &mut (impl Read + Seek), entry: &[u8]) -> io::Result<Vec<u8>> {
    let size = number(entry, 0x20, 8).min(MAX_SECTION_BYTES);
    read_at(file, number(entry, 0x18, 8), size)
}

fn read_at(file: &mut (impl Read + Seek), offset: u64, size: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number of `size` ≤ 8 bytes; 0 if it lies outside.
fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    let field = bytes.get(at..at + size).unwrap_or_default();
    field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
