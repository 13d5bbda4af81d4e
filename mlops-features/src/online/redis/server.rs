//! What must hold of a server before rows are trusted to it.

use mlops_core::{Error, ErrorKind, Result};

use super::errors;
use super::pool::Pool;
use super::resp::{Reply, Request};

const OPERATION: &str = "features.redis.connect";
/// `SET` with `PXAT` and `KEEPTTL`.
const VERSION: (u32, u32) = (6, 2);

/// What a server says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// Whether it writes what it acknowledges to a log on disk.
    pub(super) durable: bool,
}

/// Asks the server, and refuses one that cannot keep rows.
///
/// An account that may not ask (`INFO`) is taken at its word that the server is right, and as not durable.
pub(super) async fn check(pool: &Pool) -> Result<Server> {
    let limit = pool.options().read_limit;
    let asked = pool.ask(OPERATION, &Request::of(&[b"INFO"]), limit).await;
    let text = match asked {
        Ok((Reply::Value(Some(bytes)), _)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(_) => return Err(errors::malformed(OPERATION, pool.address())),
        Err(error) if error.kind() == ErrorKind::Denied && may_not_ask(&error) => {
            return Ok(Server::default());
        }
        Err(error) => return Err(error),
    };
    let problem = |message: &'static str| {
        Error::new(ErrorKind::Unsupported, OPERATION, message).with("server", pool.address())
    };
    if let Some(version) = field(&text, "redis_version") {
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        let version_is = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if version_is < VERSION {
            return Err(problem("this Redis is too old")
                .with("version", version)
                .with_hint("6.2 or above is needed"));
        }
    }
    let policy = field(&text, "maxmemory_policy").unwrap_or("noeviction");
    let bounded = field(&text, "maxmemory").is_some_and(|bytes| bytes != "0");
    if bounded && policy != "noeviction" && !pool.options().allow_eviction {
        return Err(problem("this Redis throws keys away when its memory is full")
            .with("maxmemory_policy", policy)
            .with_hint(
                "a row that was thrown away reads as one that never was: set maxmemory-policy to \
                 noeviction, or allow_eviction if that may be",
            ));
    }
    let clustered = field(&text, "redis_mode") == Some("cluster");
    if clustered && !pool.options().prefix.contains('{') {
        return Err(problem("a Redis Cluster is not spoken to").with_hint(
            "use a server alone; or a prefix with a hash tag, such as {features}, and the address \
             of the node that has its slot",
        ));
    }
    Ok(Server { durable: field(&text, "aof_enabled") == Some("1") })
}

fn may_not_ask(error: &Error) -> bool {
    error.context().any(|(name, answer)| name == "answer" && answer.starts_with("NOPERM"))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(field, _)| *field == name).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n";
        assert_eq!(field(text, "maxmemory"), Some("0"));
        assert_eq!(field(text, "maxmemory_policy"), Some("allkeys-lru"));
        assert_eq!(field(text, "memory"), None);
    }
}
