//! From a suite and a schema to a [`Plan`].
//!
//! Every fault of the suite for this schema is found, not only the first: a suite that is moved to
//! other data is mended in one go.

mod aggregates;
mod keys;
mod schemas;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use mlops_core::validation::{
    Basis, Check, Expected, Function, Metric, Mostly, Redaction, Rule, Status, Suite,
};
use mlops_core::{Error, Result};
use mlops_expr::Expr;

use crate::custom::CustomRule;
use crate::expression::Condition;
use crate::folds::keyed::KeyColumns;
use crate::folds::metric::{COUNT, Family, MetricFold};
use crate::folds::unique::{DistinctFold, KeysFold};
use crate::kernel::{Finding, RowRule};
use crate::plan::{Body, Compiled, Conclude, Inputs, Plan, PlannedCheck, PlannedFold};
use crate::slots::Slots;
use crate::state::Spare;
use crate::tally::SampleColumn;

/// Compiles a suite.
pub(crate) fn compile(
    suite: &Suite,
    schema: &arrow::datatypes::SchemaRef,
    inputs: &Inputs,
) -> Result<Plan> {
    suite.check()?;
    if let Redaction::Columns(columns) = &inputs.redaction {
        // A slip of the pen here would show what must not be seen.
        let mut slots = Slots::new(Arc::clone(schema));
        for column in columns {
            slots.slot(column).map_err(|error| error.with("redact", column))?;
        }
    }
    let mut compiler = Compiler {
        inputs,
        slots: Slots::new(Arc::clone(schema)),
        filters: Vec::new(),
        folds: Vec::new(),
        shared: BTreeMap::new(),
    };
    let mut checks = Vec::with_capacity(suite.checks.len());
    let mut faults = Vec::new();
    for check in &suite.checks {
        match compiler.check(check) {
            Ok(planned) => checks.push(planned),
            Err(error) => faults.push((check, error)),
        }
    }
    if !faults.is_empty() {
        return Err(all(suite, faults));
    }
    let Compiler { slots, filters, folds, .. } = compiler;
    Ok(Plan(Arc::new(Compiled {
        suite: suite.clone(),
        suite_digest: suite.digest(),
        inputs_digest: inputs.digest(),
        now: inputs.now,
        slots,
        filters,
        folds,
        checks,
        samples: inputs.samples,
        spare: Spare::default(),
    })))
}

/// One error that names every fault.
#[cold]
fn all(suite: &Suite, mut faults: Vec<(&Check, Error)>) -> Error {
    if faults.len() == 1
        && let Some((check, error)) = faults.pop()
    {
        return error.with("check", check.name());
    }
    let count = faults.len();
    let error = Error::invalid("suite", format!("{count} checks cannot be run over this data"))
        .with("suite", &suite.name);
    faults.into_iter().fold(error, |error, (check, fault)| {
        error.with("fault", format!("{}: {fault}", check.name()))
    })
}

impl Compiled {
    /// A plan that only remembers.
    pub(crate) fn of_folds(
        slots: Slots,
        folds: Vec<PlannedFold>,
        now: mlops_core::time::Instant,
    ) -> Result<Self> {
        let suite = Suite::new("reference")?;
        Ok(Self {
            suite_digest: suite.digest(),
            inputs_digest: [0; 32],
            suite,
            now,
            slots,
            filters: Vec::new(),
            folds,
            checks: Vec::new(),
            samples: 0,
            spare: Spare::default(),
        })
    }
}

/// What is being put together.
struct Compiler<'a> {
    inputs: &'a Inputs,
    slots: Slots,
    filters: Vec<Condition>,
    folds: Vec<PlannedFold>,
    /// Folds by what they remember, so that two checks share one.
    shared: BTreeMap<String, usize>,
}

/// What one check comes to, before its name.
struct Parts {
    body: Body,
    expected: String,
    /// Columns it looks at, where the rule does not name them.
    columns: Option<Vec<String>>,
}

