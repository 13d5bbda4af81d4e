//! Approvals: what people said about moving a version into a stage.

use serde::{Deserialize, Serialize};

use super::promotion::{PromotionPlan, PromotionRequest};
use super::stage::Stage;
use super::uri::VersionId;
use crate::journal::Actor;
use crate::time::Instant;
use crate::tracking::Digest;

/// What somebody said about moving a version into a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Approval {
    /// The version.
    pub version: VersionId,
    /// The stage.
    pub to: Stage,
    /// Who said it.
    pub actor: Actor,
    /// What they said.
    pub verdict: Verdict,
    /// The digest of what they saw.
    pub basis: Digest,
    /// When.
    pub at: Instant,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Approval {
    /// A verdict; for backends.
    pub fn new(plan: &PromotionPlan, verdict: Verdict, actor: Actor, at: Instant) -> Self {
        let PromotionRequest { version, to, .. } = plan.request.clone();
        Self { version, to, actor, verdict, basis: plan.basis, at, comment: String::new() }
    }

    /// A verdict as it was stored; for backends.
    pub fn stored(
        version: VersionId,
        to: Stage,
        actor: Actor,
        verdict: Verdict,
        basis: Digest,
        at: Instant,
    ) -> Self {
        Self { version, to, actor, verdict, basis, at, comment: String::new() }
    }

    /// Says why.
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = comment.into();
        self
    }
}

/// A verdict about a move. The last word of each actor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may be done.
    Approve,
    /// It may not be done: the move is refused as long as this stands.
    Reject,
    /// What was said before counts no more.
    Withdraw,
}

impl Verdict {
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Approve => "approval",
            Self::Reject => "rejection",
            Self::Withdraw => "withdrawal",
        }
    }

    /// The verdict in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
        }
    }
}
