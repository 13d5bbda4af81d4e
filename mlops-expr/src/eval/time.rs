//! Parts of points in time.

use super::arith::Clock;
use super::mask::Mask;
use super::vector::{Data, Vector};
use crate::calendar::{civil, days};

/// What is taken out of a point in time, or what it is cut to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    WeekdaySunday,
    WeekdayIso,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

/// The parts by name.
pub(crate) const PARTS: [(&str, Part); 16] = [
    ("year", Part::Year),
    ("quarter", Part::Quarter),
    ("month", Part::Month),
    ("week", Part::Week),
    ("day", Part::Day),
    ("dow", Part::WeekdaySunday),
    ("isodow", Part::WeekdayIso),
    ("doy", Part::DayOfYear),
    ("hour", Part::Hour),
    ("minute", Part::Minute),
    ("second", Part::Second),
    ("millisecond", Part::Millisecond),
    ("microsecond", Part::Microsecond),
    ("epoch", Part::Epoch),
    ("milliseconds", Part::Millisecond),
    ("microseconds", Part::Microsecond),
];

pub(crate) fn extract(part: Part, a: &Vector<'_>, clock: Clock, rows: usize) -> Vector<'static> {
    let mut nulls = a.unknown(rows);
    let Data::I64(values) = &a.data else {
        return Vector::null();
    };
    let per_second = (clock.per_day / 86_400).max(1);
    let data = values.try_map(rows, &mut nulls, |value| {
        if part == Part::Epoch {
            return match clock.per_day {
                1 => value.checked_mul(86_400),
                _ => Some(value.div_euclid(per_second)),
            };
        }
        let (day, rest) = local(value, clock)?;
        // Of the time of day: its seconds, and the ticks of the second.
        let (second, ticks) = (rest / per_second, rest % per_second);
        let fraction = |each: i64| {
            let nanos = i128::from(second % 60) * 1_000_000_000
                + i128::from(ticks) * i128::from(1_000_000_000 / per_second);
            (nanos / i128::from(each)) as i64
        };
        let (year, month, dom) = civil(day);
        let iso = (day + 3).rem_euclid(7) + 1;
        Some(match part {
            Part::Year => year,
            Part::Quarter => i64::from(month.div_ceil(3)),
            Part::Month => i64::from(month),
            Part::Day => i64::from(dom),
            Part::WeekdayIso => iso,
            Part::WeekdaySunday => iso % 7,
            Part::DayOfYear => day - days(year, 1, 1) + 1,
            Part::Week => {
                // The week of a day is that of its Thursday.
                let thursday = day + 4 - iso;
                (thursday - days(civil(thursday).0, 1, 1)) / 7 + 1
            }
            Part::Hour => second / 3600,
            Part::Minute => second / 60 % 60,
            Part::Second => second % 60,
            Part::Millisecond => fraction(1_000_000),
            Part::Microsecond | Part::Epoch => fraction(1000),
        })
    });
    Vector { data: Data::I64(data), nulls }
}

/// The day in the clock's zone, and the ticks since its midnight.
fn local(value: i64, clock: Clock) -> Option<(i64, i64)> {
    let offset = clock.offset * (clock.per_day / 86_400);
    let value = value.checked_add(offset)?;
    Some((value.div_euclid(clock.per_day), value.rem_euclid(clock.per_day)))
}

/// The beginning of the year, month, …, in which a point in time lies.
pub(crate) fn truncate(part: Part, a: &Vector<'_>, clock: Clock, rows: usize) -> Vector<'static> {
    let mut nulls: Option<Mask> = a.unknown(rows);
    let Data::I64(values) = &a.data else {
        return Vector::null();
    };
    let per_second = (clock.per_day / 86_400).max(1);
    let offset = clock.offset * (clock.per_day / 86_400);
    let data = values.try_map(rows, &mut nulls, |value| {
        let (day, rest) = local(value, clock)?;
        let (year, month, _) = civil(day);
        let step = |each: i64| Some((day, rest - rest % each.max(1)));
        let (day, rest) = match part {
            Part::Year => (days(year, 1, 1), 0),
            Part::Quarter => (days(year, (month - 1) / 3 * 3 + 1, 1), 0),
            Part::Month => (days(year, month, 1), 0),
            Part::Week => (day - (day + 3).rem_euclid(7), 0),
            Part::Hour => step(3600 * per_second)?,
            Part::Minute => step(60 * per_second)?,
            Part::Second => step(per_second)?,
            Part::Millisecond => step(per_second / 1000)?,
            Part::Microsecond => step(per_second / 1_000_000)?,
            _ => (day, 0),
        };
        day.checked_mul(clock.per_day)?.checked_add(rest)?.checked_sub(offset)
    });
    Vector { data: Data::I64(data), nulls }
}
