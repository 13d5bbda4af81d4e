//! What went wrong, as a person, a program and a shell script each read it.
//!
//! Exit codes say what to do next: 2 correct the request (or the model), 3 look again, 4 look for another name, 5 try
//! again later. A wrong command line is 64 (`EX_USAGE`) and not clap's 2, so that a script can tell a
//! gate that refused from a typo in the script.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use mlops::{Error, ErrorKind};
use serde_json::{Map, Value, json};

/// The operation of errors that the command itself finds; not shown to people.
pub(crate) const COMMAND: &str = "mlops";

/// The exit codes, as `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   error: damaged or unsupported store, input or output that failed, a bug
  2   refused: by a policy, by a role, or since the request is invalid; nothing was changed
  3   conflict: it exists already, or changed meanwhile
  4   not found: no such store, experiment, run, metric, artifact, model or version
  5   unavailable: the store is busy or full; the same command may succeed later
  64  the command line is wrong";

const USAGE: u8 = 64;

/// Why a command ended before its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the library, or the command in its words, says.
    Library(Error),
    /// Data that was to be judged could not be. The exit code of an invalid request, 2, would say that
    /// it was judged and failed, so it is 1.
    Unjudged(Error),
    /// Reading input or writing output failed.
    Io(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    /// The same, where a verdict was asked for and there is none.
    pub(crate) fn unjudged(self) -> Self {
        match self {
            Self::Library(error) => Self::Unjudged(error),
            other => other,
        }
    }

    /// Writes what happened to standard error, and says with which code to exit.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let error = match self {
            // `mlops runs list | head`: the reader has seen enough, and that is no error.
            Self::Io(e) if e.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Io(e) => {
                let error = Error::new(ErrorKind::Internal, COMMAND, "input or output failed");
                return print(&describe(&error.with_source(e), "io", json), 1);
            }
            Self::Unjudged(e) if code(e.kind()) == 2 => {
                return print(&describe(&e, e.kind().as_str(), json), 1);
            }
            Self::Unjudged(e) | Self::Library(e) => e,
        };
        print(&describe(&error, error.kind().as_str(), json), code(error.kind()))
    }
}

/// Reports what clap says: help and version are no errors, all else is a wrong command line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody is there to be told that help could not be printed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // clap could not parse the line, so it cannot say whether this was asked for.
    if std::env::args_os().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.trim().trim_start_matches("error: ");
        let error = json!({
            "kind": "usage",
            "operation": COMMAND,
            "message": message,
            "context": {},
            "hint": rest.trim().trim_start_matches("tip: "),
        });
        return print(&json!({ "error": error }).to_string(), USAGE);
    }
    let _ = error.print();
    ExitCode::from(USAGE)
}

fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Invalid | ErrorKind::Denied => 2,
        ErrorKind::Conflict | ErrorKind::AlreadyExists => 3,
        ErrorKind::NotFound => 4,
        ErrorKind::Unavailable => 5,
        _ => 1,
    }
}

fn describe(error: &Error, kind: &str, json: bool) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        // Some messages name their cause already.
        if !error.context().any(|(_, value)| value == text) {
            causes.push(text);
        }
        cause = source.source();
    }
    if json {
        let mut context: Map<String, Value> = Map::new();
        for (name, value) in error.context() {
            // What is there several times (each fact that changed) stays readable as one text.
            match context.get_mut(name) {
                Some(Value::String(before)) => *before = format!("{before}; {value}"),
                _ => drop(context.insert(name.to_owned(), value.into())),
            }
        }
        let error = json!({
            "kind": kind,
            "operation": error.operation(),
            "message": error.message(),
            "context": context,
            "hint": error.hint(),
            "causes": causes,
        });
        return json!({ "error": error }).to_string();
    }
    let mut text = String::from("error: ");
    // Writing to a `String` does not fail.
    if error.operation() != COMMAND {
        let _ = write!(text, "{}: {kind}: ", error.operation());
    }
    text.push_str(error.message());
    for (i, (name, value)) in error.context().enumerate() {
        let _ = write!(text, "{}{name}: {value}", if i == 0 { " (" } else { ", " });
    }
    if error.context().next().is_some() {
        text.push(')');
    }
    for cause in causes {
        let _ = write!(text, "\n  caused by: {cause}");
    }
    if let Some(hint) = error.hint() {
        let _ = write!(text, "\nhint: {hint}");
    }
    text
}

fn print(text: &str, code: u8) -> ExitCode {
    // Where standard error is closed, the exit code has to do.
    let _ = writeln!(io::stderr().lock(), "{text}");
    ExitCode::from(code)
}
