//! Searching models and versions: one page, in order.
//!
//! The order asked for is completed by what makes it whole: a model's name; a version's model and
//! number. Pages go on after the values of the last record. Without an order of its own a search walks
//! the names' index and stops after a page; ordered by a metric it walks `(key, value)`, and what has
//! no value, which comes last, is a second query that is asked only if the page is not full.

use mlops_core::filter::{Aggregate, Attribute, Comparison, Field, Filter, OrderBy};
use mlops_core::registry::{Model, ModelQuery, ModelVersion, VersionQuery};
use mlops_core::tracking::{Page, View};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use super::fail::Outcome;
use super::names::{self, Names};
use super::page::{Cursor, OrderValue, RecordPosition};
use super::search::{Sql, requires_metric};
use super::{models, versions};

pub(super) fn models(sql: &Connection, query: &ModelQuery) -> Outcome<Page<Model>> {
    let limit = query.page_limit()?;
    let identity = format!("models {:?} {:?} {:?}", query.filter, query.order_by, query.view);
    let search = Search {
        sql,
        alias: "m",
        from: " FROM models m WHERE ",
        id: "m.id",
        newest: "SELECT coalesce(max(id), 0) FROM models",
        filter: &query.filter,
        order_by: &query.order_by,
        ties: &[Tie { column: "m.name", descending: false }],
        view: query.view,
        model: None,
    };
    let cursor = Cursor::open(query.page.as_ref(), &identity, "registry.search_models")?;
    search.page(limit, &identity, cursor, models::load_row)
}

pub(super) fn versions(sql: &Connection, query: &VersionQuery) -> Outcome<Page<ModelVersion>> {
    let limit = query.page_limit()?;
    let identity = format!(
        "versions {:?} {:?} {:?} {:?}",
        query.model, query.filter, query.order_by, query.view
    );
    let search = Search {
        sql,
        alias: "v",
        // Left to itself SQLite walks all versions and sorts them; `CROSS JOIN` and `+` let it walk the
        // names' index in order, and stop. A filter that an index of versions answers is asked first.
        from: if is_found_by_index(&query.filter) {
            " FROM versions v JOIN models m ON m.id = v.model WHERE "
        } else {
            " FROM models m CROSS JOIN versions v ON v.model = m.id WHERE "
        },
        id: "+v.id",
        newest: "SELECT coalesce(max(id), 0) FROM versions",
        filter: &query.filter,
        order_by: &query.order_by,
        ties: &[
            Tie { column: "m.name", descending: false },
            Tie { column: "v.number", descending: true },
        ],
        view: query.view,
        model: query.model.as_deref(),
    };
    let cursor = Cursor::open(query.page.as_ref(), &identity, "registry.search_versions")?;
    search.page(limit, &identity, cursor, versions::load_row)
}

/// Whether every match has one source run, or one digest, which indexes know.
fn is_found_by_index(filter: &Filter) -> bool {
    match filter {
        Filter::Term(
            Field::Attribute(Attribute::SourceRun | Attribute::Digest),
            Comparison::Eq(_),
        ) => true,
        Filter::And(parts) => parts.iter().any(is_found_by_index),
        _ => false,
    }
}

/// What completes an order; never missing.
struct Tie {
    column: &'static str,
    descending: bool,
}

struct Search<'a> {
    sql: &'a Connection,
    alias: &'static str,
    from: &'static str,
    id: &'static str,
    newest: &'static str,
    filter: &'a Filter,
    order_by: &'a [OrderBy],
    ties: &'static [Tie],
    view: View,
    model: Option<&'a str>,
}

struct Hit {
    row: i64,
    values: Vec<OrderValue>,
}

