//! Judging a gate: from a state to an outcome with its evidence. Pure; the clock is an argument.

use std::cmp::Ordering;
use std::fmt::Display;

use super::access::Role;
use super::approval::{Approval, Verdict};
use super::evidence::{EvaluationSummary, Evidence, ValidationSummary};
use super::policy::{ApprovalRule, Direction, Gate, Margin, StageRules};
use super::promotion::{Fact, GateOutcome, GateResult, PromotionRequest, PromotionState};
use super::stage::Stage;
use super::version::ModelVersion;
use crate::journal::Actor;
use crate::time::Instant;
use crate::tracking::{Digest, RunStatus};
use crate::{Key, Result};

/// By how much the clocks of two machines may differ: fifteen minutes.
const CLOCKS_DIFFER_HOURS: f64 = 0.25;

/// What a decision about moving the state's version into stage `to` depends on.
pub(super) fn facts(state: &PromotionState, to: Stage) -> Result<Vec<Fact>> {
    let version = &state.version;
    let id = version.id();
    let mut facts = vec![
        fact(format!("stage of {id}"), version.stage),
        fact(format!("manifest of {id}"), version.digest),
        fact(format!("findings about {id}"), findings(version)),
        fact(
            format!("{to} of {}", version.model),
            state
                .holders
                .iter()
                .map(|holder| holder.number.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        ),
        fact("policy", policy_name(state)),
        fact("access rules", document(state.access.as_ref())),
        fact("source run", source_run(state)),
    ];
    for holder in &state.holders {
        facts.push(fact(format!("findings about {}", holder.id()), findings(holder)));
    }
    let needs_drill =
        state.rules(to)?.gates.iter().any(|gate| matches!(gate, Gate::RecoveryDrill { .. }));
    if needs_drill {
        facts.push(fact("recovery drill", document(state.drill.as_ref())));
    }
    Ok(facts)
}

/// The digest that approvals are bound to.
pub(super) fn basis(request: &PromotionRequest, facts: &[Fact]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let version = request.version.to_string();
    let all = facts.iter().flat_map(|fact| [fact.about.as_str(), fact.value.as_str()]);
    let way = if request.rollback { "back" } else { "on" };
    for text in [version.as_str(), request.to.as_str(), way].into_iter().chain(all) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}

pub(super) fn policy_name(state: &PromotionState) -> String {
    state
        .policy
        .as_ref()
        .map_or_else(String::new, |policy| format!("{}@{}", policy.name, policy.version))
}

/// Whether the actor's role allows the move at all.
pub(super) fn role(
    state: &PromotionState,
    rules: &StageRules,
    actor: &Actor,
) -> Result<GateOutcome> {
    let needed = rules.role.unwrap_or(Role::Contributor);
    let role = state.role(actor)?;
    let evidence = match (&state.access, role) {
        (None, _) => format!("{actor}; there are no access rules"),
        (Some(_), None) => format!("{actor} has no role"),
        (Some(_), Some(role)) => format!("{actor} is {role}"),
    };
    Ok(outcome("role", format!("role {needed}"), role >= Some(needed), evidence))
}

/// Whether the version comes from where it may come from.
pub(super) fn origin(
    state: &PromotionState,
    rules: &StageRules,
    request: &PromotionRequest,
) -> Option<GateOutcome> {
    if request.rollback {
        return Some(match &state.held_before {
            None => outcome("held_before", "held the stage before", false, "it never did"),
            Some(held) => outcome(
                "held_before",
                "held the stage before",
                true,
                format!("since {}, by {} (journal {})", time(held.at), held.actor, held.sequence),
            ),
        });
    }
    let from = rules.from.as_ref()?;
    let names = from.iter().map(|stage| stage.as_str()).collect::<Vec<_>>().join(" or ");
    let stage = state.version.stage;
    Some(outcome(
        "from",
        format!("comes from {names}"),
        from.contains(&stage),
        format!("is in {stage}"),
    ))
}

/// How a gate comes out.
pub(super) fn judge(state: &PromotionState, gate: &Gate, now: Instant) -> Result<GateOutcome> {
    let (passed, evidence) = match gate {
        Gate::Metric { name, evaluation, at_least, at_most } => {
            bounded(metric(&state.version, name, evaluation.as_ref()), *at_least, *at_most)
        }
        Gate::BetterThanCurrent { name, evaluation, direction, margin } => {
            better(state, name, evaluation.as_ref(), *direction, *margin)
        }
        Gate::Suite { name, within_hours } => suite(&state.version, name, *within_hours, now),
        Gate::Profile => match &state.version.manifest.profile {
            Some(path) => (true, path.to_string()),
            None => (false, "the version has none".to_owned()),
        },
        Gate::SignatureCompatible => compatible(state),
        Gate::Fairness { metric, at_least, at_most } => {
            let found = state.version.evidence.iter().find_map(|evidence| match evidence {
                Evidence::Fairness(report) if report.metric == *metric => Some(report.value),
                _ => None,
            });
            bounded(found.ok_or_else(|| "it was not measured".to_owned()), *at_least, *at_most)
        }
        Gate::CodeCommitted => committed(state),
        Gate::Files { permit } => {
            let refused = state
                .version
                .manifest
                .files
                .iter()
                .find(|file| file.format.may_execute() && !permit.contains(&file.format));
            match refused {
                None => (true, counted(state.version.manifest.files.len(), "file")),
                Some(file) => (false, format!("{} is {}", file.path, file.format)),
            }
        }
        Gate::Signed { keys } => {
            let by = state.version.attestations.iter().find(|a| keys.contains(&a.key));
            match by {
                Some(attestation) => {
                    (true, format!("by {}…", attestation.key.get(..8).unwrap_or_default()))
                }
                None => (false, "no trusted key signed it".to_owned()),
            }
        }
        Gate::RecoveryDrill { within_hours, rpo_secs, rto_secs } => match state.last_drill()? {
            None => (false, "there was none".to_owned()),
            Some(drill) => {
                let good = drill.passed
                    && is_within(drill.at, now, *within_hours)
                    && rpo_secs.is_none_or(|most| drill.rpo_secs <= most)
                    && rto_secs.is_none_or(|most| drill.rto_secs <= most);
                let word = if drill.passed { "passed" } else { "failed" };
                let evidence = format!(
                    "{word} {}, RPO {} s, RTO {} s",
                    time(drill.at),
                    drill.rpo_secs,
                    drill.rto_secs
                );
                (good, evidence)
            }
        },
    };
    Ok(outcome(gate.name(), gate.to_string(), passed, evidence))
}

/// The verdicts that count, and whether they suffice.
pub(super) fn approvals(
    state: &PromotionState,
    rules: &StageRules,
    basis: Digest,
    waive: bool,
    now: Instant,
) -> Result<(Vec<Approval>, Vec<GateOutcome>)> {
    let rule = rules.approvals.clone();
    let role = rule.as_ref().map_or(Role::Approver, |rule| rule.role);
    let valid_hours = rule.as_ref().and_then(|rule| rule.valid_for_hours);
    let mut counted = Vec::new();
    let mut ignored = Vec::new();
    for approval in &state.approvals {
        let rejects = approval.verdict == Verdict::Reject;
        if approval.verdict == Verdict::Withdraw {
            continue;
        }
        let mut ignore = |why: &str| ignored.push(format!("{} {why}", approval.actor));
        if state.role(&approval.actor)? < Some(role) {
            ignore("lacks the role");
        } else if !rejects && state.version.is_made_by(&approval.actor) {
            ignore("is the author");
        } else if !rejects && approval.basis != basis {
            ignore("saw something else");
        } else if !rejects && valid_hours.is_some_and(|hours| !is_within(approval.at, now, hours)) {
            ignore("approved too long ago");
        } else {
            counted.push(approval.clone());
        }
    }
    let mut outcomes = Vec::new();
    let names = |verdict| {
        let of = counted.iter().filter(move |approval| approval.verdict == verdict);
        of.map(|approval| approval.actor.to_string()).collect::<Vec<_>>()
    };
    let rejected = names(Verdict::Reject);
    if !rejected.is_empty() {
        let mut refused = outcome(
            "rejections",
            "not rejected",
            false,
            format!("rejected by {}", rejected.join(", ")),
        );
        // Who rejected it after it last served knew more than those who let it serve.
        let held = state.held_before.as_ref().map(|held| held.at);
        let stale = |word: &Approval| word.verdict != Verdict::Reject || Some(word.at) <= held;
        if waive && counted.iter().all(stale) {
            refused.result = GateResult::Waived;
        }
        outcomes.push(refused);
    }
    if let Some(ApprovalRule { count, .. }) = rule {
        let approved = names(Verdict::Approve);
        let mut evidence = format!("{} of {count}", approved.len());
        for (i, text) in approved.iter().chain(&ignored).enumerate() {
            evidence.push_str(if i == 0 { ": " } else { ", " });
            evidence.push_str(text);
        }
        let enough = approved.len() >= count as usize;
        let mut outcome =
            outcome("approvals", format!("approved by {count} {role}"), enough, evidence);
        if waive && !enough {
            outcome.result = GateResult::Waived;
        }
        outcomes.push(outcome);
    }
    Ok((counted, outcomes))
}

fn metric(
    version: &ModelVersion,
    name: &Key,
    evaluation: Option<&Key>,
) -> std::result::Result<f64, String> {
    let metrics = match evaluation {
        None => &version.manifest.metrics,
        Some(wanted) => match evaluated(version, wanted) {
            Some(report) => &report.metrics,
            None => return Err(format!("version {} has no evaluation {wanted}", version.number)),
        },
    };
    metrics.get(name).copied().ok_or_else(|| format!("version {} has no {name}", version.number))
}

fn evaluated<'a>(version: &'a ModelVersion, name: &Key) -> Option<&'a EvaluationSummary> {
    version.evidence.iter().find_map(|evidence| match evidence {
        Evidence::Evaluation(report) if report.name == *name => Some(report),
        _ => None,
    })
}

