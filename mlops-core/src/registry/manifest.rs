//! The manifest: everything about a version that can never change, and its one digest.
//!
//! Files, signature, source run, inputs, metrics, params, environment, code: who signs or approves the
//! digest signs all of it. The digest is BLAKE3 over the manifest's JSON text, whose order is that of
//! the fields here and of their keys; a field that is empty is left out, so that fields added later
//! leave old digests as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::signature::Signature;
use crate::tracking::{DatasetInput, Digest, RunStatus};
use crate::{ArtifactPath, Error, Key, Result, RunId, float};

/// Most files of a version.
pub const MAX_FILES: usize = 100_000;

/// What a version is made of; immutable once registered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// Its files, by path, each path once.
    pub files: Vec<ManifestFile>,
    /// What it takes and gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The run that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<SourceRun>,
    /// The data that it was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<DatasetInput>,
    /// The feature service that serves its inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureServiceRef>,
    /// Which of its files is the reference profile that drift is measured against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ArtifactPath>,
    /// How good it was found to be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "float::map")]
    pub metrics: BTreeMap<Key, f64>,
    /// What it was told to do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<Key, String>,
    /// The machine, the system and the packages that it was made with, as captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<serde_json::Value>,
    /// What is needed to make it again.
    #[serde(default, skip_serializing_if = "Replay::is_empty")]
    pub replay: Replay,
}

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Where it lies within the version.
    pub path: ArtifactPath,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// What its first bytes and its name say it is.
    #[serde(default, skip_serializing_if = "FileFormat::is_other")]
    pub format: FileFormat,
}

/// What kind of file it is, as far as loading it may run code.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileFormat {
    /// Nothing that is known to run code: data, text, ONNX, safetensors, Parquet, …
    #[default]
    Other,
    /// A Python pickle, also inside joblib, NumPy object arrays and PyTorch archives: loading it runs
    /// whatever it says.
    Pickle,
    /// A Keras or HDF5 model with a Lambda layer: it holds Python byte code.
    KerasLambda,
    /// A program or a library of the machine (ELF, PE, Mach-O).
    Native,
    /// Text that an interpreter runs: Python, shell.
    Script,
    /// An archive that could not be looked into.
    OpaqueArchive,
}

impl FileFormat {
    /// Whether loading it may run code that it brings along.
    pub fn may_execute(self) -> bool {
        self != Self::Other
    }

    /// The format as it stands in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Pickle => "pickle",
            Self::KerasLambda => "keras_lambda",
            Self::Native => "native",
            Self::Script => "script",
            Self::OpaqueArchive => "opaque_archive",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_other(&self) -> bool {
        *self == Self::Other
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The run that made a version, as it was when the version was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRun {
    /// Its id.
    pub id: RunId,
    /// What had become of it.
    pub status: RunStatus,
}

/// A feature service at one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureServiceRef {
    /// Its name.
    pub name: Key,
    /// Its version.
    pub version: u64,
}

/// What is needed to make a version again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Replay {
    /// The source code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeState>,
    /// The lock file that pins the packages: its path in the repository and its digest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lock_files: BTreeMap<String, Digest>,
    /// Seeds of random numbers, by what they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub seeds: BTreeMap<Key, String>,
    /// The command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Replay {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The state of the source code that a version was made with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CodeState {
    /// The commit, as the repository names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Where the repository lives, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Whether tracked files differed from the commit; absent if nobody could tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// The digest of the uncommitted changes, which lie among the source run's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Digest>,
}

impl Manifest {
    /// A manifest of these files, in the order of their paths.
    ///
    /// # Errors
    /// As [`Manifest::check`].
    pub fn new(mut files: Vec<ManifestFile>) -> Result<Self> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let manifest = Self { files, ..Self::default() };
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks a manifest that was built by hand or came from elsewhere.
    ///
    /// # Errors
    /// `Invalid` for no files or too many, a path that is named twice, that is a file and a directory
    /// at once, or out of order; a profile that is none of the files; a signature that contradicts
    /// itself.
    pub fn check(&self) -> Result<()> {
        let op = "manifest";
        if self.files.is_empty() || self.files.len() > MAX_FILES {
            return Err(Error::invalid(op, "has no files, or too many")
                .with("files", self.files.len())
                .with("at_most", MAX_FILES));
        }
        for pair in self.files.windows(2) {
            let (before, after) = (&pair[0].path, &pair[1].path);
            if before == after {
                return Err(Error::invalid(op, "names a file twice").with("path", before));
            }
            if before > after {
                return Err(Error::invalid(op, "names its files out of order")
                    .with("path", after)
                    .with_hint("sort them by path"));
            }
        }
        let paths: BTreeSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        for file in &self.files {
            if let Some(other) =
                crate::tracking::check::directories(&file.path).find(|d| paths.contains(d))
            {
                return Err(Error::invalid(op, "a path would be both a file and a directory")
                    .with("path", &file.path)
                    .with("other", other));
            }
            if i64::try_from(file.size).is_err() {
                return Err(Error::invalid(op, "a file is larger than 2^63 - 1 bytes")
                    .with("path", &file.path));
            }
        }
        if let Some(profile) = &self.profile
            && !paths.contains(profile.as_str())
        {
            return Err(
                Error::invalid(op, "its profile is none of its files").with("profile", profile)
            );
        }
        self.signature.as_ref().map_or(Ok(()), Signature::check)
    }

    /// The bytes that are hashed, and stored: JSON.
    pub fn to_json(&self) -> String {
        // Plain data whose keys are strings and whose floats are written as text where JSON has no
        // number: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The digest of everything in it.
    pub fn digest(&self) -> Digest {
        Self::digest_of(&self.to_json())
    }

    /// The digest of a manifest whose text this is.
    pub fn digest_of(json: &str) -> Digest {
        Digest(*blake3::hash(json.as_bytes()).as_bytes())
    }

    /// How many bytes its files have.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// The file of this path.
    pub fn file(&self, path: &str) -> Option<&ManifestFile> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }
}
