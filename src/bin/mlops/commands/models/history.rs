//! `mlops models history`: who was where, and who put it there.

use mlops::Models;
use mlops::registry::{Stage, StageMove, Verdict};
use mlops::time::Instant;
use serde_json::json;

use super::hinted;
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, right, table};

const LONGEST_NAME: usize = 28;
const LONGEST_REASON: usize = 48;

pub(crate) async fn run(
    models: &Models,
    model: &str,
    stage: Option<Stage>,
    at: Option<Instant>,
    output: &mut Output,
) -> Result<(), Failure> {
    let history = models.stage_history(model).await.map_err(|e| hinted(e, "list"))?;
    let about: Vec<&StageMove> = match at {
        None => history
            .iter()
            .filter(|step| stage.is_none_or(|s| step.to == s || step.from == s))
            .collect(),
        Some(at) => {
            let stages = match stage {
                Some(stage) => vec![stage],
                None => Stage::ALL.into_iter().filter(|stage| stage.is_active()).collect(),
            };
            stages.into_iter().flat_map(|s| StageMove::holders_at(&history, s, at)).collect()
        }
    };
    if output.is_json() {
        let mut array = output.array()?;
        for step in about {
            array.push(&json!(step))?;
        }
        return array.end();
    }
    let header =
        ["since", "version", "from", "to", "cause", "by", "approved by", "policy", "reason"];
    let header =
        header.into_iter().map(|name| if at.is_none() && name == "since" { "at" } else { name });
    let mut shown = table(header);
    for step in &about {
        shown.add_row([
            format::instant(step.at),
            step.number.to_string(),
            step.from.to_string(),
            step.to.to_string(),
            step.cause.as_str().to_owned(),
            format::text(step.actor.as_str(), LONGEST_NAME),
            dash(&approvers(step), LONGEST_NAME),
            dash(&step.policy, LONGEST_NAME),
            dash(&step.reason, LONGEST_REASON),
        ]);
    }
    right(&mut shown, [1]);
    output.table(shown)?;
    match (about.is_empty(), at) {
        (false, _) => Ok(()),
        (true, None) => output.note("no version ever moved there", None),
        (true, Some(at)) => {
            let what = stage.map_or_else(|| "any stage".to_owned(), |stage| stage.to_string());
            output.note(&format!("nothing held {what} at {} UTC", format::instant(at)), None)
        }
    }
}

fn approvers(step: &StageMove) -> String {
    let approved = step.approvals.iter().filter(|said| said.verdict == Verdict::Approve);
    let names: Vec<&str> = approved.map(|said| said.actor.as_str()).collect();
    names.join(", ")
}

fn dash(text: &str, most: usize) -> String {
    if text.is_empty() { "-".to_owned() } else { format::text(text, most) }
}
