//! What failures of the connection and answers of the server mean to a caller.

use mlops_core::{Error, ErrorKind};

use super::address::Address;
use super::wire::Failure;

/// Most of the server's words that a message repeats.
const WORDS: usize = 200;

/// A failure to get an answer.
#[cold]
pub(super) fn failure(operation: &'static str, address: &Address, failure: Failure) -> Error {
    let unavailable = |message| Error::unavailable(operation, message).with("server", address);
    match failure {
        Failure::Lost(source) => unavailable("no connection to Redis")
            .with("problem", &source)
            .with_hint("see that the server runs and can be reached; the next call connects again")
            .with_source(source),
        Failure::Late(limit) => unavailable("Redis did not answer in time")
            .with("limit", format_args!("{} ms", limit.as_millis()))
            .with_hint(
                "see whether the server is stopped or overloaded; the next call connects again",
            ),
        Failure::Busy { connections, limit } => unavailable("all connections to Redis are in use")
            .with("connections", connections)
            .with("waited", format_args!("{} ms", limit.as_millis()))
            .with_hint("allow more of them by with_connections, or make fewer calls at once"),
        Failure::TooLong { at_most } => {
            Error::new(ErrorKind::Unsupported, operation, "an answer is larger than is read")
                .with("server", address)
                .with("at_most", format_args!("{} MiB", at_most >> 20))
                .with_hint("ask for fewer keys at once")
        }
        Failure::Malformed => malformed(operation, address),
        Failure::Refused(words) => refused(operation, address, &words),
    }
}

/// An answer that says that a command failed.
#[cold]
pub(super) fn refused(operation: &'static str, address: &Address, words: &str) -> Error {
    let (kind, message, hint) = meaning(words);
    let error = Error::new(kind, operation, message)
        .with("server", address)
        .with("answer", words.chars().take(WORDS).collect::<String>().escape_debug());
    if hint.is_empty() { error } else { error.with_hint(hint) }
}

/// Bytes that are no answer, or none to what was asked.
#[cold]
pub(super) fn malformed(operation: &'static str, address: &Address) -> Error {
    Error::new(ErrorKind::Unsupported, operation, "the server does not speak as Redis does")
        .with("server", address)
        .with_hint("see that host and port are those of a Redis without TLS")
}

fn meaning(words: &str) -> (ErrorKind, &'static str, &'static str) {
    // A script's error comes with the words of the command that failed, behind those of the script
    // on older servers.
    let code = words.split(' ').next().unwrap_or_default();
    let says = |word: &str| code == word || (code == "ERR" && words.contains(word));
    if ["NOAUTH", "WRONGPASS", "NOPERM"].iter().any(|word| says(word))
        || words.starts_with("ERR invalid password")
        || words.starts_with("ERR AUTH")
        || words.starts_with("ERR Client sent AUTH")
    {
        return (
            ErrorKind::Denied,
            "Redis does not let this account do that",
            "give user and password in the address; the account needs +@read +@write +@scripting \
             +scan +info on the keys of the store's prefix",
        );
    }
    if says("WRONGTYPE") {
        return (
            ErrorKind::Corrupt,
            "a key of the store holds a value of another type",
            "something else writes keys of the store's prefix; give the store a prefix of its own",
        );
    }
    if says("OOM") {
        return (
            ErrorKind::Unavailable,
            "Redis has no memory left",
            "raise maxmemory, or drop tables that are no longer read",
        );
    }
    if says("READONLY") {
        return (
            ErrorKind::Unavailable,
            "this Redis is a replica, which cannot be written",
            "give the address of the primary",
        );
    }
    if says("MOVED") || says("ASK") || says("CROSSSLOT") {
        return (
            ErrorKind::Unsupported,
            "a Redis Cluster is not spoken to",
            "give the address of a server that has all keys of the store",
        );
    }
    let busy =
        ["LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS"];
    if busy.iter().any(|word| says(word)) || words.contains("max number of clients") {
        return (ErrorKind::Unavailable, "Redis cannot do that now", "try again later");
    }
    if words.starts_with("ERR unknown command") || words.starts_with("ERR DB index") {
        return (
            ErrorKind::Unsupported,
            "this Redis has no such command or database",
            "a Redis or Valkey of version 6.2 or above is needed",
        );
    }
    (ErrorKind::Internal, "Redis refused a command", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_words_have_a_meaning() {
        for (words, kind) in [
            ("NOAUTH Authentication required.", ErrorKind::Denied),
            ("WRONGPASS invalid username-password pair or user is disabled.", ErrorKind::Denied),
            ("ERR AUTH <password> called without any password configured", ErrorKind::Denied),
            ("WRONGTYPE Operation against a key", ErrorKind::Corrupt),
            ("ERR Error running script (call to f_1): WRONGTYPE Operation", ErrorKind::Corrupt),
            ("OOM command not allowed when used memory > 'maxmemory'.", ErrorKind::Unavailable),
            ("LOADING Redis is loading the dataset in memory", ErrorKind::Unavailable),
            ("MOVED 3999 127.0.0.1:6381", ErrorKind::Unsupported),
            ("ERR unknown command `EVALSHA`, with args", ErrorKind::Unsupported),
            ("ERR something", ErrorKind::Internal),
        ] {
            assert_eq!(meaning(words).0, kind, "{words}");
        }
    }
}
