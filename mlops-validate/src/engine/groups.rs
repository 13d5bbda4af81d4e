//! A Parquet file: what its statistics decide is not read.
//!
//! In this order: the footer may decide a check for a row group; where text lies in a short dictionary,
//! the dictionary's page may; what is still open is judged by its values, of which only the columns
//! that open checks look at are fetched and decoded.

use std::ops::Range;
use std::sync::Arc;

use mlops_core::Result;
use mlops_core::validation::Rule;

use super::scan::{Crew, How, Sizes};
use crate::files::facts::{Statistics, Wanted};
use crate::files::{Encodings, Group, ParquetFile, dictionary, of_store};
use crate::kernel::{CHUNK, ColumnFacts, Facts};
use crate::plan::{Body, Plan};
use crate::state::{State, Todo};

/// What goes along through the files of a pass.
pub(super) struct Pass<'a> {
    pub(super) crew: &'a mut Crew,
    pub(super) sizes: &'a mut Sizes,
    pub(super) how: &'a How<'a>,
}

impl Pass<'_> {
    /// Judges the rows of a file, the first of which has number `first_row` and is in row group number
    /// `first_unit` of all files; tells the number after the last.
    pub(super) async fn file(
        &mut self,
        file: &Arc<ParquetFile>,
        first_row: u64,
        first_unit: usize,
    ) -> Result<u64> {
        let plan = self.crew.plan.clone();
        let free = free_columns(&plan);
        let everything = columns(&plan, &Todo::all(&plan));
        let mut asker = self.how.options.statistics.then(|| Asker::new(&plan, file));
        let mut encodings = Encodings::default();
        let mut row = first_row;
        for number in 0..file.metadata().num_row_groups() {
            let rows = file.group_rows(number);
            let group_row = row;
            row += rows;
            if rows == 0 {
                continue;
            }
            let arrow = encodings.of(file, number, &free);
            self.sizes.needed +=
                Group::new(Arc::clone(file), arrow.clone(), number, &everything).bytes();
            let todo = match &mut asker {
                Some(asker) => {
                    let (facts, bytes) = asker.facts(file, number, self.how.need_rows).await?;
                    self.sizes.read += bytes;
                    let facts = Facts { rows, columns: &facts };
                    self.crew.decided.decide(&facts, self.how.need_rows)
                }
                None => Todo::all(&plan),
            };
            if todo.is_nothing() {
                self.crew.decided.skip(rows);
                self.crew.meter.add(rows);
                continue;
            }
            let mut group = Group::new(Arc::clone(file), arrow, number, &columns(&plan, &todo));
            self.sizes.read += group.bytes();
            group.fetch().await?;
            let batches = move || group.read(CHUNK);
            self.crew.judge(first_unit + number, group_row, todo, batches).await?;
            if self.crew.ended {
                break;
            }
        }
        Ok(row)
    }
}

/// Asks a file for facts.
struct Asker {
    plan: Plan,
    statistics: Statistics,
    /// Says what would still be open; what it counts is of no use.
    probe: State,
    /// By slot: whether the values in a dictionary could decide something.
    by_values: Vec<bool>,
}

impl Asker {
    fn new(plan: &Plan, file: &ParquetFile) -> Self {
        let slots = &plan.0.slots;
        let wanted: Vec<Wanted> = (0..slots.len())
            .map(|slot| {
                let column = slots.column(slot);
                Wanted {
                    column,
                    fields: fields(slots.path(slot), slots.schema().field(column).name()),
                    data_type: slots.data_type(slot).clone(),
                }
            })
            .collect();
        let by_values = (0..slots.len())
            .map(|slot| slots.is_whole(slot) && dictionary::is_text(slots.data_type(slot)))
            .collect();
        let statistics = Statistics::new(file, &wanted);
        Self { plan: plan.clone(), statistics, probe: plan.start(), by_values }
    }