fn bounded(
    value: std::result::Result<f64, String>,
    at_least: Option<f64>,
    at_most: Option<f64>,
) -> (bool, String) {
    match value {
        Err(why) => (false, why),
        Ok(value) => {
            // Written so that NaN fails both.
            let passed =
                at_least.is_none_or(|low| value >= low) && at_most.is_none_or(|high| value <= high);
            (passed, format!("is {}", number(value)))
        }
    }
}

fn better(
    state: &PromotionState,
    name: &Key,
    evaluation: Option<&Key>,
    direction: Direction,
    margin: Margin,
) -> (bool, String) {
    if state.holders.is_empty() {
        return (true, "there is no current version".to_owned());
    }
    let new = match metric(&state.version, name, evaluation) {
        Ok(value) => value,
        Err(why) => return (false, why),
    };
    for holder in &state.holders {
        let current = match metric(holder, name, evaluation) {
            Ok(value) => value,
            Err(why) => return (false, why),
        };
        if let Some(wanted) = evaluation {
            let data = |version| evaluated(version, wanted).and_then(|report| report.data.clone());
            let (ours, theirs) = (data(&state.version), data(holder));
            if ours.is_none() || theirs.is_none() {
                return (false, format!("an evaluation {wanted} does not name its data"));
            }
            if ours != theirs {
                return (
                    false,
                    format!("{wanted} was on other data for version {}", holder.number),
                );
            }
        }
        let by = match margin {
            Margin::Absolute(by) => by,
            Margin::Relative(share) => share * current.abs(),
        };
        let gain = match direction {
            Direction::Higher => new - current,
            Direction::Lower => current - new,
        };
        // NaN fails: it is not at least anything.
        if gain.partial_cmp(&by).is_none_or(Ordering::is_lt) {
            let (new, current) = (number(new), number(current));
            return (false, format!("is {new}, version {} has {current}", holder.number));
        }
    }
    let currents: Vec<_> = state
        .holders
        .iter()
        .filter_map(|holder| {
            let value = metric(holder, name, evaluation).ok()?;
            Some(format!("version {} has {}", holder.number, number(value)))
        })
        .collect();
    (true, format!("is {}, {}", number(new), currents.join(", ")))
}

