//! The engine: from data, wherever it is, to a report.
//!
//! A validation opens its data, reads what its rules ask of other tables, compiles the suite, and only
//! then looks at rows: what can be wrong without reading a value is said before one is read. Input and
//! output are the caller's executor's; rows are judged there with one thread, or by threads that are
//! made for the call and joined before it ends.

mod input;
mod pool;
mod profile;
mod progress;
#[cfg_attr(
    not(feature = "files"),
    allow(dead_code, unused_mut, reason = "what is read in parts, and blamed, is files")
)]
mod scan;
mod unread;

#[cfg(feature = "files")]
mod blame;
#[cfg(feature = "files")]
mod groups;
#[cfg(feature = "files")]
mod lines;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use mlops_core::validation::{Data, Options, Report, Suite, Validation, Validator};
use mlops_core::{Error, Result};

use self::input::Input;
use self::scan::{How, Scanned, Sizes};
use crate::custom::RowFunction;
use crate::plan::{Inputs, Plan};
use crate::reference::{Needs, Reference, needs};
use crate::second::needs_two_passes;
use crate::source::SourceFacts;
use crate::state::State;
use crate::stats::Profile;

/// Most failing rows that a report keeps of one check.
const MOST_SAMPLES: usize = 1000;

/// Validates tables in memory, streams and files.
///
/// ```
/// use std::sync::Arc;
///
/// use mlops_core::arrow::array::{Int64Array, RecordBatch};
/// use mlops_core::time::{Clock, SystemClock};
/// use mlops_core::validation::{NotNull, Suite, Validation, Validator, Verdict};
/// use mlops_validate::Engine;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mlops_core::Result<()> {
/// let orders = RecordBatch::try_from_iter([(
///     "order_id",
///     Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as _,
/// )])
/// .unwrap();
/// let suite = Suite::new("orders")?.with(NotNull { column: "order_id".into() });
///
/// let report =
///     Engine::new().validate(&suite, Validation::new(orders, SystemClock.now())).await?;
/// assert_eq!(report.verdict, Verdict::Failed);
/// assert_eq!(report.outcomes[0].samples[0].row, Some(1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Engine {
    #[cfg(feature = "files")]
    stores: crate::files::Stores,
    functions: BTreeMap<String, Arc<dyn RowFunction>>,
    schema: Option<SchemaRef>,
}

impl Engine {
    /// An engine that reads local files, and what `object_store` was compiled for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads and writes URLs that begin with `prefix` in `store`; the rest of the URL is the path there.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use mlops_validate::Engine;
    /// let store = Arc::new(object_store::memory::InMemory::new());
    /// let engine = Engine::new().with_store("memory://lake/", store);
    /// # let _ = engine;
    /// ```
    #[cfg(feature = "files")]
    pub fn with_store(
        mut self,
        prefix: impl Into<String>,
        store: Arc<dyn object_store::ObjectStore>,
    ) -> Self {
        self.stores.add(prefix.into(), store);
        self
    }

    /// Gives `custom` rules the function of this name.
    pub fn with_function(
        mut self,
        name: impl Into<String>,
        function: Arc<dyn RowFunction>,
    ) -> Self {
        self.functions.insert(name.into(), function);
        self
    }

    /// Says the types of CSV and JSON files, which otherwise come from the first 10,000 rows.
    pub fn with_schema(mut self, schema: SchemaRef) -> Self {
        self.schema = Some(schema);
        self
    }

