//! Proving that what is stored is what was registered.
//!
//! Four things are looked at: the chain of the journal; that the versions which the journal knows are
//! the versions which are there, with the same digests; that each manifest has its digest and each file
//! its bytes; and that every signature is right. All that is found wrong is listed, since whoever has to
//! repair a store wants to know all of it and not the first.
//!
//! What it cannot prove: that somebody who holds the files did not rewrite all of them together, journal
//! and all. Keep [`JournalProof::head`] somewhere else for that, or sign versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::TryStreamExt;
use mlops_core::journal::JournalProof;
use mlops_core::lineage::Node;
use mlops_core::registry::{ModelQuery, ModelVersion, VersionId, VersionQuery, events};
use mlops_core::tracking::{Digest, View};
use mlops_core::{Error, ErrorKind, ModelName, Result};
use serde::Serialize;

use super::engine::Models;
use super::files::check_manifest;
use super::signing::verify_attestation;

/// How many rows of the journal are read at once.
const JOURNAL_PAGE: usize = 1_000;

/// What is verified; by default everything.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VerifyModels {
    /// Only the versions of these models; of all, if empty. The journal's chain is always checked.
    pub models: Vec<ModelName>,
    /// Leaves the bytes of files unread.
    pub skip_files: bool,
}

impl VerifyModels {
    /// Looks only at the versions of this model (and of those added before).
    pub fn with_model(mut self, model: ModelName) -> Self {
        self.models.push(model);
        self
    }

    /// Leaves the bytes of files unread: fast, and proves nothing about them.
    pub fn without_files(mut self) -> Self {
        self.skip_files = true;
        self
    }
}

/// What [`Models::verify`] proved, and what it found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelsProof {
    /// The journal's chain; `None` if it is broken.
    pub journal: Option<JournalProof>,
    /// How many models were looked at, those in the trash too.
    pub models: u64,
    /// How many versions have the manifest that was registered.
    pub versions: u64,
    /// How many different files have the bytes that were registered; equal ones are read once.
    pub files: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many signatures are right.
    pub signatures: u64,
    /// What is wrong, one thing a line; empty if nothing is.
    pub problems: Vec<String>,
}

impl ModelsProof {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    /// Itself, if nothing is wrong.
    ///
    /// # Errors
    /// `Corrupt` naming the first problem and how many there are.
    pub fn into_result(self) -> Result<Self> {
        let Some(first) = self.problems.first() else { return Ok(self) };
        Err(Error::corrupt("models.verify", "what is stored is not what was registered")
            .with("first", first)
            .with("problems", self.problems.len())
            .with_hint("restore what is damaged from a backup"))
    }
}

impl fmt::Display for ModelsProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.journal {
            None => writeln!(f, "journal     broken")?,
            Some(JournalProof { events, sealed, head }) => {
                write!(f, "journal     {events} rows, {sealed} chained")?;
                match head.get(..16) {
                    Some(head) => writeln!(f, ", head {head}…")?,
                    None => writeln!(f)?,
                }
            }
        }
        writeln!(f, "models      {}", self.models)?;
        writeln!(f, "versions    {} with their manifests", self.versions)?;
        writeln!(f, "files       {} ({} bytes) with their digests", self.files, self.bytes)?;
        writeln!(f, "signatures  {}", self.signatures)?;
        for problem in &self.problems {
            writeln!(f, "problem     {problem}")?;
        }
        f.write_str(if self.is_ok() { "verified" } else { "NOT what was registered" })
    }
}

impl Models {
    /// Verifies what is stored; see [`ModelsProof`]. What is wrong stands in the proof.
    ///
    /// # Errors
    /// Only what keeps it from looking: a store that is away, or a model that was asked for and is not
    /// there.
    pub async fn verify(&self, options: &VerifyModels) -> Result<ModelsProof> {
        let mut proof = ModelsProof {
            journal: None,
            models: 0,
            versions: 0,
            files: 0,
            bytes: 0,
            signatures: 0,
            problems: Vec::new(),
        };
        let versions = self.to_verify(options, &mut proof).await?;
        match self.tracking().journal().verify().await {
            Ok(journal) => proof.journal = Some(journal),
            Err(e) => note(&mut proof.problems, e)?,
        }
        self.compare_with_journal(options, &versions, &mut proof).await?;
        let mut seen = BTreeSet::new();
        for version in &versions {
            match check_manifest(version) {
                Ok(()) => proof.versions += 1,
                Err(e) => note(&mut proof.problems, e)?,
            }
            for attestation in &version.attestations {
                let verified = verify_attestation(attestation, version.digest);
                match verified.map_err(|e| e.with("version", version.id())) {
                    Ok(()) => proof.signatures += 1,
                    Err(e) => proof.problems.push(e.to_string()),
                }
            }
            if !options.skip_files {
                self.verify_files(version, &mut seen, &mut proof).await?;
            }
        }
        Ok(proof)
    }

