//! The part of the story that the registry tells: two versions, a policy, a refusal, a mistake.

use std::path::Path;

use mlops::arrow::datatypes::{DataType, Field, Schema};
use mlops::journal::Actor;
use mlops::lineage::{Node, NodeKind};
use mlops::registry::{
    EvaluationSummary, Evidence, ModelVersion, PromotionPlan, Signature, Stage, StagePolicy,
};
use mlops::time::{Clock, SystemClock};
use mlops::tracking::Run;
use mlops::validation::Report;
use mlops::{ErrorKind, Key, Models, Workspace};

use super::data::{Flights, Result, Split};
use super::model::{Model, log_loss, roc_auc};

/// The name under which versions are counted.
pub const MODEL: &str = "flights";

/// What must be so before a version serves. Written by the team, stored in the registry.
const POLICY: &str = r"
stages:
  Production:
    gates:
      - metric: {name: auc, evaluation: november-december, at_least: 0.6}
      - suite: {name: flights}
      - signature_compatible
      - files: {permit: []}
    approvals: {count: 1, role: approver}
";

/// The gate that was missing.
const BETTER: &str = r"
      - better_than_current: {name: auc, evaluation: november-december, direction: higher}";

/// What a caller gives and what it gets: the flight as it is known at its schedule.
pub fn signature() -> Result<Signature> {
    let known = |name: &str, kind: DataType| Field::new(name, kind, false);
    let mut inputs = vec![
        known("date", DataType::Date32),
        known("hour", DataType::UInt8),
        known("carrier", DataType::Utf8),
        known("origin", DataType::Utf8),
        known("dest", DataType::Utf8),
        known("distance", DataType::Float64),
        known("departures", DataType::Float64),
    ];
    // An hour without a report is a row without weather.
    for name in ["temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"] {
        inputs.push(Field::new(name, DataType::Float64, true));
    }
    let outputs = vec![known("late", DataType::Float64)];
    Ok(Signature::from_schemas(&Schema::new(inputs), &Schema::new(outputs))?)
}

/// Registers the model of a run: its file, metrics, params, data, code and environment come along.
pub async fn register(ws: &Workspace, run: &Run, note: &str) -> Result<ModelVersion> {
    let version = ws
        .models()
        .register(MODEL)?
        .from_run(run.id)
        .artifacts("model")
        .signature(signature()?)
        .note(note)
        .register()
        .await?;
    println!(
        "registered {}: {} file, manifest {}…",
        version.id(),
        version.manifest.files.len(),
        &version.digest.to_string()[..12]
    );
    Ok(version)
}

/// The report on the data that both were trained on becomes evidence, which a gate asks for.
pub async fn validated(
    ws: &Workspace,
    versions: [&ModelVersion; 2],
    report: &Report,
) -> Result<()> {
    for version in versions {
        let evidence = Evidence::Validation(report.summary(None));
        ws.models().attach(&version.id().to_string(), evidence).await?;
    }
    Ok(())
}

/// The story: refused, judged, approved, applied; a worse one by mistake, rolled back, and a gate so
/// that it cannot happen again.
pub async fn promote(
    ws: &Workspace,
    best: &ModelVersion,
    worse: &ModelVersion,
    flights: &Flights,
    split: &Split,
) -> Result<()> {
    let models = ws.models();
    let reviewer = models.acting_as(Actor::new("bea@review")?);
    models.set_policy(Some(MODEL), &mlops::policy_from_text(POLICY)?).await?;

    println!("\n-- the policy refuses");
    let plan = plan(models, best, "first release").await?;
    assert!(!plan.is_allowed());
    let refused = models.apply(&plan).await.map_err(|e| e.kind());
    assert_eq!(refused.err(), Some(ErrorKind::Denied), "a refused plan cannot be applied");

    println!("\n-- judged on the months that it has not seen, approved by a colleague, applied");
    for version in [best, worse] {
        evaluate(models, version, flights, split).await?;
    }
    let plan =
        models.promotion_plan(&best.id().to_string(), Stage::Production, "first release").await?;
    let own = models.approve(&plan, "I made it").await.map_err(|e| e.kind());
    assert_eq!(own.err(), Some(ErrorKind::Denied), "nobody approves their own version");
    reviewer.approve(&plan, "better than nothing").await?;
    let plan = self::plan(models, best, "first release").await?;
    models.apply(&plan).await?;

    println!("\n-- a worse one, by mistake: no gate compares it with what serves");
    let plan = models.promotion_plan(&worse.id().to_string(), Stage::Production, "smaller").await?;
    reviewer.approve(&plan, "smaller is simpler").await?;
    let plan = self::plan(models, worse, "smaller").await?;
    models.apply(&plan).await?;
    serve(models, flights, split).await?;

    println!("\n-- back, in one call");
    let back = models.rollback(MODEL, Stage::Production, "warns too seldom").await?;
    println!("{back}");
    assert_eq!(back.request.version, best.id());
    serve(models, flights, split).await?;

    println!("\n-- and a gate, so that it cannot happen again");
    let policy = POLICY.replace("\n      - signature", &format!("{BETTER}\n      - signature"));
    let policy: StagePolicy = mlops::policy_from_text(&policy)?;
    models.set_policy(Some(MODEL), &policy).await?;
    let again = self::plan(models, worse, "smaller").await?;
    assert!(again.failed().any(|gate| gate.gate.contains("than current")));

    history(models).await
}

