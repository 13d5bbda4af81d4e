//! Evaluation: from the leaves up, a vector for each node, no array in between.
//!
//! Both branches of a CASE are evaluated for each row, because nothing can fail: what has no answer
//! is null.

pub(crate) mod arith;
pub(crate) mod compare;
pub(crate) mod convert;
mod direct;
pub(crate) mod mask;
pub(crate) mod matching;
pub(crate) mod number;
mod read;
mod select;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod vector;
mod write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use mlops_core::{Error, Result};

use self::compare::{Class, compare};
use self::mask::Mask;
use self::vector::{Data, Vector};
pub(crate) use self::write::{into_words, write};
use crate::ast::{Binary, Comparison, Interval, Is};
use crate::eval::arith::{Arith, Clock};
use crate::eval::vector::Scalar;
use crate::source::OPERATION;
use crate::types::Type;

/// A typed expression.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) ty: Type,
    pub(crate) nullable: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Literal(Scalar),
    /// Position in the schema; the path of a struct's fields.
    Column(usize, Vec<usize>),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Is(Box<Node>, Is, bool),
    Compare(Comparison, Class, Box<[Node; 2]>),
    /// Value, low, high; true: not.
    Between(Class, Class, Box<[Node; 3]>, bool),
    In(Box<Node>, Vec<(Class, Node)>, bool),
    /// Integers that are literals, sorted.
    InInts(Box<Node>, Vec<i64>, bool),
    /// Texts that are literals, sorted.
    InTexts(Box<Node>, Vec<std::sync::Arc<str>>, bool),
    Match(Box<Node>, matching::Pattern, bool),
    Arith(Arith, Binary, Box<[Node; 2]>),
    Shift(Box<Node>, Interval, Clock),
    Negate(Box<Node>),
    Convert(Box<Node>),
    /// Operand, arms, ELSE. With an operand each arm has the class of its comparison.
    Case(Option<Box<Node>>, Vec<(Class, Node, Node)>, Option<Box<Node>>),
    Call(Call, Vec<Node>),
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Call {
    Number(number::Function),
    Power,
    IsNan,
    IsFinite,
    Length { bytes: bool },
    Edit(text::Edit),
    Part(text::Part),
    Position,
    Substring,
    Concat { skip_nulls: bool },
    Extract(time::Part, Clock),
    Truncate(time::Part, Clock),
    Coalesce,
    NullIf(Class),
    Extreme { greatest: bool },
}

/// The rows that an expression is evaluated over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) columns: &'a [ArrayRef],
    /// What the schema says their types are.
    pub(crate) types: &'a [arrow::datatypes::FieldRef],
    pub(crate) count: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, types: &'a [arrow::datatypes::FieldRef]) -> Self {
        Self { columns: batch.columns(), types, count: batch.num_rows() }
    }

    /// One row of no columns: what constants are folded with.
    pub(crate) fn one() -> Self {
        Self { columns: &[], types: &[], count: 1 }
    }

    pub(crate) fn column(&self, index: usize) -> Result<&'a ArrayRef> {
        match (self.columns.get(index), self.types.get(index)) {
            (Some(array), Some(field)) if array.data_type() == field.data_type() => Ok(array),
            (found, wanted) => Err(mismatch(found, wanted)),
        }
    }
}

#[cold]
fn mismatch(found: Option<&ArrayRef>, wanted: Option<&arrow::datatypes::FieldRef>) -> Error {
    let name = wanted.map_or("", |field| field.name());
    let error = Error::invalid(OPERATION, "the batch is not of the schema that was bound")
        .with("column", format_args!("{name:?}"))
        .with_hint("bind the expression to the schema of the batches");
    match (found, wanted) {
        (Some(found), Some(wanted)) => {
            error.with("expected", wanted.data_type()).with("found", found.data_type())
        }
        _ => error.with("found", "no such column"),
    }
}

impl Node {
    pub(crate) fn literal(&self) -> Option<&Scalar> {
        if let Op::Literal(scalar) = &self.op { Some(scalar) } else { None }
    }

