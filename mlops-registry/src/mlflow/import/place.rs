//! Where the files of a version are.
//!
//! The store that is imported comes from somebody else, and says about each version where its files
//! are. Taken at its word, a version with the source `<home>/ada/.ssh` would make an import read, and a
//! later export publish, whatever its user may read. So a local folder is believed only if it is what
//! MLflow, or an export of ours, makes; and what lies in a run is taken from the run as it was
//! imported, without another look at the disk.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::super::document::read_small;
use super::super::uri;
use super::source::{SourceModel, SourceVersion};

/// The file that makes a folder a model of MLflow's.
pub(super) const MLMODEL: &str = "MLmodel";
/// How often a version may be a copy of a copy.
const COPIES: usize = 16;

/// Where the files of a version are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum ModelPlace {
    /// Among the artifacts of a run, by MLflow's id and the path there.
    Run(String, String),
    /// In a local folder.
    Directory(PathBuf),
    /// Where an import does not look.
    #[default]
    Elsewhere,
}

/// What a store knows about places.
pub(super) struct Roots<'a> {
    /// What relative paths are relative to.
    pub(super) base: &'a Path,
    /// Where a tracking server keeps the artifacts that it serves.
    pub(super) server: Option<&'a Path>,
    /// The ids of the runs.
    pub(super) runs: &'a HashSet<String>,
}

/// Finds the files of every version. `logged_model` says where the files of a logged model are.
pub(super) fn find_all(
    models: &mut [SourceModel],
    roots: &Roots<'_>,
    mut logged_model: impl FnMut(&str) -> Option<String>,
) {
    for model in 0..models.len() {
        for version in 0..models[model].versions.len() {
            let mut said = said(&models[model].versions[version]).map(str::to_owned);
            for _ in 0..COPIES {
                said = match said.as_deref().and_then(|said| said.strip_prefix("models:/")) {
                    None => break,
                    Some(id) if !id.contains(['/', '@']) => logged_model(id),
                    Some(other) => copied(models, other).and_then(self::said).map(str::to_owned),
                };
            }
            let name = &models[model].name;
            let number = models[model].versions[version].number;
            let found = said.map(|said| roots.find(&said, name, number));
            models[model].versions[version].place = found.unwrap_or_default();
        }
    }
}

/// Where MLflow downloads a version from: of a copy that is what its source resolved to.
fn said(version: &SourceVersion) -> Option<&str> {
    let said = |text: &'_ Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let place = if said(&version.storage) { &version.storage } else { &version.source };
    place.as_deref()
}

/// The version that `name/number` names.
fn copied<'a>(models: &'a [SourceModel], text: &str) -> Option<&'a SourceVersion> {
    let (name, number) = text.split_once('/')?;
    let number: u64 = number.parse().ok()?;
    let model = models.iter().find(|model| model.name == name)?;
    model.versions.iter().find(|version| version.number == number)
}

impl Roots<'_> {
    fn find(&self, said: &str, model: &str, number: u64) -> ModelPlace {
        if let Some(rest) = said.strip_prefix("runs:/") {
            let (run, path) = rest.split_once('/').unwrap_or((rest, ""));
            return ModelPlace::Run(run.to_owned(), path.trim_matches('/').to_owned());
        }
        let local = self.local(said);
        let text = local.as_deref().and_then(Path::to_str).unwrap_or(said);
        if let Some(place) = self.in_run(text) {
            return place;
        }
        match local {
            Some(path) if is_model_folder(&path, model, number) => ModelPlace::Directory(path),
            _ => ModelPlace::Elsewhere,
        }
    }

    /// The local path that a URI names.
    pub(super) fn local(&self, said: &str) -> Option<PathBuf> {
        match (uri::below_server_root(said), self.server) {
            (Some(below), Some(root)) => Some(root.join(below)),
            _ => uri::to_path(said, self.base),
        }
    }

    /// `…/<run id>/artifacts/<path>`, wherever that is.
    fn in_run(&self, text: &str) -> Option<ModelPlace> {
        let parts: Vec<&str> = text.split('/').collect();
        let at = parts.windows(2).position(|p| p[1] == "artifacts" && self.runs.contains(p[0]))?;
        let inside = parts[at + 2..].iter().filter(|part| !part.is_empty()).copied();
        Some(ModelPlace::Run(parts[at].to_owned(), inside.collect::<Vec<_>>().join("/")))
    }
}

