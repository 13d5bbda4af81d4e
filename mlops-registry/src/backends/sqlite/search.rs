//! From a filter to SQL with bound values.
//!
//! Every part of a filter becomes one scalar expression that is NULL where the filter's value is
//! unknown, so SQL's own three-valued logic gives the same answer as the walk over the tree
//! ([`Filter::matches`]). No text of the filter ever becomes SQL text.

use mlops_core::RunId;
use mlops_core::filter::{
    Aggregate, Attribute, Comparison, DatasetField, Field, Filter, Literal, Member,
};
use mlops_core::tracking::{Digest, View};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::fail::Outcome;
use super::names;

/// A statement in the making: text with placeholders, and the values for them.
pub(super) struct Sql<'c> {
    connection: &'c Connection,
    text: String,
    values: Vec<Value>,
    /// The table alias whose columns `deleted`, `id`, … are meant: `r` for runs, `e` for experiments,
    /// `m` for models, `v` for versions (whose model is joined as `m`).
    alias: &'static str,
    /// The key whose summary is joined as `o`, and known to be there and not NaN.
    joined: Option<i64>,
}

/// A scalar expression in two forms, where a field is text or number by what it is compared with.
struct Scalar {
    text: Option<Expression>,
    number: Option<Expression>,
    /// True if the record does not have the field.
    missing: Expression,
}

#[derive(Clone)]
struct Expression {
    sql: String,
    values: Vec<Value>,
}

impl Expression {
    fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    fn with(sql: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { sql: sql.into(), values: vec![value.into()] }
    }

    fn is_null(&self) -> Self {
        Self { sql: format!("({} IS NULL)", self.sql), values: self.values.clone() }
    }
}

impl<'c> Sql<'c> {
    pub(super) fn new(connection: &'c Connection, alias: &'static str) -> Self {
        Self { connection, text: String::new(), values: Vec::new(), alias, joined: None }
    }

    /// From here on the summary of `key` is joined as `o`.
    pub(super) fn join(&mut self, key: i64) -> &mut Self {
        self.joined = Some(key);
        self
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push('?');
        self
    }

    fn expression(&mut self, expression: Expression) -> &mut Self {
        self.text.push_str(&expression.sql);
        self.values.extend(expression.values);
        self
    }