    #[cfg_attr(
        not(feature = "files"),
        allow(clippy::unused_async, reason = "files are waited for")
    )]
    async fn open(&self, data: Data, tolerant: bool) -> Result<(Input, Option<SourceFacts>)> {
        match data {
            Data::Batches(schema, batches) => Ok((Input::Batches(schema, batches), None)),
            Data::Stream(schema, stream) => Ok((Input::Stream(schema, Some(stream)), None)),
            #[cfg(feature = "files")]
            Data::Files(urls, format) => {
                let given = self.schema.as_ref();
                let opened =
                    crate::files::open(&self.stores, &urls, format, given, tolerant).await?;
                let input = match opened.table {
                    Some(table) => Input::Files(table),
                    None => Input::Nothing,
                };
                Ok((input, Some(opened.source)))
            }
            other => {
                let _ = tolerant;
                Err(Error::new(
                    mlops_core::ErrorKind::Unsupported,
                    "validate",
                    "data of this kind cannot be read",
                )
                .with("data", format!("{other:?}"))
                .with_hint("the feature `files` of mlops-validate reads files"))
            }
        }
    }

    /// What is known of other tables; their rows are read only if `rows` says so.
    async fn references(
        &self,
        suite: &Suite,
        data: &SchemaRef,
        asked: &mut Asked,
        rows: bool,
    ) -> Result<BTreeMap<String, Reference>> {
        let mut known = BTreeMap::new();
        for (name, needs) in needs(suite) {
            // One that is missing is named with everything else that is wrong with the suite.
            let Some(table) = asked.references.remove(&name) else { continue };
            let (now, options) = (asked.now, &asked.options);
            let read = self.reference(&needs, table, data, now, rows.then_some(options)).await;
            known.insert(name.clone(), read.map_err(|error| error.with("reference", &name))?);
        }
        Ok(known)
    }

    async fn reference(
        &self,
        needs: &Needs,
        table: Data,
        data: &SchemaRef,
        now: mlops_core::time::Instant,
        options: Option<&Options>,
    ) -> Result<Reference> {
        let (mut input, _) = self.open(table, false).await?;
        let plan = needs.plan(input.schema(), data, now)?;
        let state = match options {
            Some(options) if !needs.only_schema() => {
                scan::scan(&plan, &mut input, How::whole(options)).await?.state
            }
            _ => plan.start(),
        };
        needs.finish(state)
    }

    /// Opens everything, and compiles.
    async fn prepare(&self, suite: &Suite, asked: &mut Asked, rows: bool) -> Result<Prepared> {
        suite.check()?;
        if asked.options.samples > MOST_SAMPLES {
            return Err(Error::invalid("validate", "too many samples are asked for")
                .with("samples", asked.options.samples)
                .with("at most", MOST_SAMPLES));
        }
        let data = asked.data.take().unwrap_or_else(|| Data::files([""; 0]));
        if asked.options.quarantine.is_some() {
            scan::check_quarantine(suite, &data)?;
            #[cfg(feature = "files")]
            self.check_overwriting(&data, asked)?;
        }
        let (input, source) = self.open(data, unread::asks_for_source(suite)).await?;
        let references = self.references(suite, input.schema(), asked, rows).await?;
        let mut inputs = Inputs::new(asked.now);
        inputs.references = references;
        inputs.profiles = profiles(std::mem::take(&mut asked.profiles))?;
        inputs.history = std::mem::take(&mut asked.history);
        inputs.parameters = std::mem::take(&mut asked.parameters);
        inputs.functions = self.functions.clone();
        inputs.source = source;
        inputs.samples = asked.options.samples;
        inputs.redaction = asked.options.redaction.clone();
        let suite = match input {
            Input::Nothing => &unread::source_only(suite),
            _ => suite,
        };
        let plan = Plan::new(suite, input.schema(), &inputs)?;
        if needs_two_passes(&plan) && matches!(input, Input::Stream(..)) {
            return Err(Error::invalid(
                "validate",
                "uniqueness in two passes needs data that can be read twice, and a stream cannot",
            )
            .with_hint("let `unique` remember its keys, or write the stream to files first"));
        }
        Ok(Prepared { plan, input })
    }

    /// The quarantine must not take the place of what is read.
    #[cfg(feature = "files")]
    fn check_overwriting(&self, data: &Data, asked: &Asked) -> Result<()> {
        let Some(quarantine) = &asked.options.quarantine else { return Ok(()) };
        let target = self.stores.place(quarantine)?;
        for read in std::iter::once(data).chain(asked.references.values()) {
            let Data::Files(urls, _) = read else { continue };
            for url in urls {
                let source = self.stores.place(url)?;
                let same_store = source.store.to_string() == target.store.to_string();
                let inside = source.is_folder && target.path.prefix_matches(&source.path);
                if same_store && (inside || source.path == target.path) {
                    return Err(Error::invalid(
                        "validate",
                        "the quarantine would overwrite what is read",
                    )
                    .with("quarantine", quarantine)
                    .with("read", url)
                    .with_hint("write failing rows to a place of their own"));
                }
            }
        }
        Ok(())
    }

    /// Scans the data, and what has to be scanned again.
    async fn run(&self, prepared: Prepared, options: &Options) -> Result<(State, Option<Sizes>)> {
        let Prepared { plan, mut input } = prepared;
        #[cfg(feature = "files")]
        if let Some(url) = &options.quarantine {
            let place = self.stores.place(url)?;
            return blame::scan(&plan, &mut input, options, place).await;
        }
        let how = How { told: true, ..How::whole(options) };
        let Scanned { state, sizes, .. } = scan::scan(&plan, &mut input, how).await?;
        Ok((scan::look_again(state, &mut input, options).await?, sizes))
    }
}

