//! What is done with the bytes of versions: download, copy, verify, sign, and what is needed to make
//! them again.

use std::path::Path;

use mlops::models::{DownloadModel, SigningKey, VerifyModels};
use mlops::{BackendUrl, Error, Models};
use serde_json::json;

use super::{Meant, document, hinted, meant, missing, say};
use crate::args::KeySource;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;
use crate::progress::Bar;
use crate::secrets;

pub(crate) async fn download(
    models: &Models,
    uri: &str,
    out: &Path,
    trusted_keys: Vec<String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let bar = Bar::bytes("fetching");
    let mut options = DownloadModel::default();
    options.progress = bar.progress();
    if !trusted_keys.is_empty() {
        for key in &trusted_keys {
            check_public(key)?;
        }
        options = options.with_trusted_keys(trusted_keys);
    }
    let written = models.download(uri, out, &options).await;
    drop(bar);
    let written = match written {
        Ok(written) => written,
        Err(e) => return Err(missing(models, uri, e).await.into()),
    };
    if output.is_json() {
        return output.document(&json!(written));
    }
    for path in written {
        output.line(format::text(&path.display().to_string(), 4_096))?;
    }
    Ok(())
}

/// A key that nobody can have is a mistake, and not a reason to refuse a model.
fn check_public(key: &str) -> mlops::Result<()> {
    let good = key.len() == 64 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if good {
        return Ok(());
    }
    Err(Error::invalid(COMMAND, "a public key is 64 lower-case hexadecimal digits")
        .with("key", format::text(key, 80))
        .with_hint("`mlops models keygen` prints it"))
}

pub(crate) async fn copy(
    models: &Models,
    uri: &str,
    (target, place): (&Models, BackendUrl),
    name: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let copied = models.copy_to(uri, target, name).await;
    let copied = match copied {
        Ok(copied) => copied,
        Err(e) => return Err(missing(models, uri, e).await.into()),
    };
    if output.is_json() {
        let mut value = document(&copied.version);
        value["created"] = json!(copied.created);
        return output.document(&value);
    }
    let done = if copied.created { "copied to" } else { "is already in" };
    let id = format::text(&copied.version.id().to_string(), 280);
    output.line(format!("{done} {}: {id}", format::text(&place.to_string(), 280)))
}

pub(crate) async fn verify(
    models: &Models,
    what: &[String],
    quick: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut options = VerifyModels::default();
    for text in what {
        let model = match meant(text)? {
            Meant::Model(model) => model,
            Meant::Version(uri) => uri.model,
        };
        options = options.with_model(model);
    }
    if quick {
        options = options.without_files();
    }
    let proof = models.verify(&options).await.map_err(|e| hinted(e, "list"))?;
    if output.is_json() {
        let mut value = json!(proof);
        value["ok"] = proof.is_ok().into();
        output.document(&value)?;
    } else {
        output.line(format::paragraph(&proof.to_string()))?;
    }
    output.flush()?;
    proof.into_result()?;
    Ok(())
}

pub(crate) async fn replay(models: &Models, uri: &str, output: &mut Output) -> Result<(), Failure> {
    let plan = match models.replay_plan(uri).await {
        Ok(plan) => plan,
        Err(e) => return Err(missing(models, uri, e).await.into()),
    };
    if output.is_json() {
        let mut value = json!(plan);
        value["complete"] = plan.is_complete().into();
        return output.document(&value);
    }
    output.line(format::paragraph(&plan.to_string()))
}

pub(crate) async fn sign(
    models: &Models,
    uri: &str,
    source: &KeySource,
    output: &mut Output,
) -> Result<(), Failure> {
    let key = match (&source.key, &source.key_env) {
        (Some(file), _) => SigningKey::read(file)?,
        (None, Some(name)) => SigningKey::from_seed_hex(&secrets::variable(name)?)?,
        // clap has seen to it that this is not reached.
        (None, None) => return Err(Error::invalid(COMMAND, "no key was named").into()),
    };
    let version = models.sign(uri, &key).await.map_err(|e| hinted(e, "versions <model>"))?;
    say(&format!("signed with {}:", key.public_hex()), &version, output)
}

pub(crate) fn keygen(file: &Path, output: &mut Output) -> Result<(), Failure> {
    let key = SigningKey::generate()?;
    key.write(file)?;
    if output.is_json() {
        return output.document(&json!({ "file": file, "public_key": key.public_hex() }));
    }
    output.line(key.public_hex())
}
