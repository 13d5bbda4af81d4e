//! Signed versions: Ed25519 over a manifest's digest.
//!
//! The digest covers everything about a version that cannot change, so a signature over it vouches for
//! every byte of every file, and for the run, data and metrics that the version claims. Signatures are
//! strict (RFC 8032 with no weak keys and no second encodings of the same signature). What is signed is
//! the digest behind `mlops.manifest.v1` and a zero byte: a key that also signs other things can never
//! be made to sign a manifest by accident.
//!
//! A key is 32 bytes of seed. On disk it is one line, `mlops-ed25519-seed:<64 hex>`, in a file that
//! nobody but its owner may read; in memory it is wiped when it is dropped, and it never prints.
//!
//! What it does not do: say whom a key belongs to, let a key expire, or keep it in hardware. Which keys
//! are trusted is the caller's list ([`require_signature`]) or a policy's (the gate `signed`).

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use mlops_core::registry::{Attestation, ModelVersion};
use mlops_core::time::Instant;
use mlops_core::tracking::Digest;
use mlops_core::{Error, ErrorKind, Result, Secret};
use zeroize::Zeroizing;

use crate::blobs::fault::io_error;

/// Before the digest, so that a signature of a manifest is one of nothing else.
const DOMAIN: &[u8] = b"mlops.manifest.v1\0";
/// Before the seed, in a key file.
const LABEL: &str = "mlops-ed25519-seed:";
/// No key file is longer, whatever was put around its one line.
const FILE_BYTES: u64 = 1 << 10;

/// A private key that signs versions. Wiped from memory when it is dropped.
///
/// ```
/// use mlops_core::tracking::Digest;
/// use mlops_registry::models::{SigningKey, verify_attestation};
///
/// let key = SigningKey::generate()?;
/// let digest = Digest([7; 32]);
/// let attestation = key.sign(digest, mlops_core::time::from_micros(1_700_000_000_000_000)?);
/// verify_attestation(&attestation, digest)?;
/// assert_eq!(attestation.key, key.public_hex());
/// # Ok::<(), mlops_core::Error>(())
/// ```
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A new key, from the operating system's randomness.
    ///
    /// # Errors
    /// `Unavailable` if the system has none to give.
    pub fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|e| {
            Error::unavailable("signing.generate", "the system gives no randomness").with_source(e)
        })?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The key of a seed: 64 hexadecimal digits, such as a secret store keeps them.
    ///
    /// # Errors
    /// `Invalid` for anything else; the message does not repeat it.
    pub fn from_seed_hex(seed: &Secret<String>) -> Result<Self> {
        Self::of_hex("signing.from_seed_hex", seed.expose().trim())
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// `NotFound` or `Denied` as the file system says; `Denied` if anybody but the owner may read or
    /// write the file (checked on Unix); `Invalid` if it is no key file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        const OP: &str = "signing.read";
        let path = path.as_ref();
        let failed = |e| io_error(OP, path, e);
        // Looked at before it is opened, as opening a pipe waits for somebody to write to it.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Error::invalid(OP, "is no file").with("path", path.display()));
        }
        let file = File::open(path).map_err(failed)?;
        refuse_shared(&file, path)?;
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES as usize + 1));
        let read = file.take(FILE_BYTES + 1).read_to_string(&mut text);
        let seed = text.trim().strip_prefix(LABEL);
        match (read, seed) {
            (Ok(read), Some(seed)) if read as u64 <= FILE_BYTES => {
                Self::of_hex(OP, seed).map_err(|e| e.with("path", path.display()))
            }
            (Err(e), _) if e.kind() != std::io::ErrorKind::InvalidData => Err(failed(e)),
            _ => Err(Error::invalid(OP, "is no key file").with("path", path.display()).with_hint(
                "a key file is one line, mlops-ed25519-seed: and 64 hexadecimal digits",
            )),
        }
    }

    /// Writes a key file that only its owner may read, durably.
    ///
    /// # Errors
    /// `AlreadyExists` if there is something at `path`: a key is never overwritten. Otherwise as the
    /// file system says.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        const OP: &str = "signing.write";
        let path = path.as_ref();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|e| io_error(OP, path, e))?;
        let mut line = Zeroizing::new(String::with_capacity(LABEL.len() + 65));
        line.push_str(LABEL);
        push_hex(&mut line, self.0.as_bytes());
        line.push('\n');
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| sync_parent(path)).map_err(|e| {
            // Half a key is worth nothing and stands in the way of the next attempt.
            drop(fs::remove_file(path));
            io_error(OP, path, e)
        })
    }

    /// The public key, as 64 hexadecimal digits: what policies and attestations name.
    pub fn public_hex(&self) -> String {
        hex(self.0.verifying_key().as_bytes())
    }

    /// Vouches for the manifest of this digest; `at` is noted beside the signature, not under it.
    pub fn sign(&self, digest: Digest, at: Instant) -> Attestation {
        let signature = self.0.sign(&message(digest));
        Attestation { key: self.public_hex(), signature: hex(&signature.to_bytes()), at }
    }

    fn of_hex(operation: &'static str, text: &str) -> Result<Self> {
        let seed: Option<Zeroizing<[u8; 32]>> = bytes(text).map(Zeroizing::new);
        match seed {
            Some(seed) => Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed))),
            None => Err(Error::invalid(operation, "the seed is not 64 hexadecimal digits")
                .with("digits", text.len())),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(***, public {})", self.public_hex())
    }
}

