//! Versions of a model.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::manifest::Manifest;
use super::stage::Stage;
use super::uri::VersionId;
use crate::journal::Actor;
use crate::time::{self, Instant};
use crate::tracking::{Blob, BlobLocation, Digest};
use crate::{Alias, Error, Key, ModelName, Result};

/// One version of a model, as stored. The manifest never changes; the rest is what people and policies
/// made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelVersion {
    /// The model.
    pub model: ModelName,
    /// Its number: 1, 2, 3, …
    pub number: u64,
    /// The digest of [`ModelVersion::manifest`].
    pub digest: Digest,
    /// Everything about it that cannot change.
    pub manifest: Manifest,
    /// Who made it: who registered it, or whom the registry that it was copied or imported from names.
    pub author: Actor,
    /// Who made the call that registered it here.
    pub registrar: Actor,
    /// When it was registered.
    pub created: Instant,
    /// When anything about it last changed.
    pub updated: Instant,
    /// When it went to the trash, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Instant>,
    /// Where it was copied from: a workspace's URL, `#`, and the version's id there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Free labels.
    pub tags: BTreeMap<Key, String>,
    /// Where it may run.
    pub stage: Stage,
    /// The aliases that name it.
    pub aliases: BTreeSet<Alias>,
    /// What was found out about it, by kind and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Who vouches for the manifest, by key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Attestation>,
}

impl ModelVersion {
    /// A version in no stage with nothing but its manifest; for backends.
    pub fn new(id: VersionId, manifest: Manifest, author: Actor, created: Instant) -> Self {
        let digest = manifest.digest();
        Self::with_digest(id, manifest, digest, author, created)
    }

    /// As [`ModelVersion::new`], with the digest that was stored; for backends. Whether it is the
    /// manifest's is for a proof to find out, not for every reader.
    pub fn with_digest(
        id: VersionId,
        manifest: Manifest,
        digest: Digest,
        author: Actor,
        created: Instant,
    ) -> Self {
        Self {
            model: id.model,
            number: id.number,
            digest,
            manifest,
            registrar: author.clone(),
            author,
            created,
            updated: created,
            deleted: None,
            origin: None,
            note: String::new(),
            tags: BTreeMap::new(),
            stage: Stage::None,
            aliases: BTreeSet::new(),
            evidence: Vec::new(),
            attestations: Vec::new(),
        }
    }

    /// Its name for ever.
    pub fn id(&self) -> VersionId {
        VersionId::new(self.model.clone(), self.number)
    }

    /// Whether somebody is its author or registered it: they cannot approve it.
    pub fn is_made_by(&self, actor: &Actor) -> bool {
        *actor == self.author || *actor == self.registrar
    }

    /// Adds evidence in its place: sorted by kind and name, one of each.
    pub fn attach(&mut self, evidence: Evidence) {
        let place = |e: &Evidence| (e.kind(), e.name().clone());
        match self.evidence.binary_search_by_key(&place(&evidence), place) {
            Ok(at) => self.evidence[at] = evidence,
            Err(at) => self.evidence.insert(at, evidence),
        }
    }

    /// Adds an attestation in its place: sorted by key, one of each; its instant to the microsecond.
    pub fn attest(&mut self, mut attestation: Attestation) {
        attestation.at = time::from_micros_lossy(attestation.at.timestamp_micros());
        match self.attestations.binary_search_by(|a| a.key.cmp(&attestation.key)) {
            Ok(at) => self.attestations[at] = attestation,
            Err(at) => self.attestations.insert(at, attestation),
        }
    }
}

/// A signature over a manifest's digest (not to be mixed up with the model's
/// [`Signature`](super::Signature), which says what it takes and gives).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The Ed25519 public key, as 64 hexadecimal digits.
    pub key: String,
    /// The Ed25519 signature, as 128 hexadecimal digits.
    pub signature: String,
    /// When it was signed, by the signer's clock; not covered by the signature.
    pub at: Instant,
}

impl Attestation {
    /// Checks the form; whether the signature is right needs the key and is checked where it is used.
    ///
    /// # Errors
    /// `Invalid` unless key and signature are lower-case hexadecimal of the right length.
    pub fn check(&self) -> Result<()> {
        let hex = |text: &str, length| {
            text.len() == length
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if hex(&self.key, 64) && hex(&self.signature, 128) {
            return Ok(());
        }
        Err(Error::invalid("attestation", "key or signature is not lower-case hexadecimal")
            .with("key_digits", self.key.len())
            .with("signature_digits", self.signature.len())
            .with_hint("an Ed25519 key has 64 digits, a signature 128"))
    }
}

/// A new version.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RegisterVersion {
    /// Everything about it that cannot change.
    pub manifest: Manifest,
    /// The objects of its files: one for each digest that the manifest names.
    pub objects: Vec<VersionObject>,
    /// Free text.
    pub note: String,
    /// Its labels.
    pub tags: BTreeMap<Key, String>,
    /// What is known about it already.
    pub evidence: Vec<Evidence>,
    /// Who vouches for it already.
    pub attestations: Vec<Attestation>,
    /// If a version of this model with this manifest's digest is there and not in the trash, return it
    /// and change nothing.
    pub reuse: bool,
    /// For copies: where it was copied from. Its source run need not exist here.
    pub origin: Option<String>,
    /// For copies: who made it there. `Invalid` without [`RegisterVersion::origin`].
    pub author: Option<Actor>,
    /// For imports: the facts of another registry.
    pub imported: Option<ImportedVersion>,
}

