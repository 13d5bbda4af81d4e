//! JSON in which no key is there twice, and texts that are JSON or YAML.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Bad, Scalars, read};

/// Reads a text that is YAML or JSON; no document at all is null.
///
/// JSON is nearly a part of YAML. What YAML reads otherwise (pairs of surrogates, tabs) is taken as
/// JSON, and a text that is plainly meant as JSON gets the message of a reader of JSON.
///
/// # Errors
/// What is wrong and where, as [`read`].
pub fn read_document(text: &str) -> Result<Value, Bad> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut wrong = None;
    if text.trim_start().starts_with(['{', '[']) {
        match serde_json::from_str::<Strict>(text) {
            Ok(Strict(value)) => return Ok(value),
            // A data error is one of our own making: a key twice.
            Err(e) => {
                let braces = text.trim_start().trim_start_matches(['{', '[']).trim_start();
                let looks_like_json = braces.starts_with(['"', '}', ']']);
                if looks_like_json {
                    // serde_json says the place itself, at the end.
                    let message = e.to_string();
                    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
                    wrong = Some(Bad { line: e.line(), column: e.column(), message });
                }
            }
        }
    }
    read(text, Scalars::Core).map_err(|bad| wrong.unwrap_or(bad))
}

/// JSON in which no key is there twice.
struct Strict(Value);

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Seed.deserialize(deserializer).map(Self)
    }
}

struct Seed;

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Seed)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                let message = format!("has the key \"{}\" twice", key.escape_debug());
                return Err(serde::de::Error::custom(message));
            }
            map.insert(key, entries.next_value_seed(Seed)?);
        }
        Ok(Value::Object(map))
    }
}
