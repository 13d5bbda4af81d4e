//! A state as bytes: partitions are validated where they are, and put together another day.
//!
//! The bytes name the suite's digest and the schema, so that they cannot be taken for another plan's.
//! What is in them are values: keys of uniqueness, first failing rows. They deserve the care that the
//! data does.

use arrow::datatypes::Schema;
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::state::{State, Tallies};

/// What the bytes begin with: the format, and its version.
const MAGIC: &[u8; 8] = b"mlopsvs1";

#[derive(Serialize, Deserialize)]
struct Saved<T> {
    suite: [u8; 32],
    schema: [u8; 32],
    inputs: [u8; 32],
    next_row: u64,
    seen: T,
}

impl State {
    /// The state as bytes, for [`State::from_bytes`] with a plan of the same suite and schema.
    ///
    /// # Errors
    /// `Internal` if it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let saved = Saved {
            suite: self.plan.0.suite_digest.0,
            schema: schema_digest(self.plan.schema()),
            inputs: self.plan.0.inputs_digest,
            next_row: self.next_row,
            seen: &self.seen,
        };
        let body = postcard::to_allocvec(&saved).map_err(|source| {
            Error::new(mlops_core::ErrorKind::Internal, "validate.state", "cannot be written")
                .with_source(source)
        })?;
        Ok([&MAGIC[..], blake3::hash(&body).as_bytes(), &body].concat())
    }

    /// Reads what [`State::to_bytes`] wrote.
    ///
    /// ```
    /// use mlops_validate::batch;
    /// use mlops_core::time::{Clock, SystemClock};
    /// use mlops_core::validation::Suite;
    /// use mlops_validate::checks::unique;
    /// use mlops_validate::{Inputs, Plan, State};
    ///
    /// let monday = batch!(("id", Int64, [1, 2]));
    /// let tuesday = batch!(("id", Int64, [3, 2]));
    /// let suite = Suite::new("orders")?.with(unique(["id"]));
    /// let plan = Plan::new(&suite, &monday.schema(), &Inputs::new(SystemClock.now()))?;
    ///
    /// let mut state = plan.start();
    /// state.update(&monday)?;
    /// let kept = state.to_bytes()?;
    ///
    /// // A day later, in another process.
    /// let monday = State::from_bytes(&plan, &kept)?;
    /// let mut state = plan.start_at(monday.rows());
    /// state.update(&tuesday)?;
    /// let report = monday.merge(state)?.report()?;
    /// assert_eq!((report.rows, report.outcomes[0].counts.failed), (4, 2));
    /// # Ok::<_, mlops_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no state; `Invalid` if they are of another suite or schema.
    pub fn from_bytes(plan: &Plan, bytes: &[u8]) -> Result<Self> {
        let corrupt = |message| Error::corrupt("validate.state", message);
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| corrupt("these bytes are no state of a validation"))?;
        let (_, rest) = rest
            .split_first_chunk::<32>()
            .filter(|(digest, body)| blake3::hash(body) == **digest)
            .ok_or_else(|| corrupt("the state is damaged: its digest is another"))?;
        let saved: Saved<Tallies> = postcard::from_bytes(rest)
            .map_err(|source| corrupt("the state cannot be read").with_source(source))?;
        let other = |what| {
            Error::invalid("validate.state", "the state is of another plan")
                .with("differs", what)
                .with("suite", &plan.0.suite.name)
                .with_hint("states merge if suite, schema and inputs are the same")
        };
        if saved.suite != plan.0.suite_digest.0 {
            return Err(other("suite"));
        }
        if saved.inputs != plan.0.inputs_digest {
            return Err(other("parameters, references, profiles or history"));
        }
        if saved.schema != schema_digest(plan.schema()) {
            return Err(other("schema"));
        }
        let mut fresh = Self::new(plan.clone(), saved.next_row);
        if !saved.seen.has_shape_of(&fresh.seen) {
            return Err(corrupt("the state has other checks than its suite"));
        }
        fresh.seen = saved.seen;
        Ok(fresh)
    }
}

/// Of names and types; nullability and metadata may differ from part to part.
fn schema_digest(schema: &Schema) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for field in schema.fields() {
        hasher.update(&(field.name().len() as u64).to_le_bytes());
        hasher.update(field.name().as_bytes());
        hasher.update(field.data_type().to_string().as_bytes());
        hasher.update(&[0]);
    }
    *hasher.finalize().as_bytes()
}
