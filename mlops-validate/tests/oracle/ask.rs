//! Random checks for a table, each beside what it means.

use std::collections::BTreeSet;

use mlops_core::validation::{
    Aggregate, AllOrNone, Check, Compare, Custom, Direction, Distinctness, Exactness, Expected,
    Expression, ForeignKey, Format, Function, FunctionalDependency, HasFormat, Implies, InSet,
    IsNull, KeyNulls, Length, LengthUnit, Literal, Matches, Metric, Mostly, MutuallyExclusive,
    NanPolicy, NotInSet, NotMatches, NotNull, NullPolicy, Ordered, PartialKeys, Range,
    RowCompleteness, RowCount, Rule, Tolerance, Unique,
};

use crate::judge::{RowAsk, Test};
use crate::kind::Kind;
use crate::literal::{bound, member};
use crate::parent::Parent;
use crate::rng::Rng;
use crate::sql::{COMPARISONS, Cond};
use crate::table::{Column, Table};
use crate::value::Value;
use crate::whole::WholeAsk;

/// A check, and what it means.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) check: Check,
    pub(crate) filter: Option<Cond>,
    pub(crate) ask: Ask,
    pub(crate) parent: Option<Parent>,
    /// The condition of `implies`, which leaves rows out as a filter does.
    pub(crate) when: Option<Cond>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Rows(RowAsk),
    Whole(WholeAsk, Bounds),
}

/// What a measured value is compared with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    pub(crate) equals: Option<Metric>,
}

/// The function of `custom` checks.
pub(crate) const FUNCTION: &str = "both";

const PATTERNS: [&str; 9] =
    ["^a", "[0-9]$", "", "(a|b)+", r"^\d{4}-\d{2}-\d{2}$", "é|語", r"\bnaïve\b", "(?i)abc", "^$"];

const FORMATS: [Format; 5] = [Format::Ipv4, Format::Ipv6, Format::Ip, Format::Json, Format::Date];

/// A random check, where one of a randomly chosen rule fits the table.
pub(crate) fn random(table: &Table, number: usize, rng: &mut Rng) -> Option<Asked> {
    let paths = table.paths();
    let (rule, ask, parent, when) = rule(table, &paths, rng)?;
    let mut check = Check::new(rule);
    check.id = Some(format!("check {number}").parse().unwrap());
    let mut filter = None;
    if rng.chance(30) {
        let cond = Cond::random(&table.columns, 1, rng);
        check = check.with_filter(cond.sql());
        filter = Some(cond);
    }
    if rng.chance(30) {
        check = check.warn();
    }
    let has_mostly = match &ask {
        Ask::Rows(_) => true,
        Ask::Whole(whole, _) => !matches!(whole, WholeAsk::Metric(_) | WholeAsk::Distinctness(_)),
    };
    if has_mostly && rng.chance(30) {
        check = check.with_mostly(Mostly::new(*rng.pick(&[0.5, 0.9, 0.75, 0.000_001])).unwrap());
    }
    check = check
        .with_nulls(*rng.pick(&[NullPolicy::Skip, NullPolicy::Fail, NullPolicy::Pass]))
        .with_nan(*rng.pick(&[NanPolicy::Fail, NanPolicy::Skip, NanPolicy::Pass]));
    Some(Asked { check, filter, ask, parent, when })
}

type Made = (Rule, Ask, Option<Parent>, Option<Cond>);

