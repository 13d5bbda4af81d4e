//! Moves between stages in SQLite.

use mlops_core::journal::Actor;
use mlops_core::registry::{
    ACCESS_KIND, ACCESS_NAME, Approval, DEFAULT_POLICY, GateOutcome, ModelVersion, MoveCause,
    POLICY_KIND, PromotionPlan, PromotionRequest, PromotionState, Stage, StageMove, Step, Verdict,
    events, lineage as edges_of,
};
use mlops_core::tracking::Digest;
use mlops_core::{ModelName, time};
use rusqlite::{Connection, Row, params};
use serde::Deserialize;

use super::fail::{Fail, Outcome};
use super::names::Names;
use super::{Writer, catalog, lineage, models, runs, versions};

pub(super) fn state(sql: &Connection, request: &PromotionRequest) -> Outcome<PromotionState> {
    Ok(find(sql, request)?.0)
}

/// The state, with the row numbers of model and version.
fn find(sql: &Connection, request: &PromotionRequest) -> Outcome<(PromotionState, i64, i64)> {
    let op = "registry.promotion_state";
    let id = &request.version;
    let mut names = Names::default();
    let stored = versions::find(sql, id)?.ok_or_else(|| versions::missing(op, id))?;
    let (row, model_row) = (stored.row, stored.model_row);
    let version = versions::load(sql, stored, &mut names)?;
    let model = models::load_row(sql, model_row, &mut names)?;
    let mut state = PromotionState::new(model, version);
    state.policy = match catalog::get(sql, POLICY_KIND, &id.model)? {
        Some(policy) => Some(policy),
        None => catalog::get(sql, POLICY_KIND, DEFAULT_POLICY)?,
    };
    if state.needs_holders(request.to)? {
        let mut statement = sql.prepare_cached(
            "SELECT id FROM versions WHERE stage = ?2 AND model = ?1 AND deleted IS NULL
             ORDER BY staged, number",
        )?;
        let held =
            statement.query_map(params![model_row, request.to.as_str()], |row| row.get(0))?;
        for holder in held.collect::<Result<Vec<i64>, _>>()? {
            state.holders.push(versions::load_row(sql, holder, &mut names)?);
        }
    }
    state.access = catalog::get(sql, ACCESS_KIND, ACCESS_NAME)?;
    state.drill = catalog::get(sql, "drill", "latest")?;
    if let Some(run) = &state.version.manifest.run {
        state.run = match runs::find(sql, run.id)? {
            Some(stored) => Some(runs::load(sql, stored, &mut names)?),
            None => None,
        };
    }
    let mut statement = sql.prepare_cached(
        "SELECT actor, verdict, basis, at, comment FROM approvals
         WHERE version = ?1 AND stage = ?2 ORDER BY at, actor",
    )?;
    let mut rows = statement.query(params![row, request.to.as_str()])?;
    while let Some(row) = rows.next()? {
        state.approvals.push(approval(row, request)?);
    }
    if request.rollback {
        let history = moves(sql, "s.model = ?1", model_row, Evidence::Without)?;
        let way = StageMove::way_back(&history, request.to);
        let held = way.into_iter().rev().find(|held| held.number == id.number);
        if let Some(held) = held {
            let mut step = moves(sql, "s.sequence = ?1", held.sequence as i64, Evidence::With)?;
            step.retain(|step| step.number == id.number);
            state.held_before = step.pop();
        }
    }
    Ok((state, row, model_row))
}

fn approval(row: &Row<'_>, request: &PromotionRequest) -> Outcome<Approval> {
    let verdict = match row.get_ref(1)?.as_str().unwrap_or_default() {
        "approve" => Verdict::Approve,
        "reject" => Verdict::Reject,
        _ => return Err(Fail::Stored { what: "approvals.verdict" }),
    };
    let actor = Actor::new(row.get::<_, String>(0)?)?;
    let at = time::from_micros(row.get(3)?)?;
    let basis = Digest(row.get(2)?);
    let id = request.version.clone();
    Ok(Approval::stored(id, request.to, actor, verdict, basis, at)
        .with_comment(row.get::<_, String>(4)?))
}

pub(super) fn promote(writer: &Writer<'_>, plan: &PromotionPlan) -> Outcome<PromotionPlan> {
    let sql = writer.sql;
    let (state, row, model_row) = find(sql, &plan.request)?;
    let fresh = plan.renew(&state, writer.actor, time::from_micros(writer.now)?)?;
    let id = &fresh.request.version;
    let sequence =
        writer.journal(events::promote_operation(&fresh), &id.into(), &events::promote(&fresh))?;
    for step in &fresh.steps {
        sql.prepare_cached(
            "UPDATE versions SET stage = ?3, staged = ?4, updated = ?5
             WHERE model = ?1 AND number = ?2",
        )?
        .execute(params![
            model_row,
            step.number as i64,
            step.to.as_str(),
            sequence,
            writer.now
        ])?;
        note_move(sql, model_row, step, events::cause(&fresh, step.number), sequence)?;
    }
    // An approval is of one move: once that is made it counts no more. A rejection stands.
    sql.prepare_cached(
        "DELETE FROM approvals WHERE version = ?1 AND stage = ?2 AND verdict = 'approve'",
    )?
    .execute(params![row, fresh.request.to.as_str()])?;
    models::touch(writer, model_row)?;
    let (gone, new) = edges_of::of_promotion(&fresh);
    lineage::remove(sql, &gone)?;
    lineage::add(sql, &new)?;
    Ok(fresh)
}

