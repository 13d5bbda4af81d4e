//! What the store says, against what its journal says when it is replayed.
//!
//! Others may write meanwhile. So a difference counts only if the journal said the same about the thing
//! before and after it was read; a writer between the two is no forger. The whole registry is folded in
//! memory, which is what a registry's size allows.

use std::collections::BTreeSet;
use std::future::Future;

use mlops_core::registry::{
    ACCESS_KIND, DRILL_KIND, Model, ModelVersion, POLICY_KIND, PromotionRequest, RegistryState,
    Stage, VersionId,
};
use mlops_core::{Error, ErrorKind, Key, ModelName, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Models, VerifyModels, note};

/// How many rows of the journal are read at once.
const JOURNAL_PAGE: usize = 1_000;
/// How often a thing that others keep changing is looked at.
const ATTEMPTS: usize = 16;
/// Longer values are not repeated in a problem.
const LONGEST_VALUE: usize = 80;
/// Documents that decide about promotions.
const KINDS: [&str; 3] = [POLICY_KIND, ACCESS_KIND, DRILL_KIND];

/// Lists every difference between what the store says and what its journal says.
///
/// # Errors
/// Only `Unavailable`; a journal that contradicts itself is a problem of its own.
pub(super) async fn compare(
    models: &Models,
    options: &VerifyModels,
    listed: &[Model],
    versions: &[ModelVersion],
    problems: &mut Vec<String>,
) -> Result<()> {
    let mut replay = Replay { models, state: RegistryState::default() };
    if let Err(e) = replay.catch_up().await {
        return note(problems, e);
    }
    let mut names: BTreeSet<ModelName> = listed.iter().map(|model| model.name.clone()).collect();
    let mut ids: BTreeSet<VersionId> = versions.iter().map(ModelVersion::id).collect();
    let wanted = |name: &ModelName| options.models.is_empty() || options.models.contains(name);
    names.extend(replay.state.models().keys().filter(|name| wanted(name)).cloned());
    ids.extend(replay.state.versions().keys().filter(|id| wanted(&id.model)).cloned());
    for name in &names {
        let found = replay.model(name).await;
        add(problems, found)?;
    }
    for id in &ids {
        let found = replay.version(id).await;
        add(problems, found)?;
    }
    if options.models.is_empty() {
        for kind in KINDS {
            let found = replay.documents(&Key::new(kind)?).await;
            add(problems, found)?;
        }
    }
    Ok(())
}

/// Adds what was found; that something could not be looked at is found too.
fn add(problems: &mut Vec<String>, found: Result<Vec<String>>) -> Result<()> {
    match found {
        Ok(found) => problems.extend(found),
        Err(e) => note(problems, e)?,
    }
    Ok(())
}

struct Replay<'m> {
    models: &'m Models,
    state: RegistryState,
}

