//! `mlops suite …`: suites as files.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use mlops::validate::Engine;
use mlops::validate::stats::Profile;
use mlops::validate::suite::{Include, SuggestOptions, Template, diff, gx, suggest, to_yaml};
use mlops::validation::{Check, Data, Literal, Severity, Suite};
use mlops::{Error, ErrorKind};
use serde_json::{Value, json};

use super::models::read;
use super::once;
use super::places::Places;
use crate::args::{Params, Suite as Command, Table};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, table};

/// Longest file of a suite; what is larger is something else.
const MAX_BYTES: u64 = 8 << 20;

/// Longest file of a profile.
const MAX_PROFILE_BYTES: u64 = 256 << 20;

const LONGEST: usize = 100;

pub(crate) async fn run(command: Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Check { file, params } => {
            let suite = Loaded::read(&file, &params)?.suite;
            if output.is_json() {
                return output.document(&json!({ "ok": true, "suite": suite.name,
                    "version": suite.version, "digest": suite.digest(), "checks": suite.checks.len() }));
            }
            let checks = format::count(suite.checks.len() as u64, "check");
            let name = format::text(&suite.name, LONGEST);
            output.line(format!("{name} version {} is well-formed: {checks}", suite.version))
        }
        Command::Show { file, params, yaml } => {
            let suite = Loaded::read(&file, &params)?.suite;
            if output.is_json() {
                return output.document(&json!(suite));
            }
            if yaml {
                return output.bytes(to_yaml(&suite).as_bytes());
            }
            show(&suite, output)
        }
        Command::Profile { data, out } => {
            data.check_place(out.as_deref())?;
            profiled(&data.profile().await?, out.as_deref(), output)
        }
        Command::Suggest { data, name, out } => {
            data.check_place(out.as_deref())?;
            let profile = if data.is_profile() {
                stored(Path::new(&data.files[0]))?
            } else {
                data.profile().await?
            };
            propose(&profile, name, out.as_deref(), output)
        }
        Command::ImportGx { file, out } => import(&file, out.as_deref(), output),
        Command::Diff { old, new, params, refuse_looser } => {
            let of = |file| Loaded::read_lenient(file, &params).map(|loaded| loaded.suite);
            let (old, new) = (of(&old)?, of(&new)?);
            let diff = diff(&old, &new);
            if output.is_json() {
                let (loosens, may_loosen) = (diff.loosens(), diff.may_loosen());
                output.document(
                    &json!({ "diff": diff, "loosens": loosens, "may_loosen": may_loosen }),
                )?;
            } else {
                output.line(format::paragraph(&diff.to_string()))?;
            }
            if !refuse_looser || !diff.may_loosen() {
                return Ok(());
            }
            output.flush()?;
            let message = "refused: data may pass that failed before";
            Err(Error::new(ErrorKind::Denied, COMMAND, message)
                .with("suite", format::text(&new.name, LONGEST))
                .with("surely", diff.loosens())
                .into())
        }
    }
}

/// A suite from a file, and what its SQL calls `:name`.
pub(super) struct Loaded {
    pub(super) suite: Suite,
    pub(super) parameters: BTreeMap<String, Literal>,
}

impl Loaded {
    /// Reads a suite and what it includes.
    pub(super) fn read(file: &Path, params: &Params) -> Result<Self, Failure> {
        once("parameter", params.params.iter().map(|(name, _)| name))?;
        let template = template(file)?;
        let given = given(&template, &params.params);
        Self::bind(&template, &given)
    }

    /// As [`Loaded::read`]; a parameter that this suite does not have is left out, since another one,
    /// that it is compared with, may.
    fn read_lenient(file: &Path, params: &Params) -> Result<Self, Failure> {
        once("parameter", params.params.iter().map(|(name, _)| name))?;
        let template = template(file)?;
        let mut given = given(&template, &params.params);
        given.retain(|name, _| template.params().contains_key(name));
        Self::bind(&template, &given)
    }

    fn bind(template: &Template, given: &BTreeMap<String, Value>) -> Result<Self, Failure> {
        Ok(Self { suite: template.bind(given)?, parameters: template.parameters(given)? })
    }
}

fn template(file: &Path) -> Result<Template, Failure> {
    let text = read(file, MAX_BYTES)?;
    let mut failure = None;
    let origin = file.display().to_string();
    let parsed = Template::parse_with(&text, &origin, |path, from| {
        let beside = Path::new(from).parent().unwrap_or(Path::new(""));
        let file = plain(&beside.join(path));
        match read(&file, MAX_BYTES) {
            Ok(text) => Ok(Include { origin: file.display().to_string(), text }),
            Err(Failure::Library(error)) => Err(error.with("included by", from)),
            Err(other) => {
                failure = Some(other);
                Err(Error::invalid(COMMAND, "an included file cannot be read"))
            }
        }
    });
    match (parsed, failure) {
        (Ok(template), _) => Ok(template),
        (Err(_), Some(failure)) => Err(failure),
        (Err(error), None) => Err(error.into()),
    }
}

