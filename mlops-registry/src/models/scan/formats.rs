//! Formats that are no archives: programs, arrays, Keras, safetensors, and what is compressed.

use std::cell::Cell;
use std::fmt;
use std::io::BufReader;

use mlops_core::registry::FileFormat;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::view::{Stop, View};

/// Larger headers are no array's; NumPy itself refuses them.
const NPY_HEADER: u64 = 1 << 20;
/// What safetensors itself refuses above.
const SAFETENSORS_HEADER: u64 = 100_000_000;
/// Larger JSON is searched and not parsed.
const JSON_BYTES: u64 = 64 << 20;
/// Bytes that are searched at once.
const BLOCK: usize = 64 << 10;

/// Programs of a machine or a virtual machine.
pub(super) fn is_native(head: &[u8]) -> bool {
    const MAGIC: [&[u8]; 11] = [
        b"\x7fELF",
        b"\xfe\xed\xfa\xce",
        b"\xfe\xed\xfa\xcf",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
        b"\xca\xfe\xba\xbf",
        b"\0asm",
        b"dex\n",
        b"BC\xc0\xde",
        b"\xde\xc0\x17\x0b",
    ];
    // A text may start with MZ, a program's header has zeros.
    let is_dos = head.starts_with(b"MZ") && head.iter().take(64).any(|byte| *byte == 0);
    is_dos || MAGIC.iter().any(|magic| head.starts_with(magic))
}

/// What cannot be looked into without unpacking it.
pub(super) fn is_compressed(head: &[u8]) -> bool {
    const MAGIC: [&[u8]; 14] = [
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ\0",
        b"\x5d\0\0",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"\x02\x21\x4c\x18",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
        b"MSCF",
        b"!<arch>\n",
        b"PK\x07\x08",
        b"\xff\x06\0\0sNaPpY",
        b"\x1f\x9d",
    ];
    MAGIC.iter().any(|magic| head.starts_with(magic)) || is_zlib(head)
}

/// zlib has no magic, only a check of two bytes that `x^` passes too: text is none.
fn is_zlib(head: &[u8]) -> bool {
    let [0x78, flags, block, ..] = *head else { return false };
    let is_text = |byte: &u8| (0x20..0x7f).contains(byte) || b"\t\r\n".contains(byte);
    (0x7800 + u16::from(flags)) % 31 == 0 && block & 6 != 6 && !head.iter().take(64).all(is_text)
}

/// A NumPy array: of numbers and texts of a fixed size, or of objects, which are pickled behind it.
pub(super) fn npy(view: &mut View<'_>) -> Result<FileFormat, Stop> {
    let Some(head) = view.array::<12>(0)? else { return Ok(FileFormat::Other) };
    let (start, size) = match head[6] {
        1 => (10, u64::from(u16::from_le_bytes([head[8], head[9]]))),
        _ => (12, u64::from(u32::from_le_bytes([head[8], head[9], head[10], head[11]]))),
    };
    if size > NPY_HEADER {
        return Ok(FileFormat::OpaqueArchive);
    }
    let mut header = vec![0; size as usize];
    let read = view.read_at(start, &mut header)?;
    let text = String::from_utf8_lossy(&header[..read]);
    Ok(if has_plain_types(&text) { FileFormat::Other } else { FileFormat::Pickle })
}

/// Whether all that a header names as a type is one without objects. A header is a Python literal,
/// which can spell the same type in many ways: what is not spelt as NumPy spells it is not plain.
fn has_plain_types(header: &str) -> bool {
    let Some(mut rest) = header.split_once("'descr'").map(|(_, rest)| rest) else { return false };
    if header.contains('\\') || header.contains('"') {
        return false;
    }
    // The descr ends where the next key stands; whatever else is quoted up to there is a type, or the
    // name of a field, which stands behind an opening parenthesis.
    let mut types = 0;
    while let Some((before, quoted)) = rest.split_once('\'') {
        let Some((text, after)) = quoted.split_once('\'') else { return false };
        if matches!(text, "fortran_order" | "shape") && after.trim_start().starts_with(':') {
            break;
        }
        if !before.trim_end().ends_with('(') {
            if !is_plain_type(text) {
                return false;
            }
            types += 1;
        }
        rest = after;
    }
    types > 0
}

fn is_plain_type(text: &str) -> bool {
    let text = text.trim_start_matches(['<', '>', '|', '=']);
    let mut chars = text.chars();
    let kind = chars.next().is_some_and(|kind| "?bBhHiIlLqQuefdgcmMSUVa".contains(kind));
    let rest = chars.as_str();
    let digits = rest.split('[').next().unwrap_or_default();
    let unit = &rest[digits.len()..];
    let is_unit = unit.is_empty()
        || unit.ends_with(']')
            && unit[1..unit.len() - 1].chars().all(|c| c.is_ascii_alphanumeric());
    kind && digits.bytes().all(|byte| byte.is_ascii_digit()) && is_unit
}

/// Whether a file starts as safetensors do: the size of a JSON object, and the object.
pub(super) fn is_safetensors(view: &mut View<'_>) -> Result<bool, Stop> {
    let Some(size) = view.array::<8>(0)?.map(u64::from_le_bytes) else { return Ok(false) };
    if size > SAFETENSORS_HEADER || size > view.len().saturating_sub(8) {
        return Ok(false);
    }
    let mut header = view.part(8, size);
    if header.array::<1>(0)? != Some([b'{']) {
        return Ok(false);
    }
    let reader = BufReader::new(header.cursor());
    Ok(serde_json::from_reader::<_, IgnoredAny>(reader).is_ok())
}

