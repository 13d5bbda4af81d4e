use mlops_core::registry::{Manifest, ManifestFile, VersionId};
use mlops_core::time::from_micros;
use proptest::prelude::*;

use super::*;

/// RFC 8032, 7.1, test 2: seed, public key, message, signature.
const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

fn key() -> SigningKey {
    SigningKey::from_seed_hex(&Secret::new(SEED.to_owned())).unwrap()
}

fn at() -> Instant {
    from_micros(1_700_000_000_000_000).unwrap()
}

#[test]
fn the_vector_of_rfc_8032_comes_out() {
    let key = key();
    assert_eq!(key.public_hex(), PUBLIC);
    let signature = key.0.sign(&[0x72]);
    assert_eq!(hex(&signature.to_bytes()), SIGNATURE);
    let public = VerifyingKey::from_bytes(&bytes(PUBLIC).unwrap()).unwrap();
    public.verify_strict(&[0x72], &signature).unwrap();
}

#[test]
fn what_a_key_signed_is_verified_and_nothing_else_is() {
    let (key, digest) = (key(), Digest([7; 32]));
    let good = key.sign(digest, at());
    good.check().unwrap();
    verify_attestation(&good, digest).unwrap();

    let other = verify_attestation(&good, Digest([8; 32])).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Corrupt);
    assert!(other.to_string().contains("key: 3d4017c3e843,"), "{other}");

    let stranger = SigningKey::generate().unwrap();
    let borrowed = Attestation { key: stranger.public_hex(), ..good.clone() };
    assert_eq!(verify_attestation(&borrowed, digest).unwrap_err().kind(), ErrorKind::Corrupt);

    let short = Attestation { signature: good.signature[..126].to_owned(), ..good.clone() };
    assert_eq!(verify_attestation(&short, digest).unwrap_err().kind(), ErrorKind::Invalid);

    // A signature over the bare digest is none over the manifest.
    let bare = hex(&key.0.sign(&digest.0).to_bytes());
    let bare = Attestation { signature: bare, ..good };
    assert_eq!(verify_attestation(&bare, digest).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_weak_key_vouches_for_nothing() {
    // The point of order one and a zero signature verify over any message, unless one is strict.
    let mut key = [0; 32];
    key[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let forged = Attestation { key: hex(&key), signature: hex(&signature), at: at() };
    let error = verify_attestation(&forged, Digest([7; 32])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_key_file_comes_back_and_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signing.key");
    key().write(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("mlops-ed25519-seed:{SEED}\n"));
    assert_eq!(SigningKey::read(&path).unwrap().public_hex(), PUBLIC);
    assert_eq!(key().write(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let none = SigningKey::read(directory.path().join("none")).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);
    assert_eq!(SigningKey::read(directory.path()).unwrap_err().kind(), ErrorKind::Invalid);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signing.key");
    key().write(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    for open in [0o604, 0o640, 0o644, 0o620, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        let error = SigningKey::read(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains(&format!("mode: {open:o}")), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    SigningKey::read(&path).unwrap();
}

#[test]
fn what_is_no_key_is_refused_without_repeating_it() {
    for text in
        ["", "mlops", &SEED[1..], &format!("{SEED}0"), &SEED.replace('4', "g"), &"é".repeat(32)]
    {
        let error = SigningKey::from_seed_hex(&Secret::new(text.to_owned())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(text.is_empty() || !error.to_string().contains(text));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    for content in ["", SEED, "mlops-ed25519-seed:", "mlops-ed25519-seed:xyz", "\u{0}"] {
        fs::write(&path, content).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(SigningKey::read(&path).unwrap_err().kind(), ErrorKind::Invalid, "{content}");
    }
    fs::write(&path, [0xff; 5000]).unwrap();
    assert_eq!(SigningKey::read(&path).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_key_does_not_print_and_no_two_are_alike() {
    let printed = format!("{:?}", key());
    assert!(printed.contains(PUBLIC) && !printed.contains(SEED), "{printed}");
    let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    assert_ne!(one.public_hex(), two.public_hex());
}

#[test]
fn only_trusted_keys_count() {
    let file = ManifestFile {
        path: "model.json".parse().unwrap(),
        digest: Digest([1; 32]),
        size: 3,
        format: mlops_core::registry::FileFormat::Other,
    };
    let manifest = Manifest::new(vec![file]).unwrap();
    let actor = mlops_core::journal::Actor::new("ann@hq").unwrap();
    let id: VersionId = "churn/1".parse().unwrap();
    let mut version = ModelVersion::new(id, manifest, actor, at());
    let trusted = BTreeSet::from([PUBLIC.to_owned()]);
    let unsigned = require_signature(&version, &trusted).unwrap_err();
    assert_eq!(unsigned.kind(), ErrorKind::Denied);

    version.attest(SigningKey::generate().unwrap().sign(version.digest, at()));
    assert_eq!(require_signature(&version, &trusted).unwrap_err().kind(), ErrorKind::Denied);

    version.attest(key().sign(version.digest, at()));
    assert_eq!(require_signature(&version, &trusted).unwrap().key, PUBLIC);

    version.attest(key().sign(Digest([9; 32]), at()));
    let forged = require_signature(&version, &trusted).unwrap_err();
    assert_eq!(forged.kind(), ErrorKind::Corrupt);
    assert!(forged.to_string().contains("version: churn/1"), "{forged}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_is_found(digest in any::<[u8; 32]>(), bit in 0_usize..512) {
        let digest = Digest(digest);
        let good = key().sign(digest, at());
        let mut signature: [u8; 64] = bytes(&good.signature).unwrap();
        signature[bit / 8] ^= 1 << (bit % 8);
        let bad = Attestation { signature: hex(&signature), ..good.clone() };
        prop_assert_eq!(verify_attestation(&bad, digest).unwrap_err().kind(), ErrorKind::Corrupt);
        let mut other = digest;
        other.0[bit / 16] ^= 1 << (bit % 8);
        prop_assert!(verify_attestation(&good, other).is_err());
        let mut key: [u8; 32] = bytes(&good.key).unwrap();
        key[bit / 16] ^= 1 << (bit % 8);
        let bad = Attestation { key: hex(&key), ..good };
        prop_assert!(verify_attestation(&bad, digest).is_err());
    }
}
