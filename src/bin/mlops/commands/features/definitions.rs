//! `mlops features plan`, `apply`, `state`, `policy` and `import-feast`.

use std::path::{Path, PathBuf};

use mlops::feature_store::{ModelUse, Policy, feast};
use mlops::features::{
    ApplyPlan, ChangeKind, Definitions, FeatureName, FeatureStore, Lifecycle, ServiceRef,
};
use mlops::registry::{ModelVersion, Role, Stage, VersionQuery};
use mlops::time::Instant;
use mlops::{Error, ErrorKind, Workspace, yaml};
use serde_json::{Value, json};

use super::{LONGEST, Opened};
use crate::args::{Consent, StateName};
use crate::commands::models::read_as;
use crate::commands::places::Places;
use crate::commands::write;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;
use crate::store::{self, Store};

/// Longest registry of Feast; what is larger is something else.
const MAX_REGISTRY_BYTES: u64 = 256 << 20;

/// Shows a plan, and fails if it is refused.
pub(super) async fn plan(
    opened: &Opened,
    files: &[PathBuf],
    output: &mut Output,
) -> Result<(), Failure> {
    let plan = planned(opened, &read(files)?).await?;
    show(&plan, None, output)?;
    if plan.is_refused() { refused(&plan, output) } else { Ok(()) }
}

/// Shows a plan and carries it out.
pub(super) async fn apply(
    store: &Store,
    files: &[PathBuf],
    consent: &Consent,
    output: &mut Output,
) -> Result<(), Failure> {
    let definitions = read(files)?;
    let ws = match store::open(store, output).await {
        Err(Failure::Library(e)) if e.kind() == ErrorKind::NotFound => {
            // Definitions that do not hold make no store.
            Workspace::connect("memory:").await?.features().await?.plan(&definitions).await?;
            store::create(store).await?
        }
        opened => opened?,
    };
    let opened = Opened::new(ws).await?;
    let plan = planned(&opened, &definitions).await?;
    if !output.is_json() {
        show(&plan, None, output)?;
        output.flush()?;
    }
    let hurts = hurts(&plan);
    if plan.is_refused() || consent.dry_run || (!hurts.is_empty() && !consent.yes) {
        if output.is_json() {
            show(&plan, Some(false), output)?;
        }
        if plan.is_refused() {
            return refused(&plan, output);
        }
        if consent.dry_run {
            let said = "nothing was done: --dry-run";
            return if output.is_json() { Ok(()) } else { output.line(said) };
        }
        output.flush()?;
        return Err(Error::invalid(COMMAND, "nothing was done: this hurts somebody")
            .with("because", format::text(&hurts.join("; "), 2_000))
            .with_hint("say --yes to do it, or --dry-run to only look")
            .into());
    }
    if !plan.is_empty() {
        opened.store.apply(&plan).await?;
    }
    if output.is_json() {
        return show(&plan, Some(true), output);
    }
    if plan.is_empty() {
        return Ok(());
    }
    output.line(format!("applied {}", format::count(plan.changes.len() as u64, "change")))
}

/// Moves a view to another state.
pub(super) async fn state(
    opened: &Opened,
    view: &str,
    state: StateName,
    until: Option<Instant>,
    output: &mut Output,
) -> Result<(), Failure> {
    let view = FeatureName::new(view)?;
    let state = match (state, until) {
        (StateName::Deprecated, Some(until)) => Lifecycle::Deprecated { until },
        (_, Some(_)) => {
            return Err(Error::invalid(COMMAND, "only a deprecation has a date")
                .with_hint("leave --until away")
                .into());
        }
        (StateName::Draft, None) => Lifecycle::Draft,
        (StateName::Active, None) => Lifecycle::Active,
        (StateName::Retired, None) => Lifecycle::Retired,
        // clap has seen to it that this is not reached.
        (StateName::Deprecated, None) => {
            return Err(Error::invalid(COMMAND, "a deprecation has a date").into());
        }
    };
    opened.store.set_state(&view, state).await?;
    if output.is_json() {
        return output.document(&json!({ "view": view, "state": state }));
    }
    output.line(format!("{view} is {state}"))
}

/// Stores what every definition must say of itself.
pub(super) async fn policy(
    opened: &Opened,
    file: &Path,
    output: &mut Output,
) -> Result<(), Failure> {
    let policy: Policy = read_as(file, |text| {
        let bad = |e: String| Error::invalid(COMMAND, "is no policy").with("problem", e);
        let value = yaml::read_document(text).map_err(|e| bad(e.to_string()))?;
        serde_json::from_value(value).map_err(|e| bad(e.to_string()))
    })?;
    opened.features(Role::Admin).await?.set_policy(&policy).await?;
    if output.is_json() {
        return output.document(&json!(policy));
    }
    output.line("stored the policy of definitions")
}

