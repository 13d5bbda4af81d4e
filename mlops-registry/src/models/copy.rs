//! A version in another store: from development to production, say.
//!
//! What is immutable goes along as it is, so the copy has the same digest and every signature over it
//! stays right: manifest, files, signatures. Evidence, description and labels go along too. Stage and
//! aliases do not, since where a version may run is decided where it runs, by that store's policy.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mlops_core::registry::{ModelVersion, RegisterVersion, Registered, VersionChanges, check};
use mlops_core::tracking::Digest;
use mlops_core::{ModelName, Result};

use super::engine::Models;
use super::objects::{self, Content};
use super::promote::check_attestations;
use super::signing::SigningKey;

impl Models {
    /// Copies a version into another store, under the same name or another one. Files that the target
    /// has already are not moved; every other one is checked against its digest on the way.
    ///
    /// Doing so again returns the copy that is there, as it is by now: what was found out about the
    /// version since is not carried after it.
    ///
    /// # Errors
    /// `NotFound` for a version that is not there; `Corrupt` if its manifest, a file or a signature is
    /// not what it was: a damaged version spreads no further. Otherwise as those of
    /// [`RegisterBuilder::register`](super::RegisterBuilder::register), in the target.
    pub async fn copy_to(
        &self,
        uri: &str,
        target: &Self,
        model: Option<&str>,
    ) -> Result<Registered> {
        let version = self.usable(uri).await?;
        self.trust(&version, None)?;
        check_attestations(&version)?;
        let name = model.map_or_else(|| Ok(version.model.clone()), ModelName::new)?;
        let mut contents: BTreeMap<Digest, Content> = BTreeMap::new();
        for file in &version.manifest.files {
            if let Entry::Vacant(place) = contents.entry(file.digest) {
                let blob = self.object(&version, file).await?;
                place.insert(Content::Elsewhere(self.tracking().blobs().clone(), blob));
            }
        }
        let origin = self.origin(&version);
        let mut options = RegisterVersion::new(version.manifest)
            .with_reuse()
            .with_origin(origin)
            .with_author(version.author);
        (options.note, options.tags) = (version.note, version.tags);
        (options.evidence, options.attestations) = (version.evidence, version.attestations);
        objects::register(target, &name, options, &contents).await
    }

    /// Vouches for a version: everything about it that cannot change.
    ///
    /// # Errors
    /// `NotFound` for a version that is not there; `Corrupt` if its manifest is not what was registered.
    pub async fn sign(&self, uri: &str, key: &SigningKey) -> Result<ModelVersion> {
        let version = self.usable(uri).await?;
        let attestation = key.sign(version.digest, self.now());
        let changes = VersionChanges::default().with_attestation(attestation);
        self.registry().update_version(&version.id(), changes).await
    }

    /// Where a copy of this version comes from: this store's label and the version's id here.
    fn origin(&self, version: &ModelVersion) -> String {
        let id = version.id().to_string();
        let mut label: String = self.parts().label.chars().filter(|c| !c.is_control()).collect();
        let room = check::MAX_ORIGIN_BYTES - 1 - id.len();
        label.truncate(label.floor_char_boundary(room));
        format!("{label}#{id}")
    }
}
