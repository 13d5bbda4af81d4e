//! Policies: what must be so before a version may move into a stage, as data.
//!
//! A policy is a document of the catalog: `policy`/`<model>`, or `policy`/`default` for models without
//! one of their own. It is written in YAML or JSON, checked when it is stored, and read again when a
//! plan is made. A stage that it does not name has no gates.
//!
//! ```
//! use mlops_core::registry::StagePolicy;
//!
//! let policy: StagePolicy = serde_json::from_str(r#"{
//!     "stages": {
//!         "Production": {
//!             "from": ["Staging"],
//!             "gates": [
//!                 {"metric": {"name": "auc", "at_least": 0.8}},
//!                 {"better_than_current": {"name": "auc", "direction": "higher", "margin": {"absolute": 0.005}}},
//!                 {"suite": {"name": "flights"}},
//!                 "profile",
//!                 "signature_compatible",
//!                 "code_committed",
//!                 {"files": {"permit": []}}
//!             ],
//!             "approvals": {"count": 1, "role": "approver", "valid_for_hours": 72}
//!         }
//!     }
//! }"#).unwrap();
//! policy.check().unwrap();
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::access::Role;
use super::manifest::FileFormat;
use super::stage::Stage;
use crate::{Error, Key, Result};

/// The catalog's kind of policies.
pub const POLICY_KIND: &str = "policy";
/// The policy of models that have none of their own.
pub const DEFAULT_POLICY: &str = "default";
/// Most gates of a stage.
const MAX_GATES: usize = 100;
/// Longest time in a policy: ten years.
const MAX_HOURS: f64 = 87_600.0;

/// The rules of a model's stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StagePolicy {
    /// The rules of each stage; a stage without rules has those of [`StageRules::of`].
    #[serde(default)]
    pub stages: BTreeMap<Stage, StageRules>,
}

/// What must be so before a version may come into one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StageRules {
    /// The stages that a version may come from; any, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<BTreeSet<Stage>>,
    /// How many versions may be in it at once; by default one in `Staging` and `Production`, many in
    /// the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holders: Option<Holders>,
    /// Where the version goes that makes room; by default to `Archived`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displaced_to: Option<Stage>,
    /// What must be true, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Who must have agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalRule>,
    /// Who may carry out the move; by default a contributor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What a rollback has to show.
    #[serde(default, skip_serializing_if = "RollbackRule::is_default")]
    pub rollback: RollbackRule,
}

/// How many versions may be in a stage at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holders {
    /// One; the next one displaces it.
    One,
    /// As many as there are.
    Many,
}

/// What a rollback has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RollbackRule {
    /// That the version held the stage before, by a decision that the journal names. Gates and
    /// approvals are shown and waived: going back must not wait for anybody.
    #[default]
    HeldBefore,
    /// All that a promotion has to show, but for the stage that it comes from; and that it held the stage
    /// before.
    AsPromotion,
}

impl RollbackRule {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who must have agreed to a move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// How many different people; the version's author never counts.
    pub count: u32,
    /// The role that they must have; by default approver.
    #[serde(default = "approver")]
    pub role: Role,
    /// Hours after which an approval counts no more; for ever, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for_hours: Option<f64>,
}

fn approver() -> Role {
    Role::Approver
}

/// Something that must be true of a version before it may move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Gate {
    /// A metric lies within bounds, both included. A missing metric and NaN fail.
    Metric {
        /// The metric.
        name: Key,
        /// Of this evaluation, instead of those it was registered with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluation: Option<Key>,
        /// The least that passes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<f64>,
        /// The most that passes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<f64>,
    },
    /// A metric is better than that of every version now in the stage, by a margin. Passes if there is
    /// none: who may empty a stage is a matter of the rules of the stages that a version may go to. Missing values and NaN, on either side, fail.
    BetterThanCurrent {
        /// The metric.
        name: Key,
        /// Of this evaluation, and on the same data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluation: Option<Key>,
        /// Which way is better.
        direction: Direction,
        /// By how much at least; by nothing, if absent: equal passes.
        #[serde(default)]
        margin: Margin,
    },
    /// A suite of checks was run for this version and passed.
    Suite {
        /// The suite.
        name: Key,
        /// At most so long ago.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_hours: Option<f64>,
    },
    /// A reference profile is among the version's files.
    Profile,
    /// There is a signature, and callers of every version now in the stage need not change anything.
    SignatureCompatible,
    /// A fairness metric was measured and lies within bounds, both included.
    Fairness {
        /// The metric.
        metric: Key,
        /// The least that passes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<f64>,
        /// The most that passes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<f64>,
    },
    /// The source run finished, and its code was committed: there is a commit, and no tracked file
    /// differed from it.
    CodeCommitted,
    /// No file may run code when it is loaded, but those of the formats that are permitted.
    Files {
        /// Formats that may be there: `pickle`, `keras_lambda`, `native`, `script`, `opaque_archive`.
        #[serde(default)]
        permit: BTreeSet<FileFormat>,
    },
    /// Somebody with one of these keys vouches for the manifest. Here keys are compared; the engines of
    /// `mlops-registry` verify every signature before they store, plan, apply, copy or load.
    Signed {
        /// Ed25519 public keys, as 64 hexadecimal digits.
        keys: BTreeSet<String>,
    },
    /// The workspace was restored in a drill, completely, not long ago.
    RecoveryDrill {
        /// At most so many hours ago.
        within_hours: f64,
        /// The most seconds of work that may have been lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rpo_secs: Option<f64>,
        /// The most seconds that it may have taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rto_secs: Option<f64>,
    },
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Greater is better.
    Higher,
    /// Less is better.
    Lower,
}

