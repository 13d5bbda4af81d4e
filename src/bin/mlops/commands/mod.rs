//! One file for each group of commands; each parses, calls the library and prints.

mod artifacts;
mod compare;
mod consent;
mod experiments;
mod history;
mod info;
mod journal;
mod list;
mod mlflow;
mod runs;
mod show;
mod trash;

use std::collections::BTreeMap;

use mlops::{Key, Result};

use crate::args::{Cli, Command, Labels};
use crate::failure::Failure;
use crate::output::Output;
use crate::store;

/// Does what the command line says.
pub(crate) async fn run(cli: Cli, output: &mut Output) -> Result<(), Failure> {
    let store = &cli.store;
    // These two may make the store; all others look for it first.
    let command = match cli.command {
        Command::Experiments(command) => return experiments::run(store, command, output).await,
        Command::Import(command) => return mlflow::import(store, command, output).await,
        command => command,
    };
    let ws = store::open(store, output).await?;
    match command {
        Command::Experiments(_) | Command::Import(_) => Ok(()),
        Command::Runs(command) => runs::run(&ws, command, output).await,
        Command::Artifacts(command) => artifacts::run(&ws, command, output).await,
        Command::Trash(command) => trash::run(&ws, command, output).await,
        Command::Retention(rule) => trash::retention(&ws, rule, output).await,
        Command::Journal(command) => journal::run(&ws, command, output).await,
        Command::Export(command) => mlflow::export(&ws, command, output).await,
        Command::Info => info::run(&ws, store, output).await,
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
