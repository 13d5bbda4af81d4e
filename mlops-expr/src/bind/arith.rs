//! Types of arithmetic and of casts.

use arrow::datatypes::TimeUnit;
use mlops_core::Result;

use super::{Binder, Typed};
use crate::ast::{Binary, CastType, Interval, Literal};
use crate::calendar::{NANOS_PER_DAY, offset_seconds};
use crate::eval::arith::{Arith, Clock};
use crate::eval::convert::can_convert;
use crate::eval::vector::Scalar;
use crate::eval::{Call, Op};
use crate::types::{INT, Type, finer, tick};

impl Binder<'_> {
    pub(super) fn negate(&self, at: usize, a: Typed) -> Result<Typed> {
        let (a, ty) = match a.ty() {
            Type::Int(..) | Type::UInt64 => (self.converted(a, &INT)?, INT),
            Type::Interval => {
                if let Some(Scalar::Interval(i)) = a.node.literal() {
                    let negated =
                        (i.months.checked_neg(), i.days.checked_neg(), i.nanos.checked_neg());
                    if let (Some(months), Some(days), Some(nanos)) = negated {
                        let interval = Interval { months, days, nanos };
                        return self.literal(at, &Literal::Interval(interval));
                    }
                }
                return Err(self.fail(&a, "no such interval"));
            }
            Type::Float32 | Type::Float64 => (self.converted(a, &Type::Float64)?, Type::Float64),
            ty @ (Type::Decimal(..) | Type::Duration(_) | Type::Null) => {
                let ty = ty.clone();
                (a, ty)
            }
            other => return Err(self.fail(&a, format_args!("expected a number, found {other}"))),
        };
        self.make(at, Op::Negate(a.node.into()), ty, true)
    }

    pub(super) fn binary(
        &self,
        at: usize,
        op: Binary,
        mut a: Typed,
        mut b: Typed,
    ) -> Result<Typed> {
        if op == Binary::Concat {
            self.need_text(&a)?;
            self.need_text(&b)?;
            let nullable = a.node.nullable || b.node.nullable;
            let call = Call::Concat { skip_nulls: false };
            return self.make(at, Op::Call(call, vec![a.node, b.node]), Type::Text, nullable);
        }
        let (ta, tb) = (a.node.ty.clone(), b.node.ty.clone());
        self.meet(&mut b, &ta)?;
        self.meet(&mut a, &tb)?;
        let (ta, tb) = (a.node.ty.clone(), b.node.ty.clone());
        if ta.is_number() && tb.is_number() {
            return self.numbers(at, op, a, b);
        }
        if op == Binary::Add || op == Binary::Subtract {
            if let Some(moved) = self.moved(at, op, &a, &b)? {
                return Ok(moved);
            }
            if let Some((kind, ty)) = difference(op, &ta, &tb) {
                let op = Op::Arith(kind, op, [a.node, b.node].into());
                return self.make(at, op, ty, true);
            }
        }
        if matches!(ta, Type::Null) || matches!(tb, Type::Null) {
            return self.make(at, Op::Literal(Scalar::Null), Type::Null, true);
        }
        let error = self.source.fail(at, format_args!("{ta} {} {tb} has no meaning", op.sign()));
        Err(match (&ta, &tb) {
            (Type::Text, _) | (_, Type::Text) if op == Binary::Add => error.with_hint(
                "texts are joined by ||; a text becomes a number by TRY_CAST(x AS DOUBLE)",
            ),
            (Type::Text, _) | (_, Type::Text) => error.with_hint("TRY_CAST(x AS DOUBLE)"),
            (Type::Timestamp(..), other) | (other, Type::Timestamp(..)) if other.is_number() => {
                error.with_hint("a span of time is an interval: INTERVAL '1 day'")
            }
            _ => error,
        })
    }

    /// What a literal becomes in arithmetic: points in time by the rules of comparisons.
    fn meet(&self, typed: &mut Typed, other: &Type) -> Result<()> {
        match (&typed.free, other) {
            (Some(Literal::Null), other) if !matches!(other, Type::Interval) => {
                self.adopt(typed, other)
            }
            (Some(Literal::Text(_)), Type::Date | Type::Timestamp(..))
            | (Some(Literal::Timestamp(..)), Type::Timestamp(..))
            | (Some(Literal::Interval(_)), Type::Duration(_)) => self.adopt(typed, other),
            _ => Ok(()),
        }
    }

    fn numbers(&self, at: usize, op: Binary, a: Typed, b: Typed) -> Result<Typed> {
        let (kind, ty, a, b) = match (a.ty().digits(), b.ty().digits()) {
            (Some(da), Some(db))
                if [a.ty(), b.ty()].iter().any(|ty| matches!(ty, Type::Decimal(..))) =>
            {
                let (da, db) = (written_digits(&a, da), written_digits(&b, db));
                let Some((precision, scale)) = decimal(op, da, db) else {
                    let problem = "the result would have more than 38 digits after its dot";
                    let error = self.source.fail(at, problem);
                    return Err(error.with_hint("CAST(x AS DECIMAL(38, 10)) one side first"));
                };
                let kind = Arith::Decimal { a: da.1, b: db.1, precision, scale };
                (kind, Type::Decimal(precision, scale), a, b)
            }
            (Some(_), Some(_)) => {
                (Arith::Int, INT, self.converted(a, &INT)?, self.converted(b, &INT)?)
            }
            _ => {
                let (a, b) =
                    (self.converted(a, &Type::Float64)?, self.converted(b, &Type::Float64)?);
                (Arith::Float, Type::Float64, a, b)
            }
        };
        let nullable = kind != Arith::Float || a.node.nullable || b.node.nullable;
        self.make(at, Op::Arith(kind, op, [a.node, b.node].into()), ty, nullable)
    }

    /// A point in time plus or minus an interval.
    fn moved(&self, at: usize, op: Binary, a: &Typed, b: &Typed) -> Result<Option<Typed>> {
        let (point, span) = match (a.node.literal(), b.node.literal()) {
            (_, Some(Scalar::Interval(span))) => (a, *span),
            (Some(Scalar::Interval(span)), _) if op == Binary::Add => (b, *span),
            _ => return Ok(None),
        };
        if point.ty().instant().is_none() {
            return Ok(None);
        }
        let span = if op == Binary::Add {
            Some(span)
        } else {
            let parts =
                (span.months.checked_neg(), span.days.checked_neg(), span.nanos.checked_neg());
            match parts {
                (Some(months), Some(days), Some(nanos)) => Some(Interval { months, days, nanos }),
                _ => None,
            }
        };
        let span = span.ok_or_else(|| self.source.fail(at, "no such interval"))?;
        let mut point = point.clone();
        match point.ty().clone() {
            Type::Date if span.nanos != 0 => {
                let error = self.source.fail(at, "a date has no time of day to move");
                return Err(error.with_hint("CAST(x AS TIMESTAMP) first"));
            }
            // The coarsest unit in which nothing of the span is lost.
            Type::Timestamp(unit, zone) => {
                let units = [unit, TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond];
                let fits = |unit: &TimeUnit| span.nanos % tick(*unit) == 0;
                let needed = units.into_iter().find(fits).unwrap_or(TimeUnit::Nanosecond);
                point = self.converted(point, &Type::Timestamp(finer(unit, needed), zone))?;
            }
            _ => {}
        }
        let clock = if span.months == 0 {
            Clock { offset: 0, per_day: per_day(point.ty()) }
        } else {
            self.clock(&point)?
        };
        let ty = point.node.ty.clone();
        Ok(Some(self.make(at, Op::Shift(point.node.into(), span, clock), ty, true)?))
    }

    /// How a point in time counts, on the calendar of its zone.
    pub(super) fn clock(&self, point: &Typed) -> Result<Clock> {
        let offset = match point.ty() {
            Type::Timestamp(_, Some(zone)) => offset_seconds(zone).ok_or_else(|| {
                self.fail(point, format_args!("the calendar of zone {zone} is not known"))
                    .with_hint("CAST(x AS TIMESTAMP) has the calendar of UTC")
            })?,
            Type::Timestamp(..) | Type::Date => 0,
            other => {
                let error =
                    self.fail(point, format_args!("expected a date or timestamp, found {other}"));
                return Err(error);
            }
        };
        Ok(Clock { per_day: per_day(point.ty()), offset })
    }

    pub(super) fn cast(&self, at: usize, a: Typed, to: CastType) -> Result<Typed> {
        let to = match to {
            CastType::Bool => Type::Bool,
            CastType::Int(bits) => Type::Int(bits, true),
            CastType::Decimal(precision, scale) => Type::Decimal(precision, scale as u8),
            CastType::Float32 => Type::Float32,
            CastType::Float64 => Type::Float64,
            CastType::Text => Type::Text,
            CastType::Date => Type::Date,
            CastType::Timestamp(digits, zoned) => {
                let unit = match digits {
                    0 => TimeUnit::Second,
                    3 => TimeUnit::Millisecond,
                    6 => TimeUnit::Microsecond,
                    _ => TimeUnit::Nanosecond,
                };
                Type::Timestamp(unit, zoned.then(|| "UTC".into()))
            }
        };
        if !can_convert(a.ty(), &to) {
            let error = self.fail(&a, format_args!("{} never becomes {to}", a.ty()));
            return Err(match (a.ty(), &to) {
                (from, Type::Bool) if from.is_number() => error.with_hint("x <> 0"),
                _ => error,
            });
        }
        let mut typed = self.converted(a, &to)?;
        typed.at = at;
        typed.free = None;
        Ok(typed)
    }
}