    /// What the footer, and perhaps dictionaries, say of a row group; and how many bytes of values
    /// were read for it.
    async fn facts(
        &mut self,
        file: &ParquetFile,
        group: usize,
        need_rows: bool,
    ) -> Result<(Vec<ColumnFacts>, u64)> {
        let mut facts = self.statistics.of(file, group);
        let slots: Vec<(usize, usize, Range<u64>)> = (0..facts.len())
            .filter(|slot| self.by_values[*slot] && facts[*slot].nulls.is_some())
            .filter_map(|slot| {
                let leaf = self.statistics.leaf(slot)?;
                Some((slot, leaf, dictionary::range(file, group, leaf)?))
            })
            .collect();
        if slots.is_empty() {
            return Ok((facts, 0));
        }
        let rows = file.group_rows(group);
        let todo = self.probe.decide(&Facts { rows, columns: &facts }, need_rows);
        let slots: Vec<_> = slots
            .into_iter()
            .filter(|(slot, ..)| only_values_are_open(&self.plan, &todo, *slot))
            .collect();
        if slots.is_empty() {
            return Ok((facts, 0));
        }
        let ranges: Vec<Range<u64>> = slots.iter().map(|(.., range)| range.clone()).collect();
        let fetched = file.place.store.get_ranges(&file.place.path, &ranges).await;
        let fetched = fetched.map_err(|error| of_store(&file.place.url, error))?;
        let mut read = 0;
        for ((slot, leaf, range), bytes) in slots.into_iter().zip(fetched) {
            read += bytes.len() as u64;
            facts[slot].values = dictionary::values(file, group, leaf, &range, bytes);
        }
        Ok((facts, read))
    }
}

/// The names of fields in a path that begins with a column's name; none for what is in a list, which
/// no leaf alone tells of.
fn fields(path: &str, column: &str) -> Vec<String> {
    match path.strip_prefix(column) {
        Some(rest) => rest.split('.').skip(1).map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

/// Whether every check that is open and looks at a slot's column is about single values, so that a
/// dictionary may spare its reading.
fn only_values_are_open(plan: &Plan, todo: &Todo, slot: usize) -> bool {
    let column = plan.0.slots.column(slot);
    let looks = |slots: &[usize]| slots.iter().any(|slot| plan.0.slots.column(*slot) == column);
    let mut any = false;
    for (number, check) in plan.0.checks.iter().enumerate() {
        let Body::Rows { slots, .. } = &check.body else { continue };
        let of_filter = check.filter.map_or(&[][..], |filter| plan.0.filters[filter].slots());
        if !todo.checks[number] || !(looks(slots) || looks(of_filter)) {
            continue;
        }
        if check.filter.is_some() || !is_about_values(&plan.0.suite.checks[number].rule) {
            return false;
        }
        any = true;
    }
    let folds = plan.0.folds.iter().zip(&todo.folds);
    let of_filter = |filter: Option<usize>| {
        filter.map_or(&[][..], |filter: usize| plan.0.filters[filter].slots())
    };
    any && !folds
        .into_iter()
        .any(|(fold, open)| *open && (looks(&fold.slots) || looks(of_filter(fold.filter))))
}

/// Whether a rule judges single values, whatever their encoding.
fn is_about_values(rule: &Rule) -> bool {
    matches!(
        rule,
        Rule::Range(_)
            | Rule::InSet(_)
            | Rule::NotInSet(_)
            | Rule::Matches(_)
            | Rule::NotMatches(_)
            | Rule::HasFormat(_)
            | Rule::Length(_)
    )
}

/// Columns of which every look is at single values or nulls, so that they may come in any encoding.
fn free_columns(plan: &Plan) -> Vec<bool> {
    let slots = &plan.0.slots;
    let mut free = vec![true; slots.schema().fields().len()];
    for slot in 0..slots.len() {
        if !slots.is_whole(slot) {
            free[slots.column(slot)] = false;
        }
    }
    let mut bind = |numbers: &[usize]| {
        for slot in numbers {
            free[slots.column(*slot)] = false;
        }
    };
    for (check, asked) in plan.0.checks.iter().zip(&plan.0.suite.checks) {
        if let Body::Rows { slots, .. } = &check.body
            && !is_about_values(&asked.rule)
            && !matches!(asked.rule, Rule::NotNull(_) | Rule::IsNull(_))
        {
            bind(slots);
        }
    }
    for fold in &plan.0.folds {
        bind(&fold.slots);
    }
    for filter in &plan.0.filters {
        bind(filter.slots());
    }
    free
}

/// The columns that open checks look at.
fn columns(plan: &Plan, todo: &Todo) -> Vec<bool> {
    let slots = &plan.0.slots;
    let mut wanted = vec![false; slots.schema().fields().len()];
    for (slot, open) in todo.slots(plan).into_iter().enumerate() {
        wanted[slots.column(slot)] |= open;
    }
    wanted
}