impl Search<'_> {
    fn page<T>(
        &self,
        limit: usize,
        identity: &str,
        cursor: Option<Cursor>,
        load: impl Fn(&Connection, i64, &mut Names) -> Outcome<T>,
    ) -> Outcome<Page<T>> {
        let after = cursor.and_then(Cursor::record);
        let newest = match &after {
            Some(after) => after.newest,
            None => self.sql.prepare_cached(self.newest)?.query_row([], |row| row.get(0))?,
        };
        let mut hits = self.hits(limit + 1, newest, after.as_ref())?;
        let more = hits.len() > limit;
        hits.truncate(limit);
        let next = hits.last().filter(|_| more).map(|last| {
            let position = RecordPosition { newest, values: last.values.clone() };
            Cursor::after_record(position).close(identity)
        });
        let mut names = Names::default();
        let items =
            hits.iter().map(|hit| load(self.sql, hit.row, &mut names)).collect::<Outcome<_>>()?;
        Ok(Page { items, next })
    }

    fn hits(&self, limit: usize, newest: i64, after: Option<&RecordPosition>) -> Outcome<Vec<Hit>> {
        let Some((key, name)) = self.walk()? else {
            return self.sorted(limit, newest, after, Walk::No);
        };
        let mut hits = Vec::new();
        if after.and_then(|after| after.values.first()) != Some(&OrderValue::Missing) {
            hits = self.sorted(limit, newest, after, Walk::Along(key))?;
        }
        if hits.len() < limit && !requires_metric(self.filter, name) {
            hits.extend(self.sorted(limit - hits.len(), newest, after, Walk::Rest)?);
        }
        Ok(hits)
    }

    /// The metric whose index to walk, if the order asks for one.
    fn walk(&self) -> Outcome<Option<(i64, &str)>> {
        match self.order_by.first() {
            Some(OrderBy { field: Field::Metric(Aggregate::Last, name), .. })
                if self.alias == "v" && self.model.is_none() =>
            {
                Ok(names::find(self.sql, name)?.map(|key| (key, name.as_str())))
            }
            _ => Ok(None),
        }
    }

    fn sorted(
        &self,
        limit: usize,
        newest: i64,
        after: Option<&RecordPosition>,
        walk: Walk,
    ) -> Outcome<Vec<Hit>> {
        let mut text = Sql::new(self.sql, self.alias);
        text.push("SELECT ").push(self.alias).push(".id");
        for i in 0..self.keys() {
            text.push(", ");
            self.key(&mut text, i, &walk)?;
        }
        if let Walk::Along(key) = walk {
            // CROSS JOIN keeps SQLite from turning the loops around.
            text.push(" FROM version_metrics o CROSS JOIN versions v ON v.id = o.version");
            text.push(" JOIN models m ON m.id = v.model WHERE o.key = ").bind(key);
            text.push(" AND o.value IS NOT NULL AND ");
            if let Some(value) = after.and_then(|after| after.values.first()) {
                // Implied by the position, but an index can use it.
                let operator = if self.order_by[0].descending { "<=" } else { ">=" };
                text.push("o.value ").push(operator).push(" ").bind(value.sql()).push(" AND ");
            }
        } else {
            text.push(self.from);
        }
        if let Walk::Rest = walk {
            text.push("(").order_value(&self.order_by[0].field)?.push(") IS NULL AND ");
        }
        text.view(self.view).push(" AND ").push(self.id).push(" <= ").bind(newest);
        if let Some(model) = self.model {
            text.push(" AND m.name = ").bind(model.to_owned());
        }
        text.push(" AND ").filter(self.filter)?;
        if let Some(after) = after {
            if let (true, Some(name)) = (self.order_by.is_empty(), after.values.first()) {
                // Implied by the position, but an index can use it.
                text.push(" AND m.name >= ").bind(name.sql());
            }
            self.later(&mut text, after, &walk)?;
        }
        self.order(&mut text, &walk)?;
        text.push(" LIMIT ").bind(limit as i64);
        text.query(|row| self.hit(row))
    }

    /// Later in the first key, or equal in it and later in the second, and so on.
    fn later(&self, text: &mut Sql<'_>, after: &RecordPosition, walk: &Walk) -> Outcome<()> {
        text.push(" AND (0");
        for (i, value) in after.values.iter().enumerate().take(self.keys()) {
            text.push(" OR (");
            for (before, equal) in after.values[..i].iter().enumerate() {
                text.push("(");
                self.key(text, before, walk)?;
                text.push(") IS ").bind(equal.sql()).push(" AND ");
            }
            if *value == OrderValue::Missing {
                text.push("0)");
                continue;
            }
            text.push("((");
            self.key(text, i, walk)?;
            text.push(if self.descending(i) { ") < " } else { ") > " }).bind(value.sql());
            if i < self.order_by.len() {
                text.push(" OR (");
                self.key(text, i, walk)?;
                text.push(") IS NULL");
            }
            text.push("))");
        }
        text.push(")");
        Ok(())
    }

    /// What is missing comes last; where it cannot be, saying so would cost the index.
    fn order(&self, text: &mut Sql<'_>, walk: &Walk) -> Outcome<()> {
        text.push(" ORDER BY ");
        for i in 0..self.keys() {
            if i > 0 {
                text.push(", ");
            }
            if i < self.order_by.len() && !(i == 0 && matches!(walk, Walk::Along(_))) {
                text.push("(");
                self.key(text, i, walk)?;
                text.push(") IS NULL, ");
            }
            self.key(text, i, walk)?;
            if self.descending(i) {
                text.push(" DESC");
            }
        }
        Ok(())
    }

    /// How many keys the whole order has.
    fn keys(&self) -> usize {
        self.order_by.len() + self.ties.len()
    }

    fn key(&self, text: &mut Sql<'_>, i: usize, walk: &Walk) -> Outcome<()> {
        match self.order_by.get(i) {
            Some(_) if i == 0 && matches!(walk, Walk::Along(_)) => text.push("o.value"),
            Some(order) => text.order_value(&order.field)?,
            None => text.push(self.ties[i - self.order_by.len()].column),
        };
        Ok(())
    }

    fn descending(&self, i: usize) -> bool {
        match self.order_by.get(i) {
            Some(order) => order.descending,
            None => self.ties[i - self.order_by.len()].descending,
        }
    }

    fn hit(&self, row: &Row<'_>) -> Outcome<Hit> {
        let values = (0..self.keys())
            .map(|i| Ok(row.get::<_, Value>(1 + i)?.into()))
            .collect::<Outcome<_>>()?;
        Ok(Hit { row: row.get(0)?, values })
    }
}

/// How a metric's index is used.
enum Walk {
    /// Not at all.
    No,
    /// Along the values of this key.
    Along(i64),
    /// What it does not have, or is NaN.
    Rest,
}
