//! Which files of a model may run code when they are loaded.
//!
//! A pickle is a program: loading it runs whatever it says. So are a Keras model with a Lambda layer, a
//! shared library, a script. Registering looks into every file and writes down what it is, and a policy
//! says what a stage permits. The non-obvious decision is that *content counts and a name only makes it
//! worse*: a pickle named `weights.bin` is a pickle, because its opcodes are followed as the unpickler
//! would follow them; a file named `.pkl` that cannot be followed is `OpaqueArchive`, not harmless.
//!
//! - Pickle: protocols 0 to 5 with a real opcode reader, joblib's too (its arrays lie between opcodes),
//!   `.npy` with objects, and both inside zip (PyTorch, `.npz`) and tar.
//! - Lambda layers of Keras: in the JSON of a `.keras` file, a model's own JSON, and HDF5.
//! - Programs of the machine, WebAssembly and Java classes; scripts by `#!` or name.
//! - What is compressed or encrypted is `OpaqueArchive`: nothing is unpacked here. PyTorch, Keras and
//!   `numpy.savez` store without compression, so their files are looked into.
//!
//! No size in a header is believed, memory is constant, and the work is bounded by a few times the
//! file's size: who asks for more (a zip whose entries overlap) is `OpaqueArchive`.
//!
//! What it does not do: find malice. It names formats that can carry code; a harmless pickle is a
//! pickle, and a model server with a bug in its ONNX reader is beyond it.

mod archive;
mod formats;
mod pickle;
mod view;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::path::Path;

use mlops_core::registry::FileFormat;
use mlops_core::{Error, Result};

use self::pickle::Pickled;
use self::view::{Source, Stop, View};
use crate::blobs::fault::io_error;

/// Archives in archives in archives are looked into so deep.
const DEPTH: usize = 4;
/// How much of a file's start decides what it is.
const HEAD: usize = 1024;

/// What a file of this name and these bytes is.
pub(crate) fn scan_bytes(name: &str, bytes: &[u8]) -> FileFormat {
    let mut source = bytes;
    // Memory does not fail to be read.
    scan(name, &mut source, bytes.len() as u64).unwrap_or(FileFormat::OpaqueArchive)
}

/// What the file at `path` is, which has this name in its version; in constant memory.
///
/// # Errors
/// `NotFound`, `Denied` or `Unavailable` as the file system says; `Invalid` if it is no regular file.
pub(crate) fn scan_file(path: &Path, name: &str) -> Result<FileFormat> {
    const OP: &str = "scan";
    let failed = |e| io_error(OP, path, e);
    // Looked at before it is opened, as opening a pipe waits for somebody to write to it.
    let meta = fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(Error::invalid(OP, "is no regular file").with("path", path.display()));
    }
    let mut file = File::open(path).map_err(failed)?;
    scan(name, &mut file, meta.len()).map_err(failed)
}

fn scan(name: &str, source: &mut dyn Source, size: u64) -> std::io::Result<FileFormat> {
    let mut budget = view::budget(size);
    let mut view = View::whole(source, size, &mut budget);
    match look(name, &mut view, 0) {
        Ok(format) => Ok(format),
        Err(Stop::TooMuch) => Ok(FileFormat::OpaqueArchive),
        Err(Stop::Io(e)) => Err(e),
    }
}

/// What one file is, whether it lies on a disk or within an archive.
fn look(name: &str, view: &mut View<'_>, depth: usize) -> Result<FileFormat, Stop> {
    let extension = extension(name);
    let named = by_name(&extension);
    let found = by_content(&extension, view, depth)?;
    Ok(worse(named, found))
}

fn by_content(extension: &str, view: &mut View<'_>, depth: usize) -> Result<FileFormat, Stop> {
    let mut head = [0; HEAD];
    let read = view.read_at(0, &mut head)?;
    let head = &head[..read];
    if head.is_empty() {
        return Ok(FileFormat::Other);
    }
    let is_pickle_by_name =
        matches!(extension, "pkl" | "pickle" | "pck" | "p" | "dill" | "joblib" | "cloudpickle");
    match pickle::follow(view)? {
        Pickled::Runs => return Ok(FileFormat::Pickle),
        Pickled::Harmless if is_pickle_by_name => return Ok(FileFormat::Pickle),
        Pickled::Harmless | Pickled::No => {}
    }
    if formats::is_native(head) {
        return Ok(FileFormat::Native);
    }
    if head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).starts_with(b"#!") {
        return Ok(FileFormat::Script);
    }
    if head.starts_with(b"\x93NUMPY") {
        return formats::npy(view);
    }
    let is_zip_by_name = matches!(
        extension,
        "zip" | "keras" | "npz" | "pt" | "pth" | "ptl" | "whl" | "egg" | "jar" | "mar" | "pyz"
    );
    if head.starts_with(b"PK") || is_zip_by_name {
        if let Some(found) = archive::zip(view, depth)? {
            return Ok(found);
        }
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") || extension == "zip"
        {
            return Ok(FileFormat::OpaqueArchive);
        }
    }
    if formats::is_hdf5(head, extension, view)? {
        return formats::hdf5(view);
    }
    if extension == "safetensors" {
        let good = formats::is_safetensors(view)?;
        return Ok(if good { FileFormat::Other } else { FileFormat::OpaqueArchive });
    }
    if extension == "json" || extension == "keras" {
        return formats::keras_json(view);
    }
    if archive::is_tar(head) {
        return archive::tar(view, depth);
    }
    if formats::is_compressed(head) || is_pickle_by_name {
        return Ok(FileFormat::OpaqueArchive);
    }
    // PyTorch's oldest archives are tar, its old ones pickle: a file of that name is one of these, or
    // something that nobody here knows.
    let is_torch = matches!(extension, "pt" | "pth");
    Ok(if is_torch { FileFormat::OpaqueArchive } else { FileFormat::Other })
}

/// What the name alone says: text that an interpreter runs looks like any other.
fn by_name(extension: &str) -> FileFormat {
    match extension {
        "py" | "pyw" | "pyc" | "pyo" | "sh" | "bash" | "zsh" | "fish" | "r" | "js" | "mjs"
        | "cjs" | "pl" | "rb" | "lua" | "jl" | "php" | "ps1" | "bat" | "cmd" | "ipynb" => {
            FileFormat::Script
        }
        "so" | "dll" | "dylib" | "exe" | "pyd" | "wasm" | "class" => FileFormat::Native,
        _ => FileFormat::Other,
    }
}

/// The extension in lower case; that of a library with a version (`libx.so.1`) is `so`.
fn extension(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let mut parts = file.rsplit('.').map(str::to_ascii_lowercase);
    let last = parts.next().filter(|_| file.contains('.')).unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if is_number(&last) && parts.find(|part| !is_number(part)).is_some_and(|part| part == "so") {
        return "so".to_owned();
    }
    last
}

/// Of two findings the one to be told.
fn worse(a: FileFormat, b: FileFormat) -> FileFormat {
    let rank = |format: FileFormat| match format {
        FileFormat::Other => 0,
        FileFormat::OpaqueArchive => 1,
        FileFormat::Script => 2,
        FileFormat::Native => 3,
        FileFormat::KerasLambda => 4,
        _ => 5,
    };
    if rank(a) >= rank(b) { a } else { b }
}
