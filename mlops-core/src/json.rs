//! Free JSON that is stored: what must be so for it to come back.

use serde_json::Value;

use crate::{Error, Result};

/// Deepest nesting of JSON that is stored. Readers of JSON, ours too, refuse what is far deeper, and a
/// stored value stands inside others.
pub const MAX_JSON_DEPTH: usize = 64;

/// Checks a value that somebody wants to be stored.
///
/// # Errors
/// `Invalid` for `null`, which could not be told from nothing; for nesting deeper than
/// [`MAX_JSON_DEPTH`].
pub fn check_json(what: &'static str, value: &Value) -> Result<()> {
    if value.is_null() {
        return Err(Error::invalid(what, "is null").with_hint("leave it out instead"));
    }
    if is_deeper(value, MAX_JSON_DEPTH) {
        return Err(Error::invalid(what, "is nested too deep").with("at_most", MAX_JSON_DEPTH));
    }
    Ok(())
}

/// Stops at the bound, so that no depth is a danger to the stack.
fn is_deeper(value: &Value, bound: usize) -> bool {
    match value {
        Value::Array(items) => bound == 0 || items.iter().any(|item| is_deeper(item, bound - 1)),
        Value::Object(fields) => {
            bound == 0 || fields.values().any(|item| is_deeper(item, bound - 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_come_back_is_refused() {
        let nested =
            |depth: usize| (0..depth).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
        assert!(check_json("x", &nested(MAX_JSON_DEPTH)).is_ok());
        assert!(check_json("x", &nested(MAX_JSON_DEPTH + 1)).is_err());
        assert!(check_json("x", &Value::Null).is_err());
        assert!(check_json("x", &serde_json::json!({"a": null})).is_ok());
    }
}
