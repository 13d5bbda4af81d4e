//! Searching runs: which plan, and one page of it.
//!
//! Ordering by a metric's last value within one experiment walks the index `(experiment, key, last)`
//! from its end and stops after a page; runs without a value (or with NaN) come last, and are a
//! second query that is asked only if the page is not full. Everything else is filtered and sorted.
//!
//! Terms like `params.lr = '0.1'` that every match must fulfil become joins along the primary key
//! `(run, key)`: the same answer as an expression, at half the price.

use mlops_core::filter::{Aggregate, Comparison, Field, Filter, Literal, OrderBy};
use mlops_core::tracking::{Page, Run, RunQuery};
use mlops_core::{ExperimentId, RunId};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use super::fail::{Fail, Outcome};
use super::names::{self, Names};
use super::page::{Cursor, OrderValue, RunPosition};
use super::runs;
use super::search::{Sql, requires_metric};

const OP: &str = "tracker.search_runs";

pub(super) fn search(sql: &Connection, query: &RunQuery) -> Outcome<Page<Run>> {
    let limit = query.page_limit()?;
    let identity = format!(
        "runs {:?} {:?} {:?} {:?}",
        query.experiments, query.filter, query.order_by, query.view
    );
    let after = Cursor::open(query.page.as_ref(), &identity, OP)?.and_then(Cursor::run);
    let newest = match &after {
        Some(after) => after.newest,
        None => newest(sql)?,
    };
    let experiments = experiments(sql, query)?;
    let mut hits = match Terms::split(sql, &query.filter)? {
        None => Vec::new(),
        Some(terms) => Search { sql, query, terms, experiments, after, newest }.hits(limit + 1)?,
    };
    let more = hits.len() > limit;
    hits.truncate(limit);
    let next = match hits.last() {
        Some(last) if more => {
            let position = RunPosition {
                newest,
                values: last.values.clone(),
                started: last.started,
                id: last.id,
            };
            Some(Cursor::after_run(position).close(&identity))
        }
        _ => None,
    };
    let mut names = Names::default();
    let items =
        hits.iter().map(|hit| runs::load_row(sql, hit.row, &mut names)).collect::<Outcome<_>>()?;
    Ok(Page { items, next })
}

pub(super) fn count(sql: &Connection, query: &RunQuery) -> Outcome<u64> {
    let experiments = experiments(sql, query)?;
    let Some(terms) = Terms::split(sql, &query.filter)? else { return Ok(0) };
    let mut text = Sql::new(sql, "r");
    text.push("SELECT count(*) FROM runs r");
    terms.join(&mut text);
    text.push(" WHERE ").view(query.view);
    within(&mut text, experiments.as_deref());
    text.push(" AND ");
    terms.filter(&mut text)?;
    let counts = text.query(|row| Ok(row.get::<_, i64>(0)?))?;
    Ok(counts.first().copied().unwrap_or(0) as u64)
}

/// The parts of a filter that must all be true.
struct Terms<'a> {
    /// Params and tags that must have a value: table, key, value.
    equal: Vec<(&'static str, i64, &'a str)>,
    /// Everything else.
    rest: Vec<&'a Filter>,
}

impl<'a> Terms<'a> {
    /// `None` if nothing can match, because no run ever had one of the keys.
    fn split(sql: &Connection, filter: &'a Filter) -> Outcome<Option<Self>> {
        let parts = match filter {
            Filter::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut terms = Self { equal: Vec::new(), rest: Vec::new() };
        for part in parts {
            let (table, name, value) = match part {
                Filter::Term(Field::Param(name), Comparison::Eq(Literal::Text(value))) => {
                    ("params", name, value)
                }
                Filter::Term(Field::Tag(name), Comparison::Eq(Literal::Text(value))) => {
                    ("tags", name, value)
                }
                other => {
                    terms.rest.push(other);
                    continue;
                }
            };
            match names::find(sql, name)? {
                Some(key) => terms.equal.push((table, key, value)),
                None => return Ok(None),
            }
        }
        Ok(Some(terms))
    }

    /// Adds the joins; the loops stay in the order written (`CROSS JOIN`).
    fn join(&self, text: &mut Sql<'_>) {
        let run = text.run_id();
        for (i, (table, key, value)) in self.equal.iter().enumerate() {
            text.push(&format!(" CROSS JOIN {table} j{i} ON j{i}.run = {run} AND j{i}.key = "));
            text.bind(*key).push(&format!(" AND j{i}.value = ")).bind((*value).to_owned());
        }
    }

    fn filter(&self, text: &mut Sql<'_>) -> Outcome<()> {
        text.push("1");
        for part in &self.rest {
            text.push(" AND ").filter(part)?;
        }
        Ok(())
    }
}

struct Search<'a> {
    sql: &'a Connection,
    query: &'a RunQuery,
    terms: Terms<'a>,
    /// Row numbers; `None` means all experiments.
    experiments: Option<Vec<i64>>,
    after: Option<RunPosition>,
    newest: i64,
}

