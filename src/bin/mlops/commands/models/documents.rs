//! `mlops models policy` and `mlops models access`.

use std::path::Path;

use mlops::models::{access_from_text, policy_from_text};
use mlops::registry::{
    ACCESS_KIND, ACCESS_NAME, Access, DEFAULT_POLICY, Document as Stored, Holders, POLICY_KIND,
    PutDocument, RollbackRule, StagePolicy,
};
use mlops::{Error, ErrorKind, Key, ModelName, Models};
use serde_json::json;

use super::read_as;
use crate::args::{AccessCommand, Document, PolicyCommand};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, pairs, table};

const LONGEST_NAME: usize = 60;

pub(crate) async fn policy(
    models: &Models,
    command: PolicyCommand,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        PolicyCommand::Show { whose } => show(models, &whose, output).await,
        PolicyCommand::Set { model, default, file } => {
            let file = file.or(default);
            let file = file.ok_or_else(|| Error::invalid(COMMAND, "no file was named"))?;
            let policy = policy_of(&file)?;
            if let Some(name) = &model {
                // A policy of a mistyped name would bind nobody.
                models.model(name).await.map_err(|e| match e.kind() {
                    ErrorKind::NotFound => Error::not_found(COMMAND, "there is no such model")
                        .with("model", format::text(name, LONGEST_NAME))
                        .with_hint(
                            "register its first version, or store the policy with --default",
                        ),
                    _ => e,
                })?;
            }
            stored(&models.set_policy(model.as_deref(), &policy).await?, output)
        }
        PolicyCommand::Check { file } => check_policy(&file, output),
        PolicyCommand::Remove { whose } => {
            let name = name_of(&whose)?;
            remove(models, POLICY_KIND, &name, output).await
        }
    }
}

/// Deletes a document.
async fn remove(
    models: &Models,
    kind: &str,
    name: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let change = PutDocument::delete(Key::new(kind)?, Key::new(name)?);
    let gone = models.catalog().put_document(change).await?;
    if output.is_json() {
        return output.document(&json!(gone));
    }
    output.line(format!("removed {kind} {}", format::text(name, LONGEST_NAME)))
}

pub(crate) fn check_policy(file: &Path, output: &mut Output) -> Result<(), Failure> {
    let policy = policy_of(file)?;
    if output.is_json() {
        return output.document(&json!({ "ok": true, "policy": policy }));
    }
    rules(&policy, output)?;
    output.line("the policy is well-formed")
}

pub(crate) async fn access(
    models: &Models,
    command: AccessCommand,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        AccessCommand::Show => {
            let access = models.access().await?;
            if output.is_json() {
                return output.document(&json!(access));
            }
            match access {
                Some(access) => grants(&access, output),
                None => output.line("there are no access rules: everyone may do everything"),
            }
        }
        AccessCommand::Set { file } => {
            stored(&models.set_access(&access_of(&file)?).await?, output)
        }
        AccessCommand::Check { file } => check_access(&file, output),
        AccessCommand::Remove => remove(models, ACCESS_KIND, ACCESS_NAME, output).await,
    }
}

pub(crate) fn check_access(file: &Path, output: &mut Output) -> Result<(), Failure> {
    let access = access_of(file)?;
    if output.is_json() {
        return output.document(&json!({ "ok": true, "access": access }));
    }
    grants(&access, output)?;
    output.line("the rules are well-formed")
}

async fn show(models: &Models, whose: &Document, output: &mut Output) -> Result<(), Failure> {
    let name = name_of(whose)?;
    let found = models.policy(&name).await?;
    let Some((document, policy)) = found else {
        return Err(Error::not_found(COMMAND, "there is no policy: every move is allowed")
            .with("of", name)
            .with_hint("`mlops models policy set` stores one")
            .into());
    };
    if output.is_json() {
        return output.document(&json!({
            "name": document.name,
            "version": document.version,
            "digest": document.digest,
            "at": document.at,
            "actor": document.actor,
            "policy": policy,
        }));
    }
    output.line(format!(
        "policy {}@{}, stored {} UTC by {}",
        format::text(&document.name, LONGEST_NAME),
        document.version,
        format::instant(document.at),
        format::text(document.actor.as_str(), LONGEST_NAME),
    ))?;
    rules(&policy, output)
}

/// The name of the document.
fn name_of(whose: &Document) -> mlops::Result<String> {
    match &whose.model {
        Some(model) => Ok(ModelName::new(model)?.into()),
        None => Ok(DEFAULT_POLICY.to_owned()),
    }
}

fn stored(document: &Stored, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.document(&json!(document));
    }
    output.line(format!(
        "{} {} is version {}, by {}",
        document.kind,
        format::text(&document.name, LONGEST_NAME),
        document.version,
        format::text(document.actor.as_str(), LONGEST_NAME),
    ))
}

fn rules(policy: &StagePolicy, output: &mut Output) -> Result<(), Failure> {
    for stage in policy.stages.keys() {
        let rules = policy.rules(*stage);
        output.line(format!("\n{stage}"))?;
        let mut shown = pairs();
        let mut row = |name: &str, value: String| {
            shown.add_row([format!("  {name}"), format::text(&value, 200)]);
        };
        if let Some(from) = &rules.from {
            let from: Vec<&str> = from.iter().map(|stage| stage.as_str()).collect();
            row("comes from", from.join(" or "));
        }
        match rules.holders {
            Some(Holders::Many) => row("holds", "many versions".to_owned()),
            _ => row("holds", "one version".to_owned()),
        }
        for gate in &rules.gates {
            row("gate", gate.to_string());
        }
        if let Some(rule) = &rules.approvals {
            let valid =
                rule.valid_for_hours.map_or_else(String::new, |h| format!(", valid for {h} h"));
            row("approvals", format!("{} {}{valid}", rule.count, rule.role));
        }
        if let Some(role) = rules.role {
            row("carried out by", role.to_string());
        }
        if rules.rollback == RollbackRule::AsPromotion {
            row("rollback", "has to show all of this".to_owned());
        }
        output.table(shown)?;
    }
    Ok(())
}

fn grants(access: &Access, output: &mut Output) -> Result<(), Failure> {
    let mut shown = table(["actor", "role", "models"]);
    for grant in &access.grants {
        let models = grant.models.as_ref().map_or_else(
            || "all, and everything else".to_owned(),
            |models| models.iter().map(ModelName::as_str).collect::<Vec<_>>().join(", "),
        );
        shown.add_row([
            format::text(&grant.actor, LONGEST_NAME),
            grant.role.to_string(),
            format::text(&models, LONGEST_NAME),
        ]);
    }
    output.table(shown)
}

fn policy_of(file: &Path) -> Result<StagePolicy, Failure> {
    read_as(file, policy_from_text)
}

fn access_of(file: &Path) -> Result<Access, Failure> {
    read_as(file, access_from_text)
}
