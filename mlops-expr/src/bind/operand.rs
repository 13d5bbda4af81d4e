//! What two operands have in common: the type that a literal takes, the class of a comparison, the
//! one type of several branches.

use std::sync::Arc;

use arrow::datatypes::TimeUnit;
use mlops_core::Result;

use super::{Binder, Typed, known};
use crate::ast::Literal;
use crate::calendar::{NANOS_PER_DAY, parse_date, parse_time, parse_timestamp};
use crate::eval::compare::Class;
use crate::eval::convert::{can_convert, to_float};
use crate::eval::vector::Scalar;
use crate::eval::{Node, Op};
use crate::parse::exact;
use crate::types::{INT, Type, finer, tick};

/// Nanoseconds in the wanted unit, or else in the first that holds them without loss.
pub(super) fn in_unit(nanos: i128, wanted: Option<TimeUnit>) -> Option<(i64, TimeUnit)> {
    let units =
        [TimeUnit::Microsecond, TimeUnit::Nanosecond, TimeUnit::Millisecond, TimeUnit::Second];
    wanted.into_iter().chain(units).find_map(|unit| {
        let each = i128::from(tick(unit));
        let value = (nanos % each == 0).then(|| i64::try_from(nanos / each).ok())??;
        Some((value, unit))
    })
}

