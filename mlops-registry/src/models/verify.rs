//! Proving that what is stored is what was registered.
//!
//! Four things are looked at: the chain of the journal; that replaying the journal gives what the store
//! says (every model, version, move, approval and policy, each with all its fields); that each manifest
//! has its digest and each file its bytes; and that every signature is right. All that is found wrong is
//! listed, since whoever has to repair a store wants to know all of it and not the first.
//!
//! What it cannot prove: rows of the journal that no seal covers could have been changed together with
//! what they explain; the proof says how many there are. Verifying seals nothing itself, as a seal over
//! what is forged already would vouch for it. And somebody who holds the files can rewrite all of them,
//! journal, seals and all. Keep [`JournalProof::head`] somewhere else for that, or sign versions.

mod replayed;

use std::collections::BTreeSet;
use std::fmt;

use futures::TryStreamExt;
use mlops_core::journal::JournalProof;
use mlops_core::registry::{Model, ModelQuery, ModelVersion, VersionQuery};
use mlops_core::tracking::{Digest, View};
use mlops_core::{Error, ErrorKind, ModelName, Result};
use serde::Serialize;

use super::engine::Models;
use super::files::check_manifest;
use super::signing::verify_attestation;

/// What is verified; by default everything.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VerifyModels {
    /// Only these models and their versions; all, if empty, and policies, access rules and recovery
    /// drills with them. The journal's chain is always checked.
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

    /// How many rows of the journal no seal covers: whoever can write the store's files could have
    /// changed these together with what they explain. 0 if the chain is broken.
    pub fn unsealed(&self) -> u64 {
        self.journal.as_ref().map_or(0, |journal| journal.events.saturating_sub(journal.sealed))
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
                write!(f, "journal     {events} rows, {sealed} sealed")?;
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
        if !self.is_ok() {
            return f.write_str("NOT what was registered");
        }
        match self.unsealed() {
            0 => f.write_str("verified"),
            rows => write!(
                f,
                "verified, but for {rows} rows of the journal: NO SEAL covers them; seal the journal"
            ),
        }
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
        let (listed, versions) = self.to_verify(options).await?;
        proof.models = listed.len() as u64;
        match self.tracking().journal().verify().await {
            Ok(journal) => proof.journal = Some(journal),
            Err(e) => note(&mut proof.problems, e)?,
        }
        replayed::compare(self, options, &listed, &versions, &mut proof.problems).await?;
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

    async fn to_verify(&self, options: &VerifyModels) -> Result<(Vec<Model>, Vec<ModelVersion>)> {
        let mut models = Vec::new();
        if options.models.is_empty() {
            let mut query = ModelQuery::default().with_view(View::All);
            loop {
                let page = self.registry().search_models(&query).await?;
                models.extend(page.items);
                match page.next {
                    None => break,
                    next => query.page = next,
                }
            }
            let all = VersionQuery::default().with_view(View::All);
            return Ok((models, self.all_versions(all).await?));
        }
        let mut versions = Vec::new();
        for name in options.models.iter().collect::<BTreeSet<_>>() {
            models.push(self.registry().model(name).await?);
            let query = VersionQuery::of(name.clone()).with_view(View::All);
            versions.extend(self.all_versions(query).await?);
        }
        Ok((models, versions))
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

/// Lists what is wrong with one thing, also if it cannot be looked at (a link in place of an object, a
/// file that nobody may read): the rest is still to be verified. Hands back only that the store is away.
fn note(problems: &mut Vec<String>, error: Error) -> Result<()> {
    if error.kind() == ErrorKind::Unavailable {
        return Err(error);
    }
    problems.push(error.to_string());
    Ok(())
}