/// By how much a metric must be better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Margin {
    /// In the metric's own unit.
    Absolute(f64),
    /// As a share of the current value's size: 0.01 is one per cent.
    Relative(f64),
}

impl Default for Margin {
    fn default() -> Self {
        Self::Absolute(0.0)
    }
}

impl StageRules {
    /// The rules of a stage that no policy names.
    pub fn of(stage: Stage) -> Self {
        Self {
            from: None,
            holders: Some(holders_by_default(stage)),
            displaced_to: None,
            gates: Vec::new(),
            approvals: None,
            role: None,
            rollback: RollbackRule::default(),
        }
    }
}

fn holders_by_default(stage: Stage) -> Holders {
    match stage {
        Stage::Staging | Stage::Production => Holders::One,
        _ => Holders::Many,
    }
}

impl StagePolicy {
    /// The rules of a stage, with what is left out filled in.
    pub fn rules(&self, stage: Stage) -> StageRules {
        let mut rules = self.stages.get(&stage).cloned().unwrap_or_else(|| StageRules::of(stage));
        rules.holders.get_or_insert(holders_by_default(stage));
        rules
    }

    /// Checks a policy before it is stored: what could never be met, or never be refused, is an error
    /// now and not a surprise later.
    ///
    /// # Errors
    /// `Invalid`, naming stage and gate.
    pub fn check(&self) -> Result<()> {
        for (stage, rules) in &self.stages {
            rules.check(*stage).map_err(|error| error.with("stage", stage))?;
        }
        // Stages without rules make room too, by default.
        Stage::ALL.into_iter().try_for_each(|stage| self.check_room(stage))
    }
}

impl StagePolicy {
    /// A version that makes room must go where that needs no decision.
    fn check_room(&self, stage: Stage) -> Result<()> {
        let rules = self.rules(stage);
        if rules.holders != Some(Holders::One) {
            return if rules.displaced_to.is_none() {
                Ok(())
            } else {
                Err(Error::invalid("policy", "where many versions may be none is displaced")
                    .with("stage", stage))
            };
        }
        let to = rules.displaced_to.unwrap_or(Stage::Archived);
        let there = self.rules(to);
        let asks = !there.gates.is_empty() || there.approvals.is_some() || there.from.is_some();
        if to == stage || there.holders == Some(Holders::One) || asks {
            return Err(Error::invalid(
                "policy",
                "a displaced version would go where it is, where there is room for one, or where \
                 something is asked for",
            )
            .with("stage", stage)
            .with("displaced_to", to)
            .with_hint("name a stage that holds many and asks for nothing, such as Archived"));
        }
        Ok(())
    }
}

impl StageRules {
    fn check(&self, stage: Stage) -> Result<()> {
        let invalid = |message: &'static str| Err(Error::invalid("policy", message));
        if self.gates.len() > MAX_GATES {
            return invalid("has more than 100 gates");
        }
        if self.from.as_ref().is_some_and(|from| from.iter().all(|from| *from == stage)) {
            return invalid("no other stage is one that a version may come from");
        }
        if stage == Stage::None && self.holders == Some(Holders::One) {
            return invalid("every new version is in `None`, so it holds many");
        }
        if let Some(rule) = &self.approvals {
            if rule.count == 0 || rule.count > 100 {
                return Err(Error::invalid("policy", "asks for no approvals, or more than 100")
                    .with("count", rule.count)
                    .with_hint("leave `approvals` out to ask for none"));
            }
            if rule.role < Role::Approver {
                return invalid("approvals of a role that cannot approve");
            }
            rule.valid_for_hours.map_or(Ok(()), |hours| check_hours("approvals", hours))?;
        }
        self.gates.iter().try_for_each(Gate::check)
    }
}