    /// The run's row number. From the joined summary where there is one: what needs no more of the run
    /// is then decided before its row is looked up.
    pub(super) fn run_id(&self) -> &'static str {
        if self.joined.is_some() { "o.run" } else { "r.id" }
    }

    pub(super) fn view(&mut self, view: View) -> &mut Self {
        let alias = self.alias;
        match view {
            View::Active if alias == "v" => self.push("v.deleted IS NULL AND m.deleted IS NULL"),
            View::Deleted if alias == "v" => {
                self.push("(v.deleted IS NOT NULL OR m.deleted IS NOT NULL)")
            }
            View::Active => self.push(&format!("{alias}.deleted IS NULL")),
            View::Deleted => self.push(&format!("{alias}.deleted IS NOT NULL")),
            _ => self.push("1"),
        }
    }

    /// Runs the statement and reads each row.
    pub(super) fn query<T>(&self, mut read: impl FnMut(&Row<'_>) -> Outcome<T>) -> Outcome<Vec<T>> {
        let mut statement = self.connection.prepare_cached(&self.text)?;
        let mut rows = statement.query(params_from_iter(self.values.iter()))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(read(row)?);
        }
        Ok(out)
    }

    /// The condition that a run (or experiment) matches.
    pub(super) fn filter(&mut self, filter: &Filter) -> Outcome<&mut Self> {
        match filter {
            Filter::All => Ok(self.push("1")),
            Filter::Term(Field::Dataset(field), comparison) => Ok(self.dataset(*field, comparison)),
            Filter::Term(Field::Member(member), comparison) => Ok(self.member(*member, comparison)),
            // By their indexes, and not as text.
            Filter::Term(Field::Attribute(Attribute::SourceRun), Comparison::Eq(literal))
                if self.alias == "v" =>
            {
                let id = text_of(literal).and_then(|text| text.parse::<RunId>().ok());
                self.push("v.run = ");
                Ok(self.bind(id.map_or(Value::Null, |id| Value::Blob(id.as_bytes().to_vec()))))
            }
            Filter::Term(Field::Attribute(Attribute::Digest), Comparison::Eq(literal))
                if self.alias == "v" =>
            {
                // What is no digest is no version's: false, as for any text that is another one.
                let digest = text_of(literal).and_then(|text| text.parse::<Digest>().ok());
                self.push("v.digest = ");
                Ok(self.bind(digest.map_or(Value::Blob(Vec::new()), |d| Value::Blob(d.0.to_vec()))))
            }
            Filter::Term(field, comparison) => {
                let scalar = self.scalar(field)?;
                let condition = compare(&scalar, comparison);
                Ok(self.expression(condition))
            }
            Filter::And(parts) => self.all(parts, " AND ", "1"),
            Filter::Or(parts) => self.all(parts, " OR ", "0"),
            Filter::Not(inner) => {
                self.push("(NOT ");
                self.filter(inner)?;
                Ok(self.push(")"))
            }
            other => Err(unsupported(other)),
        }
    }

    /// As [`Sql::filter`], for experiments.
    pub(super) fn experiment_filter(&mut self, filter: &Filter) -> Outcome<&mut Self> {
        self.filter(filter)
    }

    fn all(&mut self, parts: &[Filter], between: &str, none: &str) -> Outcome<&mut Self> {
        if parts.is_empty() {
            return Ok(self.push(none));
        }
        self.push("(");
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.push(between);
            }
            self.filter(part)?;
        }
        Ok(self.push(")"))
    }

    /// A dataset term is true if any input makes it true, and never unknown.
    fn dataset(&mut self, field: DatasetField, comparison: &Comparison) -> &mut Self {
        let inputs = match self.alias {
            "r" => format!("inputs i WHERE i.run = {}", self.run_id()),
            "v" => "version_inputs i WHERE i.version = v.id".to_owned(),
            _ => return self.push(if *comparison == Comparison::IsNull { "1" } else { "0" }),
        };
        let column = match field {
            DatasetField::Name => "i.name",
            DatasetField::Digest => "i.digest",
            _ => "i.context",
        };
        let scalar = Scalar::text(column);
        self.any(&inputs, &scalar, comparison)
    }

    /// So is one about aliases or stages.
    fn member(&mut self, member: Member, comparison: &Comparison) -> &mut Self {
        let (members, column) = match (self.alias, member) {
            // Every version is in one stage, which an index knows.
            ("v", Member::Stage) if *comparison == Comparison::IsNull => return self.push("0"),
            ("v", Member::Stage) => {
                let condition = compare(&Scalar::text("v.stage"), comparison);
                return self.expression(condition);
            }
            ("v", Member::Alias) => {
                ("aliases i WHERE i.model = v.model AND i.number = v.number", "i.alias")
            }
            ("m", Member::Alias) => ("aliases i WHERE i.model = m.id", "i.alias"),
            ("m", Member::Stage) => {
                ("versions i WHERE i.model = m.id AND i.stage <> 'None'", "i.stage")
            }
            _ => return self.push(if *comparison == Comparison::IsNull { "1" } else { "0" }),
        };
        self.any(members, &Scalar::text(column), comparison)
    }

    /// Whether there is a row of which the comparison is true; for `is null`, whether there is none.
    fn any(&mut self, rows: &str, scalar: &Scalar, comparison: &Comparison) -> &mut Self {
        if *comparison == Comparison::IsNull {
            return self.push(&format!("NOT EXISTS (SELECT 1 FROM {rows})"));
        }
        self.push(&format!("EXISTS (SELECT 1 FROM {rows} AND "));
        let condition = compare(scalar, comparison);
        self.expression(condition).push(")")
    }

    /// The expression that is a field's value, for ordering.
    pub(super) fn order_value(&mut self, field: &Field) -> Outcome<&mut Self> {
        let scalar = self.scalar(field)?;
        let value = scalar.text.or(scalar.number).unwrap_or_else(|| Expression::new("NULL"));
        Ok(self.expression(value))
    }

    fn scalar(&self, field: &Field) -> Outcome<Scalar> {
        Ok(match field {
            Field::Attribute(attribute) => self.attribute(*attribute),
            Field::Metric(aggregate, name) => self.metric(*aggregate, name)?,
            Field::Param(name) => {
                let Some(key) = self.key(name)? else { return Ok(Scalar::unknown()) };
                let from = match self.alias {
                    "r" => format!("FROM params p WHERE p.run = {} AND p.key = ?", self.run_id()),
                    "v" => "FROM version_params p WHERE p.version = v.id AND p.key = ?".to_owned(),
                    _ => return Ok(Scalar::unknown()),
                };
                let column = |column| Expression::with(format!("(SELECT p.{column} {from})"), key);
                let text = column("value");
                Scalar { missing: text.is_null(), text: Some(text), number: Some(column("number")) }
            }
            Field::Tag(name) => {
                let Some(key) = self.key(name)? else { return Ok(Scalar::unknown()) };
                let table = match self.alias {
                    "r" => format!("tags t WHERE t.run = {}", self.run_id()),
                    "m" => "model_tags t WHERE t.model = m.id".to_owned(),
                    "v" => "version_tags t WHERE t.version = v.id".to_owned(),
                    _ => "experiment_tags t WHERE t.experiment = e.id".to_owned(),
                };
                let text =
                    Expression::with(format!("(SELECT t.value FROM {table} AND t.key = ?)"), key);
                Scalar { missing: text.is_null(), text: Some(text), number: None }
            }
            _ => Scalar::unknown(),
        })
    }

    fn key(&self, name: &str) -> Outcome<Option<i64>> {
        names::find(self.connection, name)
    }

    fn metric(&self, aggregate: Aggregate, name: &str) -> Outcome<Scalar> {
        let Some(key) = self.key(name)? else { return Ok(Scalar::unknown()) };
        match self.alias {
            "r" => {}
            // A version has one value of each metric.
            "v" => {
                let from = "FROM version_metrics s WHERE s.version = v.id AND s.key = ?";
                let value = Expression::with(format!("(SELECT s.value {from})"), key);
                let missing = Expression::with(format!("(NOT EXISTS (SELECT 1 {from}))"), key);
                return Ok(Scalar { missing, text: None, number: Some(value) });
            }
            _ => return Ok(Scalar::unknown()),
        }
        let column = match aggregate {
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Count => "count",
            _ => "last",
        };
        if self.joined == Some(key) {
            let number = Expression::new(format!("o.{column}"));
            return Ok(Scalar { missing: number.is_null(), text: None, number: Some(number) });
        }
        let from = format!("FROM summaries s WHERE s.run = {} AND s.key = ?", self.run_id());
        let number = Expression::with(format!("(SELECT s.{column} {from})"), key);
        // A last value that is NULL is NaN, which is there; a smallest or greatest one is not.
        let missing = if column == "last" {
            Expression::with(format!("(NOT EXISTS (SELECT 1 {from}))"), key)
        } else {
            number.is_null()
        };
        Ok(Scalar { missing, text: None, number: Some(number) })
    }

    fn attribute(&self, attribute: Attribute) -> Scalar {
        let alias = self.alias;
        let text = |sql: String| {
            let text = Expression::new(sql);
            Scalar { missing: text.is_null(), text: Some(text), number: None }
        };
        let number = |sql: String| {
            let number = Expression::new(sql);
            Scalar { missing: number.is_null(), text: None, number: Some(number) }
        };
        match (attribute, alias) {
            (Attribute::Name, "v") => text("m.name".into()),
            (Attribute::Started, "m" | "v") => number(format!("{alias}.created")),
            (Attribute::Updated, "m" | "v") => number(format!("{alias}.updated")),
            (Attribute::Note, "m" | "v") => text(format!("{alias}.note")),
            (Attribute::Version, "v") => number("v.number".into()),
            (Attribute::User, "v") => text("v.author".into()),
            (Attribute::Digest, "v") => text("lower(hex(v.digest))".into()),
            (Attribute::SourceRun, "v") => {
                text("(CASE WHEN v.run IS NULL THEN NULL ELSE lower(hex(v.run)) END)".into())
            }
            (Attribute::Id, "r" | "e") => text(format!("lower(hex({alias}.uid))")),
            (Attribute::Name, _) => text(format!("{alias}.name")),
            (Attribute::Started, "r") => number("r.started".into()),
            (Attribute::Started, "e") => number("e.created".into()),
            (Attribute::Ended, "r") => number("r.ended".into()),
            (Attribute::Duration, "r") => number("((r.ended - r.started) / 1000000.0)".into()),
            (Attribute::Status, "r") => text("r.status".into()),
            (Attribute::User, "r") => text("r.user".into()),
            (Attribute::Note, "r") => text("r.note".into()),
            // hex(NULL) is '', not NULL.
            (Attribute::Parent, "r") => {
                text("(CASE WHEN r.parent IS NULL THEN NULL ELSE lower(hex(r.parent)) END)".into())
            }
            (Attribute::Experiment, "r") => text(
                "(SELECT lower(hex(x.uid)) FROM experiments x WHERE x.id = r.experiment)".into(),
            ),
            _ => Scalar::unknown(),
        }
    }
}