/// Whether a folder is one that holds a model and nothing else: that of a logged model, one that an
/// export of ours wrote, or one with an `MLmodel` file.
fn is_model_folder(path: &Path, model: &str, number: u64) -> bool {
    // What it is called must be what it is, and not what a link in its place leads to.
    let real = fs::canonicalize(path).ok();
    let Some(real) = real.filter(|real| real.is_dir()) else { return false };
    let parts: Vec<&str> = real
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    let is_logged = parts.windows(3).any(|p| {
        p[0] == "models" && p[1].strip_prefix("m-").is_some_and(is_hex) && p[2] == "artifacts"
    });
    let is_exported = parts.ends_with(&["models", model, &number.to_string()]);
    let has_mlmodel = || fs::symlink_metadata(real.join(MLMODEL)).is_ok_and(|file| file.is_file());
    is_logged || is_exported || has_mlmodel()
}

fn is_hex(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Reads what an export of ours wrote about a version, if the path is one where that would be.
pub(super) fn read_document(path: Option<PathBuf>, model: &str, number: u64) -> Option<Vec<u8>> {
    let wanted = Path::new("models").join(model).join(format!("{number}.json"));
    let path = fs::canonicalize(path?).ok().filter(|path| path.ends_with(wanted))?;
    read_small(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef";

    fn find(said: &str, base: &Path) -> ModelPlace {
        let runs = HashSet::from([RUN.to_owned()]);
        Roots { base, server: None, runs: &runs }.find(said, "churn", 3)
    }

    #[test]
    fn what_lies_in_a_run_is_found_whatever_the_scheme() {
        let base = Path::new("/nowhere");
        let model = ModelPlace::Run(RUN.to_owned(), "model".to_owned());
        for said in [
            format!("runs:/{RUN}/model"),
            format!("runs:/{RUN}/model/"),
            format!("s3://bucket/a/0/{RUN}/artifacts/model"),
            format!("mlflow-artifacts:/0/{RUN}/artifacts/model"),
            format!("file:///x/0/{RUN}/artifacts/model"),
            format!("./mlruns/0/{RUN}/artifacts//model"),
        ] {
            assert_eq!(find(&said, base), model, "{said}");
        }
        let all = ModelPlace::Run(RUN.to_owned(), String::new());
        assert_eq!(find(&format!("/x/{RUN}/artifacts"), base), all);
        assert_eq!(find("s3://bucket/other", base), ModelPlace::Elsewhere);
    }

    #[test]
    fn only_folders_of_models_are_believed() {
        let dir = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(dir.path()).unwrap();
        let secret = base.join("secret");
        fs::create_dir_all(&secret).unwrap();
        assert_eq!(find("secret", &base), ModelPlace::Elsewhere);
        let logged = base.join(format!("0/models/m-{RUN}/artifacts/sub"));
        let exported = base.join("models/churn/3");
        for good in [&logged, &exported] {
            fs::create_dir_all(good).unwrap();
            let said = good.to_str().unwrap();
            assert_eq!(find(said, &base), ModelPlace::Directory(good.clone()));
        }
        assert_eq!(find("models/churn/4", &base), ModelPlace::Elsewhere);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, logged.join("link")).unwrap();
            let said = logged.join("link");
            assert_eq!(find(said.to_str().unwrap(), &base), ModelPlace::Elsewhere);
            std::os::unix::fs::symlink(base.join("x"), secret.join(MLMODEL)).unwrap();
            assert_eq!(find("secret", &base), ModelPlace::Elsewhere);
            fs::remove_file(secret.join(MLMODEL)).unwrap();
        }
        fs::write(secret.join(MLMODEL), "flavors: {}").unwrap();
        assert_eq!(find("secret", &base), ModelPlace::Directory(secret));
    }

    #[test]
    fn copies_are_followed_and_circles_end() {
        let version = |number, source: &str| SourceVersion {
            number,
            source: Some(source.to_owned()),
            ..SourceVersion::default()
        };
        let run = format!("runs:/{RUN}/model");
        let mut models = [SourceModel {
            name: "churn".to_owned(),
            versions: vec![
                version(1, &run),
                version(2, "models:/churn/1"),
                version(3, "models:/churn/3"),
                version(4, "models:/m-1"),
            ],
            ..SourceModel::default()
        }];
        let roots = Roots { base: Path::new("/"), server: None, runs: &HashSet::new() };
        find_all(&mut models, &roots, |id| (id == "m-1").then(|| run.clone()));
        let found: Vec<bool> =
            models[0].versions.iter().map(|v| v.place != ModelPlace::Elsewhere).collect();
        assert_eq!(found, [true, true, false, true]);
    }
}
