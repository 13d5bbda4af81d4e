//! File URIs, as MLflow writes and reads them.

use std::path::{Component, Path, PathBuf};

use mlops_core::{Error, Result};
use url::Url;

/// The `file:` URI of an absolute path, percent-encoded.
///
/// # Errors
/// `Invalid` for a path that is not absolute.
pub(super) fn of_path(path: &Path) -> Result<String> {
    Url::from_file_path(path).map(String::from).map_err(|()| {
        Error::invalid("mlflow.export", "a path cannot be said as a file URI")
            .with("path", path.display())
    })
}

/// The local path that a URI or plain path names; relative ones are taken from `base`. `None` for any
/// other scheme.
pub(super) fn to_path(uri: &str, base: &Path) -> Option<PathBuf> {
    match uri.split_once(':') {
        Some(("file", _)) => Url::parse(uri).ok()?.to_file_path().ok(),
        // One letter is a drive of Windows, not a scheme.
        Some((scheme, _)) if scheme.len() > 1 && is_scheme(scheme) => None,
        _ if uri.is_empty() => None,
        _ => Some(base.join(uri)),
    }
}

/// The part of an `mlflow-artifacts:` URI below the server's artifact root: what a server that serves
/// artifacts itself puts into its database.
pub(super) fn below_server_root(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("mlflow-artifacts:")?;
    // `mlflow-artifacts://host:port/…` and `mlflow-artifacts:/…` mean the same.
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/')?.1,
        None => rest.trim_start_matches('/'),
    };
    let path = PathBuf::from(path);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then_some(path)
}

/// Whether a directory is where MLflow puts a run's artifacts: `…/<run id>/artifacts`.
///
/// A store comes from somebody else. Without this, a file of it that says `artifact_uri: /etc` would
/// make an import read, and a later export publish, whatever its user may read.
pub(super) fn is_artifact_root(path: &Path, run: &str) -> bool {
    let mut parts = path.components().rev();
    let mut next = || match parts.next() {
        Some(Component::Normal(part)) => part.to_str(),
        _ => None,
    };
    next() == Some("artifacts") && next() == Some(run)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_uri() {
        for path in ["/plain/a", "/with space/ü ✓/%41/#1/?q", "/a;b=c/d"] {
            let uri = of_path(Path::new(path)).unwrap();
            assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
            assert_eq!(to_path(&uri, Path::new("/base")), Some(path.into()), "{uri}");
        }
        assert!(of_path(Path::new("relative")).is_err());
    }

    #[test]
    fn only_local_places_are_paths() {
        let base = Path::new("/base");
        assert_eq!(to_path("./mlruns/0/x", base), Some("/base/./mlruns/0/x".into()));
        assert_eq!(to_path("/abs", base), Some("/abs".into()));
        for other in ["s3://bucket/x", "mlflow-artifacts:/0/x", "dbfs:/x", ""] {
            assert_eq!(to_path(other, base), None, "{other}");
        }
        assert_eq!(
            below_server_root("mlflow-artifacts:/0/r/artifacts"),
            Some("0/r/artifacts".into())
        );
        assert_eq!(below_server_root("mlflow-artifacts://h:5000/0/r"), Some("0/r".into()));
        assert_eq!(below_server_root("mlflow-artifacts:/../etc"), None);
        assert_eq!(below_server_root("s3://x/y"), None);
    }

    #[test]
    fn a_root_that_is_not_the_runs_own_is_refused() {
        assert!(is_artifact_root(Path::new("/x/0/abc/artifacts"), "abc"));
        for bad in ["/etc", "/x/abc/artifacts/..", "/x/other/artifacts", "/home/u/.ssh"] {
            assert!(!is_artifact_root(Path::new(bad), "abc"), "{bad}");
        }
    }
}