impl Compiler<'_> {
    fn check(&mut self, check: &Check) -> Result<PlannedCheck> {
        let filter = self.filter(check)?;
        let Parts { body, expected, columns } = self.parts(check, filter)?;
        let named = || check.rule.columns().into_iter().map(str::to_owned).collect();
        let slots = 0..self.slots.len();
        Ok(PlannedCheck {
            name: check.name(),
            expected,
            columns: columns.unwrap_or_else(named),
            filter,
            hides_value: shows_a_value(&check.rule)
                && check.rule.columns().into_iter().any(|column| self.redacted(column)),
            redacted: slots.filter(|slot| self.redacted(self.slots.path(*slot))).collect(),
            body,
        })
    }

    /// The rows that a check looks at: its filter, and the condition of `implies`.
    fn filter(&mut self, check: &Check) -> Result<Option<usize>> {
        let text = match (&check.filter, &check.rule) {
            // Each must be an expression of its own, not half of one, nor end in a comment.
            (Some(filter), Rule::Implies(rule)) => {
                format!("({}) and ({})", filter.parse::<Expr>()?, rule.when.parse::<Expr>()?)
            }
            (None, Rule::Implies(rule)) => rule.when.clone(),
            (Some(filter), _) => filter.clone(),
            (None, _) => return Ok(None),
        };
        if let (Some(_), Rule::Source(_) | Rule::Schema(_) | Rule::ColumnIs(_) | Rule::Fits(_)) =
            (&check.filter, &check.rule)
        {
            return Err(Error::invalid("suite", "a rule that looks at no rows has no `where`")
                .with("rule", check.rule.name()));
        }
        if let Some(known) = self.filters.iter().position(|filter| filter.text() == text) {
            return Ok(Some(known));
        }
        let condition = Condition::new(&text, &mut self.slots, &self.inputs.parameters)?;
        self.filters.push(condition);
        Ok(Some(self.filters.len() - 1))
    }

    fn parts(&mut self, check: &Check, filter: Option<usize>) -> Result<Parts> {
        match &check.rule {
            Rule::Source(rule) => self.source(check, rule),
            Rule::Schema(rule) => self.schema(check, rule),
            Rule::ColumnIs(rule) => self.column_is(check, rule),
            Rule::Fits(rule) => self.fits(check, rule),
            Rule::RowCount(rule) => self.row_count(check, rule, filter),
            Rule::Freshness(rule) => self.freshness(check, rule, filter),
            Rule::Aggregate(rule) => self.aggregate(check, rule, filter),
            Rule::Anomaly(rule) => self.anomaly(check, rule, filter),
            Rule::Distribution(rule) => self.distribution(check, rule, filter),
            Rule::Unique(rule) => self.unique(check, rule, filter),
            Rule::Distinctness(rule) => self.distinctness(check, rule, filter),
            Rule::Ordered(rule) => self.ordered(check, rule, filter),
            Rule::ForeignKey(rule) => self.foreign_key(check, rule),
            Rule::FunctionalDependency(rule) => self.dependency(check, rule, filter),
            Rule::Custom(rule) => self.custom(check, rule),
            Rule::Expression(rule) => self.expression(check, &rule.sql),
            Rule::Implies(rule) => self.expression(check, &rule.then),
            _ => self.value(check),
        }
    }

    /// A check that judges rows.
    fn rows(
        &self,
        check: &Check,
        rule: Arc<dyn RowRule>,
        slots: Vec<usize>,
        expected: String,
    ) -> Parts {
        let redacted = |slot: usize| self.redacted(self.slots.path(slot));
        let samples = slots
            .iter()
            .map(|slot| SampleColumn { slot: *slot, redacted: redacted(*slot) })
            .collect();
        let columns = slots.iter().map(|slot| self.slots.path(*slot).to_owned()).collect();
        Parts {
            body: Body::Rows { rule, nulls: check.nulls, slots, samples },
            expected,
            columns: Some(columns),
        }
    }

    /// Whether values of a column may be shown.
    fn redacted(&self, path: &str) -> bool {
        // A path that is hidden hides what is around it and what is inside.
        let inside = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        match &self.inputs.redaction {
            Redaction::None => false,
            Redaction::Columns(columns) => {
                columns.iter().any(|column| inside(column, path) || inside(path, column))
            }
            Redaction::All => true,
        }
    }

    /// A check that concludes from folds.
    fn folds(folds: Vec<usize>, conclude: impl Conclude + 'static, expected: String) -> Parts {
        let conclude = Box::new(conclude);
        Parts { body: Body::Folds { folds, conclude }, expected, columns: None }
    }

    /// A check that is decided.
    fn fixed(finding: Finding, basis: Basis, expected: String) -> Parts {
        Parts { body: Body::Fixed(finding, basis), expected, columns: None }
    }

    /// Adds a fold, or finds the one that remembers the same.
    fn share(
        &mut self,
        what: String,
        filter: Option<usize>,
        make: impl FnOnce(&mut Self) -> Result<PlannedFold>,
    ) -> Result<usize> {
        let name = format!("{what} where {filter:?}");
        if let Some(known) = self.shared.get(&name) {
            return Ok(*known);
        }
        let fold = make(self)?;
        self.folds.push(fold);
        self.shared.insert(name, self.folds.len() - 1);
        Ok(self.folds.len() - 1)
    }

    /// The fold that a metric is computed from.
    fn metric(&mut self, metric: &Metric, filter: Option<usize>) -> Result<usize> {
        let (slot, _, family) = family(&mut self.slots, metric)?;
        let what = match family {
            // The same memory as `unique` and `distinctness` of that column.
            Family::Keys => format!("keys {:?} false", [metric.column().unwrap_or_default()]),
            Family::Distinct => format!("sketch {:?}", [metric.column().unwrap_or_default()]),
            _ => format!("{family:?} {slot:?}"),
        };
        self.share(what, filter, |this| metric_fold(&mut this.slots, metric, filter))
    }

    fn custom(&mut self, check: &Check, rule: &mlops_core::validation::Custom) -> Result<Parts> {
        let Some(function) = self.inputs.functions.get(&rule.function) else {
            let known: Vec<&str> = self.inputs.functions.keys().map(String::as_str).collect();
            return Err(Error::invalid("suite", "no such function was handed in")
                .with("function", &rule.function)
                .with_hint(match known.as_slice() {
                    [] => "hand it in under this name: `Engine::with_function`".to_owned(),
                    known => format!("there are {}", known.join(", ")),
                }));
        };
        let slots = self.slots.all(&rule.columns)?;
        let custom = CustomRule {
            name: rule.function.clone(),
            slots: slots.clone(),
            function: Arc::clone(function),
            options: rule.options.clone(),
        };
        let expected = format!("{} is true", rule.function);
        Ok(self.rows(check, Arc::new(custom), slots, expected))
    }
}

