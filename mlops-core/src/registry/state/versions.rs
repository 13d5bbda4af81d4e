//! Rows about versions, but for their moves.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::RegistryState;
use super::row::{Row, Trash};
use crate::journal::Actor;
use crate::registry::{
    Attestation, Evidence, Manifest, ModelVersion, MoveCause, Stage, StageMove, Step, VersionId,
    lineage,
};
use crate::time::Instant;
use crate::tracking::Digest;
use crate::{Key, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    digest: Digest,
    created: Instant,
    manifest: Manifest,
    author: Option<Actor>,
    origin: Option<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    tags: BTreeMap<Key, String>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    #[serde(default)]
    attestations: Vec<Attestation>,
    #[serde(default)]
    stage: Stage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Updated {
    note: Option<String>,
    #[serde(default)]
    tags: BTreeMap<Key, String>,
    #[serde(default)]
    removed_tags: Vec<Key>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    #[serde(default)]
    attestations: Vec<Attestation>,
    #[serde(default)]
    deleted: Trash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purged {
    digest: Digest,
}

impl RegistryState {
    pub(super) fn register(&mut self, row: &Row<'_>) -> Result<()> {
        let id = row.version()?;
        let said: Registered = row.payload()?;
        let VersionId { model: name, number } = id.clone();
        let author = said.author.unwrap_or_else(|| row.0.actor.clone());
        let mut version = ModelVersion::new(id.clone(), said.manifest, author, said.created);
        version.registrar = row.0.actor.clone();
        if version.digest != said.digest {
            return Err(row
                .corrupt("the manifest is not that of the digest")
                .with("said", said.digest)
                .with("found", version.digest));
        }
        let model = self.models.get_mut(&name).ok_or_else(|| row.missing())?;
        if number <= model.last_number {
            return Err(row.corrupt("the number was given before"));
        }
        version.origin = said.origin;
        version.note = said.note;
        version.tags = said.tags;
        version.stage = said.stage;
        said.evidence.into_iter().for_each(|evidence| version.attach(evidence));
        said.attestations.into_iter().for_each(|attestation| version.attest(attestation));

        model.last_number = number;
        model.updated = row.at();
        self.enter(&name, number, said.stage);
        if said.stage != Stage::None {
            let step = Step { number, from: Stage::None, to: said.stage };
            let actor = row.0.actor.clone();
            let came = StageMove::new(row.0.sequence, row.at(), actor, &step, MoveCause::Import);
            self.moves.entry(name).or_default().push(came);
        }
        self.edges.extend(lineage::of_version(&version));
        self.made.insert(row.0.node.clone(), row.0.sequence);
        self.versions.insert(id, version);
        Ok(())
    }

    pub(super) fn update_version(&mut self, row: &Row<'_>) -> Result<()> {
        let id = row.version()?;
        let said: Updated = row.payload()?;
        let version = self.versions.get_mut(&id).ok_or_else(|| row.missing())?;
        version.updated = row.at();
        if let Some(note) = said.note {
            version.note = note;
        }
        version.tags.extend(said.tags);
        version.tags.retain(|key, _| !said.removed_tags.contains(key));
        said.evidence.into_iter().for_each(|evidence| version.attach(evidence));
        said.attestations.into_iter().for_each(|attestation| version.attest(attestation));
        said.deleted.change(&mut version.deleted);
        Ok(())
    }

    pub(super) fn purge_version(&mut self, row: &Row<'_>) -> Result<()> {
        let id = row.version()?;
        let Purged { digest } = row.payload()?;
        let version = self.versions.get(&id).ok_or_else(|| row.missing())?;
        if version.digest != digest {
            return Err(row.corrupt("the version has another digest"));
        }
        let stage = version.stage;
        self.versions.remove(&id);
        self.leave(&id.model, id.number, stage);
        if let Some(model) = self.models.get_mut(&id.model) {
            model.aliases.retain(|_, number| *number != id.number);
        }
        self.approvals.retain(|(version, _), _| *version != id);
        self.made.remove(&row.0.node);
        self.forget(&row.0.node);
        Ok(())
    }
}
