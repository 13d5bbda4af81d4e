//! A suite compiled for a schema.
//!
//! Everything that can be wrong with a suite for this data is found here, before a value is read. A
//! [`Plan`] is immutable and cheap to clone; threads share it, each with a [`State`] of its own.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use mlops_core::Result;
use mlops_core::time::Instant;
use mlops_core::tracking::Digest;
use mlops_core::validation::{
    Basis, Evidence, History, Literal, NullPolicy, Redaction, Report, Severity, Status, Suite,
    Verdict,
};

use crate::compile;
use crate::custom::RowFunction;
use crate::expression::Condition;
use crate::kernel::{Finding, Fold, RowRule};
use crate::memory::Memory;
use crate::reference::Reference;
use crate::slots::Slots;
use crate::source::SourceFacts;
use crate::state::{Spare, State};
use crate::stats::Profile;
use crate::tally::SampleColumn;

/// What rules may ask for besides the data.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inputs {
    /// What is known of other tables, by the names that rules call them.
    pub references: BTreeMap<String, Reference>,
    /// Profiles of good data.
    pub profiles: BTreeMap<String, Profile>,
    /// What earlier runs measured.
    pub history: History,
    /// Values of `:name` in SQL expressions.
    pub parameters: BTreeMap<String, Literal>,
    /// Functions of `custom` rules.
    pub functions: BTreeMap<String, Arc<dyn RowFunction>>,
    /// What the store says of the files, if the data is files.
    pub source: Option<SourceFacts>,
    /// What ages are counted from.
    pub now: Instant,
    /// Failing rows that are kept for each check.
    pub samples: usize,
    /// Which values the report may show.
    pub redaction: Redaction,
}

impl Inputs {
    /// A digest of what decides besides suite and data, the instant apart.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let references: Vec<(&String, u64)> =
            self.references.iter().map(|(name, reference)| (name, reference.rows())).collect();
        let profiles: Vec<(&String, String)> =
            self.profiles.iter().map(|(name, profile)| (name, profile.to_json())).collect();
        let all = (references, profiles, &self.history, &self.parameters);
        let json = serde_json::to_vec(&all).unwrap_or_default();
        *blake3::hash(&json).as_bytes()
    }

    /// Nothing, at `now`; five samples a check.
    pub fn new(now: Instant) -> Self {
        Self {
            references: BTreeMap::new(),
            profiles: BTreeMap::new(),
            history: History::default(),
            parameters: BTreeMap::new(),
            functions: BTreeMap::new(),
            source: None,
            now,
            samples: 5,
            redaction: Redaction::None,
        }
    }
}

/// A suite compiled for a schema.
#[derive(Debug, Clone)]
pub struct Plan(pub(crate) Arc<Compiled>);

/// What a plan is made of.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) suite: Suite,
    pub(crate) suite_digest: Digest,
    /// Of what the rules asked for besides the data.
    pub(crate) inputs_digest: [u8; 32],
    pub(crate) now: Instant,
    pub(crate) slots: Slots,
    pub(crate) filters: Vec<Condition>,
    pub(crate) folds: Vec<PlannedFold>,
    pub(crate) checks: Vec<PlannedCheck>,
    pub(crate) samples: usize,
    pub(crate) spare: Spare,
}

/// A fold, and the rows that go in.
#[derive(Debug)]
pub(crate) struct PlannedFold {
    pub(crate) fold: Arc<dyn Fold>,
    pub(crate) filter: Option<usize>,
    pub(crate) slots: Vec<usize>,
}

/// A check.
#[derive(Debug)]
pub(crate) struct PlannedCheck {
    pub(crate) name: String,
    pub(crate) expected: String,
    pub(crate) columns: Vec<String>,
    pub(crate) filter: Option<usize>,
    /// Slots whose values may not be shown.
    pub(crate) redacted: Vec<usize>,
    /// Whether what it observes is a value that may not be shown.
    pub(crate) hides_value: bool,
    pub(crate) body: Body,
}

impl PlannedCheck {
    /// The same check, decided.
    pub(crate) fn without_body(&self) -> Self {
        Self {
            name: self.name.clone(),
            expected: self.expected.clone(),
            columns: self.columns.clone(),
            filter: self.filter,
            redacted: self.redacted.clone(),
            hides_value: self.hides_value,
            body: Body::Fixed(Finding::plain(Status::Vacuous), Basis::Values),
        }
    }
}

/// How a check is carried out.
#[derive(Debug)]
pub(crate) enum Body {
    /// Row by row.
    Rows {
        rule: Arc<dyn RowRule>,
        nulls: NullPolicy,
        slots: Vec<usize>,
        samples: Vec<SampleColumn>,
    },
    /// From what folds remember.
    Folds { folds: Vec<usize>, conclude: Box<dyn Conclude> },
    /// It is known already.
    Fixed(Finding, Basis),
}