/// What an import knows better than this store. Its source run need not exist here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportedVersion {
    /// The version's number; must be greater than any that the model ever had.
    pub number: Option<u64>,
    /// Who registered it.
    pub author: Option<Actor>,
    /// When.
    pub created: Option<Instant>,
    /// The stage that it is in; no policy is asked.
    pub stage: Stage,
}

impl ImportedVersion {
    /// Keeps the number that it has.
    pub fn with_number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    /// Says who registered it.
    pub fn with_author(mut self, author: Actor) -> Self {
        self.author = Some(author);
        self
    }

    /// Says when it was registered.
    pub fn with_created(mut self, created: Instant) -> Self {
        self.created = Some(created);
        self
    }

    /// Says in which stage it is.
    pub fn with_stage(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }
}

/// The bytes of a file of a version, which lie durably in the blob store already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionObject {
    /// The object. If the backend knows one of the same digest it names that, and returns this
    /// location as not needed.
    pub blob: Blob,
    /// Whether the caller has uploaded the object itself. If not, it took the object for known: a
    /// backend that names no object of this digest any more answers `Conflict`.
    pub uploaded: bool,
}

impl RegisterVersion {
    /// A version of this manifest.
    pub fn new(manifest: Manifest) -> Self {
        Self {
            manifest,
            objects: Vec::new(),
            note: String::new(),
            tags: BTreeMap::new(),
            evidence: Vec::new(),
            attestations: Vec::new(),
            reuse: false,
            origin: None,
            author: None,
            imported: None,
        }
    }

    /// Names an object that the caller has just uploaded.
    pub fn with_uploaded(mut self, blob: Blob) -> Self {
        self.objects.push(VersionObject { blob, uploaded: true });
        self
    }

    /// Names an object that was found by its digest; a `Conflict` if that is no longer named.
    pub fn with_known(mut self, blob: Blob) -> Self {
        self.objects.push(VersionObject { blob, uploaded: false });
        self
    }

    /// Describes it.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Adds a label.
    pub fn with_tag(mut self, key: Key, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }

    /// Adds what is known about it already.
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Adds who vouches for it already.
    pub fn with_attestation(mut self, attestation: Attestation) -> Self {
        self.attestations.push(attestation);
        self
    }

    /// Returns the version that has this manifest already, if there is one.
    pub fn with_reuse(mut self) -> Self {
        self.reuse = true;
        self
    }

    /// Says where it was copied from.
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Says who made it where it was copied from.
    pub fn with_author(mut self, author: Actor) -> Self {
        self.author = Some(author);
        self
    }

    /// Takes over the facts of another registry.
    pub fn with_imported(mut self, imported: ImportedVersion) -> Self {
        self.imported = Some(imported);
        self
    }
}

/// What registering did.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// The version.
    pub version: ModelVersion,
    /// Whether it is new; `false` if one with the same manifest was there and reusing it was asked for.
    pub created: bool,
    /// Uploaded objects that are not needed; the caller deletes them.
    pub unneeded: Vec<BlobLocation>,
}

/// One atomic change of a version; what is `None` or empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct VersionChanges {
    /// The new description.
    pub note: Option<String>,
    /// Labels to set.
    pub tags: BTreeMap<Key, String>,
    /// Labels to take away; absent ones are ignored. One that is also set is `Invalid`.
    pub remove_tags: Vec<Key>,
    /// Findings to attach; one of the same kind and name is replaced.
    pub evidence: Vec<Evidence>,
    /// Attestations to add; one of the same key is replaced.
    pub attestations: Vec<Attestation>,
    /// `true` moves it to the trash, `false` brings it back, in a call of its own.
    pub deleted: Option<bool>,
}

impl VersionChanges {
    /// Moves it to the trash.
    pub fn delete() -> Self {
        Self { deleted: Some(true), ..Self::default() }
    }

    /// Brings it back from the trash.
    pub fn restore() -> Self {
        Self { deleted: Some(false), ..Self::default() }
    }

    /// Describes it.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Sets a label.
    pub fn with_tag(mut self, key: Key, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }

    /// Takes a label away.
    pub fn without_tag(mut self, key: Key) -> Self {
        self.remove_tags.push(key);
        self
    }

    /// Attaches a finding.
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Adds an attestation.
    pub fn with_attestation(mut self, attestation: Attestation) -> Self {
        self.attestations.push(attestation);
        self
    }
}