/// A path without `.` and, where it is not a link's, `..`: two ways to one file have one name.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() && !plain.is_symlink() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// The values as the suite means them: text where its default is text, else JSON where it is some.
fn given(template: &Template, params: &[(String, String)]) -> BTreeMap<String, Value> {
    let value = |name: &String, text: &String| match template.params().get(name) {
        Some(Value::String(_)) => Value::String(text.clone()),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
    };
    params.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
}

impl Table {
    /// Whether it is the profile of a table.
    fn is_profile(&self) -> bool {
        let [file] = self.files.as_slice() else { return false };
        let file = file.to_ascii_lowercase();
        let is_data = [".parquet", ".csv", ".jsonl", ".ndjson", "/"].iter();
        self.format.is_none() && !is_data.into_iter().any(|end| file.ends_with(end))
    }

    async fn profile(&self) -> Result<Profile, Failure> {
        let data = Data::Files(self.files.clone(), self.format.map(Into::into));
        Ok(Engine::default().profile(data).await?)
    }

    /// Refuses to write over what is read.
    fn check_place(&self, out: Option<&Path>) -> mlops::Result<()> {
        let mut places = Places::default();
        self.files.iter().for_each(|file| places.reads("DATA", file));
        out.map_or(Ok(()), |out| places.writes("--out", out))
    }
}

fn stored(file: &Path) -> Result<Profile, Failure> {
    let text = read(file, MAX_PROFILE_BYTES)?;
    Ok(Profile::from_json(&text).map_err(|e| e.with("file", file.display()))?)
}

/// A profile that was made, to a file or standard output.
fn profiled(profile: &Profile, out: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
    let text = profile.to_json() + "\n";
    let Some(out) = out else { return output.bytes(text.as_bytes()) };
    super::write(out, &text)?;
    let (rows, columns) = (profile.rows(), profile.columns().len() as u64);
    if output.is_json() {
        return output.document(&json!({ "rows": rows, "columns": columns, "file": out }));
    }
    let (rows, columns) = (format::count(rows, "row"), format::count(columns, "column"));
    output.line(format!("{}: {rows}, {columns}", out.display()))
}

/// A suite for data like that of a profile.
fn propose(
    found: &Profile,
    name: String,
    out: Option<&Path>,
    output: &mut Output,
) -> Result<(), Failure> {
    // Without an instant there is no proposal about ages, which is right: when the profile was made is
    // not in it.
    let suggestion = suggest(found, &SuggestOptions::new(name))?;
    made(&suggestion.suite, out, output)?;
    if output.is_json() {
        return output.document(&json!(suggestion));
    }
    for reason in &suggestion.reasons {
        let check = format::text(&reason.check, LONGEST);
        output.note(&format!("{check}: {}", format::text(&reason.reason, 500)), None)?;
    }
    Ok(())
}

/// A suite that was made, to a file, or for people to standard output.
fn made(suite: &Suite, out: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
    match out {
        Some(out) => super::write(out, &to_yaml(suite)),
        None if output.is_json() => Ok(()),
        None => output.bytes(to_yaml(suite).as_bytes()),
    }
}

/// A suite of Great Expectations as one of ours.
fn import(file: &Path, out: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
    let imported =
        gx::import(&read(file, MAX_BYTES)?).map_err(|e| e.with("file", file.display()))?;
    made(&imported.suite, out, output)?;
    if output.is_json() {
        return output.document(&json!(imported));
    }
    for note in &imported.notes {
        let (check, note) = (format::text(&note.check, LONGEST), format::text(&note.note, 500));
        output.note(&format!("note: {check}: {note}"), None)?;
    }
    for missing in &imported.not_imported {
        let name = format::text(&missing.expectation, LONGEST);
        let why = format::text(&missing.reason, 500);
        output.note(&format!("not imported: {name}: {why}"), None)?;
    }
    let (done, missing) = (imported.suite.checks.len(), imported.not_imported.len());
    let checks = format::count(done as u64, "check");
    output.note(&format!("{checks}, {missing} not imported"), None)
}

fn show(suite: &Suite, output: &mut Output) -> Result<(), Failure> {
    let digest = &suite.digest().to_string()[..12];
    let name = format::text(&suite.name, LONGEST);
    output.line(format!("{name} version {}, digest {digest}", suite.version))?;
    if let Some(description) = &suite.description {
        output.line(format::paragraph(description))?;
    }
    output.line("")?;
    let mut shown = table(["check", "severity", "must pass", "rows where"]);
    for check in &suite.checks {
        let Check { severity, mostly, filter, .. } = check;
        shown.add_row([
            format::text(&check.name(), LONGEST),
            if *severity == Severity::Warn { "warn" } else { "error" }.to_owned(),
            if mostly.is_all() { "all".to_owned() } else { mostly.to_string() },
            format::text(filter.as_deref().unwrap_or("-"), LONGEST),
        ]);
    }
    output.table(shown)
}
