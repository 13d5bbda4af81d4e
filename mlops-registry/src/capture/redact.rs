//! What must not be stored, and how it is cut out.
//!
//! One rule for names ([`looks_secret`]), whether they are options or environment variables, and
//! one for credentials inside URLs. Both err towards hiding: a hidden `--sort-key` costs a look
//! into a script, a stored password costs a rotation.

use std::borrow::Cow;

/// What stands where something was cut out.
pub(super) const HIDDEN: &str = "***";

const ANYWHERE: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "private",
    "authorization",
];
const WORDS: [&str; 4] = ["auth", "bearer", "pass", "pwd"];

/// Whether the value behind `name` (of an option or an environment variable) may be a secret.
///
/// Case does not matter. True if the name contains `password`, `passwd`, `passphrase`, `secret`,
/// `token`, `credential`, `apikey`, `private` or `authorization`; or if one of its words is `auth`,
/// `bearer`, `pass` or `pwd`, or ends in `key` or `keys`. Words end where letters and digits do.
/// *Tokenizers* are not tokens, and `PWD` and `OLDPWD` are directories.
///
/// ```
/// use mlops_registry::capture::looks_secret;
///
/// for name in ["HF_TOKEN", "--api-key", "db.password", "AWS_ACCESS_KEY_ID", "githubtoken"] {
///     assert!(looks_secret(name), "{name}");
/// }
/// for name in ["--tokenizer", "TOKENIZERS_PARALLELISM", "keyboard", "learning_rate", "PWD"] {
///     assert!(!looks_secret(name), "{name}");
/// }
/// ```
pub fn looks_secret(name: &str) -> bool {
    if name == "PWD" {
        return false;
    }
    let name = name.to_ascii_lowercase().replace("tokeniz", "").replace("tokenis", "");
    ANYWHERE.iter().any(|part| name.contains(part))
        || name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| WORDS.contains(&word) || word.ends_with("key") || word.ends_with("keys"))
}

/// The command line with secrets replaced by `***`.
///
/// Hidden are the values of options whose name looks secret (`--token=x`, `--token x`, `token=x`),
/// all of an argument that names an `authorization:` or another secret header, and passwords in
/// URLs. Shown is a number behind a plural (`--max-tokens 512`): a count. What follows such an
/// option but starts with `--` is taken to be the next option.
pub(super) fn command_line(args: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut option: Option<String> = None;
    let mut redacted = Vec::new();
    for (at, arg) in args.into_iter().enumerate() {
        let open = option.take();
        if let Some(name) = open.filter(|_| !arg.starts_with("--")) {
            redacted.push(if hides(&name, &arg) { HIDDEN.to_owned() } else { arg });
            continue;
        }
        redacted.push(match arg.split_once('=') {
            Some((name, value)) if is_name(name) && hides(name, value) => {
                format!("{name}={HIDDEN}")
            }
            _ => match arg.split_once(':') {
                // `-H "Authorization: Bearer x"`; a URL or a path has no such first part.
                Some((name, value)) if is_name(name) && hides(name, value.trim()) => {
                    format!("{name}: {HIDDEN}")
                }
                _ => {
                    if at > 0 && arg.starts_with('-') && looks_secret(&arg) && !arg.contains('=') {
                        option = Some(arg.clone());
                    }
                    urls(&arg).into_owned()
                }
            },
        });
    }
    redacted
}

/// `text` without the credentials of the URLs in it, wherever they stand.
///
/// Of HTTP and FTP URLs all before `@` goes, since a token may stand as the user's name; of others
/// (`ssh://git@host`, `postgres://me:pw@host`) the password goes. So do the values of parameters
/// that look secret or are signatures (`?sig=…` of a signed URL).
pub(super) fn urls(text: &str) -> Cow<'_, str> {
    if !text.contains("://") || !text.contains(['@', '?']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let (authority, tail) = after.split_at(authority_end(after));
        rest = tail;
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                match user.split_once(':') {
                    _ if is_web(scheme(&before[..at])) => {}
                    Some((name, _)) => out.extend([name, ":", HIDDEN, "@"]),
                    None => out.extend([user, "@"]),
                }
                out.push_str(host);
            }
            None if is_malformed(authority) && tail.contains('@') => {
                // A password with a `/` of its own: nothing here can be told apart.
                out.push_str(HIDDEN);
                let end = tail.find([' ', '\n', '"', '\'']).unwrap_or(tail.len());
                rest = &tail[end..];
            }
            None => out.push_str(authority),
        }
    }
    out.push_str(rest);
    Cow::Owned(parameters(&out))
}

/// Where the authority ends that `text` starts with. In a list of URLs (`s3://k@a,s3://k@b`) that
/// is at the separator; elsewhere a comma may be part of a password.
fn authority_end(text: &str) -> usize {
    let end = text.find(['/', '?', '#', ' ', '\n', '"', '\'']).unwrap_or(text.len());
    let (authority, tail) = text.split_at(end);
    let is_list = authority.ends_with(':') && tail.starts_with("//");
    authority.rfind([',', ';', '|']).filter(|_| is_list).unwrap_or(end)
}

/// `text` without the values of secret parameters: `?token=…`, `&sig=…`.
fn parameters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(['?', '&']) {
        let end = part.strip_suffix(['?', '&']).unwrap_or(part).len();
        let (part, separator) = part.split_at(end);
        match part.split_once('=') {
            Some((name, _)) if is_name(name) && (looks_secret(name) || is_signature(name)) => {
                out.extend([name, "=", HIDDEN]);
            }
            _ => out.push_str(part),
        }
        out.push_str(separator);
    }
    out
}

fn is_signature(name: &str) -> bool {
    name.eq_ignore_ascii_case("sig") || name.to_ascii_lowercase().ends_with("signature")
}

/// A remote's URL without anything secret: [`urls`], and of web URLs also query and fragment; a
/// user with a password before an `scp`-like `host:path` goes.
pub(super) fn remote(url: &str) -> String {
    let Some((before, after)) = url.split_once("://") else {
        return match url.split_once('@') {
            Some((user, host)) if user.contains(':') && !user.contains('/') => host.to_owned(),
            _ => url.to_owned(),
        };
    };
    let kept = match after.find(['?', '#']) {
        Some(end) if is_web(scheme(before)) && !after[end..].contains('@') => {
            &url[..before.len() + 3 + end]
        }
        _ => url,
    };
    urls(kept).replace(&format!(":{HIDDEN}@"), "@")
}

/// The scheme at the end of what stands before `://`.
fn scheme(before: &str) -> &str {
    before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
}

fn is_web(scheme: &str) -> bool {
    let web = ["http", "https", "ftp", "ftps"];
    web.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Whether what should be `host:port` cannot be: then it may be `user:pass`, cut at a slash.
fn is_malformed(authority: &str) -> bool {
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    !authority.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` could be the name of an option, a setting or a header.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+'))
}

/// Whether `value` of `name` is to be hidden.
fn hides(name: &str, value: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let plural = lower.contains("tokens") || lower.contains("keys");
    let is_count = plural && value.len() <= 9 && value.parse::<f64>().is_ok();
    looks_secret(name) && !is_count && !value.is_empty()
}
