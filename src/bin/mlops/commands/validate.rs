//! `mlops validate`: a suite over files, the report in the forms that were asked for.
//!
//! Exit code 2 means that the data was judged and is not fit, and nothing else: what elsewhere in the
//! command is an invalid request (2) is 1 here, so that a pipeline can quarantine on 2 without reading
//! messages.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use mlops::registry::Evidence;
use mlops::time::{Clock, SystemClock};
use mlops::validate::Engine;
use mlops::validate::report::{TextStyle, html, junit, markdown, text};
use mlops::validation::{
    Data, History, OnEmpty, Options, Redaction, Report, Severity, Suite, Validation, Validator,
};
use mlops::{Error, ErrorKind, Key, Models};
use serde_json::{Value, json};

use super::models::{self, read};
use super::places::Places;
use super::suite::Loaded;
use super::{once, write};
use crate::args::{Attach, How, Input, Pages, Validate};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;
use crate::progress::Bar;
use crate::resolve::{self, LIVE_FIRST};
use crate::store::{self, Store};

/// Longest profile or history; what is larger is something else.
const MAX_BYTES: u64 = 256 << 20;

/// Runs that a history keeps: a year of days.
const KEEP: usize = 365;

pub(crate) async fn run(
    store: &Store,
    asked: Validate,
    output: &mut Output,
) -> Result<(), Failure> {
    check_places(&asked).map_err(|error| Failure::from(error).unjudged())?;
    // The store, the run and the version are looked for before the data is read, for which nobody
    // waits twice.
    let place = Place::find(store, &asked.attach, output).await?;
    let report = judge(&asked).await.map_err(Failure::unjudged)?;
    // The verdict comes first: what goes wrong with a file, or a store, does not take it away. And a
    // reader that has seen enough (`| head`) takes neither the files nor the exit code away.
    let printed = match print(&report, asked.pages.no_color, output) {
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    };
    write_pages(&report, &asked.pages)?;
    if let Some(file) = &asked.history
        && report.passed()
    {
        remember(&report, file)?;
    }
    if let Some(place) = &place {
        place.keep(&report).await?;
    }
    printed?;
    if report.passed() {
        return Ok(());
    }
    let errors = report.failures().filter(|outcome| outcome.severity == Severity::Error);
    let names: Vec<&str> = errors.map(|outcome| outcome.check.as_str()).collect();
    Err(Error::new(ErrorKind::Denied, COMMAND, "refused: the data is not fit to use")
        .with("suite", format::text(&report.suite, 250))
        .with("checks", format::text(&names.join("; "), 2_000))
        .into())
}

/// Refuses to write over what is read, or twice to one file.
fn check_places(asked: &Validate) -> mlops::Result<()> {
    let mut places = Places::default();
    asked.input.data.iter().for_each(|data| places.reads("DATA", data));
    asked.input.references.iter().for_each(|(_, data)| places.reads("--reference", data));
    places.reads("--suite", &asked.suite.to_string_lossy());
    asked.profiles.iter().for_each(|(_, file)| places.reads("--profile", file));
    let Pages { html, junit, markdown, report, quarantine, .. } = &asked.pages;
    for (option, file) in [
        ("--history", &asked.history),
        ("--html", html),
        ("--junit", junit),
        ("--markdown", markdown),
        ("--report", report),
    ] {
        if let Some(file) = file {
            places.writes(option, file)?;
        }
    }
    quarantine.as_ref().map_or(Ok(()), |url| places.writes_url("--quarantine", url))
}

/// A suite whose warnings are errors, and in which nothing to judge is one too, unless the suite says
/// that this is as good as passed.
fn strict(mut suite: Suite) -> Suite {
    suite.checks.iter_mut().for_each(|check| check.severity = Severity::Error);
    if suite.on_empty == OnEmpty::Warn {
        suite.on_empty = OnEmpty::Fail;
    }
    suite
}

fn print(report: &Report, no_color: bool, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        output.document(&json!(report))?;
    } else {
        let colour = io::stdout().is_terminal() && !no_color;
        output.bytes(text(report, &TextStyle::default().with_colour(colour)).as_bytes())?;
    }
    output.flush()
}

