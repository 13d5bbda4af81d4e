//! What a version knows beside its files, on its way through MLflow: a JSON file that nobody but us
//! reads, beside the folder of the version.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mlops_core::registry::{Attestation, Evidence, Manifest, ModelVersion};
use mlops_core::tracking::Digest;
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Longest one that is read: a manifest has 16 MiB at most.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// Everything of a version that MLflow has no columns for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) manifest: Manifest,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) evidence: Vec<Evidence>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attestations: Vec<Attestation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<String>,
}

impl Document {
    pub(super) fn of(version: &ModelVersion) -> Self {
        Self {
            manifest: version.manifest.clone(),
            evidence: version.evidence.clone(),
            attestations: version.attestations.clone(),
            origin: version.origin.clone(),
        }
    }

    /// Whether it says more than MLflow's own columns do: files and the run.
    pub(super) fn says_more(&self) -> bool {
        let Manifest { files, run, .. } = &self.manifest;
        let mut plain = Manifest::default();
        plain.files.clone_from(files);
        plain.run.clone_from(run);
        self.manifest != plain || !self.evidence.is_empty() || !self.attestations.is_empty()
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // As a manifest's own text: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether the file at `path` is one.
    pub(super) fn is_at(path: &Path) -> bool {
        read_small(path).is_some_and(|bytes| serde_json::from_slice::<Self>(&bytes).is_ok())
    }

    /// Reads one, if it is what was exported.
    ///
    /// # Errors
    /// `Invalid` if it is none, or its manifest has another digest.
    pub(super) fn read(bytes: &[u8], digest: Digest) -> Result<Self> {
        let op = "mlflow.import";
        let document: Self = serde_json::from_slice(bytes).map_err(|e| {
            Error::invalid(op, "is no document of an exported version").with_source(e)
        })?;
        document.manifest.check()?;
        let found = document.manifest.digest();
        if found != digest {
            return Err(Error::invalid(op, "the manifest is not the one that was exported")
                .with("expected_digest", digest)
                .with("found_digest", found));
        }
        Ok(document)
    }
}

/// The bytes of a file, if it can be read and is not longer than any document.
pub(super) fn read_small(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).ok()?.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes);
    (read.is_ok() && bytes.len() as u64 <= MAX_DOCUMENT_BYTES).then_some(bytes)
}
