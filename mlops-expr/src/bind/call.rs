//! Types of functions.

use mlops_core::Result;

use super::{Binder, Typed};
use crate::ast::{Binary, LikeStyle, Node};
use crate::eval::matching::Pattern;
use crate::eval::number::Function as Number;
use crate::eval::text::{Edit, Part as TextPart};
use crate::eval::time::{PARTS, Part};
use crate::eval::vector::Scalar;
use crate::eval::{Call, Op};
use crate::parse::ONE_ROW;
use crate::source::{cut, listed, nearest};
use crate::types::{INT, Type};

/// The functions, and how many arguments each takes at least and at most.
const FUNCTIONS: [(&str, usize, usize); 50] = [
    ("abs", 1, 1),
    ("sign", 1, 1),
    ("floor", 1, 1),
    ("ceil", 1, 1),
    ("trunc", 1, 1),
    ("round", 1, 2),
    ("sqrt", 1, 1),
    ("exp", 1, 1),
    ("ln", 1, 1),
    ("log10", 1, 1),
    ("power", 2, 2),
    ("mod", 2, 2),
    ("is_nan", 1, 1),
    ("is_finite", 1, 1),
    ("length", 1, 1),
    ("octet_length", 1, 1),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("trim", 1, 2),
    ("ltrim", 1, 2),
    ("rtrim", 1, 2),
    ("substring", 2, 3),
    ("concat", 1, usize::MAX),
    ("replace", 3, 3),
    ("starts_with", 2, 2),
    ("ends_with", 2, 2),
    ("contains", 2, 2),
    ("strpos", 2, 2),
    ("regexp_like", 2, 3),
    ("date_part", 2, 2),
    ("date_trunc", 2, 2),
    ("year", 1, 1),
    ("quarter", 1, 1),
    ("month", 1, 1),
    ("week", 1, 1),
    ("day", 1, 1),
    ("hour", 1, 1),
    ("minute", 1, 1),
    ("second", 1, 1),
    ("dow", 1, 1),
    ("isodow", 1, 1),
    ("doy", 1, 1),
    ("coalesce", 1, usize::MAX),
    ("nullif", 2, 2),
    ("greatest", 1, usize::MAX),
    ("least", 1, usize::MAX),
    // Known to the parser; here for the hints.
    ("cast", 0, 0),
    ("try_cast", 0, 0),
    ("extract", 0, 0),
    ("position", 0, 0),
];

const AGGREGATES: [&str; 12] = [
    "count",
    "sum",
    "avg",
    "mean",
    "min",
    "max",
    "median",
    "stddev",
    "variance",
    "first",
    "last",
    "row_number",
];

