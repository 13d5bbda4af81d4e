//! Moves: the history of a model's stages, and what can be read out of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::approval::Approval;
use super::promotion::{GateOutcome, Step};
use super::stage::Stage;
use crate::journal::Actor;
use crate::time::Instant;
use crate::{Error, Result};

/// That a version came into a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageMove {
    /// The journal's number of the decision.
    pub sequence: u64,
    /// When.
    pub at: Instant,
    /// Who did it.
    pub actor: Actor,
    /// The version's number.
    pub number: u64,
    /// Where it was.
    pub from: Stage,
    /// Where it went.
    pub to: Stage,
    /// What it was part of.
    pub cause: MoveCause,
    /// Why, in the words of the one who asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The policy that it was judged by, as `name@version`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub policy: String,
    /// Every condition, and how it came out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateOutcome>,
    /// The verdicts that counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
}

impl StageMove {
    /// A move without evidence; for backends.
    pub fn new(sequence: u64, at: Instant, actor: Actor, step: &Step, cause: MoveCause) -> Self {
        let Step { number, from, to } = *step;
        Self {
            sequence,
            at,
            actor,
            number,
            from,
            to,
            cause,
            reason: String::new(),
            policy: String::new(),
            gates: Vec::new(),
            approvals: Vec::new(),
        }
    }

    /// The moves that a rollback may undo to: those by which versions came into a stage by a decision, or
    /// with an import, and were not rolled back from since; the last one at the end.
    ///
    /// Promotions put one on top; a rollback takes away what lies above the one that it goes back to. A
    /// version that another one displaced into the stage was not decided about, and is not one of them.
    pub fn way_back(history: &[Self], stage: Stage) -> Vec<&Self> {
        let mut held: Vec<&Self> = Vec::new();
        let came = |step: &&Self| step.to == stage && step.cause != MoveCause::Displaced;
        for step in history.iter().filter(came) {
            match held.iter().rposition(|before| before.number == step.number) {
                Some(at) if step.cause == MoveCause::Rollback => held.truncate(at + 1),
                _ => held.push(step),
            }
        }
        held
    }

    /// The versions that were in a stage at an instant, by a model's whole history in order.
    ///
    /// A history is read by its numbers, since clocks may step back: what counts is the state after the
    /// last decision that was written at or before the instant.
    pub fn holders_at(history: &[Self], stage: Stage, at: Instant) -> Vec<&Self> {
        let end = history.iter().rposition(|step| step.at <= at).map_or(0, |last| last + 1);
        let mut holders: Vec<&Self> = Vec::new();
        for step in &history[..end] {
            holders.retain(|holder| holder.number != step.number);
            if step.to == stage {
                holders.push(step);
            }
        }
        holders
    }
}

/// What a move was part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MoveCause {
    /// A promotion of this version.
    Promote,
    /// A rollback to this version.
    Rollback,
    /// Another version took its place.
    Displaced,
    /// It came with this stage from another registry.
    Import,
}

impl MoveCause {
    /// The cause in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Displaced => "displaced",
            Self::Import => "import",
        }
    }
}

impl FromStr for MoveCause {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Promote, Self::Rollback, Self::Displaced, Self::Import]
            .into_iter()
            .find(|cause| cause.as_str() == text)
            .ok_or_else(|| {
                Error::invalid("move_cause", "is no cause of a move")
                    .with("cause", text.escape_debug())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::from_micros_lossy;

    fn moves(steps: &[(u64, MoveCause)]) -> Vec<StageMove> {
        let actor = Actor::new("ann").unwrap();
        let make = |(at, (number, cause)): (usize, &(u64, MoveCause))| {
            let step = Step { number: *number, from: Stage::Staging, to: Stage::Production };
            StageMove::new(at as u64, from_micros_lossy(at as i64), actor.clone(), &step, *cause)
        };
        steps.iter().enumerate().map(make).collect()
    }

    #[test]
    fn each_rollback_goes_one_further_back() {
        use MoveCause::{Promote, Rollback};
        let back = |history: &[StageMove], stage| {
            StageMove::way_back(history, stage).iter().map(|held| held.number).collect::<Vec<_>>()
        };
        let way = |steps: &[(u64, MoveCause)]| back(&moves(steps), Stage::Production);

        assert_eq!(way(&[(1, Promote), (2, Promote), (3, Promote)]), [1, 2, 3]);
        assert_eq!(way(&[(1, Promote), (2, Promote), (3, Promote), (2, Rollback)]), [1, 2]);
        let displaced = [(1, Promote), (2, MoveCause::Displaced), (3, Promote)];
        assert_eq!(way(&displaced), [1, 3], "nobody decided about the second one");
        // What was rolled back from comes back into the way only by a promotion.
        let again = [(1, Promote), (2, Promote), (1, Rollback), (2, Promote)];
        assert_eq!(way(&again), [1, 2]);
        assert_eq!(back(&moves(&again), Stage::Staging), [0; 0]);
    }
}