async fn plan(models: &Models, version: &ModelVersion, why: &str) -> Result<PromotionPlan> {
    let plan = models.promotion_plan(&version.id().to_string(), Stage::Production, why).await?;
    println!("{plan}");
    Ok(plan)
}

/// Judges a version on November and December, and attaches what was found.
async fn evaluate(
    models: &Models,
    version: &ModelVersion,
    flights: &Flights,
    split: &Split,
) -> Result<()> {
    let loaded = models.load(&version.id().to_string()).await?;
    let model = Model::load(&loaded.path().join("model.json"))?;
    let (y, p) = (flights.target(&split.test)?, model.score(flights, &split.test));
    let metrics = [("auc", roc_auc(&y, &p)), ("log_loss", log_loss(&y, &p))];
    let metrics = metrics.map(|(key, value)| Key::new(key).map(|key| (key, value)));
    models
        .attach(
            &version.id().to_string(),
            Evidence::Evaluation(EvaluationSummary {
                name: Key::new("november-december")?,
                data: version.manifest.inputs.first().map(|input| input.digest.clone()),
                metrics: metrics.into_iter().collect::<mlops::Result<_>>()?,
                at: SystemClock.now(),
            }),
        )
        .await?;
    Ok(())
}

/// What a server does: asks for the version in Production and predicts with it.
async fn serve(models: &Models, flights: &Flights, split: &Split) -> Result<()> {
    let version = models.version("models:/flights/Production").await?;
    let loaded = models.load("models:/flights/Production").await?;
    let model = Model::load(&loaded.path().join("model.json"))?;
    let (y, p) = (flights.target(&split.test)?, model.score(flights, &split.test));
    let warned = p.iter().filter(|p| **p >= 0.3).count();
    println!(
        "Production is {}: AUC {:.4}, {warned} warnings for {} flights",
        version.id(),
        roc_auc(&y, &p),
        p.len()
    );
    Ok(())
}

/// Who put what into Production, and which models would feel it if a column changed.
async fn history(models: &Models) -> Result<()> {
    println!("\n-- what held Production, and who put it there");
    let history = models.stage_history(MODEL).await?;
    for step in history.iter().filter(|step| step.to == Stage::Production) {
        println!(
            "{}  flights/{}  {:<8}  {}  {}",
            step.at.format("%H:%M:%S%.3f"),
            step.number,
            step.cause.as_str(),
            step.actor,
            step.reason
        );
    }
    let first = history.iter().find(|step| step.to == Stage::Production).ok_or("no move")?;
    let held = models.holders_at(MODEL, Stage::Production, first.at).await?;
    assert_eq!(held.iter().map(|step| step.number).collect::<Vec<_>>(), [first.number]);

    let column = Node::new(NodeKind::Column, "wind_gust");
    let impact = models.impact(&column).await?;
    let in_production = impact.iter().filter(|found| found.stages.contains(&Stage::Production));
    let names: Vec<_> = in_production.map(|found| found.version.to_string()).collect();
    println!("a change of the column wind_gust would reach, in Production: {}", names.join(", "));
    assert_eq!(names.len(), 1);
    Ok(())
}

/// Downloads the version in Production, as a deployment does: whole and verified, or not at all.
pub async fn deploy(ws: &Workspace, directory: &Path) -> Result<()> {
    let files = ws
        .models()
        .download("models:/flights/Production", directory, &mlops::DownloadModel::default())
        .await?;
    assert_eq!(files.len(), 1);
    let again = ws
        .models()
        .download("models:/flights/Production", directory, &mlops::DownloadModel::default())
        .await;
    assert!(again.is_err(), "nothing is written into a directory that holds something");
    Ok(())
}
