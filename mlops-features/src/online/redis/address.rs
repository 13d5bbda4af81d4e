//! Where the server is and who asks, from a URL.

use std::fmt;

use mlops_core::{Error, ErrorKind, Result, Secret};
use url::{Host, Url};

const OPERATION: &str = "features.redis.connect";
const SHAPE: &str = "write redis://[[user]:password@]host[:port][/database]";

/// A server, an account and the number of a database.
///
/// Printed it is `host:port`.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret<String>>,
    pub(super) database: u32,
}

impl Address {
    /// Reads a URL. What is wrong is said without the URL, which may hold a password.
    pub(super) fn parse(url: &Secret<String>) -> Result<Self> {
        let invalid = |problem: &'static str| Error::invalid(OPERATION, problem).with_hint(SHAPE);
        let url = Url::parse(url.expose()).map_err(|_| invalid("the address is no URL"))?;
        match url.scheme() {
            "redis" => {}
            "rediss" => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    OPERATION,
                    "TLS to Redis is not compiled in",
                )
                .with_hint(
                    "use redis:// in a network that is trusted, or through a TLS proxy such as \
                     stunnel beside the program",
                ));
            }
            other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    OPERATION,
                    "no address of a Redis over TCP",
                )
                .with("scheme", other)
                .with_hint(SHAPE));
            }
        }
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(invalid("the address has no host")),
        };
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| invalid("the database is no number"))?,
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("the address has a query or a fragment, which mean nothing here"));
        }
        let text = |part: &str| {
            decoded(part).ok_or_else(|| invalid("the user or password is no text in UTF-8"))
        };
        let user = (!url.username().is_empty()).then(|| text(url.username())).transpose()?;
        if user.is_some() && url.password().is_none() {
            return Err(invalid("the address has a user without a password"));
        }
        let password = url.password().map(text).transpose()?.map(Secret::new);
        Ok(Self { host, port: url.port().unwrap_or(6379), user, password, database })
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = if let (b'%', [high, low, after @ ..]) = (first, after) {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            bytes.push((digit(high)? * 16 + digit(low)?) as u8);
            after
        } else {
            bytes.push(*first);
            after
        };
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}/{}", self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(&Secret::new(url.to_owned()))
    }

    #[test]
    fn an_address_has_its_parts() {
        let address = parse("redis://me:p%40ss%2F@[::1]:7000/3").unwrap();
        assert_eq!((address.user.as_deref(), address.database), (Some("me"), 3));
        assert_eq!(address.password.as_ref().unwrap().expose(), "p@ss/");
        assert_eq!(format!("{address} {address:?}"), "[::1]:7000 [::1]:7000/3");
        let short = parse("redis://:secret@cache").unwrap();
        assert_eq!((short.host.as_str(), short.port, short.user), ("cache", 6379, None));
    }

    #[test]
    fn tls_is_unsupported_and_says_so() {
        let error = parse("rediss://:hunter2@cache").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("TLS"), "{error}");
    }

    #[test]
    fn a_wrong_address_is_refused_without_its_password() {
        for url in [
            "hunter2",
            "redis:///1",
            "redis://:hunter2@cache/x",
            "redis://:hunter2@cache:port",
            "redis://:hunter2@cache/0?tls=1",
            "redis://:hunter2%ff@cache",
            "redis://hunter2@cache",
            "unix:///hunter2",
        ] {
            let error = parse(url).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
