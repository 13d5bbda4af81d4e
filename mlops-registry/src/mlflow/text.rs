//! Texts that must fit the other side: names, keys, values.

use blake3::Hasher;
use mlops_core::tracking::MAX_VALUE_BYTES;
use mlops_core::{MAX_NAME_BYTES, ModelName};

/// Whether MLflow would let somebody log under this key: letters, digits, `_-./: ` and no path that
/// could climb or be written in two ways.
pub(super) fn is_mlflow_key(key: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "_-./: ".contains(c);
    key.chars().all(plain) && key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether MLflow would let somebody set this alias, and look it up: letters, digits, `_` and `-`.
/// What else it refuses is no alias of ours either.
pub(super) fn is_mlflow_alias(alias: &str) -> bool {
    alias.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))
}

/// The text as a model's name, with `_` for what cannot be in one, and whether it had to be changed;
/// `None` if nothing is left of it.
pub(super) fn as_model_name(text: &str) -> (Option<ModelName>, bool) {
    let plain = |c: char| if c.is_control() || "/\\:@?#%".contains(c) { '_' } else { c };
    let name: String = text.chars().map(plain).collect();
    let name = name.trim();
    let name = name[..name.floor_char_boundary(MAX_NAME_BYTES)].trim_end();
    (ModelName::new(name).ok(), name != text)
}

/// The text as a name of ours, and whether it had to be changed; `None` if nothing is left of it.
pub(super) fn as_name(text: &str) -> (Option<String>, bool) {
    let mut name: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    let changed = name != text;
    (Some(name).filter(|name| !name.trim().is_empty()), changed)
}

/// The text as a value of ours, and whether it had to be cut.
pub(super) fn as_value(mut text: String) -> (String, bool) {
    let before = text.len();
    text.retain(|c| c != '\0');
    text.truncate(text.floor_char_boundary(MAX_VALUE_BYTES));
    let cut = text.len() != before;
    (text, cut)
}

/// Sixteen bytes that these texts always give, in the form of a UUID (version 8: made by a rule of
/// one's own). `what` keeps the ids of different kinds of things apart.
pub(super) fn stable_id(what: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Hasher::new_derive_key(what);
    for part in parts {
        // The length before each part: `ab`, `c` is not `a`, `bc`.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    id
}

/// The same as 32 hexadecimal digits.
pub(super) fn stable_hex(what: &str, parts: &[&[u8]]) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(32);
    for byte in stable_id(what, parts) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_judged_as_mlflow_does() {
        for good in ["loss", "train/loss", "a b", "x:y", "ünï.1-2_3"] {
            assert!(is_mlflow_key(good), "{good}");
        }
        for bad in ["", "/a", "a//b", "a/../b", "a@5", "a(b)", "./a", "a/", "ümlaut ✓"] {
            assert!(!is_mlflow_key(bad), "{bad}");
        }
    }

    #[test]
    fn names_and_values_are_made_to_fit() {
        assert_eq!(as_name("ok"), (Some("ok".into()), false));
        assert_eq!(as_name("a\nb"), (Some("a b".into()), true));
        assert_eq!(as_name(" \t"), (None, true));
        let (long, changed) = as_name(&"ü".repeat(200));
        assert_eq!((long.map(|l| l.len()), changed), (Some(250), true));
        assert_eq!(as_value("a\0b".into()), ("ab".into(), true));
        assert_eq!(as_value("x".repeat(65_537)).0.len(), 65_536);
    }

    #[test]
    fn names_of_models_are_made_to_fit() {
        let fit = |text: &str| {
            let (name, changed) = as_model_name(text);
            (name.map(String::from), changed)
        };
        assert_eq!(fit("churn (v2)"), (Some("churn (v2)".into()), false));
        assert_eq!(fit(" a/b:c"), (Some("a_b_c".into()), true));
        assert_eq!(fit(".."), (None, false));
        assert_eq!(fit("  "), (None, true));
        assert!(is_mlflow_alias("champion-2_ü") && !is_mlflow_alias("the best"));
    }

    #[test]
    fn stable_ids_are_uuids_and_depend_on_every_part() {
        let id = stable_hex("a", &[b"ab", b"c"]);
        assert_eq!(id, stable_hex("a", &[b"ab", b"c"]));
        assert_ne!(id, stable_hex("a", &[b"a", b"bc"]));
        assert_ne!(id, stable_hex("b", &[b"ab", b"c"]));
        assert_eq!((id.len(), &id[12..13]), (32, "8"));
    }
}
