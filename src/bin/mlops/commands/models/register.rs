//! `mlops models register`.

use mlops::models::from_text;
use mlops::registry::{Evidence, Signature};
use mlops::{Alias, ArtifactPath, Error, ModelName, RegisterBuilder};
use serde_json::json;

use super::{acting, document, read_as};
use crate::args::{Describe, Register};
use crate::commands::once;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::Output;
use crate::resolve::{self, LIVE_FIRST};
use crate::store::{self, Store};

pub(crate) async fn run(
    store: &Store,
    asked: Register,
    output: &mut Output,
) -> Result<(), Failure> {
    // Before the store is made: what is mistyped leaves nothing behind.
    ModelName::new(&asked.model)?;
    asked.alias.as_deref().map(Alias::new).transpose()?;
    let Describe { metrics, params, tags, seeds, .. } = &asked.describe;
    once("metric", metrics.iter().map(|(key, _)| key))?;
    for (what, given) in [("param", params), ("tag", tags), ("seed", seeds)] {
        once(what, given.iter().map(|(key, _)| key))?;
    }
    let said = Said::read(&asked.describe)?;
    let locals = asked.source.files.iter().map(|(_, local)| local.as_ref());
    let lists = [&asked.source.dir, &asked.describe.lock_files];
    for local in locals.chain(lists.into_iter().flatten().map(AsRef::as_ref)) {
        let local: &std::path::Path = local;
        if matches!(local.try_exists(), Ok(false)) {
            return Err(Error::not_found(COMMAND, "there is nothing to register")
                .with("path", local.display())
                .into());
        }
    }
    for (path, _) in &asked.source.files {
        ArtifactPath::new(path)?;
    }
    let ws = match asked.source.run {
        None => store::create(store).await?,
        Some(_) => store::open(store, output).await?,
    };
    let models = acting(&ws).await?;
    let mut builder = models.register(&asked.model)?;
    if let Some(run) = &asked.source.run {
        builder = builder.from_run(resolve::run(&ws, run, LIVE_FIRST).await?.id);
        let only_run = asked.source.files.is_empty() && asked.source.dir.is_empty();
        if asked.artifacts.is_empty() && only_run {
            builder = builder.artifacts("");
        }
    }
    for prefix in asked.artifacts {
        builder = builder.artifacts(prefix);
    }
    for (path, local) in asked.source.files {
        builder = builder.file(&path, std::path::PathBuf::from(local))?;
    }
    for directory in &asked.source.dir {
        builder = builder.directory(directory);
    }
    if asked.reuse {
        builder = builder.reuse();
    }
    let registered = said.fill(builder, asked.describe)?.register_or_reuse().await?;
    let mut version = registered.version;
    if let Some(alias) = &asked.alias {
        let id = version.id().to_string();
        models.set_alias(&id, alias).await?;
        version = models.version(&id).await?;
    }
    if output.is_json() {
        let mut value = document(&version);
        value["created"] = json!(registered.created);
        return output.document(&value);
    }
    let done = if registered.created { "registered" } else { "is there already:" };
    let files = &version.manifest.files;
    output.line(format!(
        "{done} {} ({}, {})",
        format::text(&version.id().to_string(), 280),
        format::count(files.len() as u64, "file"),
        format::bytes(version.manifest.bytes()),
    ))
}

/// What files say about the version.
struct Said {
    signature: Option<Signature>,
    evidence: Vec<Evidence>,
}

impl Said {
    fn read(describe: &Describe) -> Result<Self, Failure> {
        let signature: Option<Signature> = match &describe.signature {
            Some(file) => Some(read_as(file, |text| from_text("signature", text))?),
            None => None,
        };
        // What comes from outside may have a column twice.
        signature.as_ref().map_or(Ok(()), Signature::check)?;
        let evidence = describe.evidence.iter();
        let evidence = evidence.map(|file| read_as(file, |text| from_text("evidence", text)));
        Ok(Self { signature, evidence: evidence.collect::<Result<_, _>>()? })
    }

    fn fill(
        self,
        mut builder: RegisterBuilder,
        describe: Describe,
    ) -> mlops::Result<RegisterBuilder> {
        for (key, value) in describe.metrics {
            builder = builder.metric(&key, value)?;
        }
        for (key, value) in describe.params {
            builder = builder.param(&key, value)?;
        }
        for (key, value) in describe.tags {
            builder = builder.tag(&key, value)?;
        }
        for (key, value) in describe.seeds {
            builder = builder.seed(&key, value)?;
        }
        for file in describe.lock_files {
            builder = builder.lock_file(file);
        }
        if let Some(note) = describe.note {
            builder = builder.note(note);
        }
        if let Some(path) = describe.profile {
            builder = builder.profile(&path)?;
        }
        if let Some(signature) = self.signature {
            builder = builder.signature(signature);
        }
        for evidence in self.evidence {
            builder = builder.evidence(evidence);
        }
        Ok(builder)
    }
}