pub(super) fn decide(
    writer: &Writer<'_>,
    plan: &PromotionPlan,
    verdict: Verdict,
    comment: &str,
) -> Outcome<Approval> {
    let sql = writer.sql;
    let (state, row, _) = find(sql, &plan.request)?;
    let now = time::from_micros(writer.now)?;
    let fresh = plan.decide(&state, verdict, writer.actor, now)?;
    let approval = Approval::new(&fresh, verdict, writer.actor.clone(), now).with_comment(comment);
    let stage = approval.to.as_str();
    if verdict == Verdict::Withdraw {
        let spoke = sql
            .prepare_cached(
                "DELETE FROM approvals WHERE version = ?1 AND stage = ?2 AND actor = ?3",
            )?
            .execute(params![row, stage, writer.actor.as_str()])?;
        if spoke == 0 {
            // Who takes back what they never said changes nothing.
            return Ok(approval);
        }
    } else {
        sql.prepare_cached(
            "INSERT INTO approvals (version, stage, actor, verdict, basis, at, comment)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (version, stage, actor) DO UPDATE
             SET verdict = excluded.verdict, basis = excluded.basis, at = excluded.at,
                 comment = excluded.comment",
        )?
        .execute(params![
            row,
            stage,
            writer.actor.as_str(),
            verdict.as_str(),
            approval.basis.0,
            writer.now,
            comment
        ])?;
    }
    let id = &approval.version;
    writer.journal(events::VERSION_DECIDE, &id.into(), &events::decide(&approval))?;
    Ok(approval)
}

/// Notes that a version came with its stage, in the journal's row `sequence`.
pub(super) fn note_import(
    sql: &Connection,
    model: i64,
    version: &ModelVersion,
    sequence: i64,
) -> Outcome<()> {
    let step = Step { number: version.number, from: Stage::None, to: version.stage };
    note_move(sql, model, &step, MoveCause::Import, sequence)
}

fn note_move(
    sql: &Connection,
    model: i64,
    step: &Step,
    cause: MoveCause,
    sequence: i64,
) -> Outcome<()> {
    sql.prepare_cached(
        "INSERT INTO stage_moves (model, number, from_stage, to_stage, cause, sequence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        model,
        step.number as i64,
        step.from.as_str(),
        step.to.as_str(),
        cause.as_str(),
        sequence
    ])?;
    Ok(())
}

pub(super) fn history(sql: &Connection, model: &ModelName) -> Outcome<Vec<StageMove>> {
    let stored = models::find(sql, model)?
        .ok_or_else(|| models::missing("registry.stage_history", model))?;
    moves(sql, "s.model = ?1", stored.row, Evidence::With)
}

/// Whether the decisions of moves are read out of the journal.
#[derive(Clone, Copy, PartialEq)]
enum Evidence {
    With,
    Without,
}

/// What a decision's row in the journal says about it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Decision {
    reason: String,
    policy: String,
    gates: Vec<GateOutcome>,
    approvals: Vec<Approval>,
}

fn moves(
    sql: &Connection,
    condition: &str,
    value: i64,
    evidence: Evidence,
) -> Outcome<Vec<StageMove>> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT s.number, s.from_stage, s.to_stage, s.cause, s.sequence, j.at, j.actor, j.payload
         FROM stage_moves s JOIN journal j ON j.sequence = s.sequence
         WHERE {condition} ORDER BY s.id"
    ))?;
    let mut rows = statement.query([value])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |i| row.get_ref(i).and_then(|value| value.as_str().map_err(Into::into));
        let stage = |i| -> Outcome<Stage> {
            text(i)?.parse().map_err(|_| Fail::Stored { what: "stage_moves.stage" })
        };
        let step = Step { number: row.get::<_, i64>(0)? as u64, from: stage(1)?, to: stage(2)? };
        let cause = text(3)?
            .parse::<MoveCause>()
            .map_err(|_| Fail::Stored { what: "stage_moves.cause" })?;
        let actor = Actor::new(text(6)?)?;
        let at = time::from_micros(row.get(5)?)?;
        let mut step = StageMove::new(row.get::<_, i64>(4)? as u64, at, actor, &step, cause);
        if cause != MoveCause::Import && evidence == Evidence::With {
            let decision: Decision = serde_json::from_str(text(7)?)
                .map_err(|_| Fail::Stored { what: "journal.payload" })?;
            step.reason = decision.reason;
            step.policy = decision.policy;
            if cause != MoveCause::Displaced {
                step.gates = decision.gates;
                step.approvals = decision.approvals;
            }
        }
        out.push(step);
    }
    Ok(out)
}

/// Forgets what was said about a version.
pub(super) fn forget(sql: &Connection, version: i64) -> Outcome<()> {
    sql.prepare_cached("DELETE FROM approvals WHERE version = ?1")?.execute([version])?;
    Ok(())
}
