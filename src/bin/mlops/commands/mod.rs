//! One file for each group of commands; each parses, calls the library and prints.

mod artifacts;
mod compare;
mod consent;
mod experiments;
mod feed;
mod history;
mod info;
mod journal;
mod list;
mod mlflow;
mod models;
mod runs;
mod show;
mod trash;

use std::collections::BTreeMap;

use mlops::{Key, Result};

use crate::args::{Cli, Command, Labels, Runs};
use crate::failure::Failure;
use crate::output::Output;
use crate::store::{self, Store};

/// Does what the command line says.
pub(crate) async fn run(cli: Cli, output: &mut Output) -> Result<(), Failure> {
    let store = &Store { url: cli.store, actor: cli.actor };
    // These may make the store, or need none; all others look for it first.
    let command = match cli.command {
        Command::Experiments(command) => return experiments::run(store, command, output).await,
        Command::Import(command) => return mlflow::import(store, command, output).await,
        Command::Models(command) => return models::run(store, command, output).await,
        command => command,
    };
    let ws = store::open(store, output).await?;
    let models = models::acting(&ws).await?;
    let tracking = models.tracking();
    match command {
        // What opening found, which needs no right.
        Command::Runs(Runs::Recover) => runs::recover(&ws, output),
        Command::Experiments(_) | Command::Import(_) | Command::Models(_) => Ok(()),
        Command::Runs(command) => runs::run(tracking, command, output).await,
        Command::Artifacts(command) => artifacts::run(tracking, command, output).await,
        Command::Feed(command) => feed::run(&models, command, output).await,
        Command::Trash(command) => trash::run(tracking, command, output).await,
        Command::Retention(rule) => trash::retention(tracking, rule, output).await,
        Command::Journal(command) => journal::run(tracking, command, output).await,
        Command::Export(command) => mlflow::export(&models, command, output).await,
        Command::Info => info::run(&ws, &store.url, output).await,
    }
}

/// Labels to set and to take away.
struct LabelChanges {
    set: BTreeMap<Key, String>,
    remove: Vec<Key>,
}

impl Labels {
    fn parse(self) -> Result<LabelChanges> {
        let set = self.set.into_iter().map(|(key, value)| Ok((Key::new(key)?, value)));
        let remove = self.remove.into_iter().map(Key::new);
        Ok(LabelChanges {
            set: set.collect::<Result<_>>()?,
            remove: remove.collect::<Result<_>>()?,
        })
    }
}