    async fn to_verify(
        &self,
        options: &VerifyModels,
        proof: &mut ModelsProof,
    ) -> Result<Vec<ModelVersion>> {
        if options.models.is_empty() {
            let mut query = ModelQuery::default().with_view(View::All);
            loop {
                let page = self.registry().search_models(&query).await?;
                proof.models += page.items.len() as u64;
                match page.next {
                    None => break,
                    next => query.page = next,
                }
            }
            return self.all_versions(VersionQuery::default().with_view(View::All)).await;
        }
        let mut versions = Vec::new();
        for name in &options.models {
            self.registry().model(name).await?;
            proof.models += 1;
            let query = VersionQuery::of(name.clone()).with_view(View::All);
            versions.extend(self.all_versions(query).await?);
        }
        Ok(versions)
    }

    /// Finds versions that the journal does not know, or knows with another digest, or that are gone.
    async fn compare_with_journal(
        &self,
        options: &VerifyModels,
        versions: &[ModelVersion],
        proof: &mut ModelsProof,
    ) -> Result<()> {
        let mut registered: BTreeMap<Node, Option<Digest>> = BTreeMap::new();
        let mut read_to = match self.read_registered(0, &mut registered).await {
            Ok(read_to) => read_to,
            Err(e) => return note(&mut proof.problems, e),
        };
        let problems = &mut proof.problems;
        for version in versions {
            let id = version.id();
            match registered.remove(&Node::from(&id)) {
                Some(Some(digest)) if digest == version.digest => {}
                Some(Some(digest)) => problems.push(format!(
                    "version {id} has the digest {}, and was registered with {digest}",
                    version.digest
                )),
                // Purged since it was listed.
                Some(None) => {}
                None => problems.push(format!("version {id} was never registered")),
            }
        }
        // What is left was registered since, or purged, or is gone without a purge.
        for (node, _) in registered.iter().filter(|(_, digest)| digest.is_some()) {
            let Ok(id) = node.id.parse::<VersionId>() else { continue };
            if !options.models.is_empty() && !options.models.contains(&id.model) {
                continue;
            }
            match self.registry().version(&id).await {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    let mut since = BTreeMap::new();
                    read_to = self.read_registered(read_to, &mut since).await?;
                    if since.get(node) != Some(&None) {
                        problems.push(format!("version {id} was registered and is gone"));
                    }
                }
                Err(e) => note(problems, e)?,
            }
        }
        Ok(())
    }

    /// The digests that versions were registered with, `None` for purged ones, by the journal's rows
    /// after `after`. Returns the number of the last row.
    async fn read_registered(
        &self,
        mut after: u64,
        registered: &mut BTreeMap<Node, Option<Digest>>,
    ) -> Result<u64> {
        loop {
            let rows = self.tracking().journal().events(after, JOURNAL_PAGE).await?;
            let Some(last) = rows.last() else { return Ok(after) };
            after = last.sequence;
            for row in rows {
                let digest = match row.operation.as_str() {
                    events::VERSION_PURGE => None,
                    events::VERSION_REGISTER => {
                        row.payload.get("digest").and_then(|d| d.as_str()?.parse().ok())
                    }
                    _ => continue,
                };
                registered.insert(row.node, digest);
            }
        }
    }

    async fn verify_files(
        &self,
        version: &ModelVersion,
        seen: &mut BTreeSet<Digest>,
        proof: &mut ModelsProof,
    ) -> Result<()> {
        for file in &version.manifest.files {
            if !seen.insert(file.digest) {
                continue;
            }
            let read = async {
                let blob = self.object(version, file).await?;
                let mut chunks = self.tracking().blobs().get(&blob).await?;
                while chunks.try_next().await?.is_some() {}
                Ok(())
            };
            match read.await {
                Ok(()) => {
                    proof.files += 1;
                    proof.bytes += file.size;
                }
                Err(e) => {
                    let e: Error = e;
                    note(
                        &mut proof.problems,
                        e.with("version", version.id()).with("file", &file.path),
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// Lists what is wrong with the store; hands back what only kept us from looking.
fn note(problems: &mut Vec<String>, error: Error) -> Result<()> {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::Invalid => {
            problems.push(error.to_string());
            Ok(())
        }
        _ => Err(error),
    }
}
