//! Replaying the journal: what it says must be what the store says.

use mlops_core::lineage::{Direction, Node};
use mlops_core::registry::{
    ModelQuery, PromotionRequest, RegistryState, Selector, Stage, StageMove, VersionId,
    VersionQuery,
};
use mlops_core::tracking::{MAX_PAGE, View};
use mlops_core::{ErrorKind, Key, ModelName};

use crate::Fixture;

/// Compares the registry, the catalog and the graph with what their journal says.
///
/// # Errors
/// What is not the same, in words.
pub(crate) async fn explains(f: &Fixture) -> Result<(), String> {
    let mut state = RegistryState::default();
    for event in f.journal.events(0, usize::MAX >> 1).await.map_err(|e| e.to_string())? {
        state.apply(&event).map_err(|error| error.to_string())?;
    }
    models(f, &state).await?;
    versions(f, &state).await?;
    documents(f, &state).await?;
    edges(f, &state).await
}

/// NaN is not equal to itself, so texts are compared.
fn same(
    what: &str,
    stored: impl std::fmt::Debug,
    replayed: impl std::fmt::Debug,
) -> Result<(), String> {
    let (stored, replayed) = (format!("{stored:?}"), format!("{replayed:?}"));
    if stored == replayed {
        return Ok(());
    }
    Err(format!("the journal does not explain {what}\n  stored: {stored}\nreplayed: {replayed}"))
}

async fn models(f: &Fixture, state: &RegistryState) -> Result<(), String> {
    let all = ModelQuery::default().with_view(View::All).with_limit(MAX_PAGE);
    let stored = f.registry.search_models(&all).await.map_err(|e| e.to_string())?.items;
    same("the models", stored, state.models().values().collect::<Vec<_>>())?;
    for (name, model) in state.models() {
        same("a model", f.registry.model(name).await.unwrap(), model)?;
        let history = f.registry.stage_history(name).await.unwrap();
        same("the history", history, state.stage_history(name))?;
        for (alias, number) in &model.aliases {
            let id = f.registry.resolve(name, &Selector::Alias(alias.clone())).await;
            let expected = model.deleted.is_none().then_some(*number);
            same("an alias", id.ok().map(|id| id.number), expected)?;
        }
        for stage in Stage::ALL {
            resolved(f, state, name, stage).await?;
        }
    }
    Ok(())
}

async fn resolved(
    f: &Fixture,
    state: &RegistryState,
    name: &ModelName,
    stage: Stage,
) -> Result<(), String> {
    let live = state.model(name).is_some_and(|model| model.deleted.is_none());
    let held = state.in_stage(name, stage);
    let in_trash = |number: &u64| {
        let version = state.versions_of(name).find(|version| version.number == *number);
        version.is_none_or(|version| version.deleted.is_some())
    };
    let found = f.registry.resolve(name, &Selector::Stage(stage)).await;
    match found {
        Ok(id) if live => same("a stage", Some(&id.number), held.iter().rfind(|n| !in_trash(n))),
        Ok(id) => Err(format!("{id} was found, though its model is in the trash")),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.to_string()),
        Err(_) if live && held.last().is_some_and(|last| !in_trash(last)) => {
            Err(format!("nothing was found in {stage}, where {held:?} are"))
        }
        Err(_) => Ok(()),
    }
}

async fn versions(f: &Fixture, state: &RegistryState) -> Result<(), String> {
    let all = VersionQuery::default().with_view(View::All).with_limit(MAX_PAGE);
    let stored = f.registry.search_versions(&all).await.map_err(|e| e.to_string())?.items;
    let replayed: Vec<_> =
        state.models().keys().flat_map(|name| state.versions_of(name).rev()).collect();
    same("the versions", stored, replayed)?;
    for (id, version) in state.versions() {
        same("a version", f.registry.version(id).await.unwrap(), version)?;
        for to in Stage::ALL {
            let request = PromotionRequest::new(id.clone(), to).as_rollback();
            let found = f.registry.promotion_state(&request).await.unwrap();
            same("what was said", &found.approvals, state.approvals(id, to))?;
            let way = StageMove::way_back(state.stage_history(&id.model), to);
            let held = way.into_iter().rfind(|step| step.number == id.number);
            same("when it was there", found.held_before.as_ref(), held)?;
            let holders: Vec<_> = found.holders.iter().map(|holder| holder.number).collect();
            if found.needs_holders(to).map_err(|error| error.to_string())? {
                let live = |number: &&u64| {
                    let held = state.version(&VersionId::new(id.model.clone(), **number));
                    held.is_some_and(|version| version.deleted.is_none())
                };
                let held: Vec<_> = state.in_stage(&id.model, to).iter().filter(live).collect();
                same("who is there", holders, held)?;
            }
        }
    }
    Ok(())
}

/// The kinds of documents that tests store.
const KINDS: [&str; 5] = ["policy", "access", "drill", "suite", "webhook"];

async fn documents(f: &Fixture, state: &RegistryState) -> Result<(), String> {
    for kind in KINDS {
        let kind = Key::new(kind).unwrap();
        let stored = f.catalog.documents(&kind).await.map_err(|e| e.to_string())?;
        same("documents", &stored, state.documents(&kind).collect::<Vec<_>>())?;
        for document in stored {
            let history = f.catalog.document_history(&kind, &document.name).await.unwrap();
            same("a document", history, state.document_history(&kind, &document.name))?;
        }
    }
    Ok(())
}

async fn edges(f: &Fixture, state: &RegistryState) -> Result<(), String> {
    let starts: Vec<Node> = state.edges().iter().map(|edge| edge.from.clone()).collect();
    let ends: Vec<Node> = state.edges().iter().map(|edge| edge.to.clone()).collect();
    for (nodes, direction) in [(&starts, Direction::Downstream), (&ends, Direction::Upstream)] {
        let stored = f.lineage.edges(nodes, direction).await.map_err(|e| e.to_string())?;
        same("the edges", stored, state.edges().iter().collect::<Vec<_>>())?;
    }
    for id in state.versions().keys() {
        let node = Node::from(id);
        let stored = f.lineage.edges(std::slice::from_ref(&node), Direction::Downstream).await;
        let replayed: Vec<_> = state.edges().iter().filter(|edge| edge.from == node).collect();
        same("the edges of a version", stored.unwrap(), replayed)?;
    }
    Ok(())
}
