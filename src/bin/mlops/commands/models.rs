//! `mlops models …`
//!
//! Everybody acts under the access rules of the store, if it has any: what they do not grant is
//! refused here, as it is for an honest program. Plans are printed before they are carried out, and a
//! refused one is an answer (the table, on standard output) and a failure (exit code 2).

mod documents;
mod files;
mod history;
mod lineage;
mod list;
mod moves;
mod register;
mod show;
mod trash;

use std::io::Read;
use std::path::Path;

use mlops::models::from_text;
use mlops::registry::{
    Evidence, MAX_DOCUMENT_BYTES, ModelChanges, ModelUri, ModelVersion, Selector, VersionChanges,
    VersionId,
};
use mlops::{BackendUrl, Error, ErrorKind, ModelName, Models, Workspace};
use serde_json::{Value, json};

use super::LabelChanges;
use crate::args::{AccessCommand, Labels, Models as Command, PolicyCommand};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;
use crate::store::{self, Store};

/// Longest file of a policy, a plan, a finding; what is larger is something else.
const MAX_BYTES: u64 = MAX_DOCUMENT_BYTES as u64;

pub(crate) async fn run(
    store: &Store,
    command: Command,
    output: &mut Output,
) -> Result<(), Failure> {
    // These need no store, or may make it.
    let command = match command {
        Command::Register(asked) => return register::run(store, *asked, output).await,
        Command::Keygen { file } => return files::keygen(&file, output),
        Command::Policy(PolicyCommand::Check { file }) => {
            return documents::check_policy(&file, output);
        }
        Command::Access(AccessCommand::Check { file }) => {
            return documents::check_access(&file, output);
        }
        command => command,
    };
    let ws = store::open(store, output).await?;
    let models = &acting(&ws).await?;
    match command {
        Command::Register(_) | Command::Keygen { .. } => Ok(()),
        Command::List { filter, listing } => list::models(models, &filter, listing, output).await,
        Command::Versions { what, listing } => list::versions(models, &what, listing, output).await,
        Command::Show { what } => show::run(models, &what, output).await,
        Command::Plan { uri, to, reason, out, ignore_approvals } => {
            let plan = match models.promotion_plan(&uri, to, &reason).await {
                Ok(plan) => plan,
                Err(e) => return Err(missing(models, &uri, e).await.into()),
            };
            moves::plan(&plan, out.as_deref(), ignore_approvals, output)
        }
        Command::Promote { what, reason } => {
            moves::promote(models, what, &reason.unwrap_or_default(), output).await
        }
        Command::Approve { what, comment } => {
            moves::decide(models, what, moves::Word::Approve, &comment.comment, output).await
        }
        Command::Reject { what, comment } => {
            moves::decide(models, what, moves::Word::Reject, &comment.comment, output).await
        }
        Command::Withdraw { what, comment } => {
            moves::decide(models, what, moves::Word::Withdraw, &comment.comment, output).await
        }
        Command::Rollback { model, stage, reason, dry_run } => {
            moves::rollback(models, &model, stage, &reason, dry_run, output).await
        }
        Command::History { model, stage, at } => {
            history::run(models, &model, stage, at, output).await
        }
        Command::Alias { what, name, remove } => alias(models, &what, &name, remove, output).await,
        Command::Tag { what, labels } => tag(models, &what, labels, output).await,
        Command::Note { what, mut text } => {
            if text == "-" {
                text.clear();
                std::io::stdin().read_to_string(&mut text)?;
            }
            note(models, &what, text.trim_end(), output).await
        }
        Command::Attach { uri, evidence } => attach(models, &uri, &evidence, output).await,
        Command::Policy(command) => documents::policy(models, command, output).await,
        Command::Access(command) => documents::access(models, command, output).await,
        Command::Verify { what, quick } => files::verify(models, &what, quick, output).await,
        Command::Lineage(asked) => lineage::run(models, &asked, output).await,
        Command::Impact { node } => lineage::impact(models, &node, output).await,
        Command::Download { uri, out, trusted_key } => {
            files::download(models, &uri, &out, trusted_key, output).await
        }
        Command::Copy { uri, to_store, name } => {
            let place: BackendUrl = to_store.parse()?;
            store::refuse_other_directory(&place)?;
            let target = acting(&store::create(&store.at(to_store)).await?).await?;
            files::copy(models, &uri, (&target, place), name.as_deref(), output).await
        }
        Command::Replay { uri } => files::replay(models, &uri, output).await,
        Command::Sign { uri, key } => files::sign(models, &uri, &key, output).await,
        Command::Delete { what } => trash::delete(models, &what, output).await,
        Command::Restore { what } => trash::restore(models, &what, output).await,
        Command::Purge { what, older_than, consent } => {
            trash::purge(models, &what, older_than, &consent, output).await
        }
    }
}