impl Scalar {
    /// A text column that is always there.
    fn text(column: &str) -> Self {
        Self { text: Some(Expression::new(column)), number: None, missing: Expression::new("0") }
    }

    /// What no record has.
    fn unknown() -> Self {
        Self { text: None, number: None, missing: Expression::new("1") }
    }

    /// The form that a literal is compared with; `None` makes the comparison unknown.
    fn form(&self, literal: &Literal) -> Option<&Expression> {
        match literal {
            Literal::Text(_) => self.text.as_ref(),
            Literal::Number(_) => self.number.as_ref(),
        }
    }
}

fn compare(scalar: &Scalar, comparison: &Comparison) -> Expression {
    let binary = |operator: &str, literal: &Literal| match scalar.form(literal) {
        None => Expression::new("NULL"),
        Some(value) => {
            let mut out = value.clone();
            out.sql = format!("({} {operator} ?)", out.sql);
            out.values.push(bound(literal));
            out
        }
    };
    match comparison {
        Comparison::IsNull => scalar.missing.clone(),
        Comparison::Eq(literal) => binary("=", literal),
        Comparison::Ne(literal) => binary("<>", literal),
        Comparison::Lt(literal) => binary("<", literal),
        Comparison::Le(literal) => binary("<=", literal),
        Comparison::Gt(literal) => binary(">", literal),
        Comparison::Ge(literal) => binary(">=", literal),
        Comparison::Between(low, high) => {
            let (low, high) = (binary(">=", low), binary("<=", high));
            joined(&[low, high], " AND ")
        }
        Comparison::In(list) => {
            let (texts, numbers): (Vec<&Literal>, Vec<&Literal>) =
                list.iter().partition(|literal| matches!(literal, Literal::Text(_)));
            let one_of = |literals: &[&Literal]| match literals.first().map(|l| scalar.form(l)) {
                None => Expression::new("0"),
                Some(None) => Expression::new("NULL"),
                Some(Some(value)) => {
                    let mut out = value.clone();
                    let places = vec!["?"; literals.len()].join(", ");
                    out.sql = format!("({} IN ({places}))", out.sql);
                    out.values.extend(literals.iter().map(|literal| bound(literal)));
                    out
                }
            };
            match (texts.is_empty(), numbers.is_empty()) {
                (false, true) => one_of(&texts),
                (true, false) => one_of(&numbers),
                _ => joined(&[one_of(&texts), one_of(&numbers)], " OR "),
            }
        }
        Comparison::Like(pattern) => match &scalar.text {
            None => Expression::new("NULL"),
            Some(text) => function("mlops_like", text, pattern),
        },
        Comparison::ILike(pattern) => match &scalar.text {
            None => Expression::new("NULL"),
            Some(text) => function("mlops_ilike", text, pattern),
        },
        _ => Expression::new("NULL"),
    }
}

