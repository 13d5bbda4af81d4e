//! Rules that are decided before a value is read.

use arrow::datatypes::Schema as ArrowSchema;
use mlops_core::registry::{Column, ColumnType, Mismatch, Signature};
use mlops_core::validation::{Basis, Check, ColumnIs, Fits, Schema, SchemaMode, Source};
use mlops_core::{Error, Result};
use serde_json::json;

use super::aggregates::age_text;
use super::{Compiler, Parts, no_mostly, status};
use crate::kernel::Finding;

impl Compiler<'_> {
    pub(super) fn schema(&mut self, check: &Check, rule: &Schema) -> Result<Parts> {
        no_mostly(check)?;
        let schema = std::sync::Arc::clone(self.slots.schema());
        let given = loosened(&schema, rule.nullability);
        let check = match rule.mode {
            SchemaMode::Compatible => {
                Signature::new(rule.columns.clone(), Vec::new())?.check_inputs(&given)
            }
            // What comes out of the pipeline must be of these types, not of some that would do.
            SchemaMode::Exact | SchemaMode::Contains => {
                Signature::new(Vec::new(), rule.columns.clone())?.check_outputs(&given)
            }
        };
        let mut faults: Vec<String> = check.faults.iter().map(plain).collect();
        let wanted: Vec<&str> = rule.columns.iter().map(|column| column.name.as_str()).collect();
        let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        if rule.mode == SchemaMode::Exact {
            let more: Vec<&str> =
                found.iter().copied().filter(|name| !wanted.contains(name)).collect();
            if !more.is_empty() {
                faults.push(format!("columns that are not expected: {}", more.join(", ")));
            }
        }
        if rule.ordered {
            let there: Vec<&str> =
                found.iter().copied().filter(|name| wanted.contains(name)).collect();
            let here: Vec<&str> =
                wanted.iter().copied().filter(|name| found.contains(name)).collect();
            if there != here {
                faults.push(format!("the order is {}", there.join(", ")));
            }
        }
        let what = match rule.mode {
            SchemaMode::Exact => "exactly",
            SchemaMode::Contains => "at least",
            SchemaMode::Compatible => "what widens into",
        };
        let order = if rule.ordered { ", in this order" } else { "" };
        let expected = format!("{what} {} columns{order}", rule.columns.len());
        Ok(Self::fixed(of_faults(&faults), Basis::Schema, expected))
    }

    pub(super) fn column_is(&mut self, check: &Check, rule: &ColumnIs) -> Result<Parts> {
        no_mostly(check)?;
        let types: Vec<String> = rule.types.iter().map(ToString::to_string).collect();
        let expected = if types.is_empty() { "there".to_owned() } else { types.join(" or ") };
        let finding = match self.slots.schema().field_with_name(&rule.column) {
            Err(_) => of_faults(&["there is no such column".to_owned()]),
            Ok(field) => {
                let found = ColumnType::from_arrow(field.data_type());
                let fits = rule.types.is_empty()
                    || found.as_ref().is_ok_and(|found| rule.types.contains(found));
                let shown = found.map_or_else(|_| field.data_type().to_string(), |f| f.to_string());
                Finding::plain(status(fits)).with_observed(json!(shown))
            }
        };
        Ok(Self::fixed(finding, Basis::Schema, expected))
    }

    pub(super) fn fits(&mut self, check: &Check, rule: &Fits) -> Result<Parts> {
        no_mostly(check)?;
        let (columns, name): (Vec<Column>, String) =
            match (&rule.reference, rule.columns.as_slice()) {
                (Some(name), []) => {
                    let reference = self.reference(name)?;
                    let empty = ArrowSchema::empty();
                    (Signature::from_schemas(reference.schema(), &empty)?.inputs, name.clone())
                }
                (None, [_, ..]) => (rule.columns.clone(), "the destination".to_owned()),
                _ => {
                    return Err(Error::invalid(
                        "suite",
                        "a destination is either columns or a reference",
                    ));
                }
            };
        let schema = std::sync::Arc::clone(self.slots.schema());
        let signature = Signature::new(columns, Vec::new())?;
        let mut faults: Vec<String> =
            signature.check_inputs(&schema).faults.iter().map(plain).collect();
        if rule.no_more {
            let known = |name: &str| signature.inputs.iter().any(|c| c.name.as_str() == name);
            let more: Vec<&str> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .filter(|name| !known(name))
                .collect();
            if !more.is_empty() {
                faults.push(format!("columns that it does not have: {}", more.join(", ")));
            }
        }
        let expected = format!("can be loaded into {name}");
        Ok(Self::fixed(of_faults(&faults), Basis::Schema, expected))
    }

    pub(super) fn source(&mut self, check: &Check, rule: &Source) -> Result<Parts> {
        no_mostly(check)?;
        let facts = self.inputs.source.as_ref().ok_or_else(|| {
            Error::invalid("suite", "the data is no files, so there is no source to look at")
                .with("rule", "source")
        })?;
        let mut faults = Vec::new();
        let mut asked = vec!["there and readable".to_owned()];
        let there: Vec<_> = facts.files.iter().filter(|file| file.bytes.is_some()).collect();
        for file in &facts.files {
            if file.bytes.is_none() {
                faults.push(format!("{} is not there", file.url));
            } else if let Some(why) = &file.unreadable {
                faults.push(format!("{} cannot be read: {why}", file.url));
            }
        }
        let count = there.len() as u64;
        if let Some(min) = rule.min_files {
            asked.push(format!("at least {min} files"));
            if count < min {
                faults.push(format!("there are {count} files"));
            }
        }
        if let Some(max) = rule.max_files {
            asked.push(format!("at most {max} files"));
            if count > max {
                faults.push(format!("there are {count} files"));
            }
        }
        for wanted in &rule.expected {
            asked.push(wanted.clone());
            let name = |url: &str| url.rsplit('/').next().unwrap_or(url).to_owned();
            if !there.iter().any(|file| glob(wanted, &name(&file.url))) {
                faults.push(format!("no file is called {wanted}"));
            }
        }
        for (bound, is_min) in [(rule.min_bytes, true), (rule.max_bytes, false)] {
            let Some(bound) = bound else { continue };
            asked.push(format!("{} {bound} bytes", if is_min { "at least" } else { "at most" }));
            for file in &there {
                let bytes = file.bytes.unwrap_or_default();
                if is_min && bytes < bound || !is_min && bytes > bound {
                    faults.push(format!("{} has {bytes} bytes", file.url));
                }
            }
        }
        if let Some(max_age) = rule.max_age_secs {
            asked.push(format!("newest at most {} old", age_text(i128::from(max_age))));
            match there.iter().filter_map(|file| file.modified).max() {
                Some(newest) => {
                    let age = (self.inputs.now - newest).num_seconds();
                    if i128::from(age) > i128::from(max_age) {
                        faults.push(format!("the newest is {} old", age_text(i128::from(age))));
                    }
                }
                None => faults.push("no file says when it was written".to_owned()),
            }
        }
        let bytes: u64 = there.iter().filter_map(|file| file.bytes).sum();
        let finding =
            of_faults(&faults).with_observed(json!(format!("{count} files of {bytes} bytes")));
        Ok(Self::fixed(finding, Basis::Source, asked.join(", ")))
    }
}

/// A fault without the word for the side of a model's signature, which means nothing here.
fn plain(fault: &Mismatch) -> String {
    let text = fault.to_string();
    ["input ", "output "]
        .iter()
        .find_map(|side| text.strip_prefix(side))
        .map_or_else(|| text.clone(), str::to_owned)
}

fn of_faults(faults: &[String]) -> Finding {
    let finding = Finding::plain(status(faults.is_empty()));
    if faults.is_empty() { finding } else { finding.with_detail(faults.join("; ")) }
}

/// The schema as it is compared: if nullability does not matter, nothing is nullable.
fn loosened(schema: &ArrowSchema, nullability: bool) -> ArrowSchema {
    if nullability {
        return schema.clone();
    }
    let fields: Vec<_> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(false)).collect();
    ArrowSchema::new(fields)
}

/// Whether a name is of a pattern in which `*` stands for any characters.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
