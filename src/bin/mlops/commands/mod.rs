//! One file for each group of commands; each parses, calls the library and prints.

mod artifacts;
mod compare;
mod consent;
mod experiments;
mod features;
mod feed;
mod history;
mod info;
mod journal;
mod list;
mod mlflow;
mod models;
mod places;
mod runs;
mod show;
mod suite;
mod sweep;
mod trash;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mlops::{Error, ErrorKind, Key, Result};

use crate::args::{Cli, Command, Labels, Runs};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;
use crate::store::{self, Store};

/// Does what the command line says.
pub(crate) async fn run(cli: Cli, output: &mut Output) -> Result<(), Failure> {
    let store = &Store { url: cli.store, actor: cli.actor, online: None };
    // These may make the store, or need none; all others look for it first.
    let command = match cli.command {
        Command::Experiments(command) => return experiments::run(store, command, output).await,
        Command::Import(command) => return mlflow::import(store, command, output).await,
        Command::Models(command) => return models::run(store, command, output).await,
        Command::Validate(asked) => return validate::run(store, *asked, output).await,
        Command::Suite(command) => return suite::run(command, output).await,
        Command::Features(asked) => return features::run(store, asked, output).await,
        command => command,
    };
    let ws = store::open(store, output).await?;
    let models = models::acting(&ws).await?;
    let tracking = models.tracking();
    match command {
        // What opening found, which needs no right.
        Command::Runs(Runs::Recover) => runs::recover(&ws, output),
        Command::Experiments(_)
        | Command::Import(_)
        | Command::Models(_)
        | Command::Validate(_)
        | Command::Suite(_)
        | Command::Features(_) => Ok(()),
        Command::Runs(command) => runs::run(tracking, command, output).await,
        Command::Artifacts(command) => artifacts::run(tracking, command, output).await,
        Command::Feed(command) => feed::run(&models, command, output).await,
        Command::Trash(command) => trash::run(tracking, command, output).await,
        Command::Retention(rule) => trash::retention(tracking, rule, output).await,
        Command::Sweep(asked) => sweep::run(&ws, asked, output).await,
        Command::Journal(command) => journal::run(tracking, command, output).await,
        Command::Export(command) => mlflow::export(&models, command, output).await,
        Command::Info => info::run(&ws, &store.url, output).await,
    }
}

/// Refuses a key that is given twice: which of its values is meant, only the caller knows.
fn once<'k>(what: &str, keys: impl IntoIterator<Item = &'k String>) -> Result<()> {
    let mut seen = BTreeSet::new();
    match keys.into_iter().find(|key| !seen.insert(*key)) {
        None => Ok(()),
        Some(key) => Err(Error::invalid(COMMAND, format!("a {what} is given twice"))
            .with("key", format::text(key, 250))),
    }
}

/// Writes a file whole or not at all: who waits for it never reads half of it.
fn write(file: &Path, text: &str) -> std::result::Result<(), Failure> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    // What is no file (a pipe, a device) is written to, not replaced.
    let written = match std::fs::metadata(file) {
        Ok(found) if !found.is_file() => std::fs::write(file, text),
        _ => std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, file)),
    };
    written.map_err(|e| {
        // It may not be there at all.
        let _ = std::fs::remove_file(&part);
        Error::new(ErrorKind::Internal, COMMAND, "the file cannot be written")
            .with("file", file.display())
            .with_source(e)
            .into()
    })
}

/// Labels to set and to take away.
struct LabelChanges {
    set: BTreeMap<Key, String>,
    remove: Vec<Key>,
}

impl Labels {
    fn parse(self) -> Result<LabelChanges> {
        once("label", self.set.iter().map(|(key, _)| key))?;
        let set = self.set.into_iter().map(|(key, value)| Ok((Key::new(key)?, value)));
        let remove = self.remove.into_iter().map(Key::new);
        Ok(LabelChanges {
            set: set.collect::<Result<_>>()?,
            remove: remove.collect::<Result<_>>()?,
        })
    }
}