impl Gate {
    /// The gate's name, as it stands in a policy.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Metric { .. } => "metric",
            Self::BetterThanCurrent { .. } => "better_than_current",
            Self::Suite { .. } => "suite",
            Self::Profile => "profile",
            Self::SignatureCompatible => "signature_compatible",
            Self::Fairness { .. } => "fairness",
            Self::CodeCommitted => "code_committed",
            Self::Files { .. } => "files",
            Self::Signed { .. } => "signed",
            Self::RecoveryDrill { .. } => "recovery_drill",
        }
    }

    fn check(&self) -> Result<()> {
        let named = |error: Error| error.with("gate", self);
        match self {
            Self::Metric { at_least, at_most, .. } | Self::Fairness { at_least, at_most, .. } => {
                check_bounds(*at_least, *at_most).map_err(named)
            }
            Self::BetterThanCurrent { margin, .. } => {
                let (Margin::Absolute(by) | Margin::Relative(by)) = *margin;
                if by.is_finite() && by >= 0.0 {
                    return Ok(());
                }
                Err(named(Error::invalid("policy", "the margin is no finite number of 0 or more"))
                    .with_hint("`direction` says which way is better; the margin is how much"))
            }
            Self::Suite { within_hours, .. } => {
                within_hours.map_or(Ok(()), |hours| check_hours("suite", hours)).map_err(named)
            }
            Self::RecoveryDrill { within_hours, rpo_secs, rto_secs } => {
                check_hours("recovery_drill", *within_hours).map_err(named)?;
                for bound in [rpo_secs, rto_secs].into_iter().flatten() {
                    if !bound.is_finite() || *bound < 0.0 {
                        return Err(named(Error::invalid(
                            "policy",
                            "a bound of the drill is no finite number of 0 or more",
                        )));
                    }
                }
                Ok(())
            }
            Self::Files { permit } if permit.contains(&FileFormat::Other) => {
                Err(named(Error::invalid("policy", "permits a format that is never refused")))
            }
            Self::Signed { keys } => {
                let is_key = |key: &String| {
                    key.len() == 64
                        && key.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                };
                if !keys.is_empty() && keys.iter().all(is_key) {
                    return Ok(());
                }
                Err(named(Error::invalid(
                    "policy",
                    "names no keys, or one that is not 64 lower-case hexadecimal digits",
                )))
            }
            Self::Profile
            | Self::SignatureCompatible
            | Self::CodeCommitted
            | Self::Files { .. } => Ok(()),
        }
    }
}

impl fmt::Display for Gate {
    /// One line, for tables: `metric auc ≥ 0.8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |evaluation: &Option<Key>| match evaluation {
            Some(name) => format!(" in {name}"),
            None => String::new(),
        };
        match self {
            Self::Metric { name, evaluation, at_least, at_most } => {
                write!(f, "metric {name}{}{}", of(evaluation), Bounds(*at_least, *at_most))
            }
            Self::BetterThanCurrent { name, evaluation, direction, margin } => {
                let way = match direction {
                    Direction::Higher => "higher",
                    Direction::Lower => "lower",
                };
                write!(f, "{name}{} {way} than current", of(evaluation))?;
                match margin {
                    Margin::Absolute(by) if *by == 0.0 => Ok(()),
                    Margin::Absolute(by) => write!(f, " by {by}"),
                    Margin::Relative(by) => write!(f, " by {} %", by * 100.0),
                }
            }
            Self::Suite { name, within_hours: None } => write!(f, "suite {name} passed"),
            Self::Suite { name, within_hours: Some(hours) } => {
                write!(f, "suite {name} passed within {hours} h")
            }
            Self::Profile => f.write_str("profile present"),
            Self::SignatureCompatible => f.write_str("signature compatible"),
            Self::Fairness { metric, at_least, at_most } => {
                write!(f, "fairness {metric}{}", Bounds(*at_least, *at_most))
            }
            Self::CodeCommitted => f.write_str("run finished, code committed"),
            Self::Files { permit } if permit.is_empty() => f.write_str("no file runs code"),
            Self::Files { permit } => {
                f.write_str("no file runs code but")?;
                permit.iter().try_for_each(|format| write!(f, " {format}"))
            }
            Self::Signed { keys } => write!(f, "signed by one of {} keys", keys.len()),
            Self::RecoveryDrill { within_hours, .. } => {
                write!(f, "recovery drill within {within_hours} h")
            }
        }
    }
}

/// Bounds of a number as they read in a table.
struct Bounds(Option<f64>, Option<f64>);

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(low), Some(high)) => write!(f, " in {low}..={high}"),
            (Some(low), None) => write!(f, " ≥ {low}"),
            (None, Some(high)) => write!(f, " ≤ {high}"),
            (None, None) => Ok(()),
        }
    }
}

fn check_bounds(at_least: Option<f64>, at_most: Option<f64>) -> Result<()> {
    let invalid = |message: &'static str| Err(Error::invalid("policy", message));
    match (at_least, at_most) {
        (None, None) => invalid("has neither `at_least` nor `at_most`"),
        (Some(low), _) if !low.is_finite() => invalid("a bound is not finite"),
        (_, Some(high)) if !high.is_finite() => invalid("a bound is not finite"),
        (Some(low), Some(high)) if low > high => {
            Err(Error::invalid("policy", "no number can be within the bounds")
                .with("at_least", low)
                .with("at_most", high))
        }
        _ => Ok(()),
    }
}

fn check_hours(what: &'static str, hours: f64) -> Result<()> {
    if hours > 0.0 && hours <= MAX_HOURS {
        return Ok(());
    }
    Err(Error::invalid("policy", "a time is not within 0..=87,600 hours (ten years)")
        .with("of", what)
        .with("hours", hours))
}
