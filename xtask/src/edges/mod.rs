//! The rules of this workspace that no tool knows: directions, versions, licences, sources.
//!
//! Everything is read from `cargo metadata`, the manifests, `deny.toml` and the files that git knows;
//! nothing is compiled. Each rule carries its reason, and a finding prints it.

mod code;
mod deny;
mod directions;
mod files;
mod licence;
mod lock;
mod pins;

use crate::project::Project;
use crate::report::Outcome;

/// The step.
pub(crate) fn run(project: &Project) -> Outcome {
    let mut findings = directions::check(&project.metadata);
    findings.extend(lock::check(&project.metadata));
    let mut notes = Vec::new();
    let checks: [Check; 3] = [pins::check, deny::check, files::check];
    for check in checks {
        match check(project) {
            Ok(found) => {
                findings.extend(found.findings);
                notes.extend(found.notes);
            }
            Err(trouble) => findings.push(trouble),
        }
    }
    let members = project.metadata.members().count();
    let packages = project.metadata.packages.len() - members;
    let outcome = Outcome::findings(format!("{members} crates, {packages} packages"), &findings);
    Outcome { notes, ..outcome }
}

/// A check that reads files; an error says which could not be read.
type Check = fn(&Project) -> Result<Found, String>;

/// What a check has to say.
#[derive(Debug, Default)]
struct Found {
    /// Each fails the step.
    findings: Vec<String>,
    /// Worth a line, no more.
    notes: Vec<String>,
}
