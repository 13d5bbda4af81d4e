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
    Data, History, Options, Outcome, Redaction, Report, Severity, Status, Validation, Validator,
    Verdict,
};
use mlops::{Error, ErrorKind, Key, Models};
use serde_json::{Value, json};

use super::models::{self, read};
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
    // The store, the run and the version are looked for before the data is read, for which nobody
    // waits twice.
    let place = Place::find(store, &asked.attach, output).await?;
    let report = judge(&asked).await.map_err(Failure::unjudged)?;
    write_pages(&report, &asked.pages)?;
    if let Some(file) = &asked.history
        && report.passed()
    {
        remember(&report, file)?;
    }
    if let Some(place) = &place {
        place.keep(&report).await?;
    }
    if output.is_json() {
        output.document(&json!(report))?;
    } else {
        let colour = io::stdout().is_terminal() && !asked.pages.no_color;
        output.bytes(text(&report, &TextStyle::default().with_colour(colour)).as_bytes())?;
    }
    let is_fit = report.passed() && !(asked.strict && report.verdict == Verdict::Warned);
    if is_fit {
        return Ok(());
    }
    output.flush()?;
    let of = |outcome: &&Outcome| match report.counted(outcome) {
        Status::Passed => false,
        Status::Failed => asked.strict || outcome.severity == Severity::Error,
        Status::Vacuous => asked.strict,
    };
    let names: Vec<&str> = report.outcomes.iter().filter(of).map(|o| o.check.as_str()).collect();
    Err(Error::new(ErrorKind::Denied, COMMAND, "refused: the data is not fit to use")
        .with("suite", format::text(&report.suite, 250))
        .with("checks", format::text(&names.join("; "), 2_000))
        .into())
}

async fn judge(asked: &Validate) -> Result<Report, Failure> {
    let Loaded { suite, parameters } = Loaded::read(&asked.suite, &asked.input.params)?;
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
    write(&pages.html, html)?;
    write(&pages.junit, junit)?;
    write(&pages.markdown, markdown)?;
    write(&pages.report, |report| pretty(&json!(report)))
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