fn rule(table: &Table, paths: &[Column], rng: &mut Rng) -> Option<Made> {
    let column = rng.pick(paths).clone();
    let name = column.name.clone();
    let row = |rule: Rule, ask: RowAsk| Some((rule, Ask::Rows(ask), None, None));
    match rng.below(22) {
        0 => row(NotNull { column: whole_name(table, &column) }.into(), {
            RowAsk::Nulls(whole_name(table, &column), true)
        }),
        1 => row(IsNull { column: whole_name(table, &column) }.into(), {
            RowAsk::Nulls(whole_name(table, &column), false)
        }),
        2 => {
            let columns = some_names(paths, rng, |_| true)?;
            row(AllOrNone { columns: columns.clone() }.into(), RowAsk::AllOrNone(columns))
        }
        3 => {
            let columns = some_names(paths, rng, |_| true)?;
            let required = rng.chance(50);
            let rule = MutuallyExclusive { columns: columns.clone(), required };
            row(rule.into(), RowAsk::Filled(columns, required.into(), 1))
        }
        4 => {
            let columns = some_names(paths, rng, |_| true)?;
            let min = rng.below(columns.len() + 1) as u64;
            let rule = RowCompleteness { columns: columns.clone(), min };
            row(rule.into(), RowAsk::Filled(columns, min, u64::MAX))
        }
        5 | 6 => range(&column, rng),
        7 | 8 => {
            let of = item(&column.kind);
            let lits: Option<Vec<_>> =
                (0..=rng.below(12)).map(|_| member(of, &column.values, rng)).collect();
            let lits = lits?;
            let values: Vec<Literal> = lits.iter().map(|lit| lit.literal.clone()).collect();
            let means = lits.into_iter().map(|lit| lit.means).collect();
            let forbidden = rng.chance(50);
            let rule: Rule = if forbidden {
                NotInSet { column: name.clone(), values }.into()
            } else {
                InSet { column: name.clone(), values }.into()
            };
            row(rule, RowAsk::Value(name, Test::Set(means, forbidden)))
        }
        9 | 10 if *item(&column.kind) == Kind::Text => {
            let pattern = (*rng.pick(&PATTERNS)).to_owned();
            let (full, forbidden) = (rng.chance(30), rng.chance(50));
            let text = if full { format!("^(?:{pattern})$") } else { pattern.clone() };
            let regex = regex::Regex::new(&text).unwrap();
            let rule: Rule = if forbidden {
                NotMatches { column: name.clone(), pattern, full }.into()
            } else {
                Matches { column: name.clone(), pattern, full }.into()
            };
            row(rule, RowAsk::Value(name, Test::Pattern(regex, forbidden)))
        }
        11 if *item(&column.kind) == Kind::Text => {
            let format = *rng.pick(&FORMATS);
            let rule = HasFormat { column: name.clone(), format };
            row(rule.into(), RowAsk::Value(name, Test::Format(format)))
        }
        9..=12 => {
            let (low, high) = (rng.below(4) as u64, 2 + rng.below(18) as u64);
            let (min, max) = match rng.below(3) {
                0 => (Some(low), None),
                1 => (None, Some(high)),
                _ => (Some(low.min(high)), Some(high.max(low))),
            };
            let bytes = rng.chance(40);
            let unit = if bytes { LengthUnit::Bytes } else { LengthUnit::Chars };
            let rule = Length { column: name.clone(), min, max, unit }.into();
            let (min, max) = (min.unwrap_or(0), max.unwrap_or(u64::MAX));
            match &column.kind {
                Kind::List(_) if !name.contains("[]") => row(rule, RowAsk::Items(name, min, max)),
                Kind::Text | Kind::Bytes | Kind::FixedBytes(_) => {
                    row(rule, RowAsk::Value(name, Test::Length(min, max, bytes)))
                }
                _ => None,
            }
        }
        13 => {
            let right = paths
                .iter()
                .filter(|other| other.name != name)
                .find(|other| is_comparable(&column.kind, &other.kind) && !name.contains('['))?;
            let op = *rng.pick(&COMPARISONS);
            let rule = Compare { left: name.clone(), op, right: right.name.clone() };
            row(rule.into(), RowAsk::Compare(name, op, right.name.clone()))
        }
        14 => {
            let cond = Cond::random(&table.columns, 2, rng);
            row(Expression { sql: cond.sql() }.into(), RowAsk::Condition(cond))
        }
        15 => {
            let when = Cond::random(&table.columns, 1, rng);
            let then = Cond::random(&table.columns, 1, rng);
            let rule = Implies { when: when.sql(), then: then.sql() };
            Some((rule.into(), Ask::Rows(RowAsk::Condition(then)), None, Some(when)))
        }
        16 => {
            let [a, b] = [rng.pick(paths).name.clone(), rng.pick(paths).name.clone()];
            let columns = vec![a.clone(), b.clone()];
            let function = FUNCTION.to_owned();
            let rule = Custom { function, columns, options: serde_json::Value::Null };
            row(rule.into(), RowAsk::Both(a, b))
        }
        17 => {
            let single = is_key(&column) && rng.chance(50);
            let columns = if single { vec![name] } else { some_names(paths, rng, is_key)? };
            let parent = Parent::random(paths, &columns, rng)?;
            let partial = if rng.chance(50) { PartialKeys::Fail } else { PartialKeys::Skip };
            let rule = ForeignKey {
                columns: columns.clone(),
                reference: parent.name.clone(),
                to: parent.columns(),
                partial,
            };
            let keys: BTreeSet<Vec<String>> = parent.keys();
            let ask = RowAsk::ForeignKey(columns, keys, partial == PartialKeys::Fail);
            Some((rule.into(), Ask::Rows(ask), Some(parent), None))
        }
        _ => whole(paths, &column, rng),
    }
}

