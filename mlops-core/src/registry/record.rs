//! What a filter sees of a model and of a version.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::model::Model;
use super::stage::Stage;
use super::version::ModelVersion;
use crate::filter::{Aggregate, Attribute, DatasetEntry, Member, Record};

impl Record for Model {
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        match attribute {
            Attribute::Name => Some(self.name.as_str().into()),
            Attribute::Note => Some(self.note.as_str().into()),
            _ => None,
        }
    }

    fn attribute_number(&self, attribute: Attribute) -> Option<f64> {
        match attribute {
            Attribute::Started => Some(self.created.timestamp_micros() as f64),
            Attribute::Updated => Some(self.updated.timestamp_micros() as f64),
            _ => None,
        }
    }

    fn metric(&self, _: Aggregate, _: &str) -> Option<f64> {
        None
    }

    fn param(&self, _: &str) -> Option<&str> {
        None
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }

    fn datasets(&self) -> Vec<DatasetEntry<'_>> {
        Vec::new()
    }

    fn members(&self, member: Member) -> Vec<Cow<'_, str>> {
        match member {
            Member::Alias => self.aliases.keys().map(|alias| alias.as_str().into()).collect(),
            Member::Stage => {
                let held = self.stages.iter().filter(|(_, versions)| !versions.is_empty());
                let held: BTreeSet<Stage> = held.map(|(stage, _)| *stage).collect();
                held.into_iter().map(|stage| stage.as_str().into()).collect()
            }
        }
    }
}

impl Record for ModelVersion {
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        Some(match attribute {
            Attribute::Name => self.model.as_str().into(),
            Attribute::SourceRun => self.manifest.run.as_ref()?.id.to_string().into(),
            Attribute::User => self.author.as_str().into(),
            Attribute::Note => self.note.as_str().into(),
            Attribute::Digest => self.digest.to_string().into(),
            _ => return None,
        })
    }

    fn attribute_number(&self, attribute: Attribute) -> Option<f64> {
        match attribute {
            Attribute::Version => Some(self.number as f64),
            Attribute::Started => Some(self.created.timestamp_micros() as f64),
            Attribute::Updated => Some(self.updated.timestamp_micros() as f64),
            _ => None,
        }
    }

    fn metric(&self, _: Aggregate, name: &str) -> Option<f64> {
        self.manifest.metrics.get(name).copied()
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.manifest.params.get(name).map(String::as_str)
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }

    fn datasets(&self) -> Vec<DatasetEntry<'_>> {
        let entry = self.manifest.inputs.iter().map(|input| DatasetEntry {
            name: &input.name,
            digest: &input.digest,
            context: input.context.as_str(),
        });
        entry.collect()
    }

    fn members(&self, member: Member) -> Vec<Cow<'_, str>> {
        match member {
            Member::Alias => self.aliases.iter().map(|alias| alias.as_str().into()).collect(),
            Member::Stage => vec![self.stage.as_str().into()],
        }
    }
}
