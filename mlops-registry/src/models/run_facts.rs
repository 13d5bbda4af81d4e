//! What a run knows about a version that came of it.

use mlops_core::registry::{CodeState, Manifest, SourceRun};
use mlops_core::tracking::{Artifact, Run};
use mlops_core::{ArtifactPath, Error, Key, Result, RunId};
use serde_json::Value;

use super::register::add_input;
use super::sources::Source;
use crate::blobs::Blobs;
use crate::tracking::Tracking;

/// Where a run keeps what was captured of its environment.
const ENVIRONMENT: &str = "mlops/environment.json";
/// Where a run keeps the changes of its source code that were not committed.
pub(super) const DIFF: &str = "mlops/uncommitted.diff";
/// A captured environment has some kilobytes; what is larger is something else.
const MAX_ENVIRONMENT_BYTES: u64 = 4 << 20;

/// A run with its files.
pub(super) struct RunFacts {
    run: Run,
    artifacts: Vec<Artifact>,
}

impl RunFacts {
    pub(super) async fn read(tracking: &Tracking, id: RunId) -> Result<Self> {
        let tracker = tracking.tracker();
        Ok(Self { run: tracker.run(id).await?, artifacts: tracker.artifacts(id, "").await? })
    }

    /// The run as it is named by a manifest.
    pub(super) fn source(&self) -> SourceRun {
        SourceRun { id: self.run.id, status: self.run.status }
    }

    /// The files under these prefixes, by their paths below them.
    pub(super) fn files(
        &self,
        prefixes: &[String],
        out: &mut Vec<(ArtifactPath, Source)>,
    ) -> Result<()> {
        for prefix in prefixes {
            let prefix = prefix.trim_matches('/');
            let before = out.len();
            for Artifact { path, blob, .. } in &self.artifacts {
                if !path.is_under(prefix) || (prefix.is_empty() && path.is_under("mlops")) {
                    continue;
                }
                let below = path.strip_prefix(prefix).unwrap_or(path).trim_start_matches('/');
                let below = if below.is_empty() { path.file_name() } else { below };
                out.push((ArtifactPath::new(below)?, Source::Stored(blob.clone())));
            }
            if out.len() == before {
                let message = "the run has no files there";
                return Err(Error::not_found("models.register", message)
                    .with("run", self.run.id)
                    .with("prefix", prefix.escape_debug()));
            }
        }
        Ok(())
    }

    /// Fills in what the manifest does not say yet.
    pub(super) async fn fill(&self, blobs: &Blobs, manifest: &mut Manifest) -> Result<()> {
        for (key, metric) in &self.run.metrics {
            manifest.metrics.entry(key.clone()).or_insert(metric.last);
        }
        for (key, value) in &self.run.params {
            manifest.params.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let said = std::mem::take(&mut manifest.inputs);
        for input in self.run.inputs.iter().cloned().chain(said) {
            add_input(&mut manifest.inputs, input);
        }
        let environment = self.environment(blobs).await?;
        if manifest.replay.command.is_none() {
            let captured = environment.as_ref().and_then(command);
            manifest.replay.command = captured.or_else(|| self.tag("mlops.command"));
        }
        if manifest.environment.is_none() {
            manifest.environment = environment;
        }
        if manifest.replay.code.is_none() {
            manifest.replay.code = self.code();
        }
        Ok(())
    }

    /// What was captured of the environment; `None` if nothing was, or something else lies there.
    async fn environment(&self, blobs: &Blobs) -> Result<Option<Value>> {
        let Some(blob) = self.file(ENVIRONMENT).map(|artifact| &artifact.blob) else {
            return Ok(None);
        };
        if blob.size > MAX_ENVIRONMENT_BYTES {
            return Ok(None);
        }
        let environment: Option<Value> = serde_json::from_slice(&blobs.get_bytes(blob).await?).ok();
        Ok(environment.filter(|environment| !environment.is_null()))
    }

    /// What the run's labels say about its source code.
    fn code(&self) -> Option<CodeState> {
        let mut code = CodeState::default();
        code.commit = self.tag("mlops.source.commit");
        code.remote = self.tag("mlops.source.remote");
        code.dirty = self.tag("mlops.source.dirty").and_then(|dirty| dirty.parse().ok());
        code.diff = self.file(DIFF).map(|artifact| artifact.blob.digest);
        (code != CodeState::default()).then_some(code)
    }

    fn tag(&self, key: &str) -> Option<String> {
        Key::new(key).ok().and_then(|key| self.run.tags.get(&key).cloned())
    }

    fn file(&self, path: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.path.as_str() == path)
    }
}

/// The command line of a captured environment, as a shell takes it.
fn command(environment: &Value) -> Option<String> {
    let words = environment.get("command")?.as_array()?;
    let words: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(quoted)).collect();
    words.filter(|words| !words.is_empty()).map(|words| words.join(" "))
}

/// A word between apostrophes, if a shell would make something else of it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_quoted_for_a_shell() {
        let environment = serde_json::json!({"command": ["train", "--note", "it's new", ""]});
        assert_eq!(command(&environment).unwrap(), r"train --note 'it'\''s new' ''");
        assert_eq!(command(&serde_json::json!({"command": []})), None);
    }
}