/// Rules about nulls are asked of what a path without `[]` names.
fn whole_name(table: &Table, column: &Column) -> String {
    match column.name.strip_suffix("[]") {
        Some(name) if table.columns.iter().any(|column| column.name == name) => name.to_owned(),
        _ => column.name.clone(),
    }
}

fn item(kind: &Kind) -> &Kind {
    match kind {
        Kind::List(item) => item,
        kind => kind,
    }
}

/// Two names or more, each once, of columns that fit.
fn some_names(paths: &[Column], rng: &mut Rng, fits: fn(&Column) -> bool) -> Option<Vec<String>> {
    let mut names: Vec<String> =
        paths.iter().filter(|column| fits(column)).map(|column| column.name.clone()).collect();
    if names.len() < 2 {
        return None;
    }
    rng.shuffle(&mut names);
    names.truncate(2 + rng.below(2));
    Some(names)
}

fn is_key(column: &Column) -> bool {
    !column.name.contains("[]")
}

/// Whether SQL compares the two.
fn is_comparable(a: &Kind, b: &Kind) -> bool {
    let number = |kind: &Kind| match kind {
        Kind::Int(..) | Kind::Float(_) => true,
        Kind::Decimal(bits, scale) => *bits < 256 && *scale >= 0,
        _ => false,
    };
    match (a, b) {
        (Kind::Instant(_, a), Kind::Instant(_, b)) => a == b,
        (Kind::Date(_), Kind::Date(_))
        | (Kind::Text, Kind::Text)
        | (Kind::Bool, Kind::Bool)
        | (Kind::Time(_), Kind::Time(_))
        | (Kind::Duration(_), Kind::Duration(_)) => true,
        (a, b) => number(a) && number(b),
    }
}

fn range(column: &Column, rng: &mut Rng) -> Option<Made> {
    let kind = item(&column.kind);
    let (low, high) = (bound(kind, &column.values, rng)?, bound(kind, &column.values, rng)?);
    let (low, high) = if low.means.order(&high.means)?.is_gt() { (high, low) } else { (low, high) };
    let (low, high) = match rng.below(3) {
        0 => (Some(low), None),
        1 => (None, Some(high)),
        _ => (Some(low), Some(high)),
    };
    let (exclusive_min, exclusive_max) = (rng.chance(30), rng.chance(30));
    let rule = Range {
        column: column.name.clone(),
        min: low.as_ref().map(|lit| lit.literal.clone()),
        max: high.as_ref().map(|lit| lit.literal.clone()),
        exclusive_min,
        exclusive_max,
    };
    let test = Test::Range(
        low.map(|lit| (lit.means, exclusive_min)),
        high.map(|lit| (lit.means, exclusive_max)),
    );
    Some((rule.into(), Ask::Rows(RowAsk::Value(column.name.clone(), test)), None, None))
}

