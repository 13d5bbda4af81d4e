//! `mlops models plan`, `promote`, `approve`, `reject`, `withdraw` and `rollback`.

use std::path::Path;

use mlops::models::from_text;
use mlops::registry::{GateResult, PromotionPlan, Stage};
use mlops::time::{Clock, SystemClock};
use mlops::{Error, ErrorKind, Models, Result};
use serde_json::{Value, json};

use super::{hinted, missing, read_as};
use crate::args::Move;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;

/// What somebody says about a move.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Word {
    Approve,
    Reject,
    Withdraw,
}

/// Shows a plan, and fails if it is refused.
pub(crate) fn plan(
    plan: &PromotionPlan,
    out: Option<&Path>,
    ignore_approvals: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let document = document(plan, None);
    if let Some(out) = out {
        let text = format!("{document:#}\n");
        std::fs::write(out, text).map_err(|e| {
            Error::invalid(COMMAND, "the plan cannot be written")
                .with("file", out.display())
                .with_source(e)
        })?;
    }
    show(plan, &document, output)?;
    if plan.is_allowed() {
        return Ok(());
    }
    if ignore_approvals && lacks_only_approvals(plan) {
        return if output.is_json() { Ok(()) } else { output.line("allowed but for approvals") };
    }
    refused(plan, output)
}

/// Moves a version, or says by what it is refused.
pub(crate) async fn promote(
    models: &Models,
    what: Move,
    reason: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    // A plan of our own is as new as can be; one from a file is judged anew when it is applied.
    let is_fresh = what.plan.is_none();
    let plan = asked(models, what, reason).await?;
    if is_fresh && !plan.is_allowed() {
        show(&plan, &document(&plan, Some(false)), output)?;
        return refused(&plan, output);
    }
    match models.apply(&plan).await {
        Ok(applied) => done(&applied, output),
        Err(error) if error.kind() == ErrorKind::Denied => {
            let judged = judge(models, &plan).await?;
            show(&judged, &document(&judged, Some(false)), output)?;
            output.flush()?;
            Err(if judged.is_allowed() { error } else { refusal(&judged) }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Brings back the version that held the stage before.
pub(crate) async fn rollback(
    models: &Models,
    model: &str,
    stage: Stage,
    reason: &str,
    dry_run: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let plan = models.rollback_plan(model, stage, reason).await.map_err(|e| hinted(e, "list"))?;
    if dry_run || !plan.is_allowed() {
        show(&plan, &document(&plan, Some(false)), output)?;
        if !plan.is_allowed() {
            return refused(&plan, output);
        }
        return if output.is_json() { Ok(()) } else { output.line("nothing was done: --dry-run") };
    }
    done(&models.rollback(model, stage, reason).await?, output)
}

/// Says something about a move, and shows how that stands then.
pub(crate) async fn decide(
    models: &Models,
    what: Move,
    word: Word,
    comment: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let plan = asked(models, what, "").await?;
    let said = match word {
        Word::Approve => models.approve(&plan, comment).await?,
        Word::Reject => models.reject(&plan, comment).await?,
        Word::Withdraw => models.withdraw(&plan, comment).await?,
    };
    if output.is_json() {
        return output.document(&json!(said));
    }
    let done = match word {
        Word::Approve => "approved",
        Word::Reject => "rejected",
        Word::Withdraw => "withdrawn:",
    };
    let version = format::text(&said.version.to_string(), 280);
    let actor = format::text(said.actor.as_str(), 80);
    output.line(format!("{done} {version} → {} by {actor}", said.to))?;
    output.line(format::paragraph(&judge(models, &plan).await?.to_string()))
}

/// The plan that is meant: of a file, or made now.
async fn asked(models: &Models, what: Move, reason: &str) -> Result<PromotionPlan, Failure> {
    match what {
        Move { plan: Some(file), .. } => read_as(&file, |text| from_text("plan", text)),
        Move { uri: Some(uri), to: Some(to), .. } => {
            let plan = models.promotion_plan(&uri, to, reason).await;
            match plan {
                Ok(plan) => Ok(plan),
                Err(e) => Err(missing(models, &uri, e).await.into()),
            }
        }
        // clap has seen to it that this is not reached.
        Move { .. } => Err(Error::invalid(COMMAND, "no version and stage were named").into()),
    }
}

/// Judges what a plan asks for as things are now.
async fn judge(models: &Models, plan: &PromotionPlan) -> Result<PromotionPlan> {
    let state = models.registry().promotion_state(&plan.request).await?;
    PromotionPlan::evaluate(&state, plan.request.clone(), models.actor(), SystemClock.now())
}

/// Whether the policy's demand for approvals is all that fails; a rejection is another condition.
fn lacks_only_approvals(plan: &PromotionPlan) -> bool {
    plan.failed().all(|failed| failed.kind == "approvals")
}

fn document(plan: &PromotionPlan, applied: Option<bool>) -> Value {
    let mut value = json!(plan);
    value["allowed"] = plan.is_allowed().into();
    if let Some(applied) = applied {
        value["applied"] = applied.into();
    }
    value
}

fn show(plan: &PromotionPlan, document: &Value, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.document(document);
    }
    output.line(format::paragraph(&plan.to_string()))
}

fn done(plan: &PromotionPlan, output: &mut Output) -> Result<(), Failure> {
    show(plan, &document(plan, Some(true)), output)?;
    if output.is_json() {
        return Ok(());
    }
    let version = format::text(&plan.request.version.to_string(), 280);
    output.line(format!("done: {version} is in {}", plan.request.to))
}

/// Fails, after what was shown.
fn refused(plan: &PromotionPlan, output: &mut Output) -> Result<(), Failure> {
    output.flush()?;
    Err(refusal(plan).into())
}

fn refusal(plan: &PromotionPlan) -> Error {
    let failed = plan.gates.iter().filter(|gate| gate.result == GateResult::Failed);
    let failed: Vec<String> =
        failed.map(|gate| format!("{} ({})", gate.gate, gate.evidence)).collect();
    Error::new(ErrorKind::Denied, COMMAND, "refused: the move does not meet its conditions")
        .with("version", &plan.request.version)
        .with("to", plan.request.to)
        .with("failed", format::text(&failed.join("; "), 2_000))
}