#[async_trait]
impl Validator for Engine {
    async fn validate(&self, suite: &Suite, validation: Validation) -> Result<Report> {
        let began = Stopwatch::now();
        #[cfg(not(feature = "files"))]
        if validation.options.quarantine.is_some() {
            return Err(Error::new(
                mlops_core::ErrorKind::Unsupported,
                "validate",
                "failing rows cannot be written",
            )
            .with_hint("the feature `files` of mlops-validate writes them"));
        }
        let mut asked = Asked::new(validation);
        let prepared = self.prepare(suite, &mut asked, true).await?;
        let unread = matches!(prepared.input, Input::Nothing);
        let (state, sizes) = self.run(prepared, &asked.options).await?;
        let mut report = state.conclude(began.elapsed());
        if unread {
            unread::add_unjudged(&mut report, suite);
        }
        report.data = asked.name;
        report.data_digest = asked.digest;
        report.bytes = sizes.map(Sizes::finish);
        report.nanos = began.elapsed().as_nanos() as u64;
        Ok(report)
    }

    async fn check(&self, suite: &Suite, validation: Validation) -> Result<()> {
        let mut asked = Asked::new(validation);
        self.prepare(suite, &mut asked, false).await.map(drop)
    }
}

/// A suite compiled for data that is open.
struct Prepared {
    plan: Plan,
    input: Input,
}

/// What is asked for, of which parts are taken one after the other.
struct Asked {
    data: Option<Data>,
    name: Option<String>,
    digest: Option<mlops_core::Key>,
    references: BTreeMap<String, Data>,
    profiles: BTreeMap<String, serde_json::Value>,
    history: mlops_core::validation::History,
    parameters: BTreeMap<String, mlops_core::validation::Literal>,
    now: mlops_core::time::Instant,
    options: Options,
}

impl Asked {
    fn new(validation: Validation) -> Self {
        let Validation {
            data,
            name,
            digest,
            references,
            profiles,
            history,
            parameters,
            now,
            options,
            ..
        } = validation;
        let name = name.or_else(|| match &data {
            Data::Files(urls, _) => urls.first().map(|url| shown(url)),
            _ => None,
        });
        let data = Some(data);
        Self { data, name, digest, references, profiles, history, parameters, now, options }
    }
}

/// A URL without what may be a secret in it.
fn shown(url: &str) -> String {
    #[cfg(feature = "files")]
    return crate::files::shown(url);
    #[cfg(not(feature = "files"))]
    url.to_owned()
}

fn profiles(profiles: BTreeMap<String, serde_json::Value>) -> Result<BTreeMap<String, Profile>> {
    profiles
        .into_iter()
        .map(|(name, profile)| match serde_json::from_value(profile) {
            Ok(profile) => Ok((name, profile)),
            Err(source) => Err(Error::invalid("validate", "not a profile of data")
                .with("profile", name)
                .with_source(source)),
        })
        .collect()
}