    pub(crate) fn eval<'a>(&'a self, rows: Rows<'a>) -> Result<Vector<'a>> {
        let n = rows.count;
        Ok(match &self.op {
            Op::Literal(scalar) => Vector::of(scalar, n),
            Op::Column(index, path) => column(rows.column(*index)?, path),
            Op::Not(a) => not(a.eval(rows)?, n),
            Op::And(terms) => chain(terms, rows, true)?,
            Op::Or(terms) => chain(terms, rows, false)?,
            Op::Is(a, is, negated) => is_it(&a.eval(rows)?, *is, *negated, n),
            Op::Compare(op, class, ab) => match direct::compare(*op, *class, ab, rows)? {
                Some(truth) => truth,
                None => compare(*class, *op, &ab[0].eval(rows)?, &ab[1].eval(rows)?, n),
            },
            Op::Between(low_class, high_class, all, negated) => {
                let [value, low, high] = &**all;
                let (value, low, high) = (value.eval(rows)?, low.eval(rows)?, high.eval(rows)?);
                let low = compare(*low_class, Comparison::Ge, &value, &low, n);
                let high = compare(*high_class, Comparison::Le, &value, &high, n);
                let both = fold(low, high, true, n);
                if *negated { not(both, n) } else { both }
            }
            Op::In(a, list, negated) => {
                let value = a.eval(rows)?;
                let mut found = Vector { data: Data::Bool(Mask::zeros(n)), nulls: None };
                for (class, item) in list {
                    let equal = compare(*class, Comparison::Eq, &value, &item.eval(rows)?, n);
                    found = fold(found, equal, false, n);
                }
                if *negated { not(found, n) } else { found }
            }
            Op::InInts(a, list, negated) => {
                let value = a.eval(rows)?;
                let nulls = value.unknown(n);
                let found = match &value.data {
                    Data::I64(values) => {
                        Mask::of_fn(n, |i| list.binary_search(&values.get(i)).is_ok())
                    }
                    _ => Mask::zeros(n),
                };
                known(found, nulls, *negated, n)
            }
            Op::InTexts(a, list, negated) => {
                let has = |text: &str| list.binary_search_by(|item| (**item).cmp(text)).is_ok();
                let found = text::ask(&a.eval(rows)?, n, has);
                if *negated { not(found, n) } else { found }
            }
            Op::Match(a, pattern, negated) => {
                let found = text::ask(&a.eval(rows)?, n, |text| pattern.is_match(text));
                if *negated { not(found, n) } else { found }
            }
            Op::Arith(kind, op, ab) => {
                arith::calculate(*kind, *op, &ab[0].eval(rows)?, &ab[1].eval(rows)?, n)
            }
            Op::Shift(a, interval, clock) => {
                arith::shift(&a.eval(rows)?, *interval, *clock, self.ty == Type::Date, n)
            }
            Op::Negate(a) => arith::negate(&a.eval(rows)?, n),
            Op::Convert(a) => convert::convert(a.eval(rows)?, &a.ty, &self.ty, n),
            Op::Case(operand, arms, last) => case(operand.as_deref(), arms, last.as_deref(), rows)?,
            Op::Call(call, arguments) => self.call(*call, arguments, rows)?,
        })
    }

    fn call<'a>(&'a self, call: Call, arguments: &'a [Node], rows: Rows<'a>) -> Result<Vector<'a>> {
        let n = rows.count;
        let vectors = arguments.iter().map(|a| a.eval(rows)).collect::<Result<Vec<_>>>()?;
        let first = &vectors[0];
        Ok(match call {
            Call::Number(f) => number::number(f, first, &arguments[0].ty, &self.ty, n),
            Call::Power => number::power(first, &vectors[1], n),
            Call::IsNan => float(first, n, f64::is_nan),
            Call::IsFinite => float(first, n, f64::is_finite),
            Call::Length { bytes } => text::length(first, bytes, n),
            Call::Edit(edit) => text::edit(edit, &vectors, n),
            Call::Part(part) => text::part(part, &vectors, n),
            Call::Position => text::position(&vectors, n),
            Call::Substring => text::substring(&vectors, n),
            Call::Concat { skip_nulls } => text::concat(&vectors, skip_nulls, n),
            Call::Extract(part, clock) => time::extract(part, first, clock, n),
            Call::Truncate(part, clock) => time::truncate(part, first, clock, n),
            Call::Coalesce => select::coalesce(&vectors, n),
            Call::NullIf(class) => {
                let equal = compare(class, Comparison::Eq, first, &vectors[1], n);
                let Data::Bool(equal) = equal.data else { return Ok(Vector::null()) };
                let choice = |i| if equal.get(i) { select::NONE } else { 0 };
                select::select(&(0..n).map(choice).collect::<Vec<_>>(), &vectors[..1])
            }
            Call::Extreme { greatest } => select::extreme(&vectors, greatest, n),
        })
    }
}

/// A column, or a field of a struct: null where the struct is.
fn column<'a>(array: &'a ArrayRef, path: &[usize]) -> Vector<'a> {
    let mut array = array;
    let mut nulls = None;
    for index in path {
        nulls = mask::either(nulls, read::nulls(array).as_ref());
        match array.as_struct_opt().and_then(|array| array.columns().get(*index)) {
            Some(field) => array = field,
            None => return Vector::null(),
        }
    }
    let Vector { data, nulls: own } = read::read(array);
    let nulls = mask::either(nulls, own.as_ref());
    match (data, &nulls) {
        (Data::Bool(bits), Some(n)) => Vector { data: Data::Bool(bits.without(n)), nulls },
        (data, _) => Vector { data, nulls },
    }
}

