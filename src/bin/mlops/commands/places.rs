//! Files that a command reads and writes, looked at before it does any work: what it writes may
//! replace neither what it reads nor another of its answers.

use std::path::{Path, PathBuf, is_separator};

use mlops::{Error, Result};

use crate::failure::COMMAND;

/// What was named so far.
#[derive(Default)]
pub(super) struct Places {
    read: Vec<Place>,
    written: Vec<Place>,
}

/// A file, or all files below a folder.
struct Place {
    /// The part of the command line: `--html report.html`.
    named: String,
    /// The one name that it has, whatever link or `..` leads there.
    real: PathBuf,
    is_folder: bool,
}

impl Places {
    /// Adds what is read; what is there is named before what is written.
    pub(super) fn reads(&mut self, option: &str, url: &str) {
        let Some(path) = local(url) else { return };
        let Some(real) = real(path) else { return };
        let is_folder = url.ends_with(is_separator);
        self.read.push(Place { named: format!("{option} {url}"), real, is_folder });
    }

    /// Adds what is written, by path or URL; another store's URL is not looked at.
    pub(super) fn writes_url(&mut self, option: &str, url: &str) -> Result<()> {
        match local(url) {
            Some(path) => self.writes(option, path),
            None => Ok(()),
        }
    }

    /// Adds what is written.
    ///
    /// # Errors
    /// `Invalid`: `-`, a folder, a file of a folder that is not there, and a file that is read or
    /// written besides.
    pub(super) fn writes(&mut self, option: &str, path: &Path) -> Result<()> {
        let named = format!("{option} {}", path.display());
        let invalid = |message| Error::invalid(COMMAND, message).with("output", &named);
        if path == Path::new("-") {
            return Err(invalid("standard output cannot be named here")
                .with_hint("the answer goes there anyway, with --json as JSON; name a file"));
        }
        let found = std::fs::metadata(path).ok();
        if found.as_ref().is_some_and(std::fs::Metadata::is_dir) || path.file_name().is_none() {
            return Err(invalid("is a folder").with_hint("name a file in it"));
        }
        let Some(real) = real(path) else {
            return Err(invalid("the folder of an output is not there").with_hint("make it first"));
        };
        // What is no file (a device, a pipe) loses nothing when it is written to.
        if found.is_some_and(|found| !found.is_file()) {
            return Ok(());
        }
        let read = self.read.iter().find(|place| place.holds(&real));
        if let Some(place) = read {
            let message = if place.is_folder {
                "an output is among the files that are read"
            } else {
                "an output would replace what is read"
            };
            return Err(invalid(message).with("input", &place.named));
        }
        if let Some(place) = self.written.iter().find(|place| place.real == real) {
            return Err(invalid("two outputs are one file").with("other", &place.named));
        }
        self.written.push(Place { named, real, is_folder: false });
        Ok(())
    }
}

impl Place {
    fn holds(&self, file: &Path) -> bool {
        if !self.is_folder {
            return self.real == file;
        }
        // Names that begin so are left out where a folder is read.
        let hidden = |name: &str| name.starts_with(['.', '_']);
        file.strip_prefix(&self.real)
            .is_ok_and(|below| !below.iter().any(|part| hidden(&part.to_string_lossy())))
    }
}

/// The path of a local file; nothing for the URL of another store.
fn local(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    (!path.contains("://")).then(|| Path::new(path))
}

/// The one name of a file, which need not be there; nothing if its folder is not.
fn real(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}
