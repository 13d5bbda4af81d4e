//! What a filter sees of a run and of an experiment.
//!
//! What a record does not have is `None`, and so is what its kind never has: an experiment has no
//! metrics, so a term about one is unknown for it and does not match. Two decisions: the smallest and
//! largest of a history that is NaN throughout are missing, not NaN, as "NaN does not count" says;
//! a user or note that was not given is the empty text, not a missing one.

use std::borrow::Cow;

use super::experiment::Experiment;
use super::run::Run;
use crate::filter::{Aggregate, Attribute, DatasetEntry, Member, Record};

impl Record for Run {
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        Some(match attribute {
            Attribute::Id => self.id.to_string().into(),
            Attribute::Name => self.name.as_str().into(),
            Attribute::Status => self.status.as_str().into(),
            Attribute::User => self.user.as_str().into(),
            Attribute::Note => self.note.as_str().into(),
            Attribute::Parent => self.parent?.to_string().into(),
            Attribute::Experiment => self.experiment.to_string().into(),
            Attribute::Started | Attribute::Ended | Attribute::Duration => return None,
            // What models and their versions have.
            Attribute::Version | Attribute::SourceRun | Attribute::Digest | Attribute::Updated => {
                return None;
            }
        })
    }

    fn attribute_number(&self, attribute: Attribute) -> Option<f64> {
        match attribute {
            Attribute::Started => Some(self.started.timestamp_micros() as f64),
            Attribute::Ended => self.ended.map(|ended| ended.timestamp_micros() as f64),
            Attribute::Duration => self.duration_secs(),
            _ => None,
        }
    }

    fn metric(&self, aggregate: Aggregate, name: &str) -> Option<f64> {
        let summary = self.metrics.get(name)?;
        match aggregate {
            Aggregate::Last => Some(summary.last),
            Aggregate::Min => Some(summary.min).filter(|min| !min.is_nan()),
            Aggregate::Max => Some(summary.max).filter(|max| !max.is_nan()),
            Aggregate::Count => Some(summary.count as f64),
        }
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }

    fn datasets(&self) -> Vec<DatasetEntry<'_>> {
        self.inputs
            .iter()
            .map(|input| DatasetEntry {
                name: &input.name,
                digest: &input.digest,
                context: input.context.as_str(),
            })
            .collect()
    }

    fn members(&self, _: Member) -> Vec<Cow<'_, str>> {
        Vec::new()
    }
}

impl Record for Experiment {
    fn attribute_text(&self, attribute: Attribute) -> Option<Cow<'_, str>> {
        match attribute {
            Attribute::Id => Some(self.id.to_string().into()),
            Attribute::Name => Some(self.name.as_str().into()),
            _ => None,
        }
    }

    fn attribute_number(&self, attribute: Attribute) -> Option<f64> {
        (attribute == Attribute::Started).then(|| self.created.timestamp_micros() as f64)
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

    fn members(&self, _: Member) -> Vec<Cow<'_, str>> {
        Vec::new()
    }
}