fn suite(version: &ModelVersion, name: &Key, within: Option<f64>, now: Instant) -> (bool, String) {
    let found: Option<&ValidationSummary> =
        version.evidence.iter().find_map(|evidence| match evidence {
            Evidence::Validation(report) if report.suite == *name => Some(report),
            _ => None,
        });
    let Some(report) = found else { return (false, "it was not run".to_owned()) };
    let good = report.checks.saturating_sub(report.failed);
    let evidence = format!("{good} of {} checks passed, {}", report.checks, time(report.at));
    let fresh = within.is_none_or(|hours| is_within(report.at, now, hours));
    (report.passed && fresh, evidence)
}

fn compatible(state: &PromotionState) -> (bool, String) {
    let Some(new) = &state.version.manifest.signature else {
        return (false, "the version has no signature".to_owned());
    };
    for holder in &state.holders {
        let Some(current) = &holder.manifest.signature else {
            return (false, format!("version {} has no signature", holder.number));
        };
        if let Some(first) = new.incompatibilities(current).first() {
            return (false, format!("against version {}: {first}", holder.number));
        }
    }
    let (inputs, outputs) =
        (counted(new.inputs.len(), "input"), counted(new.outputs.len(), "output"));
    (true, format!("{inputs}, {outputs}"))
}

