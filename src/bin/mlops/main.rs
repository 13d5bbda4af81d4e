//! The command `mlops`: the library from a shell.
//!
//! It parses, calls the library and prints, and decides nothing: what it can do, a program that links
//! the library can do. Two readers are served. People get tables; programs get one JSON document with
//! `--json`, and errors as JSON on standard error. The exit codes are part of the contract, and stand
//! in [`failure`].
//!
//! The non-obvious decision: opening a store makes it if it is not there, which is right for a program
//! that trains and wrong for somebody who mistyped a path. So all commands but the few that bring
//! something into a store look for it first.
//!
//! What it does not do: start or write runs (that is the library's), draw, or ask questions on a
//! terminal.

#![forbid(unsafe_code)]

mod args;
mod columns;
mod commands;
mod failure;
mod format;
mod output;
mod progress;
mod resolve;
mod secrets;
mod store;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    let json = cli.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    // One thread: the command waits for one answer at a time, and blocking work has threads anyway.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut output = Output::new(cli.json);
    runtime.block_on(commands::run(cli, &mut output))?;
    output.flush()
}