/// What a check makes of memories.
pub(crate) trait Conclude: Debug + Send + Sync {
    /// Whether rows are to be blamed for what it finds, in a second pass.
    fn blames_rows(&self) -> bool {
        false
    }

    /// Says what was found.
    fn conclude(&self, seen: &Seen<'_>) -> Finding;
}

/// What a check may look at in the end.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// The memories of the check's folds, in their order.
    pub(crate) memories: Vec<&'a Memory>,
    /// Rows that the check's filter let in.
    pub(crate) rows: u64,
    /// Where metrics for the history are noted.
    pub(crate) metrics: &'a std::cell::RefCell<BTreeMap<String, f64>>,
    /// Failing keys that are kept.
    pub(crate) samples: usize,
    /// The check's filter.
    pub(crate) filter: Option<&'a str>,
}

impl Seen<'_> {
    /// Notes a metric for the history.
    pub(crate) fn note(&self, metric: &str, value: f64) {
        self.metrics.borrow_mut().insert(noted(metric, self.filter), value);
    }
}

/// The name of a metric in the history: of some rows, it is not that of all.
pub(crate) fn noted(metric: &str, filter: Option<&str>) -> String {
    filter.map_or_else(|| metric.to_owned(), |filter| format!("{metric} where {filter}"))
}

impl Plan {
    /// Compiles a suite for data of this schema.
    ///
    /// # Errors
    /// `Invalid`, naming the check and what is wrong: a column that is not there, a rule that cannot
    /// judge the column's type, a bound that the type cannot have, an expression that does not parse or
    /// type-check, a pattern that is no regular expression, a reference, profile or function that was
    /// not handed in. All faults are named, not only the first.
    pub fn new(suite: &Suite, schema: &Schema, inputs: &Inputs) -> Result<Self> {
        compile::compile(suite, &Arc::new(schema.clone()), inputs)
    }

    /// The schema of the data.
    pub fn schema(&self) -> &SchemaRef {
        self.0.slots.schema()
    }

    /// The suite.
    pub fn suite(&self) -> &Suite {
        &self.0.suite
    }

    /// Which columns of the schema the suite looks at.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> =
            (0..self.0.slots.len()).map(|slot| self.0.slots.column(slot)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// A state that has seen nothing; the first row will be number 0.
    pub fn start(&self) -> State {
        State::new(self.clone(), 0)
    }

    /// A state that has seen nothing; the first row will be of this number, in a part of a whole.
    pub fn start_at(&self, first_row: u64) -> State {
        State::new(self.clone(), first_row)
    }

    /// Validates one batch: of a million rows, or of one.
    ///
    /// # Errors
    /// `Invalid` if the batch is of another schema.
    pub fn validate(&self, batch: &RecordBatch) -> Result<Report> {
        let mut state = self.start();
        state.update(batch)?;
        state.look_again(std::slice::from_ref(batch), 0)?;
        state.report()
    }
}

impl Plan {
    /// Whether one batch is fit to use: the verdict of [`Plan::validate`], without the report.
    ///
    /// For a row at serving time, which is judged in some microseconds; [`Plan::split`] says which
    /// checks a bad row fails.
    ///
    /// ```
    /// use mlops_core::time::{Clock, SystemClock};
    /// use mlops_core::validation::{Suite, Verdict};
    /// use mlops_validate::checks::range;
    /// use mlops_validate::{Inputs, Plan, batch};
    ///
    /// let request = batch!(("age", Int64, [171]));
    /// let suite = Suite::new("request")?.with(range("age").min(0).max(150));
    /// let plan = Plan::new(&suite, &request.schema(), &Inputs::new(SystemClock.now()))?;
    /// assert_eq!(plan.verdict(&request)?, Verdict::Failed);
    /// # Ok::<_, mlops_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` if the batch is of another schema.
    pub fn verdict(&self, batch: &RecordBatch) -> Result<Verdict> {
        let mut state = self.start();
        state.update(batch)?;
        if let Some(plan) = state.refining()? {
            let mut refined = plan.start();
            refined.update(batch)?;
            state.refined(refined);
        }
        Ok(state.verdict())
    }
}

impl Compiled {
    pub(crate) fn severity(&self, check: usize) -> Severity {
        self.suite.checks[check].severity
    }
}

/// What a verdict rests on, from how many of the rows statistics decided.
pub(crate) fn evidence(by_statistics: u64, rows: u64) -> Evidence {
    let basis = match by_statistics {
        0 => Basis::Values,
        all if all >= rows => Basis::Statistics,
        _ => Basis::StatisticsAndValues,
    };
    Evidence { basis, rows_by_statistics: by_statistics }
}
