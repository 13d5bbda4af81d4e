//! Runs a program and keeps what it says.
//!
//! Standard output and standard error share one pipe, so that a test's panic stands beside the test's
//! name. The variables that `cargo run` sets for xtask itself are taken out: with them, a command
//! would not be the one that the reader types to run it again.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// What a program said, both streams in the order of writing, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) output: String,
}

/// `cargo` with these arguments, in the folder `root`.
pub(crate) fn cargo<S: AsRef<OsStr>>(root: &Path, arguments: &[S]) -> Command {
    let mut command = program(root, "cargo", arguments);
    for (name, _) in std::env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
                || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&name)
        });
        if own {
            command.env_remove(name);
        }
    }
    command
}

/// Any program, with nothing to read from.
pub(crate) fn program<S: AsRef<OsStr>>(root: &Path, name: &str, arguments: &[S]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    command
}

/// Runs to the end, both streams together.
pub(crate) fn run(mut command: Command) -> io::Result<Finished> {
    let (mut reader, writer) = io::pipe()?;
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // The command holds the pipe's writing end; without this the reader would never see its end.
    drop(command);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let success = child.wait()?.success();
    Ok(Finished { success, output: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Standard output if the program succeeded, else what it said on standard error.
pub(crate) fn read(mut command: Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_come_in_the_order_of_writing() {
        let script = "echo one; echo two >&2; echo three; exit 3";
        let command = program(Path::new("."), "sh", &["-c", script]);
        let finished = run(command).expect("sh runs");
        assert_eq!((finished.success, finished.output.as_str()), (false, "one\ntwo\nthree\n"));
    }
}