impl Replay<'_> {
    /// Applies the rows that came since.
    async fn catch_up(&mut self) -> Result<()> {
        loop {
            let journal = self.models.tracking().journal();
            let rows = journal.events(self.state.sequence(), JOURNAL_PAGE).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                self.state.apply(row)?;
            }
        }
    }

    async fn model(&mut self, name: &ModelName) -> Result<Vec<String>> {
        let registry = self.models.registry();
        let mut problems = self
            .differences(
                format!("model {name}"),
                async || value(registry.model(name).await),
                |state| state.model(name).and_then(|model| serde_json::to_value(model).ok()),
            )
            .await?;
        let moves = self.differences(
            format!("the history of {name}"),
            async || value(registry.stage_history(name).await),
            |state| state.model(name).map(|_| json!(state.stage_history(name))),
        );
        problems.extend(moves.await?);
        Ok(problems)
    }

    async fn version(&mut self, id: &VersionId) -> Result<Vec<String>> {
        let registry = self.models.registry();
        // The manifest is compared with the digest, which is compared here.
        let without_manifest = |version: Value| match version {
            Value::Object(mut fields) => {
                fields.remove("manifest");
                Value::Object(fields)
            }
            other => other,
        };
        let mut problems = self
            .differences(
                format!("version {id}"),
                async || Ok(value(registry.version(id).await)?.map(without_manifest)),
                |state| {
                    let version = serde_json::to_value(state.version(id)?).ok();
                    version.map(without_manifest)
                },
            )
            .await?;
        if self.state.version(id).is_none() {
            return Ok(problems);
        }
        for to in Stage::ALL {
            let request = PromotionRequest::new(id.clone(), to);
            let said = self.differences(
                format!("what was said about {id} → {to}"),
                async || {
                    value(registry.promotion_state(&request).await.map(|state| state.approvals))
                },
                |state| state.version(id).map(|_| json!(state.approvals(id, to))),
            );
            problems.extend(said.await?);
        }
        Ok(problems)
    }

    async fn documents(&mut self, kind: &Key) -> Result<Vec<String>> {
        let catalog = self.models.catalog();
        let stored = catalog.documents(kind).await?;
        let mut names: BTreeSet<Key> = stored.into_iter().map(|document| document.name).collect();
        names.extend(self.state.documents(kind).map(|document| document.name.clone()));
        let mut problems = Vec::new();
        for name in &names {
            let history = self.differences(
                format!("the {kind} {name}"),
                async || value(catalog.document_history(kind, name).await),
                |state| Some(json!(state.document_history(kind, name))),
            );
            problems.extend(history.await?);
        }
        Ok(problems)
    }

    /// How what is `read` differs from what the journal says.
    async fn differences<Read: Future<Output = Result<Option<Value>>>>(
        &mut self,
        what: String,
        read: impl Fn() -> Read,
        by_journal: impl Fn(&RegistryState) -> Option<Value>,
    ) -> Result<Vec<String>> {
        for _ in 0..ATTEMPTS {
            let before = by_journal(&self.state);
            let stored = read().await?;
            if stored == before {
                return Ok(Vec::new());
            }
            self.catch_up().await?;
            if by_journal(&self.state) == before {
                return Ok(told(&what, stored, before));
            }
        }
        Err(Error::unavailable("models.verify", "others change it again and again")
            .with("what", what)
            .with_hint("try again"))
    }
}

/// As JSON, in which NaN is equal to itself; `None` for what is not there.
fn value(read: Result<impl Serialize>) -> Result<Option<Value>> {
    match read {
        Ok(read) => serde_json::to_value(read).map(Some).map_err(|e| {
            Error::new(ErrorKind::Internal, "models.verify", "is no JSON").with_source(e)
        }),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Two unequal values, in words.
fn told(what: &str, stored: Option<Value>, replayed: Option<Value>) -> Vec<String> {
    match (stored, replayed) {
        (None, _) => vec![format!("{what} was registered and is gone")],
        (_, None) => vec![format!("{what} was never registered")],
        (Some(Value::Object(stored)), Some(Value::Object(replayed))) => {
            fields(what, &stored, &replayed)
        }
        (Some(Value::Array(stored)), Some(Value::Array(replayed))) => {
            let longest = stored.len().max(replayed.len());
            let entries = (0..longest).map(|at| (at, stored.get(at), replayed.get(at)));
            let unequal = entries.filter(|(_, stored, replayed)| stored != replayed);
            unequal
                .flat_map(|(at, stored, replayed)| {
                    told(&format!("{what}: entry {}", at + 1), stored.cloned(), replayed.cloned())
                })
                .collect()
        }
        (Some(_), Some(_)) => vec![format!("{what} is other than the journal says")],
    }
}

fn fields(what: &str, stored: &Map<String, Value>, replayed: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<&String> = stored.keys().chain(replayed.keys()).collect();
    let unequal = names.into_iter().filter(|name| stored.get(*name) != replayed.get(*name));
    let shown = |value: Option<&Value>| value.map_or_else(|| "not there".into(), Value::to_string);
    unequal
        .map(|name| {
            let (stored, replayed) = (shown(stored.get(name)), shown(replayed.get(name)));
            if stored.len().max(replayed.len()) > LONGEST_VALUE {
                return format!("{what}: {name} is other than the journal says");
            }
            format!("{what}: {name} is {stored}, and by the journal {replayed}")
        })
        .collect()
}
