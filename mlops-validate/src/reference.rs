//! What a suite asks of other tables.
//!
//! A suite says what it needs of each table that it names ([`needs`]): keys to look up, metrics to
//! compare with. That becomes a plan of folds alone, which is carried out by the same engine; what comes
//! of it is a [`Reference`]. So another table is read once, in one pass, however many checks name it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use mlops_core::time::Instant;
use mlops_core::validation::{Expected, Metric, Rule, Suite};
use mlops_core::{Error, ErrorKind, Result};

use crate::compile::metric_fold;
use crate::folds::keyed::KeyColumns;
use crate::folds::metric::{MetricValue, value_of};
use crate::folds::unique::KeysFold;
use crate::keys::ReferenceSet;
use crate::memory::Memory;
use crate::plan::{Compiled, Plan, PlannedFold};
use crate::slots::Slots;
use crate::state::State;

/// What is known of another table.
#[derive(Debug, Clone)]
pub struct Reference {
    schema: SchemaRef,
    rows: u64,
    /// By columns here and there.
    keys: BTreeMap<(Vec<String>, Vec<String>), Arc<ReferenceSet>>,
    metrics: BTreeMap<String, MetricValue>,
}

impl Reference {
    /// Reads what `suite`, run over data of schema `data`, asks of the table it calls `name`.
    ///
    /// # Errors
    /// `Invalid` if the table has not what the suite asks for, or its columns cannot be compared.
    pub fn read(
        suite: &Suite,
        data: &Schema,
        name: &str,
        table: &SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<Self> {
        let needs = needs(suite).remove(name).unwrap_or_default();
        let plan = needs.plan(table, data, Instant::default())?;
        let mut state = plan.start();
        for batch in batches {
            state.update(batch)?;
        }
        needs.finish(state).map_err(|error| error.with("reference", name))
    }

    /// Its schema.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn keys(&self, here: &[String], there: &[String]) -> Option<Arc<ReferenceSet>> {
        self.keys.get(&(here.to_vec(), there.to_vec())).cloned()
    }

    pub(crate) fn metric(&self, metric: &Metric) -> Option<&MetricValue> {
        self.metrics.get(&metric.to_string())
    }
}

/// What a suite asks of one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Needs {
    /// Columns here, and there.
    keys: Vec<(Vec<String>, Vec<String>)>,
    metrics: Vec<Metric>,
}

/// What a suite asks of each table that it names.
pub(crate) fn needs(suite: &Suite) -> BTreeMap<String, Needs> {
    let mut needs = BTreeMap::<String, Needs>::new();
    for check in &suite.checks {
        match &check.rule {
            Rule::ForeignKey(rule) => {
                let of = needs.entry(rule.reference.clone()).or_default();
                let pair = (rule.columns.clone(), there(rule).to_vec());
                if !of.keys.contains(&pair) {
                    of.keys.push(pair);
                }
            }
            Rule::Aggregate(rule) => {
                if let Some(Expected::Reference { metric, reference }) = &rule.equals {
                    let of = needs.entry(reference.clone()).or_default();
                    if !of.metrics.contains(metric) {
                        of.metrics.push(metric.clone());
                    }
                }
            }
            Rule::Fits(rule) => {
                if let Some(reference) = &rule.reference {
                    needs.entry(reference.clone()).or_default();
                }
            }
            _ => {}
        }
    }
    needs
}

/// The columns of a foreign key in the other table.
pub(crate) fn there(rule: &mlops_core::validation::ForeignKey) -> &[String] {
    if rule.to.is_empty() { &rule.columns } else { &rule.to }
}

impl Needs {
    /// Whether the schema is all that is needed.
    pub(crate) fn only_schema(&self) -> bool {
        self.keys.is_empty() && self.metrics.is_empty()
    }

    /// A plan of folds over the other table.
    pub(crate) fn plan(&self, table: &SchemaRef, data: &Schema, now: Instant) -> Result<Plan> {
        let mut slots = Slots::new(Arc::clone(table));
        let mut here = Slots::new(Arc::new(data.clone()));
        let mut folds = Vec::new();
        for (columns, there) in &self.keys {
            let numbers = here.all(columns)?;
            let child = here.schema_of(&numbers);
            let key = KeyColumns::of_parent(&mut slots, there, (columns, &child))?;
            folds.push(PlannedFold {
                slots: key.slots.clone(),
                fold: Arc::new(KeysFold { key, nulls_equal: false, suspects: None }),
                filter: None,
            });
        }
        for metric in &self.metrics {
            folds.push(metric_fold(&mut slots, metric, None)?);
        }
        Ok(Plan(Arc::new(Compiled::of_folds(slots, folds, now)?)))
    }

    /// What the plan's state has found.
    pub(crate) fn finish(&self, state: State) -> Result<Reference> {
        let plan = state.plan.clone();
        let lost = || Error::new(ErrorKind::Internal, "validate", "a table's state is another's");
        let mut memories = state.seen.memories.iter();
        let mut keys = BTreeMap::new();
        for pair in &self.keys {
            let Some(Memory::Keys(memory)) = memories.next() else { return Err(lost()) };
            keys.insert(pair.clone(), Arc::new(ReferenceSet::build(&memory.store)));
        }
        let mut metrics = BTreeMap::new();
        for (metric, memory) in self.metrics.iter().zip(memories) {
            let data_type = crate::compile::metric_type(&plan.0.slots, metric)?;
            metrics.insert(metric.to_string(), value_of(metric, memory, &data_type));
        }
        let schema = Arc::clone(plan.0.slots.schema());
        Ok(Reference { schema, rows: state.seen.rows, keys, metrics })
    }
}