impl Binder<'_> {
    /// Gives a literal the type of what it meets, as far as that loses nothing that was written.
    pub(super) fn adopt(&self, typed: &mut Typed, other: &Type) -> Result<()> {
        let Some(literal) = &typed.free else {
            return Ok(());
        };
        let (scalar, ty) = match (literal, other) {
            (Literal::Null, other) => (Scalar::Null, other.clone()),
            (Literal::Text(text), Type::Date | Type::Timestamp(..) | Type::Time) => {
                self.read(typed, text, other)?
            }
            (Literal::Timestamp(nanos, zoned), Type::Timestamp(unit, zone)) => {
                if *zoned != zone.is_some() {
                    return Ok(());
                }
                match in_unit(*nanos, Some(*unit)) {
                    Some((value, unit)) => {
                        (Scalar::I64(value), Type::Timestamp(unit, zone.clone()))
                    }
                    None => return Ok(()),
                }
            }
            (Literal::Date(day), Type::Timestamp(unit, None)) => {
                match in_unit(i128::from(*day) * i128::from(NANOS_PER_DAY), Some(*unit)) {
                    Some((value, unit)) => (Scalar::I64(value), Type::Timestamp(unit, None)),
                    None => return Ok(()),
                }
            }
            (Literal::Interval(interval), Type::Duration(unit)) if interval.months == 0 => {
                let nanos = i128::from(interval.days) * i128::from(NANOS_PER_DAY);
                match in_unit(nanos + i128::from(interval.nanos), Some(*unit)) {
                    Some((value, unit)) => (Scalar::I64(value), Type::Duration(unit)),
                    None => return Ok(()),
                }
            }
            (Literal::Exact(value, scale), Type::Float32 | Type::Float64) => {
                let float = to_float(*value, *scale, other == &Type::Float32);
                // A whole number that no float is stays what it is: the comparison is exact.
                if *scale == 0 && crate::eval::compare::exact_float(*value, 0, float).is_ne() {
                    return Ok(());
                }
                (Scalar::F64(float), other.clone())
            }
            (Literal::Float(value), Type::Float32) => {
                (Scalar::F64(f64::from(*value as f32)), Type::Float32)
            }
            // 0.1 as a float means the decimal 0.1 where it meets decimals.
            (Literal::Float(value), other) if other.is_exact() && value.is_finite() => {
                let digits = value.abs().to_string();
                match exact(&digits) {
                    Some(Literal::Exact(digits, scale)) => {
                        let digits = if value.is_sign_negative() { -digits } else { digits };
                        let mut typed = self.literal(typed.at, &Literal::Exact(digits, scale))?;
                        match typed.node.op {
                            Op::Literal(ref mut scalar) => {
                                (std::mem::replace(scalar, Scalar::Null), typed.node.ty)
                            }
                            _ => return Ok(()),
                        }
                    }
                    _ => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        typed.node = Node { nullable: scalar == Scalar::Null, op: Op::Literal(scalar), ty };
        Ok(())
    }

    /// A text as the point in time that it meets.
    fn read(&self, typed: &Typed, text: &str, other: &Type) -> Result<(Scalar, Type)> {
        let fail = |hint: &'static str| {
            Err(self.fail(typed, format_args!("this text is no {other}")).with_hint(hint))
        };
        match other {
            Type::Date => match (parse_date(text), parse_timestamp(text)) {
                (Some(day), _) => Ok((Scalar::I64(day.into()), Type::Date)),
                (None, Some((nanos, false))) => match in_unit(nanos, None) {
                    Some((value, unit)) => Ok((Scalar::I64(value), Type::Timestamp(unit, None))),
                    None => fail("such as '2024-02-29'"),
                },
                _ => fail("such as '2024-02-29'"),
            },
            Type::Time => match parse_time(text) {
                Some(nanos) => Ok((Scalar::I64(nanos), Type::Time)),
                None => fail("such as '13:45:00'"),
            },
            Type::Timestamp(unit, zone) => {
                let Some((nanos, zoned)) = parse_timestamp(text) else {
                    return fail("such as '2024-02-29 13:45:00', with Z or +02:00 for an instant");
                };
                if zoned && zone.is_none() {
                    return fail("the other side has no zone: leave the offset out");
                }
                if !zoned && zone.is_some() {
                    return fail(
                        "the other side is an instant: add Z, or an offset such as +02:00",
                    );
                }
                match in_unit(nanos, Some(*unit)) {
                    Some((value, unit)) => {
                        Ok((Scalar::I64(value), Type::Timestamp(unit, zone.clone())))
                    }
                    None => fail("no 64 bits hold it"),
                }
            }
            _ => fail("a literal of its type"),
        }
    }

    /// How the two are compared, after literals have taken their types.
    pub(super) fn class(&self, at: usize, a: &mut Typed, b: &mut Typed) -> Result<Class> {
        let (ta, tb) = (a.node.ty.clone(), b.node.ty.clone());
        // Between two literals the first gives way only if the second is of its own mind.
        self.adopt(b, &ta)?;
        if a.free.is_some() && b.node.ty == tb {
            self.adopt(a, &tb)?;
        }
        let (ta, tb) = (&a.node.ty, &b.node.ty);
        let class = match (ta, tb) {
            (Type::Struct(_) | Type::Other(_) | Type::Interval, _)
            | (_, Type::Struct(_) | Type::Other(_) | Type::Interval) => None,
            (Type::Null, _) | (_, Type::Null) => Some(Class::Null),
            (Type::Bool, Type::Bool) => Some(Class::Bool),
            (Type::Text, Type::Text) => Some(Class::Text),
            (Type::Int(..), Type::Int(..)) | (Type::Time, Type::Time) => Some(Class::I64),
            (a, b) if a.is_float() && b.is_float() => Some(Class::F64),
            (a, b) => match (a.digits(), b.digits(), a.instant(), b.instant()) {
                (Some((_, a)), Some((_, b)), ..) => Some(Class::Exact(a, b)),
                (Some((_, a)), ..) if b.is_float() => Some(Class::ExactFloat(a)),
                (_, Some((_, b)), ..) if a.is_float() => Some(Class::FloatExact(b)),
                (.., Some((a, za)), Some((b, zb))) if za == zb => Some(ticks(a, b)),
                _ => match (a, b) {
                    (Type::Duration(a), Type::Duration(b)) => Some(ticks(tick(*a), tick(*b))),
                    _ => None,
                },
            },
        };
        class.ok_or_else(|| {
            let error = self.source.fail(at, format_args!("{ta} and {tb} cannot be compared"));
            match hint(ta, tb) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })
    }

    /// The branches as one type.
    pub(super) fn unify(&self, mut branches: Vec<Typed>) -> Result<(Vec<Node>, Type)> {
        // Columns speak first: literals take their type.
        let mut ty = Type::Null;
        for fixed in [true, false] {
            for branch in branches.iter_mut().filter(|branch| branch.free.is_none() == fixed) {
                if !fixed {
                    self.adopt(branch, &ty)?;
                }
                ty = self.common(branch, &ty)?;
            }
        }
        let nodes = branches.into_iter().map(|branch| Ok(self.converted(branch, &ty)?.node));
        Ok((nodes.collect::<Result<Vec<_>>>()?, ty))
    }

    fn common(&self, branch: &Typed, ty: &Type) -> Result<Type> {
        let other = branch.ty();
        let common = match (ty, other) {
            (Type::Struct(_) | Type::Other(_) | Type::Interval, _)
            | (_, Type::Struct(_) | Type::Other(_) | Type::Interval) => None,
            (a, b) if a == b => Some(a.clone()),
            (Type::Null, other) | (other, Type::Null) => Some(other.clone()),
            (Type::Int(..), Type::Int(..)) => Some(INT),
            (a, b) if a.is_number() && b.is_number() => match (a.digits(), b.digits()) {
                (Some((pa, sa)), Some((pb, sb))) => {
                    let scale = sa.max(sb);
                    let precision = (pa - sa).max(pb - sb) + scale;
                    (precision <= 38).then_some(Type::Decimal(precision, scale))
                }
                _ => Some(Type::Float64),
            },
            (Type::Timestamp(a, za), Type::Timestamp(b, zb)) if za.is_some() == zb.is_some() => {
                let zone = if za == zb { za.clone() } else { Some(Arc::from("UTC")) };
                Some(Type::Timestamp(finer(*a, *b), zone))
            }
            (Type::Date, Type::Timestamp(unit, None))
            | (Type::Timestamp(unit, None), Type::Date) => Some(Type::Timestamp(*unit, None)),
            (Type::Duration(a), Type::Duration(b)) => Some(Type::Duration(finer(*a, *b))),
            _ => None,
        };
        common.ok_or_else(|| {
            let error = self.fail(branch, format_args!("{ty} and {other} have no type in common"));
            match hint(ty, other) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })
    }

    /// The node as a value of the type; what cannot be is null.
    pub(super) fn converted(&self, typed: Typed, to: &Type) -> Result<Typed> {
        if typed.ty() == to {
            return Ok(typed);
        }
        if !can_convert(typed.ty(), to) {
            let problem = format!("{} cannot become {to}", typed.ty());
            return Err(self.fail(&typed, problem));
        }
        let never_lost = typed.ty().is_number() && to.is_float();
        let nullable = typed.node.nullable || !(never_lost || widens(typed.ty(), to));
        self.make(typed.at, Op::Convert(typed.node.into()), to.clone(), nullable)
    }

    /// The whole number that an argument is, which has to be known now.
    pub(super) fn constant_int(&self, typed: &Typed) -> Result<i64> {
        match typed.node.literal() {
            Some(Scalar::I64(value)) if known(&typed.node) && *typed.ty() == INT => Ok(*value),
            _ => Err(self.fail(typed, "expected a whole number that is known before any row")),
        }
    }
}

/// Whether each value of `from` is one of `to`.
fn widens(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Int(a, signed), Type::Int(b, true)) => a < b || (a == b && *signed),
        _ => match (from.digits(), to) {
            (Some((p, s)), Type::Decimal(tp, ts)) => ts >= &s && tp - ts >= p - s,
            (_, Type::Text) => true,
            _ => false,
        },
    }
}

fn ticks(a: i64, b: i64) -> Class {
    if a == b { Class::I64 } else { Class::Ticks(a, b) }
}

/// What to write instead.
fn hint(a: &Type, b: &Type) -> Option<&'static str> {
    let zoned = |ty: &Type| ty.instant().map(|(_, zoned)| zoned);
    match (a, b) {
        (Type::Text, other) | (other, Type::Text) if other.is_number() => {
            Some("texts and numbers do not mix: CAST(x AS TEXT), or TRY_CAST(x AS DOUBLE)")
        }
        (Type::Bool, other) | (other, Type::Bool) if other.is_number() => {
            Some("a condition is no number: CAST(x AS INT), or x <> 0")
        }
        (Type::Interval, _) | (_, Type::Interval) => {
            Some("months have no fixed length; compare points in time: b < a + INTERVAL '1 month'")
        }
        (a, b) if zoned(a).is_some() && zoned(b).is_some() => Some(
            "one has a zone: CAST(x AS TIMESTAMP WITH TIME ZONE) reads the other as UTC; a literal \
             takes Z or an offset",
        ),
        (Type::Text, _) | (_, Type::Text) => Some("CAST(x AS TEXT), or cast the text"),
        _ => None,
    }
}