/// Whether what the rule observes is a value of the column, not something made of many.
fn shows_a_value(rule: &Rule) -> bool {
    let is_value = |metric: &Metric| {
        matches!(
            metric.function(),
            Function::Min | Function::Max | Function::Quantile | Function::ApproxQuantile
        )
    };
    match rule {
        Rule::Aggregate(rule) => {
            let other = match &rule.equals {
                Some(Expected::Same { metric } | Expected::Reference { metric, .. }) => {
                    is_value(metric)
                }
                _ => false,
            };
            is_value(&rule.of) || other
        }
        Rule::Anomaly(rule) => is_value(&rule.of),
        Rule::Freshness(_) => true,
        _ => false,
    }
}

/// Adds the tolerance to what is expected.
fn expecting(text: String, mostly: Mostly) -> String {
    if mostly.is_all() { text } else { format!("{text}, in at least {mostly} of the rows") }
}

/// A verdict from a condition.
fn status(holds: bool) -> Status {
    if holds { Status::Passed } else { Status::Failed }
}

/// `mostly` belongs to rules that judge rows.
fn no_mostly(check: &Check) -> Result<()> {
    if check.mostly.is_all() {
        return Ok(());
    }
    Err(Error::invalid("suite", "a rule that judges no rows has no `mostly`")
        .with("rule", check.rule.name())
        .with_hint("widen its bounds, or give it a tolerance"))
}

fn family(slots: &mut Slots, metric: &Metric) -> Result<(Option<usize>, DataType, Family)> {
    let Some(column) = metric.column() else { return Ok((None, COUNT, Family::Counts)) };
    let slot = slots.slot(column)?;
    let data_type = crate::slots::value_type(slots.data_type(slot)).clone();
    let function = metric.function();
    let list = crate::slots::is_list(slots.data_type(slot));
    let family = Family::of(function, &data_type);
    match family {
        // What is counted, and what is compared whole, may be a list.
        Some(family @ (Family::Counts | Family::Keys | Family::Distinct)) => {
            Ok((Some(slot), data_type, family))
        }
        Some(family) if !list => Ok((Some(slot), data_type, family)),
        _ => Err(Error::invalid("suite", "the column has no such metric")
            .with("metric", metric)
            .with("type", slots.data_type(slot))
            .with_hint(match function {
                Function::Min | Function::Max => "min and max are of what has an order",
                _ => "it is of integers, decimals, floats and durations",
            })),
    }
}

/// The type that a metric's bounds are read in.
pub(crate) fn metric_type(slots: &Slots, metric: &Metric) -> Result<DataType> {
    let mut slots = slots.clone();
    Ok(family(&mut slots, metric)?.1)
}

/// The fold that a metric is computed from.
pub(crate) fn metric_fold(
    slots: &mut Slots,
    metric: &Metric,
    filter: Option<usize>,
) -> Result<PlannedFold> {
    let (slot, data_type, family) = family(slots, metric)?;
    let columns: Vec<String> = metric.column().map(str::to_owned).into_iter().collect();
    let numbers: Vec<usize> = slot.into_iter().collect();
    let fold: Arc<dyn crate::kernel::Fold> = match family {
        Family::Keys => {
            let key = KeyColumns::new(slots, &columns, false)?;
            Arc::new(KeysFold { key, nulls_equal: false, suspects: None })
        }
        Family::Distinct => {
            Arc::new(DistinctFold { key: KeyColumns::new(slots, &columns, false)? })
        }
        _ => Arc::new(MetricFold { slot, family, data_type }),
    };
    Ok(PlannedFold { fold, filter, slots: numbers })
}