/// Makes definitions of a registry of Feast.
pub(super) fn import_feast(
    file: &Path,
    project: Option<&str>,
    out: Option<&Path>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut places = Places::default();
    places.reads("FILE", &file.to_string_lossy());
    out.map_or(Ok(()), |out| places.writes("--out", out))?;
    let bytes = bytes_of(file)?;
    let imported = match project {
        Some(project) => feast::import_project(&bytes, project),
        None => feast::import(&bytes),
    };
    let imported = imported.map_err(|e| e.with("file", file.display()))?;
    let text = imported.definitions.to_yaml();
    if let Some(out) = out {
        write(out, &text)?;
    }
    if output.is_json() {
        let document = json!({ "definitions": imported.definitions, "left": imported.left });
        return output.document(&document);
    }
    if out.is_none() {
        output.bytes(text.as_bytes())?;
    }
    for left in &imported.left {
        output.note(&format!("left out: {}", format::text(left, 500)), None)?;
    }
    let Definitions { entities, views, services, .. } = &imported.definitions;
    let what = format!(
        "{} entities, {} views, {} services; {} left out",
        entities.len(),
        views.len(),
        services.len(),
        imported.left.len()
    );
    output.note(&what, None)
}

fn bytes_of(file: &Path) -> Result<Vec<u8>, Failure> {
    let found = std::fs::metadata(file);
    let error = match found {
        Ok(found) if found.is_file() && found.len() <= MAX_REGISTRY_BYTES => {
            return Ok(std::fs::read(file)?);
        }
        Ok(_) => Error::invalid(COMMAND, "is no file, or too large for a registry"),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Error::not_found(COMMAND, "there is no such file")
        }
        Err(e) => Error::invalid(COMMAND, "the file cannot be read").with_source(e),
    };
    Err(error.with("file", file.display()).into())
}

/// Definitions of several files as one.
fn read(files: &[PathBuf]) -> Result<Definitions, Failure> {
    let mut all = Definitions::new();
    for file in files {
        let Definitions { entities, views, on_demand, services, .. } =
            read_as(file, Definitions::from_yaml)?;
        all.entities.extend(entities);
        all.views.extend(views);
        all.on_demand.extend(on_demand);
        all.services.extend(services);
    }
    Ok(all)
}

async fn planned(opened: &Opened, definitions: &Definitions) -> mlops::Result<ApplyPlan> {
    let features = opened.features(Role::Viewer).await?;
    features.plan_for(definitions, &model_uses(&opened.ws).await?).await
}

/// The versions of models that use a service; of what is archived nothing can break.
pub(super) async fn model_uses(ws: &Workspace) -> mlops::Result<Vec<ModelUse>> {
    let mut uses = Vec::new();
    let mut query = VersionQuery::default();
    loop {
        let page = ws.models().registry().search_versions(&query).await?;
        uses.extend(page.items.iter().filter_map(model_use));
        match page.next {
            Some(next) => query.page = Some(next),
            None => return Ok(uses),
        }
    }
}

fn model_use(version: &ModelVersion) -> Option<ModelUse> {
    let used = version.manifest.features.as_ref()?;
    let service = ServiceRef::version(
        FeatureName::new(used.name.as_str()).ok()?,
        u32::try_from(used.version).ok()?,
    );
    match version.stage {
        Stage::Archived => None,
        Stage::None => Some(ModelUse::new(version.id().to_string(), service)),
        stage => Some(ModelUse::new(format!("{} in {stage}", version.id()), service)),
    }
}

/// What needs somebody's consent.
fn hurts(plan: &ApplyPlan) -> Vec<String> {
    let mut hurts = Vec::new();
    for change in &plan.changes {
        if matches!(change.change, ChangeKind::Version { new_table: true, .. }) {
            hurts.push(format!("the rows of {} {} start anew", change.kind, change.name));
        }
        let broken = change.consumers.iter().filter(|consumer| consumer.broken);
        hurts.extend(broken.map(|consumer| format!("{} {}", consumer.name, consumer.effect)));
    }
    hurts
}

fn show(plan: &ApplyPlan, applied: Option<bool>, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        let mut value: Value = json!(plan);
        value["allowed"] = (!plan.is_refused()).into();
        if let Some(applied) = applied {
            value["applied"] = applied.into();
        }
        return output.document(&value);
    }
    output.line(format::paragraph(plan.to_string().trim_end()))
}

/// Fails, after what was shown.
fn refused(plan: &ApplyPlan, output: &mut Output) -> Result<(), Failure> {
    output.flush()?;
    let reasons = plan.changes.iter().flat_map(|change| {
        change.refused.iter().map(|why| format!("{} {}: {why}", change.kind, change.name))
    });
    let reasons: Vec<String> = reasons.map(|reason| format::text(&reason, 4 * LONGEST)).collect();
    Err(Error::new(ErrorKind::Denied, COMMAND, "refused: the definitions cannot be applied")
        .with("because", reasons.join("; "))
        .into())
}
