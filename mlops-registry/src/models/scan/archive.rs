//! Looks into zip and tar archives, as far as they are stored without compression.
//!
//! A zip is read by its central directory, as `zipfile`, PyTorch, NumPy and Keras read it. Where two
//! honest readers could see different files (bytes before the archive, links with content), the archive
//! is opaque.

use mlops_core::registry::FileFormat;

use super::view::{Stop, View};
use super::{DEPTH, by_name, extension, look, worse};

/// The end record, and the longest comment behind it.
const ZIP_TAIL: u64 = 22 + 65_535;
/// Longest extended name in a tar archive.
const TAR_NAME: u64 = 64 << 10;

/// What a zip archive holds; `None` if it is none.
pub(super) fn zip(view: &mut View<'_>, depth: usize) -> Result<Option<FileFormat>, Stop> {
    let Some(directory) = Directory::find(view)? else { return Ok(None) };
    if depth >= DEPTH {
        return Ok(Some(FileFormat::OpaqueArchive));
    }
    // Some readers count from the archive's start, some from the file's.
    let mut found =
        if directory.before == 0 { FileFormat::Other } else { FileFormat::OpaqueArchive };
    let mut at = directory.start;
    while at < directory.end {
        let Some(entry) = Entry::read(view, at, directory.end)? else {
            return Ok(Some(worse(found, FileFormat::OpaqueArchive)));
        };
        at = entry.next;
        found = worse(found, of_entry(view, &entry, directory.before, depth)?);
    }
    Ok(Some(found))
}

fn of_entry(
    view: &mut View<'_>,
    entry: &Entry,
    before: u64,
    depth: usize,
) -> Result<FileFormat, Stop> {
    if entry.name.ends_with('/') && entry.stored_bytes == 0 {
        return Ok(FileFormat::Other);
    }
    if entry.is_plain
        && let Some(header) = entry.header.checked_add(before)
        && let Some(local) = view.array::<30>(header)?
        && local.starts_with(b"PK\x03\x04")
    {
        let start = header + 30 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        if start.checked_add(entry.stored_bytes).is_some_and(|end| end <= view.len()) {
            return look(&entry.name, &mut view.part(start, entry.stored_bytes), depth + 1);
        }
    }
    let extension = extension(&entry.name);
    Ok(match extension.as_str() {
        "pkl" | "pickle" | "joblib" => FileFormat::Pickle,
        extension => worse(by_name(extension), FileFormat::OpaqueArchive),
    })
}

/// Where the central directory lies.
struct Directory {
    start: u64,
    end: u64,
    /// Bytes before the archive.
    before: u64,
}

impl Directory {
    fn find(view: &mut View<'_>) -> Result<Option<Self>, Stop> {
        let from = view.len().saturating_sub(ZIP_TAIL);
        let mut tail = vec![0; (view.len() - from) as usize];
        let read = view.read_at(from, &mut tail)?;
        let tail = &tail[..read];
        let ends = tail.windows(22).rposition(|window| window.starts_with(b"PK\x05\x06"));
        let Some(at) = ends else { return Ok(None) };
        let record = &tail[at..at + 22];
        let place = from + at as u64;
        let (mut size, mut offset) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
        let mut end = place;
        let locator = place.checked_sub(20).map(|at| view.array::<20>(at)).transpose()?.flatten();
        if locator.is_some_and(|locator| locator.starts_with(b"PK\x06\x07")) {
            let large = place.checked_sub(76).map(|at| view.array::<56>(at)).transpose()?.flatten();
            // Where it does not lie just before, readers look for it in different places.
            let Some(large) = large.filter(|large| large.starts_with(b"PK\x06\x06")) else {
                return Ok(None);
            };
            (size, offset, end) = (u64_at(&large, 40), u64_at(&large, 48), place - 76);
        }
        let start = end.checked_sub(size);
        Ok(start.and_then(|start| Some(Self { start, end, before: start.checked_sub(offset)? })))
    }
}

/// One entry of the central directory.
struct Entry {
    name: String,
    header: u64,
    stored_bytes: u64,
    /// Neither compressed nor encrypted.
    is_plain: bool,
    next: u64,
}