fn per_day(ty: &Type) -> i64 {
    ty.instant().map_or(1, |(nanos, _)| NANOS_PER_DAY / nanos)
}

/// The digits of an integer literal are those that were written.
fn written_digits(typed: &Typed, digits: (u8, u8)) -> (u8, u8) {
    match (typed.node.literal(), typed.ty()) {
        (Some(Scalar::I64(value)), _) => {
            (value.unsigned_abs().checked_ilog10().unwrap_or(0) as u8 + 1, 0)
        }
        _ => digits,
    }
}

/// Precision and scale of a result.
fn decimal(op: Binary, (pa, sa): (u8, u8), (pb, sb): (u8, u8)) -> Option<(u8, u8)> {
    let (whole, scale) = match op {
        Binary::Multiply => (pa - sa + pb - sb, sa + sb),
        Binary::Divide => (pa - sa + sb, sa.max(sb).max(6)),
        Binary::Modulo => ((pa - sa).min(pb - sb), sa.max(sb)),
        _ => ((pa - sa).max(pb - sb) + 1, sa.max(sb)),
    };
    (scale <= 38).then_some(((whole + scale).clamp(1, 38), scale))
}

/// Dates and days, differences of points in time, sums of durations.
fn difference(op: Binary, a: &Type, b: &Type) -> Option<(Arith, Type)> {
    let plain = |date| Arith::Ticks { a: 1, b: 1, date };
    let scaled = |a: TimeUnit, b: TimeUnit, unit: TimeUnit| Arith::Ticks {
        a: tick(a) / tick(unit),
        b: tick(b) / tick(unit),
        date: false,
    };
    let minus = op == Binary::Subtract;
    match (a, b) {
        (Type::Date, Type::Int(..)) => Some((plain(true), Type::Date)),
        (Type::Int(..), Type::Date) if !minus => Some((plain(true), Type::Date)),
        (Type::Date, Type::Date) if minus => Some((plain(false), INT)),
        (Type::Timestamp(a, za), Type::Timestamp(b, zb))
            if minus && za.is_some() == zb.is_some() =>
        {
            let unit = finer(*a, *b);
            Some((scaled(*a, *b, unit), Type::Duration(unit)))
        }
        (Type::Timestamp(a, zone), Type::Duration(b)) => {
            let unit = finer(*a, *b);
            Some((scaled(*a, *b, unit), Type::Timestamp(unit, zone.clone())))
        }
        (Type::Duration(a), Type::Timestamp(b, zone)) if !minus => {
            let unit = finer(*a, *b);
            Some((scaled(*a, *b, unit), Type::Timestamp(unit, zone.clone())))
        }
        (Type::Duration(a), Type::Duration(b)) => {
            let unit = finer(*a, *b);
            Some((scaled(*a, *b, unit), Type::Duration(unit)))
        }
        _ => None,
    }
}