async fn judge(asked: &Validate) -> Result<Report, Failure> {
    let Loaded { suite, parameters } = Loaded::read(&asked.suite, &asked.input.params)?;
    let suite = if asked.strict { strict(suite) } else { suite };
    let mut validation = of(&asked.input);
    validation.parameters = parameters;
    once("profile", asked.profiles.iter().map(|(name, _)| name))?;
    for (name, file) in &asked.profiles {
        validation = validation.with_profile(name, json_of(Path::new(file))?);
    }
    if let Some(file) = &asked.history {
        validation = validation.with_history(history(file)?);
    }
    let How { samples, redact, threads, no_statistics, name, data_digest } = &asked.how;
    validation.name.clone_from(name);
    validation.digest = data_digest.as_ref().map(Key::new).transpose()?;
    let bar = Bar::rows("validating");
    let mut options = Options::default();
    options.samples = *samples;
    options.threads = *threads;
    options.statistics = !no_statistics;
    options.quarantine.clone_from(&asked.pages.quarantine);
    options.progress = bar.rows_progress();
    options.redaction = match redact.as_slice() {
        [] => Redaction::None,
        columns if columns.iter().any(|column| column == "*") => Redaction::All,
        columns => Redaction::Columns(columns.iter().cloned().collect()),
    };
    Ok(Engine::default().validate(&suite, validation.with_options(options)).await?)
}

/// The data and its references.
fn of(input: &Input) -> Validation {
    let format = input.format.map(Into::into);
    let data = Data::Files(input.data.clone(), format);
    let mut references: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, url) in &input.references {
        references.entry(name).or_default().push(url);
    }
    let validation = Validation::new(data, SystemClock.now());
    references
        .into_iter()
        .fold(validation, |all, (name, urls)| all.with_reference(name, Data::files(urls)))
}

fn json_of(file: &Path) -> Result<Value, Failure> {
    let text = read(file, MAX_BYTES)?;
    let value = serde_json::from_str(&text).map_err(|e| not_json(file, e))?;
    Ok(value)
}

/// The history of a file; an empty one if it is not there yet.
fn history(file: &Path) -> Result<History, Failure> {
    let text = match read(file, MAX_BYTES) {
        Err(Failure::Library(e)) if e.kind() == ErrorKind::NotFound => {
            return Ok(History::default());
        }
        text => text?,
    };
    Ok(serde_json::from_str(&text).map_err(|e| not_json(file, e))?)
}

fn not_json(file: &Path, error: serde_json::Error) -> Error {
    Error::invalid(COMMAND, "the file is not what it should be")
        .with("file", file.display())
        .with_source(error)
}

/// Adds a run to a history.
fn remember(report: &Report, file: &Path) -> Result<(), Failure> {
    let mut history = history(file)?;
    history.push(report.earlier(), KEEP);
    write(file, &pretty(&json!(history)))
}

fn write_pages(report: &Report, pages: &Pages) -> Result<(), Failure> {
    let write = |file: &Option<PathBuf>, form: fn(&Report) -> String| match file {
        Some(file) => write(file, &form(report)),
        None => Ok(()),
    };
    // All of them, whatever happens to one.
    let written = [
        write(&pages.html, html),
        write(&pages.junit, junit),
        write(&pages.markdown, markdown),
        write(&pages.report, |report| pretty(&json!(report))),
    ];
    written.into_iter().collect()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Where in a store the report goes.
struct Place {
    models: Models,
    run: Option<mlops::RunId>,
    model: Option<String>,
}

impl Place {
    /// Looks for the run and the version; nothing if none was named.
    async fn find(
        store: &Store,
        attach: &Attach,
        output: &mut Output,
    ) -> Result<Option<Self>, Failure> {
        if attach.run.is_none() && attach.model.is_none() {
            return Ok(None);
        }
        let ws = store::open(store, output).await?;
        let models = models::acting(&ws).await?;
        let run = match &attach.run {
            Some(run) => Some(resolve::run(models.tracking(), run, LIVE_FIRST).await?.id),
            None => None,
        };
        let model = match &attach.model {
            Some(uri) => Some(models::resolve(&models, uri).await?.to_string()),
            None => None,
        };
        Ok(Some(Self { models, run, model }))
    }

    async fn keep(&self, report: &Report) -> Result<(), Failure> {
        if let Some(run) = self.run {
            mlops::log_report(self.models.tracking(), run, report).await?;
        }
        if let Some(model) = &self.model {
            self.models.attach(model, Evidence::Validation(report.summary(None))).await?;
        }
        Ok(())
    }
}