/// Checks that an attestation is its key's signature over the manifest of this digest.
///
/// # Errors
/// `Invalid` if it has not the form of one; `Corrupt` if the signature is not that key's over this
/// digest, or the key is none of the curve.
pub fn verify_attestation(attestation: &Attestation, digest: Digest) -> Result<()> {
    attestation.check()?;
    let verified = || {
        let key = VerifyingKey::from_bytes(&bytes::<32>(&attestation.key)?).ok()?;
        let signature = Signature::from_bytes(&bytes::<64>(&attestation.signature)?);
        key.verify_strict(&message(digest), &signature).ok()
    };
    verified().ok_or_else(|| {
        Error::corrupt("signing.verify", "a signature is not that of its key over this manifest")
            .with("key", prefix(&attestation.key))
            .with("manifest", digest)
            .with_hint("somebody changed the manifest or the signature; do not load this version")
    })
}

/// The attestation of a version by one of the trusted keys, verified; the version's digest must have
/// been checked against its manifest.
///
/// # Errors
/// `Denied` if none of the keys vouches for the version; `Corrupt` as [`verify_attestation`].
pub fn require_signature<'v>(
    version: &'v ModelVersion,
    trusted: &BTreeSet<String>,
) -> Result<&'v Attestation> {
    let found = version.attestations.iter().find(|a| trusted.contains(&a.key));
    let attestation = found.ok_or_else(|| {
        let keys: Vec<&str> = trusted.iter().map(|key| prefix(key)).collect();
        Error::new(ErrorKind::Denied, "signing.verify", "none of the trusted keys vouches for it")
            .with("version", version.id())
            .with("trusted", keys.join(", "))
            .with("attestations", version.attestations.len())
            .with_hint("have it signed with one of these keys")
    })?;
    verify_attestation(attestation, version.digest).map_err(|e| e.with("version", version.id()))?;
    Ok(attestation)
}

fn message(digest: Digest) -> [u8; DOMAIN.len() + 32] {
    let mut message = [0; DOMAIN.len() + 32];
    message[..DOMAIN.len()].copy_from_slice(DOMAIN);
    message[DOMAIN.len()..].copy_from_slice(&digest.0);
    message
}

/// Twelve digits tell any two keys apart that anybody will see.
fn prefix(key: &str) -> &str {
    key.get(..12).unwrap_or(key)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    text.extend(halves.filter_map(|half| char::from_digit(u32::from(half), 16)));
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = ((digit(0)? << 4) | digit(1)?) as u8;
    }
    Some(bytes)
}

#[cfg(unix)]
fn refuse_shared(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const OP: &str = "signing.read";
    let mode = file.metadata().map_err(|e| io_error(OP, path, e))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::new(
            ErrorKind::Denied,
            OP,
            "others than its owner may read or write the key file",
        )
        .with("path", path.display())
        .with("mode", format_args!("{mode:o}"))
        .with_hint("take their rights away (chmod 600), and think about who has read it"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_file: &File, _path: &Path) -> Result<()> {
    Ok(())
}

/// Makes the name of a new file durable.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Elsewhere a directory cannot be opened as a file, and its entries are journaled with it.
    if cfg!(unix) { File::open(parent)?.sync_all() } else { Ok(()) }
}
