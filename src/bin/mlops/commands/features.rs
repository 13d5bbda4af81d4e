//! `mlops features …`
//!
//! Everybody acts under the access rules of the store, if it has any, as with models. A plan that is
//! refused, and a view that is late, are answers (on standard output) and failures (exit code 2).

mod compact;
mod definitions;
mod erase;
mod get;
mod historical;
mod leaks;
mod list;
mod log;
mod read;
mod search;
mod service;
mod show;
mod values;
mod verify;

use std::sync::Arc;

use mlops::feature_store::{Authorized, Features};
use mlops::features::{FeatureName, FeatureStore, Lifecycle, Registered, ViewRecord};
use mlops::registry::Role;
use mlops::time::{Clock, Instant, SystemClock, to_micros};
use mlops::{Error, ErrorKind, Workspace};

use crate::args::{Features as Asked, FeaturesCommand as Command};
use crate::failure::{COMMAND, Failure};
use crate::output::Output;
use crate::store::{self, Store};

/// Longest name that a table shows.
const LONGEST_NAME: usize = 60;
/// Longest text that a table shows.
const LONGEST: usize = 80;

pub(crate) async fn run(store: &Store, asked: Asked, output: &mut Output) -> Result<(), Failure> {
    let store = &Store { online: asked.online, ..store.at(store.url.clone()) };
    // These need no store, or may make it.
    let command = match asked.command {
        Command::ImportFeast { file, project, out } => {
            return definitions::import_feast(&file, project.as_deref(), out.as_deref(), output);
        }
        Command::Apply { files, consent } => {
            return definitions::apply(store, &files, &consent, output).await;
        }
        command => command,
    };
    let opened = &Opened::new(store::open(store, output).await?).await?;
    match command {
        Command::ImportFeast { .. } | Command::Apply { .. } => Ok(()),
        Command::Plan { files } => definitions::plan(opened, &files, output).await,
        Command::List => list::run(opened, output).await,
        Command::Show { name, kind, yaml } => show::run(opened, &name, kind, yaml, output).await,
        Command::Search(asked) => search::run(opened, asked, output).await,
        Command::State { view, state, until } => {
            definitions::state(opened, &view, state, until, output).await
        }
        Command::Append(asked) => log::append(opened, &asked, output).await,
        Command::Materialize(asked) => log::materialize(opened, &asked, output).await,
        Command::Lag(asked) => log::lag(opened, &asked, output).await,
        Command::Get(asked) => get::run(opened, &asked, output).await,
        Command::Leaks(asked) => leaks::run(opened, &asked, output).await,
        Command::Historical(asked) => historical::run(opened, &asked, output).await,
        Command::Verify(asked) => verify::run(opened, &asked, output).await,
        Command::Compact(asked) => compact::run(opened, &asked, output).await,
        Command::Erase(asked) => erase::run(opened, &asked, output).await,
        Command::Policy { file } => definitions::policy(opened, &file, output).await,
    }
}

/// A store of features that is open.
struct Opened {
    ws: Workspace,
    features: Features,
    /// The same under the access rules.
    store: Authorized,
}

impl Opened {
    async fn new(ws: Workspace) -> mlops::Result<Self> {
        let mut features = ws.features().await?;
        if let Some(logs) = verify::serving_logs(&ws, verify::SERVING)? {
            // What is erased is erased there, too.
            features = features.with_serving_logs(logs);
        }
        let inner: Arc<dyn FeatureStore> = Arc::new(features.clone());
        let rules = Arc::clone(ws.models().catalog());
        let store = Authorized::new(&inner, rules, ws.models().actor().clone());
        Ok(Self { ws, features, store })
    }

    /// What the contract does not have, for whom the access rules grant this role.
    async fn features(&self, role: Role) -> mlops::Result<&Features> {
        let actor = self.ws.models().actor();
        let Some(access) = self.ws.models().access().await? else { return Ok(&self.features) };
        let has = access.role(actor, None);
        if has >= Some(role) {
            return Ok(&self.features);
        }
        Err(Error::new(ErrorKind::Denied, COMMAND, "the actor has not the role")
            .with("actor", actor)
            .with("needs", role)
            .with("has", has.map_or_else(|| "no role".to_owned(), |has| has.to_string()))
            .with_hint("`mlops models access show` shows the rules; an admin grants roles"))
    }
}

/// The record of a view.
fn view_of<'a>(registered: &'a Registered, view: &FeatureName) -> mlops::Result<&'a ViewRecord> {
    registered.views.get(view).ok_or_else(|| {
        Error::not_found(COMMAND, "there is no such view")
            .with("view", view)
            .with_hint("`mlops features list` shows what is defined")
    })
}

/// The views that are named, or else all that are not retired.
fn views_of<'a>(
    registered: &'a Registered,
    named: &[String],
) -> mlops::Result<Vec<(&'a FeatureName, &'a ViewRecord)>> {
    if named.is_empty() {
        let now = SystemClock.now();
        let in_use = |record: &ViewRecord| record.state.at(now) != Lifecycle::Retired;
        return Ok(registered.views.iter().filter(|(_, record)| in_use(record)).collect());
    }
    let mut found = Vec::new();
    for name in named {
        let name = FeatureName::new(name)?;
        view_of(registered, &name)?;
        found.extend(registered.views.get_key_value(&name));
    }
    Ok(found)
}

/// A span of time as microseconds.
fn span_micros(span: chrono::TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or(i64::MAX)
}

/// Two instants as microseconds, the first before the second.
fn range(from: Instant, until: Instant) -> mlops::Result<(i64, i64)> {
    if until <= from {
        return Err(Error::invalid(COMMAND, "the time ends before it begins")
            .with("from", from)
            .with("until", until));
    }
    Ok((to_micros(from)?, to_micros(until)?))
}