/// The models of a store, and the runs beside them, for the one who acts, under its access rules.
pub(crate) async fn acting(ws: &Workspace) -> mlops::Result<Models> {
    let models = ws.models();
    models.authorized(models.actor().clone()).await
}

/// A version, or a whole model.
enum Meant {
    Version(ModelUri),
    Model(ModelName),
}

/// What `churn/3`, `models:/churn@champion` and `churn` mean.
fn meant(text: &str) -> mlops::Result<Meant> {
    if !text.starts_with("models:/") && !text.contains(['/', '@']) {
        return ModelName::new(text).map(Meant::Model);
    }
    text.parse().map(Meant::Version)
}

/// The version that `text` means, also one in the trash.
async fn version(models: &Models, text: &str) -> mlops::Result<ModelVersion> {
    match models.version(text).await {
        Ok(version) => Ok(version),
        Err(e) => Err(missing(models, text, e).await),
    }
}

/// Which version `text` means; none in the trash.
pub(super) async fn resolve(models: &Models, text: &str) -> mlops::Result<VersionId> {
    match models.resolve(text).await {
        Ok(id) => Ok(id),
        Err(e) => Err(missing(models, text, e).await),
    }
}

fn hinted(error: Error, list: &str) -> Error {
    if error.kind() == ErrorKind::NotFound && error.hint().is_none() {
        return error.with_hint(format!("`mlops models {list}` shows what there is"));
    }
    error
}

/// Says what of a version is missing: the model itself, or else what there is instead of it. Anything
/// else that is not found (a directory, an object) stays what it is.
async fn missing(models: &Models, text: &str, error: Error) -> Error {
    let is_of_a_version = error.operation().starts_with("registry.")
        || error.operation().starts_with("models.version");
    let uri = text.parse::<ModelUri>();
    let (ErrorKind::NotFound, true, Ok(uri)) = (error.kind(), is_of_a_version, uri) else {
        return error;
    };
    let shown = format::text(&uri.model, 250);
    match (models.registry().model(&uri.model).await, uri.selector) {
        (Err(e), _) if e.kind() == ErrorKind::NotFound => {
            Error::not_found(COMMAND, "there is no such model")
                .with("model", shown)
                .with_hint("`mlops models list` shows what there is")
        }
        (Ok(model), Selector::Alias(_)) if error.hint().is_none() => {
            let aliases: Vec<&str> = model.aliases.keys().map(mlops::Alias::as_str).collect();
            let hint = match &aliases[..] {
                [] => "the model has no aliases".to_owned(),
                aliases => format!("its aliases are {}", aliases.join(", ")),
            };
            error.with_hint(hint)
        }
        _ => hinted(error, &format!("versions {shown}")),
    }
}

/// A version as a document: as it is stored, and its id.
fn document(version: &ModelVersion) -> Value {
    let mut value = json!(version);
    value["id"] = json!(version.id());
    value
}

/// Says what became of a version.
fn say(done: &str, version: &ModelVersion, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.document(&document(version));
    }
    output.line(format!("{done} {}", format::text(&version.id().to_string(), 280)))
}