fn float(a: &Vector<'_>, rows: usize, f: impl Fn(f64) -> bool) -> Vector<'static> {
    match &a.data {
        Data::F64(values) => {
            known(Mask::of_fn(rows, |i| f(values.get(i))), a.nulls.clone(), false, rows)
        }
        _ => Vector::null(),
    }
}

/// Truth where it is known.
fn known(truth: Mask, nulls: Option<Mask>, negated: bool, rows: usize) -> Vector<'static> {
    let truth = if negated { truth.not(rows) } else { truth };
    let truth = match &nulls {
        Some(nulls) => truth.without(nulls),
        None => truth,
    };
    Vector { data: Data::Bool(truth), nulls }
}

/// The true rows and the null rows.
pub(crate) fn truth(a: Vector<'_>, rows: usize) -> (Mask, Option<Mask>) {
    match a.data {
        Data::Bool(bits) => (bits, a.nulls),
        _ => (Mask::zeros(rows), Some(Mask::ones(rows))),
    }
}

fn not(a: Vector<'_>, rows: usize) -> Vector<'static> {
    let (truth, nulls) = truth(a, rows);
    known(truth, nulls, true, rows)
}

/// AND or OR of many terms. Ends early when each row is decided.
fn chain<'a>(terms: &'a [Node], rows: Rows<'a>, and: bool) -> Result<Vector<'a>> {
    let start = if and { Mask::ones(rows.count) } else { Mask::zeros(rows.count) };
    let mut all = Vector { data: Data::Bool(start), nulls: None };
    for term in terms {
        all = fold(all, term.eval(rows)?, and, rows.count);
        let Data::Bool(bits) = &all.data else { break };
        if and && all.nulls.is_none() && !bits.any() {
            break;
        }
    }
    Ok(all)
}

/// `a AND b` or `a OR b` in three-valued logic.
fn fold(a: Vector<'_>, b: Vector<'_>, and: bool, rows: usize) -> Vector<'static> {
    let ((ta, ua), (tb, ub)) = (truth(a, rows), truth(b, rows));
    let join = |a: &Mask, b: &Mask| if and { a.clone().and(b) } else { a.clone().or(b) };
    let bits = join(&ta, &tb);
    if ua.is_none() && ub.is_none() {
        return Vector { data: Data::Bool(bits), nulls: None };
    }
    let zeros = || Mask::zeros(rows);
    let (ua, ub) = (ua.unwrap_or_else(zeros), ub.unwrap_or_else(zeros));
    // What is not false for AND, what is null for OR; true needs no more.
    let nulls = if and { ta.or(&ua).and(&tb.or(&ub)) } else { ua.or(&ub) }.without(&bits);
    Vector { data: Data::Bool(bits), nulls: nulls.any().then_some(nulls) }
}

fn is_it(a: &Vector<'_>, is: Is, negated: bool, rows: usize) -> Vector<'static> {
    let nulls = a.unknown(rows);
    let bits = match (&a.data, is) {
        (Data::Bool(bits), Is::True) => bits.clone(),
        (Data::Bool(bits), Is::False) => {
            let no = bits.clone().not(rows);
            if let Some(nulls) = &nulls { no.without(nulls) } else { no }
        }
        (_, Is::True | Is::False) => Mask::zeros(rows),
        (_, Is::Null | Is::Unknown) => nulls.unwrap_or_else(|| Mask::zeros(rows)),
    };
    known(bits, None, negated, rows)
}

fn case<'a>(
    operand: Option<&'a Node>,
    arms: &'a [(Class, Node, Node)],
    last: Option<&'a Node>,
    rows: Rows<'a>,
) -> Result<Vector<'a>> {
    let n = rows.count;
    let operand = operand.map(|operand| operand.eval(rows)).transpose()?;
    let mut choice = vec![select::NONE; n];
    let mut branches = Vec::with_capacity(arms.len() + 1);
    for (index, (class, when, then)) in arms.iter().enumerate() {
        let when = when.eval(rows)?;
        let when = match &operand {
            Some(operand) => compare(*class, Comparison::Eq, operand, &when, n),
            None => when,
        };
        let (yes, _) = truth(when, n);
        for (i, choice) in choice.iter_mut().enumerate().filter(|(_, c)| **c == select::NONE) {
            if yes.get(i) {
                *choice = index as u32;
            }
        }
        branches.push(then.eval(rows)?);
    }
    if let Some(last) = last {
        let index = branches.len() as u32;
        choice.iter_mut().filter(|c| **c == select::NONE).for_each(|c| *c = index);
        branches.push(last.eval(rows)?);
    }
    Ok(select::select(&choice, &branches))
}
