//! JSON, read and thrown away.

use serde::de::IgnoredAny;

/// Values that are ignored make no tree, and are walked through without recursion: a text of a million
/// brackets takes a million bytes for the time of the check, not the stack.
pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}
