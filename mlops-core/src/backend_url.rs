//! The URL that names a backend.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use crate::{Error, Result};

/// Names a backend: `sqlite:///srv/mlops`, `memory:`, `postgres://host/db`, `s3://bucket/prefix`;
/// a plain path means the embedded store in that directory.
///
/// Prints without password and without query values, so it may stand in messages.
///
/// ```
/// use mlops_core::BackendUrl;
/// let url: BackendUrl = "postgres://ann:hunter2@db/mlops?sslkey=abc".parse().unwrap();
/// assert_eq!(url.scheme(), "postgres");
/// assert_eq!(url.to_string(), "postgres://ann:***@db/mlops?sslkey=***");
///
/// let local: BackendUrl = "./mlops".parse().unwrap();
/// assert_eq!(local.scheme(), "sqlite");
/// assert_eq!(local.path().unwrap(), std::path::Path::new("./mlops"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BackendUrl(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Path(PathBuf),
    Url(Url),
}

impl BackendUrl {
    /// The embedded store in a local directory.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self(Repr::Path(path.into()))
    }

    /// The scheme, in lower case; `sqlite` for a plain path.
    pub fn scheme(&self) -> &str {
        match &self.0 {
            Repr::Path(_) => "sqlite",
            Repr::Url(url) => url.scheme(),
        }
    }

    /// The local path, for a plain path and for `sqlite:` and `file:` URLs.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Path(path) => Some(path),
            Repr::Url(url) if matches!(url.scheme(), "sqlite" | "file") => {
                Some(Path::new(url.path()))
            }
            Repr::Url(_) => None,
        }
    }

    /// The whole URL with its credentials; hand it only to the client that connects.
    pub fn expose(&self) -> Option<&Url> {
        match &self.0 {
            Repr::Path(_) => None,
            Repr::Url(url) => Some(url),
        }
    }
}

impl FromStr for BackendUrl {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        if s.is_empty() || s.contains('\0') {
            return Err(Error::invalid("backend_url", "is empty or contains a NUL byte")
                .with_hint("give a directory, or a URL such as sqlite:///srv/mlops"));
        }
        // A scheme has at least two letters, so that C:\mlops is a path.
        let scheme_len = s.find(':').unwrap_or(0);
        let is_url = scheme_len >= 2
            && s[..scheme_len].chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !is_url {
            return Ok(Self::directory(s));
        }
        match Url::parse(s) {
            // `sqlite:./relative` has no authority: what follows the colon is the path.
            Ok(url) if url.cannot_be_a_base() && url.scheme() == "sqlite" => {
                Ok(Self::directory(&s[scheme_len + 1..]))
            }
            Ok(url) => Ok(Self(Repr::Url(url))),
            Err(source) => Err(Error::invalid("backend_url", "is not a URL").with_source(source)),
        }
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match &self.0 {
            Repr::Path(path) => return write!(f, "{}", path.display()),
            Repr::Url(url) => url,
        };
        let mut shown = url.clone();
        if url.password().is_some() {
            // Fails only for URLs that cannot have a password, and this one has.
            let _ = shown.set_password(Some("***"));
        }
        if url.query().is_some() {
            let names: Vec<String> =
                url.query_pairs().map(|(name, _)| format!("{name}=***")).collect();
            shown.set_query(Some(&names.join("&")));
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackendUrl({self})")
    }
}
