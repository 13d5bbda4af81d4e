//! `mlops artifacts …`

use std::path::{Path, PathBuf};

use comfy_table::Table;
use futures::StreamExt;
use mlops::blobs::{BlobReader, DownloadBlob};
use mlops::tracking::Artifact;
use mlops::{ArtifactPath, Error, RunId, Tracking};
use serde_json::json;

use crate::args::Artifacts;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};
use crate::progress::Bar;
use crate::resolve::{self, LIVE_FIRST};

const LONGEST_PATH: usize = 60;

pub(crate) async fn run(
    ws: &Tracking,
    command: Artifacts,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        Artifacts::List { run, prefix } => {
            let run = resolve::run(ws, &run, LIVE_FIRST).await?;
            let files = ws.tracker().artifacts(run.id, prefix.trim_end_matches('/')).await?;
            print(&files, output)
        }
        Artifacts::Get { run, path, out, overwrite } => {
            let run = resolve::run(ws, &run, LIVE_FIRST).await?.id;
            if out == Path::new("-") {
                return to_stdout(ws, run, &path, output).await;
            }
            let mut options = DownloadBlob::default();
            if overwrite {
                options = options.with_overwrite();
            }
            get(ws, run, path.trim_end_matches('/'), &out, options, output).await
        }
        Artifacts::Put { run, source, path } => {
            let run = resolve::run(ws, &run, LIVE_FIRST).await?.id;
            put(ws, run, source, path, output).await
        }
    }
}

/// Files with size and digest.
pub(crate) fn table_of(files: &[Artifact]) -> Table {
    let mut shown = table(["file", "size", "stored", "blake3"]);
    for file in files {
        shown.add_row([
            format::text(&file.path, LONGEST_PATH),
            format::bytes(file.blob.size),
            format::instant(file.created),
            file.blob.digest.to_string()[..12].to_owned(),
        ]);
    }
    right(&mut shown, [1]);
    shown
}

fn print(files: &[Artifact], output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        let mut array = output.array()?;
        for file in files {
            array.push(&json!(file))?;
        }
        return array.end();
    }
    output.table(table_of(files))
}

async fn get(
    ws: &Tracking,
    run: RunId,
    path: &str,
    out: &Path,
    mut options: DownloadBlob,
    output: &mut Output,
) -> Result<(), Failure> {
    let bar = Bar::bytes("fetching");
    options.progress = bar.progress();
    let written = ws.download_artifacts(run, path, out, &options).await?;
    drop(bar);
    if output.is_json() {
        return output.document(&json!(written));
    }
    for path in written {
        output.line(path.display())?;
    }
    Ok(())
}

async fn to_stdout(
    ws: &Tracking,
    run: RunId,
    path: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.is_json() {
        return Err(Error::invalid(COMMAND, "a file's bytes are no JSON document")
            .with_hint("leave out --json, or give a directory with --out")
            .into());
    }
    let mut reader: BlobReader = ws.get_artifact(run, &ArtifactPath::new(path)?).await?;
    while let Some(piece) = reader.next().await {
        output.bytes(&piece?)?;
    }
    Ok(())
}

async fn put(
    ws: &Tracking,
    run: RunId,
    source: PathBuf,
    path: Option<String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let bar = Bar::bytes("storing");
    let stored = if source.is_dir() {
        ws.put_artifacts(run, &source, path.as_deref().unwrap_or(""), bar.progress()).await?
    } else {
        let name = || source.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let path = path.or_else(name).ok_or_else(|| {
            Error::invalid(COMMAND, "the file's name cannot be that of an artifact")
                .with_hint("name one with --path")
        })?;
        vec![ws.put_artifact(run, &ArtifactPath::new(path)?, source, bar.progress()).await?]
    };
    drop(bar);
    print(&stored, output)
}