fn whole(paths: &[Column], column: &Column, rng: &mut Rng) -> Option<Made> {
    let name = column.name.clone();
    let keys = |rng: &mut Rng| {
        if rng.chance(50) {
            return is_key(column).then(|| vec![name.clone()]);
        }
        some_names(paths, rng, is_key)
    };
    let made = |rule: Rule, ask: WholeAsk, bounds: Bounds| {
        Some((rule, Ask::Whole(ask, bounds), None, None))
    };
    match rng.below(12) {
        0 | 1 => {
            let columns = keys(rng)?;
            let equal = rng.chance(40);
            let key_nulls = if equal { KeyNulls::Equal } else { KeyNulls::Distinct };
            let memory = mlops_core::validation::KeyMemory::OnePass;
            let rule = Unique { columns: columns.clone(), key_nulls, memory };
            made(rule.into(), WholeAsk::Unique(columns, equal), Bounds::default())
        }
        2 => {
            let columns = keys(rng)?;
            let min = Some(rng.below(5) as f64 / 4.0);
            let method = Exactness::Exact;
            let rule = Distinctness { columns: columns.clone(), min, max: None, method };
            let bounds = Bounds { min: min.map(Value::Float), ..Bounds::default() };
            made(rule.into(), WholeAsk::Distinctness(columns), bounds)
        }
        3 => {
            let (from, to) = (keys(rng)?, keys(rng)?);
            let rule = FunctionalDependency { from: from.clone(), to: to.clone() };
            made(rule.into(), WholeAsk::Dependency(from, to), Bounds::default())
        }
        4 => {
            if !column.kind.is_scalar() {
                return None;
            }
            let strict = rng.chance(50);
            let direction =
                if rng.chance(50) { Direction::Ascending } else { Direction::Descending };
            let rule = Ordered { column: name.clone(), direction, strict };
            made(rule.into(), WholeAsk::Ordered(name, direction, strict), Bounds::default())
        }
        5 => {
            let min = rng.below(60) as u64;
            let max = min + rng.below(300) as u64;
            let exact = |n: u64| Value::Exact(crate::number::Number::whole(n.into()));
            let bounds = Bounds { min: Some(exact(min)), max: Some(exact(max)), equals: None };
            let rule = RowCount { min: Some(min), max: Some(max) };
            made(rule.into(), WholeAsk::Metric(Metric::rows()), bounds)
        }
        _ => {
            let of = metric(column, rng);
            let mut bounds = Bounds::default();
            let mut rule = Aggregate {
                of: of.clone(),
                min: None,
                max: None,
                equals: None,
                tolerance: Tolerance::default(),
            };
            if rng.chance(25) {
                let metric = metric(rng.pick(paths), rng);
                bounds.equals = Some(metric.clone());
                rule.equals = Some(Expected::Same { metric });
            } else {
                let lit = metric_bound(&of, column, rng)?;
                if rng.chance(50) {
                    rule.min = Some(lit.literal);
                    bounds.min = Some(lit.means);
                } else {
                    rule.max = Some(lit.literal);
                    bounds.max = Some(lit.means);
                }
            }
            made(rule.into(), WholeAsk::Metric(of), bounds)
        }
    }
}

/// A bound in the type of the metric.
fn metric_bound(of: &Metric, column: &Column, rng: &mut Rng) -> Option<crate::literal::Lit> {
    match of.function() {
        Function::Min | Function::Max | Function::Sum => bound(&column.kind, &column.values, rng),
        Function::Mean
        | Function::StdDev
        | Function::NullRate
        | Function::Quantile
        | Function::ApproxQuantile => bound(&Kind::Float(64), &[Value::Float(0.5)], rng),
        _ => bound(&Kind::Int(32, true), &[], rng),
    }
}

fn metric(column: &Column, rng: &mut Rng) -> Metric {
    use Function as F;
    let name = column.name.as_str();
    let mut functions = vec![F::Count, F::Nulls, F::NullRate];
    if is_key(column) {
        functions.extend([F::Distinct, F::ApproxDistinct]);
    }
    if column.kind.is_scalar() && column.kind != Kind::Bool {
        functions.extend([F::Min, F::Max]);
    }
    if matches!(column.kind, Kind::Int(..) | Kind::Float(_) | Kind::Decimal(..)) {
        functions.extend([F::Sum, F::Sum, F::Mean, F::StdDev, F::Quantile, F::ApproxQuantile]);
    }
    let share = *rng.pick(&[0.0, 0.25, 0.5, 0.9, 1.0]);
    match *rng.pick(&functions) {
        F::Quantile => Metric::quantile(name, share).unwrap(),
        F::ApproxQuantile => Metric::approx_quantile(name, share).unwrap(),
        function => Metric::of(function, whole_path(name)).unwrap(),
    }
}

/// `count(items[])` counts rows as `count(items)` does, so the short form is asked.
fn whole_path(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

impl Asked {
    /// Whether its rule's first column is a list.
    pub(crate) fn is_of_list(&self, paths: &[Column]) -> bool {
        let first = self.check.rule.columns().first().copied().map(str::to_owned);
        paths.iter().any(|column| Some(&column.name) == first.as_ref() && !column.kind.is_scalar())
    }
}
