//! The programs that the checks and the tests call, and how to get them.
//!
//! The tests make Python environments of their own, which Debian's `python3` cannot without one more
//! package, and start a Redis of their own; as root (a container) both are installed, else the reader is
//! told the command.

use crate::process::{program, read};
use crate::project::Project;
use crate::report::Outcome;

/// A program that must answer, and what to install if it does not.
struct Tool {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Where its absence is explained.
    install: &'static str,
    /// The Debian package, if root may install it without asking.
    package: Option<&'static str>,
}

const TOOLS: [Tool; 7] = [
    Tool { name: "git", arguments: &["--version"], install: "apt-get install git", package: None },
    Tool {
        name: "cc",
        arguments: &["--version"],
        install: "apt-get install gcc libc6-dev",
        package: None,
    },
    Tool {
        name: "cargo",
        arguments: &["fmt", "--version"],
        install: "rustup component add rustfmt",
        package: None,
    },
    Tool {
        name: "cargo",
        arguments: &["clippy", "--version"],
        install: "rustup component add clippy",
        package: None,
    },
    Tool {
        name: "python3",
        arguments: &["--version"],
        install: "apt-get install python3",
        package: None,
    },
    Tool {
        name: "python3",
        arguments: &["-c", "import venv, ensurepip"],
        install: "apt-get install python3-venv",
        package: Some("python3-venv"),
    },
    Tool {
        name: "redis-server",
        arguments: &["--version"],
        install: "apt-get install redis-server",
        package: Some("redis-server"),
    },
];

/// The step.
pub(crate) fn run(project: &Project) -> Outcome {
    let works = |tool: &Tool| read(program(&project.root, tool.name, tool.arguments)).is_ok();
    let mut missing = Vec::new();
    let mut notes = Vec::new();
    for tool in &TOOLS {
        if works(tool) {
            continue;
        }
        if let Some(package) = tool.package
            && install(project, package)
            && works(tool)
        {
            notes.push(format!("installed {package}"));
            continue;
        }
        let call = [&[tool.name], tool.arguments].concat().join(" ");
        missing.push(format!("`{call}` does not work; {}", tool.install));
    }
    let outcome = if project.strict {
        Outcome::findings("git, cc, rustfmt, clippy, python3 with venv, redis-server", &missing)
    } else {
        notes.append(&mut missing);
        Outcome::good("not strict: what is missing is only reported")
    };
    Outcome { notes, ..outcome }
}

/// Installs a Debian package if this is root on a Debian.
fn install(project: &Project, package: &str) -> bool {
    let call = |name: &str, arguments: &[&str]| {
        let mut command = program(&project.root, name, arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        read(command)
    };
    let root = call("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
    root && call("apt-get", &["--version"]).is_ok()
        && call("apt-get", &["update", "-qq"]).is_ok()
        && call("apt-get", &["install", "-y", "-qq", "--no-install-recommends", package]).is_ok()
}
