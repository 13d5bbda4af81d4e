//! From what somebody types to the one run or experiment that is meant.
//!
//! A run is named by its id, by the first digits of its id (four at least), or by its name, if only
//! one run has it. What is not in the trash comes first: only if nothing there is meant, the trash is
//! looked at (the other way round, for what brings things back). Two that may be meant are an error
//! that shows them; nothing is guessed.

use mlops::filter::{Attribute, Comparison, Field, Filter, Literal};
use mlops::tracking::{Experiment, ExperimentQuery, Run, RunQuery, View};
use mlops::{Error, ErrorKind, ExperimentId, ExperimentName, Result, RunId, Tracking};

use crate::failure::COMMAND;
use crate::format;

/// Fewer digits of an id than these are not looked up.
const FEWEST_DIGITS: usize = 4;
/// So many of the things that may be meant are shown.
const SHOWN: usize = 5;
const ID_DIGITS: usize = 32;

/// What is not in the trash first.
pub(crate) const LIVE_FIRST: [View; 2] = [View::Active, View::Deleted];
/// What is in the trash first.
pub(crate) const TRASH_FIRST: [View; 2] = [View::Deleted, View::Active];

/// The run that `text` means.
pub(crate) async fn run(ws: &Tracking, text: &str, views: [View; 2]) -> Result<Run> {
    if let Some(id) = whole_id::<RunId>(text) {
        return ws.tracker().run(id).await.map_err(|e| hinted(e, "run"));
    }
    for view in views {
        let mut query = RunQuery::default().with_view(view).with_limit(SHOWN + 1);
        query.filter = meant_by(text);
        let mut found = ws.tracker().search_runs(&query).await?.items;
        match found.len() {
            0 => {}
            1 => return Ok(found.remove(0)),
            _ => {
                let ids: Vec<RunId> = found.iter().map(|run| run.id).collect();
                return Err(ambiguous("several runs are meant", "run", text, &ids));
            }
        }
    }
    Err(missing("no run has this id or name", "run", text))
}

/// The runs that `texts` mean, each once, in this order.
pub(crate) async fn runs(ws: &Tracking, texts: &[String], views: [View; 2]) -> Result<Vec<Run>> {
    let mut found: Vec<Run> = Vec::with_capacity(texts.len());
    for text in texts {
        let run = run(ws, text, views).await?;
        if found.iter().all(|known| known.id != run.id) {
            found.push(run);
        }
    }
    Ok(found)
}

/// The experiment that `text` means: its name, id, or the first digits of its id.
pub(crate) async fn experiment(ws: &Tracking, text: &str, views: [View; 2]) -> Result<Experiment> {
    for view in views {
        let query = ExperimentQuery::new(meant_by(text)).with_view(view).with_limit(SHOWN + 1);
        let mut found = ws.tracker().search_experiments(&query).await?.items;
        // Among the live a name is unique, so it is what is meant, whatever id begins alike.
        let named = found.iter().position(|e| e.name.as_str() == text);
        match (found.len(), named) {
            (0, _) => {}
            (_, Some(at)) if view == View::Active => return Ok(found.swap_remove(at)),
            (1, _) => return Ok(found.remove(0)),
            _ => {
                let ids: Vec<ExperimentId> = found.iter().map(|e| e.id).collect();
                return Err(ambiguous("several experiments are meant", "experiment", text, &ids));
            }
        }
    }
    // Says what is wrong with a name that nothing can have.
    ExperimentName::new(text)?;
    Err(missing("no experiment has this name or id", "experiment", text))
}

fn whole_id<T: std::str::FromStr>(text: &str) -> Option<T> {
    (is_hex(text) && text.len() == ID_DIGITS).then(|| text.parse().ok()).flatten()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Matches the name `text`, and ids that begin with it if it can be the beginning of one.
fn meant_by(text: &str) -> Filter {
    let name = Comparison::Eq(Literal::Text(text.to_owned()));
    let named = Filter::Term(Field::Attribute(Attribute::Name), name);
    if !is_hex(text) || !(FEWEST_DIGITS..=ID_DIGITS).contains(&text.len()) {
        return named;
    }
    let begins = Comparison::Like(format!("{}%", text.to_ascii_lowercase()));
    Filter::Or(vec![named, Filter::Term(Field::Attribute(Attribute::Id), begins)])
}

fn ambiguous(
    message: &'static str,
    what: &'static str,
    text: &str,
    ids: &[impl ToString],
) -> Error {
    let mut shown: Vec<String> = ids.iter().take(SHOWN).map(ToString::to_string).collect();
    if ids.len() > SHOWN {
        shown.push("…".to_owned());
    }
    Error::invalid(COMMAND, message)
        .with(what, format::text(text, 80))
        .with("candidates", shown.join(", "))
        .with_hint("give the id, or more digits of it")
}

fn missing(message: &'static str, what: &'static str, text: &str) -> Error {
    let error = Error::not_found(COMMAND, message).with(what, format::text(text, 80));
    if is_hex(text) && text.len() < FEWEST_DIGITS {
        error.with_hint("the beginning of an id needs at least four digits")
    } else {
        hinted(error, what)
    }
}

fn hinted(error: Error, what: &'static str) -> Error {
    if error.kind() == ErrorKind::NotFound && error.hint().is_none() {
        return error.with_hint(format!(
            "`mlops {what}s list` shows what there is, with `--view all` also the trash"
        ));
    }
    error
}