struct Hit {
    row: i64,
    id: RunId,
    started: i64,
    values: Vec<OrderValue>,
}

impl Search<'_> {
    fn hits(&self, limit: usize) -> Outcome<Vec<Hit>> {
        let Some((experiment, key, name)) = self.walk()? else {
            return self.sorted(limit, None);
        };
        let mut hits = Vec::new();
        let at_end =
            self.after.as_ref().and_then(|a| a.values.first()) == Some(&OrderValue::Missing);
        if !at_end {
            hits = self.walked(limit, experiment, key)?;
        }
        if hits.len() < limit && !requires_metric(&self.query.filter, name) {
            hits.extend(self.sorted(limit - hits.len(), Some(&self.query.order_by[0].field))?);
        }
        Ok(hits)
    }

    /// The experiment, key and name of the index to walk, if the order asks for one.
    fn walk(&self) -> Outcome<Option<(i64, i64, &str)>> {
        let Some([experiment]) = self.experiments.as_deref() else { return Ok(None) };
        let Some(OrderBy { field: Field::Metric(Aggregate::Last, name), .. }) =
            self.query.order_by.first()
        else {
            return Ok(None);
        };
        Ok(names::find(self.sql, name)?.map(|key| (*experiment, key, name.as_str())))
    }

    /// Runs that have the metric, along its index.
    fn walked(&self, limit: usize, experiment: i64, key: i64) -> Outcome<Vec<Hit>> {
        let mut text = Sql::new(self.sql, "r");
        text.join(key);
        text.push("SELECT r.id, r.uid, r.started");
        self.values(&mut text)?;
        // CROSS JOIN keeps SQLite from turning the loops around.
        text.push(" FROM summaries o");
        self.terms.join(&mut text);
        text.push(" CROSS JOIN runs r ON r.id = o.run WHERE o.experiment = ");
        text.bind(experiment).push(" AND o.key = ").bind(key).push(" AND o.last IS NOT NULL");
        if let Some(after) = &self.after {
            // Implied by the position, but an index can use it.
            let operator = if self.query.order_by[0].descending { "<=" } else { ">=" };
            text.push(" AND o.last ").push(operator).push(" ");
            text.bind(after.values.first().map_or(Value::Null, OrderValue::sql));
        }
        text.push(" AND ");
        self.conditions(&mut text)?;
        self.order(&mut text, true)?;
        text.push(" LIMIT ").bind(limit as i64);
        text.query(|row| self.hit(row))
    }

    /// Runs in order by sorting; only those without a value of `missing`, if given.
    fn sorted(&self, limit: usize, missing: Option<&Field>) -> Outcome<Vec<Hit>> {
        let mut text = Sql::new(self.sql, "r");
        text.push("SELECT r.id, r.uid, r.started");
        self.values(&mut text)?;
        text.push(" FROM runs r");
        self.terms.join(&mut text);
        text.push(" WHERE ");
        if let Some(field) = missing {
            text.push("(").order_value(field)?.push(") IS NULL AND ");
        }
        self.conditions(&mut text)?;
        within(&mut text, self.experiments.as_deref());
        self.order(&mut text, false)?;
        text.push(" LIMIT ").bind(limit as i64);
        text.query(|row| self.hit(row))
    }

    fn values(&self, text: &mut Sql<'_>) -> Outcome<()> {
        for order in &self.query.order_by {
            text.push(", ").order_value(&order.field)?;
        }
        Ok(())
    }

    fn conditions(&self, text: &mut Sql<'_>) -> Outcome<()> {
        let run = text.run_id();
        text.view(self.query.view).push(" AND ").push(run).push(" <= ").bind(self.newest);
        text.push(" AND ");
        self.terms.filter(text)?;
        let Some(after) = &self.after else { return Ok(()) };
        text.push(" AND (");
        // Later in the first key, or equal in it and later in the second, and so on.
        for (i, order) in self.query.order_by.iter().enumerate() {
            let value = after.values.get(i).unwrap_or(&OrderValue::Missing);
            text.push("(");
            self.equal_up_to(text, i, after)?;
            if *value == OrderValue::Missing {
                text.push("0");
            } else {
                let operator = if order.descending { "<" } else { ">" };
                text.push("(").order_value(&order.field)?.push(operator).bind(value.sql());
                text.push(" OR (").order_value(&order.field)?.push(") IS NULL)");
            }
            text.push(") OR ");
        }
        text.push("(");
        self.equal_up_to(text, self.query.order_by.len(), after)?;
        text.push("(r.started, r.uid) < (").bind(after.started).push(", ");
        text.bind(after.id.as_bytes().to_vec()).push(")))");
        Ok(())
    }

    fn equal_up_to(&self, text: &mut Sql<'_>, end: usize, after: &RunPosition) -> Outcome<()> {
        for (order, value) in self.query.order_by[..end].iter().zip(&after.values) {
            text.push("(").order_value(&order.field)?.push(") IS ").bind(value.sql());
            text.push(" AND ");
        }
        Ok(())
    }

    /// What is missing comes last; where it cannot be (`walked`), saying so would cost the index.
    fn order(&self, text: &mut Sql<'_>, walked: bool) -> Outcome<()> {
        text.push(" ORDER BY ");
        for (i, order) in self.query.order_by.iter().enumerate() {
            if !(walked && i == 0) {
                text.push("(").order_value(&order.field)?.push(") IS NULL, ");
            }
            text.order_value(&order.field)?;
            text.push(if order.descending { " DESC, " } else { ", " });
        }
        text.push("r.started DESC, r.uid DESC");
        Ok(())
    }

    fn hit(&self, row: &Row<'_>) -> Outcome<Hit> {
        let values = (0..self.query.order_by.len())
            .map(|i| Ok(row.get::<_, Value>(3 + i)?.into()))
            .collect::<Outcome<_>>()?;
        Ok(Hit {
            row: row.get(0)?,
            id: RunId::from_bytes(row.get(1)?),
            started: row.get(2)?,
            values,
        })
    }
}