/// HDF5 starts at the file's start, or at 512, 1024, 2048, …
pub(super) fn is_hdf5(head: &[u8], extension: &str, view: &mut View<'_>) -> Result<bool, Stop> {
    const MAGIC: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
    if head.starts_with(&MAGIC) {
        return Ok(true);
    }
    if !matches!(extension, "h5" | "hdf5" | "hdf" | "he5" | "keras") {
        return Ok(false);
    }
    let mut at = 512_u64;
    while at < view.len() {
        if view.array::<8>(at)? == Some(MAGIC) {
            return Ok(true);
        }
        at = at.saturating_mul(2);
    }
    Ok(false)
}

/// Keras keeps a model's configuration as JSON in an attribute, which HDF5 does not compress.
pub(super) fn hdf5(view: &mut View<'_>) -> Result<FileFormat, Stop> {
    // A name in escapes is spelt so for one reason only.
    lambda_if(holds(
        view,
        &[
            b"\"Lambda\"",
            b"__lambda__",
            b"\"TorchModuleWrapper\"",
            b"\"class_name\": \"\\",
            b"\"class_name\":\"\\",
        ],
    ))
}

/// The configuration of a Keras model: of a `.keras` archive, or by itself.
pub(super) fn keras_json(view: &mut View<'_>) -> Result<FileFormat, Stop> {
    if view.len() <= JSON_BYTES {
        let found = Cell::new(false);
        let mut parser = serde_json::Deserializer::from_reader(BufReader::new(view.cursor()));
        let parsed = Lambda { found: &found, key: Named::Other }.deserialize(&mut parser);
        if parsed.is_ok() || found.get() {
            return lambda_if(Ok(found.get()));
        }
    }
    match hdf5(view)? {
        // Python reads JSON in UTF-16 and UTF-32 too, in which no text was looked for.
        FileFormat::Other if !is_utf8(view)? => Ok(FileFormat::OpaqueArchive),
        format => Ok(format),
    }
}

/// Whether a file is text in UTF-8, which has no zero bytes.
fn is_utf8(view: &mut View<'_>) -> Result<bool, Stop> {
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    loop {
        let read = view.read_at(at, &mut block)?;
        let block = &block[..read];
        let valid = match std::str::from_utf8(block) {
            Ok(_) => read,
            // A character that the block's end cuts is looked at with the next block.
            Err(e) if e.error_len().is_none() && read == BLOCK => e.valid_up_to(),
            Err(_) => return Ok(false),
        };
        if block[..valid].contains(&0) {
            return Ok(false);
        }
        if read < BLOCK {
            return Ok(true);
        }
        at += valid as u64;
    }
}

/// Whether a module is Keras' own: loading a class of another imports that.
fn is_of_keras(module: &str) -> bool {
    let package = module.split('.').next().unwrap_or_default();
    matches!(package, "keras" | "tensorflow" | "tf_keras" | "keras_hub" | "keras_nlp" | "keras_cv")
}

fn lambda_if(found: Result<bool, Stop>) -> Result<FileFormat, Stop> {
    Ok(if found? { FileFormat::KerasLambda } else { FileFormat::Other })
}

/// Whose value a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    ClassName,
    Module,
    Other,
}

/// Looks for a `class_name` that runs code, or a `module` that is not Keras' own, anywhere in JSON.
#[derive(Clone, Copy)]
struct Lambda<'a> {
    found: &'a Cell<bool>,
    key: Named,
}

impl<'de> DeserializeSeed<'de> for Lambda<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lambda<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let runs_code = match self.key {
            Named::ClassName => matches!(text, "Lambda" | "__lambda__" | "TorchModuleWrapper"),
            Named::Module => !is_of_keras(text),
            Named::Other => false,
        };
        if runs_code {
            self.found.set(true);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self { key: Named::Other, ..self })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        // Much JSON has a `module`; only beside a `class_name` it is one that Keras imports.
        let (mut is_class, foreign) = (false, Cell::new(false));
        while let Some(key) = entries.next_key::<String>()? {
            let value = match key.as_str() {
                "class_name" => {
                    is_class = true;
                    Self { key: Named::ClassName, ..self }
                }
                "module" => Lambda { key: Named::Module, found: &foreign },
                _ => Self { key: Named::Other, ..self },
            };
            entries.next_value_seed(value)?;
        }
        if is_class && foreign.get() {
            self.found.set(true);
        }
        Ok(())
    }
}

/// Whether any of these texts stands anywhere in the file.
fn holds(view: &mut View<'_>, texts: &[&[u8]]) -> Result<bool, Stop> {
    let overlap = texts.iter().map(|text| text.len()).max().unwrap_or(1);
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    loop {
        let read = view.read_at(at, &mut block)?;
        if texts.iter().any(|text| contains(&block[..read], text)) {
            return Ok(true);
        }
        if read < BLOCK {
            return Ok(false);
        }
        at += (BLOCK - overlap) as u64;
    }
}

fn contains(mut hay: &[u8], text: &[u8]) -> bool {
    let Some(first) = text.first() else { return true };
    while let Some(at) = hay.iter().position(|byte| byte == first) {
        hay = &hay[at..];
        if hay.starts_with(text) {
            return true;
        }
        hay = &hay[1..];
    }
    false
}