impl Binder<'_> {
    pub(super) fn call(&self, at: usize, name: &str, arguments: &[Node]) -> Result<Typed> {
        let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            return Err(self.unknown(at, name));
        };
        let given = arguments.len();
        if given < *least || given > *most {
            let wanted = match (least, most) {
                (a, b) if a == b => a.to_string(),
                (a, &usize::MAX) => format!("at least {a}"),
                (a, b) => format!("{a} or {b}"),
            };
            let problem = format!("{name}() takes {wanted} arguments, found {given}");
            return Err(self.source.fail(at, problem));
        }
        let all = arguments.iter().map(|a| self.bind(a)).collect::<Result<Vec<_>>>()?;
        self.function(at, name, all)
    }

    #[cold]
    fn unknown(&self, at: usize, name: &str) -> mlops_core::Error {
        let error = self.source.fail(at, format_args!("unknown function `{}`", cut(name, 40)));
        match name {
            "min" => error.with_hint(format!("{ONE_ROW}; of one row's values: least(a, b)")),
            "max" => error.with_hint(format!("{ONE_ROW}; of one row's values: greatest(a, b)")),
            name if AGGREGATES.contains(&name) => error.with_hint(ONE_ROW),
            "log" => error.with_hint("ln(x) or log10(x)"),
            "if" | "iif" => error.with_hint("CASE WHEN a THEN b ELSE c END"),
            "ifnull" | "nvl" => error.with_hint("coalesce(a, b)"),
            "isnan" => error.with_hint("is_nan(x)"),
            "now" | "current_timestamp" | "random" => {
                error.with_hint("the same rows give the same answer: pass it as a parameter")
            }
            _ => match nearest(name, FUNCTIONS.iter().map(|(name, ..)| *name)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            },
        }
    }

    fn function(&self, at: usize, name: &str, mut all: Vec<Typed>) -> Result<Typed> {
        if let Some(f) = number(name) {
            return self.number(at, f, all);
        }
        match name {
            "power" => {
                let mut nodes = Vec::new();
                let mut nullable = false;
                for typed in all {
                    self.need_number(&typed)?;
                    nullable |= typed.node.nullable;
                    nodes.push(self.converted(typed, &Type::Float64)?.node);
                }
                self.make(at, Op::Call(Call::Power, nodes), Type::Float64, nullable)
            }
            "mod" => match (all.pop(), all.pop()) {
                (Some(b), Some(a)) => self.binary(at, Binary::Modulo, a, b),
                _ => Err(self.unknown(at, name)),
            },
            "is_nan" | "is_finite" => {
                let Some(a) = all.pop() else { return Err(self.unknown(at, name)) };
                self.need_number(&a)?;
                let a = self.converted(a, &Type::Float64)?;
                let call = if name == "is_nan" { Call::IsNan } else { Call::IsFinite };
                let nullable = a.node.nullable;
                self.make(at, Op::Call(call, vec![a.node]), Type::Bool, nullable)
            }
            "coalesce" => {
                let nullable = all.iter().all(|a| a.node.nullable);
                let (nodes, ty) = self.unify(all)?;
                self.make(at, Op::Call(Call::Coalesce, nodes), ty, nullable)
            }
            "greatest" | "least" => {
                let nullable = all.iter().all(|a| a.node.nullable);
                let (nodes, ty) = self.unify(all)?;
                let call = Call::Extreme { greatest: name == "greatest" };
                self.make(at, Op::Call(call, nodes), ty, nullable)
            }
            "nullif" => {
                let (Some(mut b), Some(mut a)) = (all.pop(), all.pop()) else {
                    return Err(self.unknown(at, name));
                };
                let class = self.class(at, &mut a, &mut b)?;
                let ty = a.node.ty.clone();
                self.make(at, Op::Call(Call::NullIf(class), vec![a.node, b.node]), ty, true)
            }
            "regexp_like" => self.regexp_like(at, all),
            "date_part" | "date_trunc" => {
                let (Some(point), Some(part)) = (all.pop(), all.pop()) else {
                    return Err(self.unknown(at, name));
                };
                let Some(Scalar::Text(word)) = part.node.literal() else {
                    return Err(self.fail(&part, "expected a part such as 'year'"));
                };
                if name == "date_part" {
                    return self.extract(part.at, &word.to_ascii_lowercase(), point);
                }
                let cuts = |part: &Part| {
                    !matches!(
                        part,
                        Part::WeekdaySunday | Part::WeekdayIso | Part::DayOfYear | Part::Epoch
                    )
                };
                let unit = self.part(part.at, &word.to_ascii_lowercase())?;
                if !cuts(&unit) {
                    return Err(self.fail(&part, "nothing is cut to this part"));
                }
                let (clock, ty) = (self.clock(&point)?, point.node.ty.clone());
                self.make(at, Op::Call(Call::Truncate(unit, clock), vec![point.node]), ty, true)
            }
            _ if all.len() == 1 && PARTS.iter().any(|(part, _)| *part == name) => match all.pop() {
                Some(point) => self.extract(at, name, point),
                None => Err(self.unknown(at, name)),
            },
            _ => self.of_texts(at, name, all),
        }
    }

    fn of_texts(&self, at: usize, name: &str, all: Vec<Typed>) -> Result<Typed> {
        let (call, ty) = match name {
            "length" => (Call::Length { bytes: false }, INT),
            "octet_length" => (Call::Length { bytes: true }, INT),
            "lower" => (Call::Edit(Edit::Lower), Type::Text),
            "upper" => (Call::Edit(Edit::Upper), Type::Text),
            "trim" => (Call::Edit(Edit::Trim { left: true, right: true }), Type::Text),
            "ltrim" => (Call::Edit(Edit::Trim { left: true, right: false }), Type::Text),
            "rtrim" => (Call::Edit(Edit::Trim { left: false, right: true }), Type::Text),
            "replace" => (Call::Edit(Edit::Replace), Type::Text),
            "substring" => (Call::Substring, Type::Text),
            "concat" => (Call::Concat { skip_nulls: true }, Type::Text),
            "starts_with" => (Call::Part(TextPart::StartsWith), Type::Bool),
            "ends_with" => (Call::Part(TextPart::EndsWith), Type::Bool),
            "contains" => (Call::Part(TextPart::Contains), Type::Bool),
            "strpos" => (Call::Position, INT),
            _ => return Err(self.unknown(at, name)),
        };
        let mut nodes = Vec::with_capacity(all.len());
        for (i, typed) in all.into_iter().enumerate() {
            if call == Call::Substring && i > 0 {
                if !matches!(typed.ty(), Type::Int(..) | Type::Null) {
                    let problem = format!("expected a whole number, found {}", typed.ty());
                    return Err(self.fail(&typed, problem));
                }
                nodes.push(self.converted(typed, &INT)?.node);
            } else {
                self.need_text(&typed)?;
                nodes.push(typed.node);
            }
        }
        let nullable = match call {
            // A text that grows too long is null.
            Call::Substring | Call::Concat { .. } | Call::Edit(_) => true,
            _ => nodes.iter().any(|node| node.nullable),
        };
        self.make(at, Op::Call(call, nodes), ty, nullable)
    }

    fn number(&self, at: usize, f: Number, mut all: Vec<Typed>) -> Result<Typed> {
        let digits = if all.len() > 1 { all.pop() } else { None };
        let Some(a) = all.pop() else { return Err(self.unknown(at, "round")) };
        self.need_number(&a)?;
        let f = match digits {
            Some(digits) => {
                let digits = self.constant_int(&digits)?.clamp(-400, 400);
                Number::Round(digits as i32)
            }
            None => f,
        };
        let float_only = matches!(f, Number::Sqrt | Number::Exp | Number::Ln | Number::Log10);
        let (a, ty) = match a.ty() {
            Type::Null => return self.make(at, Op::Literal(Scalar::Null), Type::Null, true),
            ty if float_only || ty.is_float() => {
                (self.converted(a, &Type::Float64)?, Type::Float64)
            }
            Type::Decimal(p, s) => {
                let ty = match f {
                    Number::Abs => Type::Decimal(*p, *s),
                    Number::Sign => Type::Decimal(1, 0),
                    Number::Round(digits) => {
                        let scale = digits.clamp(0, i32::from(*s)) as u8;
                        Type::Decimal((p - s + 1 + scale).min(38), scale)
                    }
                    _ => Type::Decimal((p - s + 1).min(38), 0),
                };
                (a, ty)
            }
            _ => (self.converted(a, &INT)?, INT),
        };
        let nullable = a.node.nullable || !ty.is_float();
        self.make(at, Op::Call(Call::Number(f), vec![a.node]), ty, nullable)
    }

    fn need_number(&self, typed: &Typed) -> Result<()> {
        match typed.ty() {
            Type::Null => Ok(()),
            ty if ty.is_number() => Ok(()),
            other => Err(self.fail(typed, format_args!("expected a number, found {other}"))),
        }
    }

    /// `regexp_like(x, pattern[, 'i'])`
    fn regexp_like(&self, at: usize, all: Vec<Typed>) -> Result<Typed> {
        let mut all = all.into_iter();
        let (Some(value), Some(pattern)) = (all.next(), all.next()) else {
            return Err(self.unknown(at, "regexp_like"));
        };
        let style = match all.next() {
            None => LikeStyle::Regex,
            Some(flags) => match flags.node.literal() {
                Some(Scalar::Text(text)) if &**text == "i" => LikeStyle::IRegex,
                _ => return Err(self.fail(&flags, "the only flag is 'i'")),
            },
        };
        self.need_text(&value)?;
        self.need_text(&pattern)?;
        self.matching(at, value, &pattern, |text| Pattern::new(text, style, None), false)
    }

    pub(super) fn extract(&self, at: usize, part: &str, point: Typed) -> Result<Typed> {
        let part = self.part(at, part)?;
        if let (Type::Duration(unit), Part::Epoch) = (point.ty(), part) {
            let per_day = 86_400 * (1_000_000_000 / crate::types::tick(*unit));
            let clock = crate::eval::arith::Clock { per_day, offset: 0 };
            return self.make(
                at,
                Op::Call(Call::Extract(part, clock), vec![point.node]),
                INT,
                true,
            );
        }
        if *point.ty() == Type::Null {
            return self.make(at, Op::Literal(Scalar::Null), INT, true);
        }
        // Seconds since 1970 are the same in each zone.
        let clock = match (point.ty(), part) {
            (Type::Timestamp(unit, Some(_)), Part::Epoch) => crate::eval::arith::Clock {
                per_day: 86_400 * (1_000_000_000 / crate::types::tick(*unit)),
                offset: 0,
            },
            _ => self.clock(&point)?,
        };
        let op = Op::Call(Call::Extract(part, clock), vec![point.node]);
        self.make(at, op, INT, true)
    }

    fn part(&self, at: usize, word: &str) -> Result<Part> {
        if let Some((_, part)) = PARTS.iter().find(|(name, _)| *name == word) {
            return Ok(*part);
        }
        let problem = format!("unknown part `{}`", cut(word, 40));
        let known = listed(PARTS[..14].iter().map(|(name, _)| *name));
        Err(self.source.fail(at, problem).with_hint(format!("parts: {known}")))
    }
}

fn number(name: &str) -> Option<Number> {
    Some(match name {
        "abs" => Number::Abs,
        "sign" => Number::Sign,
        "floor" => Number::Floor,
        "ceil" => Number::Ceil,
        "trunc" => Number::Trunc,
        "round" => Number::Round(0),
        "sqrt" => Number::Sqrt,
        "exp" => Number::Exp,
        "ln" => Number::Ln,
        "log10" => Number::Log10,
        _ => return None,
    })
}