impl Entry {
    fn read(view: &mut View<'_>, at: u64, end: u64) -> Result<Option<Self>, Stop> {
        let Some(fixed) = view.array::<46>(at)?.filter(|fixed| fixed.starts_with(b"PK\x01\x02"))
        else {
            return Ok(None);
        };
        let [name, extra, comment] = [28, 30, 32].map(|at| u64::from(u16_at(&fixed, at)));
        let next = at + 46 + name + extra + comment;
        if next > end {
            return Ok(None);
        }
        let mut text = vec![0; (name + extra) as usize];
        let read = view.read_at(at + 46, &mut text)?;
        if read < text.len() {
            return Ok(None);
        }
        let (name, mut extra) = text.split_at(name as usize);
        let mut sizes = [24, 20, 42].map(|at| u64::from(u32_at(&fixed, at)));
        while let [a, b, c, d, rest @ ..] = extra {
            let length = usize::from(u16::from_le_bytes([*c, *d])).min(rest.len());
            let (mut field, after) = rest.split_at(length);
            if (*a, *b) == (1, 0) {
                for size in &mut sizes {
                    if *size == u64::from(u32::MAX) && field.len() >= 8 {
                        *size = u64_at(field, 0);
                        field = &field[8..];
                    }
                }
            }
            extra = after;
        }
        let [size, stored_bytes, header] = sizes;
        let (flags, method) = (u16_at(&fixed, 8), u16_at(&fixed, 10));
        Ok(Some(Self {
            name: String::from_utf8_lossy(name).into_owned(),
            header,
            stored_bytes,
            is_plain: method == 0 && flags & 1 == 0 && size == stored_bytes,
            next,
        }))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Whether a file starts with the header of a tar entry, by its checksum: older ones have no magic.
pub(super) fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    let Some(sum) = tar_number(&header[148..156]) else { return false };
    let bytes = header.iter().enumerate().map(
        |(at, byte)| {
            if (148..156).contains(&at) { b' ' } else { *byte }
        },
    );
    let unsigned: u64 = bytes.clone().map(u64::from).sum();
    let signed: i64 = bytes.map(|byte| i64::from(byte.cast_signed())).sum();
    header[0] != 0 && (sum == unsigned || i64::try_from(sum) == Ok(signed))
}

/// What a tar archive holds.
pub(super) fn tar(view: &mut View<'_>, depth: usize) -> Result<FileFormat, Stop> {
    if depth >= DEPTH {
        return Ok(FileFormat::OpaqueArchive);
    }
    let (mut found, mut at, mut long_name) = (FileFormat::Other, 0_u64, None);
    while let Some(header) = view.array::<512>(at)? {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(found);
        }
        let size = tar_number(&header[124..136]).filter(|_| is_tar(&header));
        let Some((size, start)) = size.zip(at.checked_add(512)) else {
            return Ok(worse(found, FileFormat::OpaqueArchive));
        };
        let Some(end) = start.checked_add(size).filter(|end| *end <= view.len()) else {
            return Ok(worse(found, FileFormat::OpaqueArchive));
        };
        match header[156] {
            b'0' | b'7' | 0 => {
                let name = long_name.take().unwrap_or_else(|| tar_name(&header));
                found = worse(found, look(&name, &mut view.part(start, size), depth + 1)?);
            }
            kind @ (b'L' | b'x' | b'g') => {
                let mut text = vec![0; size.min(TAR_NAME) as usize];
                let read = view.read_at(start, &mut text)?;
                let text = &text[..read];
                let holds = |key: &[u8]| text.windows(key.len()).any(|window| window == key);
                if size > TAR_NAME || holds(b"size=") || (kind == b'g' && holds(b"path=")) {
                    return Ok(worse(found, FileFormat::OpaqueArchive));
                }
                let name = if kind == b'L' { Some(text) } else { pax_path(text) };
                if let Some(name) = name {
                    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                    long_name = Some(String::from_utf8_lossy(name).into_owned());
                }
            }
            b'1'..=b'6' if size == 0 => long_name = None,
            _ => return Ok(worse(found, FileFormat::OpaqueArchive)),
        }
        at = end.next_multiple_of(512);
    }
    Ok(found)
}

/// The path among the records `<length> <key>=<value>\n`.
fn pax_path(text: &[u8]) -> Option<&[u8]> {
    let at = text.windows(6).rposition(|window| window == b" path=")?;
    text[at + 6..].split(|byte| *byte == b'\n').next()
}

fn tar_name(header: &[u8; 512]) -> String {
    let text = |field: &[u8]| {
        String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or_default())
            .into_owned()
    };
    let name = text(&header[..100]);
    if header[257..262] == *b"ustar" && header[345] != 0 {
        return format!("{}/{name}", text(&header[345..500]));
    }
    name
}

/// A number in octal digits, or in binary behind the byte 0x80.
fn tar_number(field: &[u8]) -> Option<u64> {
    if let Some((0x80, number)) = field.split_first() {
        let (high, low) = number.split_at(number.len().saturating_sub(8));
        let fits = high.iter().all(|byte| *byte == 0);
        return fits.then(|| low.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(|c: char| c == '\0' || c == ' ');
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

#[cfg(test)]
mod tests {
    use super::tar_number;

    #[test]
    fn a_tar_field_of_any_length_is_a_number_in_octal_or_binary() {
        assert_eq!(tar_number(b"0000644\0"), Some(0o644));
        // Eight bytes and one: random bytes once made the first of these panic.
        assert_eq!(tar_number(&[0x80, 0, 0, 0, 0, 0, 1, 2]), Some(258));
        assert_eq!(tar_number(&[0x80]), Some(0));
        assert_eq!(tar_number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]), Some(258));
        assert_eq!(tar_number(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]), None, "beyond 64 bits");
    }
}