fn committed(state: &PromotionState) -> (bool, String) {
    let manifest = &state.version.manifest;
    let Some(recorded) = &manifest.run else {
        return (false, "the version has no source run".to_owned());
    };
    let status = state.run.as_ref().map_or(recorded.status, |run| run.status);
    if status != RunStatus::Finished {
        return (false, format!("the run is {status}"));
    }
    let code = manifest.replay.code.as_ref();
    match (code.and_then(|code| code.commit.as_deref()), code.and_then(|code| code.dirty)) {
        (None, _) => (false, "no commit is known".to_owned()),
        (Some(_), None) => (false, "nobody could tell whether the code was committed".to_owned()),
        (Some(commit), Some(true)) => (false, format!("uncommitted changes on {}", cut(commit))),
        (Some(commit), Some(false)) => (true, cut(commit).to_owned()),
    }
}

fn source_run(state: &PromotionState) -> String {
    match (&state.run, &state.version.manifest.run) {
        (Some(run), _) => format!("{} {}", run.id, run.status),
        (None, Some(recorded)) => format!("{} {}, not here", recorded.id, recorded.status),
        (None, None) => "none".to_owned(),
    }
}

fn findings(version: &ModelVersion) -> String {
    if version.evidence.is_empty() && version.attestations.is_empty() {
        return "none".to_owned();
    }
    let text = serde_json::to_string(&(&version.evidence, &version.attestations));
    Digest(*blake3::hash(text.unwrap_or_default().as_bytes()).as_bytes()).to_string()
}

fn document(document: Option<&super::catalog::Document>) -> String {
    document.map_or_else(|| "none".to_owned(), |d| format!("{}@{}", d.name, d.version))
}

/// Whether something happened at most so long ago. What lies ahead by more than clocks differ did not:
/// a report from the future would be fresh for ever.
fn is_within(at: Instant, now: Instant, hours: f64) -> bool {
    let ago = (now.timestamp_micros() - at.timestamp_micros()) as f64 / 3.6e9;
    (-CLOCKS_DIFFER_HOURS..=hours).contains(&ago)
}

/// Six significant digits, for people; the value itself stands in the manifest or the finding.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 5 - value.abs().log10().floor() as i32;
    if !(0..=12).contains(&digits) {
        return format!("{value:.5e}");
    }
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// An instant as it is written everywhere else, to the second.
fn time(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn cut(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn fact(about: impl Into<String>, value: impl Display) -> Fact {
    Fact { about: about.into(), value: value.to_string() }
}

fn outcome(
    kind: &str,
    gate: impl Into<String>,
    passed: bool,
    evidence: impl Into<String>,
) -> GateOutcome {
    let result = if passed { GateResult::Passed } else { GateResult::Failed };
    GateOutcome { kind: kind.to_owned(), gate: gate.into(), result, evidence: evidence.into() }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_read_as_people_write_them() {
        let read = [0.728_365_420_49, 0.8, 12.0, 1_234_567.0, 1e-9, -0.5, 123_456.0, 0.0, f64::NAN]
            .map(number);
        assert_eq!(
            read,
            ["0.728365", "0.8", "12", "1.23457e6", "1.00000e-9", "-0.5", "123456", "0", "NaN"]
        );
    }
}
