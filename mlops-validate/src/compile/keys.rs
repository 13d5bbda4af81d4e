//! Rules about keys, and about the order of rows.

use std::sync::Arc;

use mlops_core::validation::{
    Check, Direction, Distinctness, Exactness, ForeignKey, FunctionalDependency, KeyMemory,
    KeyNulls, Ordered, PartialKeys, Unique,
};
use mlops_core::{Error, Result};

use super::{Compiler, Parts, expecting, no_mostly};
use crate::folds::dependency::{DependencyFold, OneValueEach};
use crate::folds::foreign_key::ForeignKeyRule;
use crate::folds::keyed::KeyColumns;
use crate::folds::metric::{Family, MetricFold};
use crate::folds::ordered::{InOrder, OrderedFold};
use crate::folds::unique::{DistinctFold, KeysFold, NoneTwice, ShareDistinct, SuspectsFold};
use crate::keys::NullRule;
use crate::plan::PlannedFold;
use crate::reference::there;
use crate::scalar::Scalars;

/// Rows that the filter of two-pass uniqueness is sized for, if nothing else is known.
const EXPECTED_ROWS: u64 = 10_000_000;

impl Compiler<'_> {
    pub(super) fn unique(
        &mut self,
        check: &Check,
        rule: &Unique,
        filter: Option<usize>,
    ) -> Result<Parts> {
        let nulls_equal = rule.key_nulls == KeyNulls::Equal;
        let two = rule.memory == KeyMemory::TwoPasses;
        let kind = if two { "suspects" } else { "keys" };
        let what = format!("{kind} {:?} {nulls_equal}", rule.columns);
        let fold = self.share(what, filter, |this| {
            let key = this.key(&rule.columns)?;
            let slots = key.slots.clone();
            let keys = KeysFold { key, nulls_equal, suspects: None };
            let fold: Arc<dyn crate::kernel::Fold> = if two {
                Arc::new(SuspectsFold { keys, expected_rows: EXPECTED_ROWS })
            } else {
                Arc::new(keys)
            };
            Ok(PlannedFold { fold, filter, slots })
        })?;
        let expected = expecting("each key once".to_owned(), check.mostly);
        let key = self.key(&rule.columns)?;
        let conclude = NoneTwice { key, nulls_equal, mostly: check.mostly };
        Ok(Self::folds(vec![fold], conclude, expected))
    }

    pub(super) fn distinctness(
        &mut self,
        check: &Check,
        rule: &Distinctness,
        filter: Option<usize>,
    ) -> Result<Parts> {
        no_mostly(check)?;
        let share = |bound: Option<f64>| bound.is_none_or(|share| (0.0..=1.0).contains(&share));
        if rule.min.is_none() && rule.max.is_none() || !share(rule.min) || !share(rule.max) {
            return Err(Error::invalid("suite", "a share of rows has a bound from 0 to 1"));
        }
        let mut folds = Vec::new();
        match rule.method {
            Exactness::Exact => {
                let what = format!("keys {:?} false", rule.columns);
                folds.push(self.share(what, filter, |this| {
                    let key = this.key(&rule.columns)?;
                    let slots = key.slots.clone();
                    let fold = Arc::new(KeysFold { key, nulls_equal: false, suspects: None });
                    Ok(PlannedFold { fold, filter, slots })
                })?);
            }
            Exactness::Sketch => {
                let [column] = rule.columns.as_slice() else {
                    return Err(Error::invalid("suite", "a sketch is of one column")
                        .with("columns", rule.columns.join(", "))
                        .with_hint("`method: exact` takes several"));
                };
                let what = format!("sketch {:?}", rule.columns);
                folds.push(self.share(what, filter, |this| {
                    let key = this.key(&rule.columns)?;
                    let slots = key.slots.clone();
                    Ok(PlannedFold { fold: Arc::new(DistinctFold { key }), filter, slots })
                })?);
                let slot = self.slots.slot(column)?;
                let data_type = self.slots.data_type(slot).clone();
                folds.push(self.share(
                    format!("{:?} {:?}", Family::Counts, Some(slot)),
                    filter,
                    |_| {
                        let fold =
                            MetricFold { slot: Some(slot), family: Family::Counts, data_type };
                        Ok(PlannedFold { fold: Arc::new(fold), filter, slots: vec![slot] })
                    },
                )?);
            }
        }
        let expected = match (rule.min, rule.max) {
            (Some(min), Some(max)) => format!("{min} to {max} of the rows have keys of their own"),
            (Some(min), None) => format!("different keys are at least {min} of the rows"),
            (_, max) => format!("different keys are at most {} of the rows", max.unwrap_or(1.0)),
        };
        let name = format!("distinctness({})", rule.columns.join(", "));
        let conclude = ShareDistinct { min: rule.min, max: rule.max, method: rule.method, name };
        Ok(Self::folds(folds, conclude, expected))
    }

    pub(super) fn ordered(
        &mut self,
        check: &Check,
        rule: &Ordered,
        filter: Option<usize>,
    ) -> Result<Parts> {
        let slot = self.slots.slot(&rule.column)?;
        if !Scalars::supports(self.slots.data_type(slot)) {
            return Err(Error::invalid("suite", "values of this type have no order")
                .with("column", &rule.column)
                .with("type", self.slots.data_type(slot)));
        }
        let fold = OrderedFold {
            slot,
            direction: rule.direction,
            strict: rule.strict,
            redacted: self.redacted(&rule.column),
        };
        let what = format!("order {slot} {:?} {}", rule.direction, rule.strict);
        let conclude = InOrder { fold: fold.clone(), mostly: check.mostly, nan: check.nan };
        let number = self.share(what, filter, |_| {
            Ok(PlannedFold { fold: Arc::new(fold), filter, slots: vec![slot] })
        })?;
        let expected = match (rule.direction, rule.strict) {
            (Direction::Ascending, false) => "values never fall",
            (Direction::Ascending, true) => "values rise",
            (Direction::Descending, false) => "values never rise",
            (Direction::Descending, true) => "values fall",
        };
        Ok(Self::folds(vec![number], conclude, expecting(expected.to_owned(), check.mostly)))
    }

    pub(super) fn foreign_key(&mut self, check: &Check, rule: &ForeignKey) -> Result<Parts> {
        let reference = self.reference(&rule.reference)?;
        let parent = reference.keys(&rule.columns, there(rule)).ok_or_else(|| {
            Error::invalid("suite", "the reference was read for another suite")
                .with("reference", &rule.reference)
        })?;
        let schema = Arc::clone(reference.schema());
        let redacted = rule.columns.iter().any(|column| self.redacted(column));
        let mut other = crate::slots::Slots::new(schema);
        let numbers = other.all(there(rule))?;
        let theirs = other.schema_of(&numbers);
        let key =
            KeyColumns::of_child(&mut self.slots, &rule.columns, (there(rule), &theirs), redacted)?;
        let slots = key.slots.clone();
        let nulls = match rule.partial {
            PartialKeys::Skip => NullRule::Simple,
            PartialKeys::Fail => NullRule::Full,
        };
        let expected = format!("in {}({})", rule.reference, there(rule).join(", "));
        let rule = ForeignKeyRule { key, parent, nulls };
        Ok(self.rows(check, Arc::new(rule), slots, expecting(expected, check.mostly)))
    }

    pub(super) fn dependency(
        &mut self,
        check: &Check,
        rule: &FunctionalDependency,
        filter: Option<usize>,
    ) -> Result<Parts> {
        let what = format!("dependency {:?} {:?}", rule.from, rule.to);
        let fold = self.share(what, filter, |this| {
            let (from, to) = (this.key(&rule.from)?, this.key(&rule.to)?);
            let slots = from.slots.iter().chain(&to.slots).copied().collect();
            Ok(PlannedFold { fold: Arc::new(DependencyFold { from, to }), filter, slots })
        })?;
        let expected = format!("one ({}) for each ({})", rule.to.join(", "), rule.from.join(", "));
        let conclude = OneValueEach { mostly: check.mostly };
        Ok(Self::folds(vec![fold], conclude, expecting(expected, check.mostly)))
    }

    /// The key of some columns.
    fn key(&mut self, columns: &[String]) -> Result<KeyColumns> {
        let redacted = columns.iter().any(|column| self.redacted(column));
        KeyColumns::new(&mut self.slots, columns, redacted)
    }

    /// A reference that was handed in.
    pub(super) fn reference(&self, name: &str) -> Result<crate::reference::Reference> {
        self.inputs.references.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.inputs.references.keys().map(String::as_str).collect();
            Error::invalid("suite", "no such reference was handed in")
                .with("reference", name)
                .with_hint(match known.as_slice() {
                    [] => "hand it in under this name: `Validation::with_reference`, or \
                           `--reference name=url`"
                        .to_owned(),
                    known => format!("there are {}", known.join(", ")),
                })
        })
    }
}
