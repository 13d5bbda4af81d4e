//! `mlops journal …`

use mlops::Tracking;
use mlops::journal::{Event, JournalProof};
use mlops::{Error, Result};
use serde_json::json;

use crate::args::Journal;
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, pairs, right, table};

const LONGEST_ACTOR: usize = 20;
const LONGEST_NODE: usize = 24;
const LONGEST_PAYLOAD: usize = 48;

pub(crate) async fn run(
    ws: &Tracking,
    command: Journal,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        Journal::Tail { after, limit } => {
            let after = match after {
                Some(after) => after,
                None => length(ws).await?.saturating_sub(limit as u64),
            };
            tail(&ws.journal().events(after, limit).await?, output)
        }
        Journal::Verify => proof(&ws.journal().verify().await?, "whole", output),
        Journal::Seal => proof(&ws.journal().seal().await?, "sealed", output),
    }
}

/// How many rows the journal has.
///
/// They are numbered from 1 on without holes, so the end is found by halving.
pub(crate) async fn length(ws: &Tracking) -> Result<u64, Error> {
    let beyond = async |n| Ok::<_, Error>(!ws.journal().events(n, 1).await?.is_empty());
    let (mut known, mut step) = (0, 1);
    while beyond(known).await? {
        known += step;
        step *= 2;
    }
    // The end lies at `known` or before it, and not before where the last step began.
    let mut low = known.saturating_sub(step / 2);
    while low < known {
        let middle = low + (known - low) / 2;
        if beyond(middle).await? {
            low = middle + 1;
        } else {
            known = middle;
        }
    }
    Ok(known)
}

fn tail(events: &[Event], output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        let mut array = output.array()?;
        for event in events {
            array.push(&json!(event))?;
        }
        return array.end();
    }
    let mut shown = table(["number", "at", "actor", "operation", "on", "change"]);
    for event in events {
        shown.add_row([
            event.sequence.to_string(),
            format::instant(event.at),
            format::text(event.actor.as_str(), LONGEST_ACTOR),
            format::text(&event.operation, LONGEST_NODE),
            format::text(&event.node.to_string(), LONGEST_NODE),
            format::text(&event.payload.to_string(), LONGEST_PAYLOAD),
        ]);
    }
    right(&mut shown, [0]);
    output.table(shown)
}

fn proof(proof: &JournalProof, found: &str, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.document(&json!(proof));
    }
    let mut shown = pairs();
    shown.add_row(["journal", found]);
    shown.add_row(["changes", &proof.events.to_string()]);
    shown.add_row(["in the chain", &proof.sealed.to_string()]);
    shown.add_row(["head", if proof.head.is_empty() { "-" } else { &proof.head }]);
    output.table(shown)
}