fn function(name: &str, text: &Expression, pattern: &str) -> Expression {
    let mut out = text.clone();
    out.sql = format!("{name}({}, ?)", out.sql);
    out.values.push(Value::Text(pattern.to_owned()));
    out
}

fn joined(parts: &[Expression], between: &str) -> Expression {
    let texts: Vec<&str> = parts.iter().map(|part| part.sql.as_str()).collect();
    Expression {
        sql: format!("({})", texts.join(between)),
        values: parts.iter().flat_map(|part| part.values.clone()).collect(),
    }
}

fn bound(literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => Value::Text(text.clone()),
        Literal::Number(number) => Value::Real(*number),
    }
}

fn text_of(literal: &Literal) -> Option<&str> {
    match literal {
        Literal::Text(text) => Some(text),
        Literal::Number(_) => None,
    }
}

fn unsupported(filter: &Filter) -> super::fail::Fail {
    mlops_core::Error::new(
        mlops_core::ErrorKind::Unsupported,
        "filter",
        "this backend does not know a part of the filter",
    )
    .with("filter", format!("{filter:?}"))
    .into()
}

/// Whether only runs can match whose last value of the metric `name` is there and not NaN.
pub(super) fn requires_metric(filter: &Filter, name: &str) -> bool {
    match filter {
        Filter::Term(Field::Metric(Aggregate::Last, key), comparison) => {
            key == name && *comparison != Comparison::IsNull
        }
        Filter::And(parts) => parts.iter().any(|part| requires_metric(part, name)),
        _ => false,
    }
}
