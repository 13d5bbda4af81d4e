//! The registry under many processes, and under SIGKILL.
//!
//! Children are this same test binary. `MLOPS_CRASH_ROUNDS` says how often one is killed (the full
//! count is 200), `MLOPS_CROWD_SECS` how long sixteen of them promote at random (the full time is 60).

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

mod crowd;
mod kills;

use std::path::Path;
use std::process::{Command, Stdio};

use mlops::journal::Event;
use mlops::registry::{ModelQuery, RegistryState, VersionQuery};
use mlops::tracking::View;
use mlops::{BackendUrl, Workspace};

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// This test binary, to run one of its tests as a child process.
fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).stdout(Stdio::piped());
    command
}

async fn open(dir: &Path, actor: &str) -> Workspace {
    let actor = mlops::journal::Actor::new(actor).unwrap();
    Workspace::builder(BackendUrl::directory(dir)).actor(actor).open().await.unwrap()
}

async fn events(ws: &Workspace) -> Vec<Event> {
    let events = ws.journal().events(0, 1 << 30).await.unwrap();
    assert!(events.iter().zip(1..).all(|(event, number)| event.sequence == number));
    events
}

/// Replays the journal into an empty registry, shows each state to `look`, and asserts that the last
/// one is what the store says.
async fn replay(ws: &Workspace, mut look: impl FnMut(&Event, &RegistryState)) -> RegistryState {
    let mut state = RegistryState::default();
    for event in events(ws).await {
        state.apply(&event).unwrap();
        look(&event, &state);
    }
    let registry = ws.models().registry();
    let models = registry.search_models(&ModelQuery::default().with_view(View::All)).await.unwrap();
    let expected: Vec<_> = state.models().values().cloned().collect();
    assert_eq!(models.items, expected, "models are what the journal says");
    let query = VersionQuery::default().with_view(View::All).with_limit(50_000);
    let mut versions = registry.search_versions(&query).await.unwrap().items;
    versions.sort_by_key(mlops::registry::ModelVersion::id);
    let expected: Vec<_> = state.versions().values().cloned().collect();
    assert_eq!(versions, expected, "versions are what the journal says");
    for model in models.items {
        let history = registry.stage_history(&model.name).await.unwrap();
        assert_eq!(history, state.stage_history(&model.name), "so is the history of stages");
    }
    let proof = ws.journal().seal().await.unwrap();
    assert_eq!(ws.journal().verify().await.unwrap(), proof);
    state
}