async fn alias(
    models: &Models,
    what: &str,
    name: &str,
    remove: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let model = match (remove, meant(what)?) {
        (true, Meant::Model(model)) => models.remove_alias(&model, name).await?,
        (true, Meant::Version(uri)) => models.remove_alias(&uri.model, name).await?,
        (false, Meant::Version(_)) => match models.set_alias(what, name).await {
            Ok(model) => model,
            Err(e) => return Err(missing(models, what, e).await.into()),
        },
        (false, Meant::Model(_)) => {
            return Err(Error::invalid(COMMAND, "an alias names one version")
                .with("given", what)
                .with_hint(format!("write {what}/3, or {what}/latest"))
                .into());
        }
    };
    if output.is_json() {
        return output.document(&json!(model));
    }
    let shown = format::text(&model.name, 250);
    match model.aliases.get(name) {
        Some(number) => output.line(format!("{name} names {shown}/{number}")),
        None => output.line(format!("{shown} has no alias {} any more", format::text(name, 250))),
    }
}

async fn tag(
    models: &Models,
    what: &str,
    labels: Labels,
    output: &mut Output,
) -> Result<(), Failure> {
    let LabelChanges { set, remove } = labels.parse()?;
    let mut of_version = VersionChanges::default();
    let mut of_model = ModelChanges::default();
    (of_version.tags, of_version.remove_tags) = (set.clone(), remove.clone());
    (of_model.tags, of_model.remove_tags) = (set, remove);
    change(models, what, of_model, of_version, output).await
}

async fn note(models: &Models, what: &str, text: &str, output: &mut Output) -> Result<(), Failure> {
    let of_model = ModelChanges::default().with_note(text);
    change(models, what, of_model, VersionChanges::default().with_note(text), output).await
}

/// Makes one change of a version or a model.
async fn change(
    models: &Models,
    what: &str,
    of_model: ModelChanges,
    of_version: VersionChanges,
    output: &mut Output,
) -> Result<(), Failure> {
    match meant(what)? {
        Meant::Version(_) => {
            let id = resolve(models, what).await?;
            say("changed", &models.registry().update_version(&id, of_version).await?, output)
        }
        Meant::Model(name) => {
            let changed = models.registry().update_model(&name, of_model).await;
            let model = changed.map_err(|e| hinted(e, "list"))?;
            if output.is_json() {
                return output.document(&json!(model));
            }
            output.line(format!("changed {}", format::text(&model.name, 250)))
        }
    }
}

async fn attach(
    models: &Models,
    uri: &str,
    files: &[impl AsRef<Path>],
    output: &mut Output,
) -> Result<(), Failure> {
    let mut changes = VersionChanges::default();
    let mut names = Vec::new();
    for file in files {
        let evidence: Evidence = read_as(file.as_ref(), |text| from_text("evidence", text))?;
        names.push(format!("{} {}", evidence.kind(), format::text(evidence.name(), 80)));
        changes.evidence.push(evidence);
    }
    let id = resolve(models, uri).await?;
    let version = models.registry().update_version(&id, changes).await?;
    say(&format!("attached {} to", names.join(", ")), &version, output)
}

/// What a file says, in YAML or JSON.
pub(super) fn read_as<T>(
    file: &Path,
    parse: impl FnOnce(&str) -> mlops::Result<T>,
) -> Result<T, Failure> {
    Ok(parse(&read(file, MAX_BYTES)?).map_err(|e| e.with("file", file.display()))?)
}

/// A text of at most so many bytes from a file, or from standard input if it is called `-`.
pub(super) fn read(file: &Path, most: u64) -> Result<String, Failure> {
    let mut text = String::new();
    // Opening a pipe would wait for somebody to write to it, and a device has no end.
    if file != Path::new("-") && std::fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        let error = Error::invalid(COMMAND, "is no file").with("file", file.display());
        return Err(error.with_hint("`-` reads standard input").into());
    }
    let read = if file == Path::new("-") {
        std::io::stdin().take(most + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(most + 1).read_to_string(&mut text))
    };
    let error = match read {
        Ok(bytes) if bytes as u64 <= most => return Ok(text),
        Ok(_) => Error::invalid(COMMAND, "the file is too large").with("at_most_bytes", most),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Error::not_found(COMMAND, "there is no such file")
        }
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            Error::invalid(COMMAND, "the file is no UTF-8 text")
        }
        Err(e) => Error::invalid(COMMAND, "the file cannot be read").with_source(e),
    };
    Err(error.with("file", file.display()).into())
}