fn within(text: &mut Sql<'_>, experiments: Option<&[i64]>) {
    let Some(experiments) = experiments else { return };
    text.push(" AND r.experiment IN (");
    for (i, row) in experiments.iter().enumerate() {
        text.push(if i == 0 { "" } else { ", " }).bind(*row);
    }
    text.push(")");
}

/// The rows of the experiments asked for; unknown ones have no runs. All of them, if there is just
/// one, is that one: so that the plans for one experiment serve the store that has only one.
fn experiments(sql: &Connection, query: &RunQuery) -> Outcome<Option<Vec<i64>>> {
    if query.experiments.is_empty() {
        let mut statement = sql.prepare_cached("SELECT id FROM experiments LIMIT 2")?;
        let rows = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        return Ok((rows.len() == 1).then_some(rows));
    }
    let find = |id: &ExperimentId| -> Outcome<Option<i64>> {
        let mut statement = sql.prepare_cached("SELECT id FROM experiments WHERE uid = ?1")?;
        match statement.query_row([id.as_bytes()], |row| row.get(0)) {
            Ok(row) => Ok(Some(row)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(e) => Err(Fail::Sql(e)),
        }
    };
    let mut rows = Vec::new();
    for id in &query.experiments {
        rows.extend(find(id)?);
    }
    rows.sort_unstable();
    rows.dedup();
    Ok(Some(rows))
}

fn newest(sql: &Connection) -> Outcome<i64> {
    let mut statement = sql.prepare_cached("SELECT coalesce(max(id), 0) FROM runs")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}
