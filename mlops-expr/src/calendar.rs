//! Days, and the texts of dates, timestamps and intervals.
//!
//! The proleptic Gregorian calendar; days and nanoseconds count from 1970-01-01. Written here, and
//! not taken from `chrono`, because every value of an Arrow column has to have an answer: `chrono`
//! ends some 262,000 years from now, a column of days does not.

use std::fmt::Write as _;

use crate::ast::Interval;

pub(crate) const NANOS_PER_SECOND: i64 = 1_000_000_000;
pub(crate) const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// Year, month and day of a day count. Hinnant's algorithm.
pub(crate) fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// The day count of a year, month and day.
pub(crate) fn days(year: i64, month: u32, day: u32) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from((month + 9) % 12);
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `day` moved by months; the last day of the month where the month has no such day.
pub(crate) fn add_months(day: i64, months: i64) -> i64 {
    let (year, month, dom) = civil(day);
    let total = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    days(year, month, dom.min(days_in_month(year, month)))
}

/// `2024-02-29`; nothing else.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    let valid = (1..=12).contains(&month) && day >= 1 && year >= 1;
    let valid = valid && rest.is_empty() && day <= days_in_month(year.into(), month);
    valid.then(|| days(year.into(), month, day) as i32)
}

/// `2024-02-29 13:45[:59[.123456789]][Z|±HH[:MM]]`, `T` for the blank, or a date alone: nanoseconds,
/// and whether an offset was given.
pub(crate) fn parse_timestamp(text: &str) -> Option<(i128, bool)> {
    let day = i128::from(parse_date(text.get(..10)?)?) * i128::from(NANOS_PER_DAY);
    let rest = &text[10..];
    if rest.is_empty() {
        return Some((day, false));
    }
    let rest = rest.strip_prefix([' ', 'T', 't'])?;
    let (nanos, rest) = parse_clock(rest)?;
    let zone = rest.trim_start_matches(' ');
    let offset = if zone.is_empty() && rest.is_empty() { 0 } else { offset_seconds(zone)? };
    let instant = day + i128::from(nanos) - i128::from(offset) * i128::from(NANOS_PER_SECOND);
    Some((instant, !zone.is_empty()))
}

/// `13:45[:59[.123456789]]`: nanoseconds of the day, and what follows.
fn parse_clock(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = number(text, 2)?;
    let (minute, mut rest) = number(rest.strip_prefix(':')?, 2)?;
    let (mut second, mut nanos) = (0, 0);
    if let Some(more) = rest.strip_prefix(':') {
        (second, rest) = number(more, 2)?;
        if let Some(more) = rest.strip_prefix('.') {
            let len = more.bytes().take_while(u8::is_ascii_digit).count();
            if len == 0 || len > 9 {
                return None;
            }
            nanos = more[..len].parse::<i64>().ok()? * 10_i64.pow(9 - len as u32);
            rest = &more[len..];
        }
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some((seconds * NANOS_PER_SECOND + nanos, rest))
}

/// `13:45:59.5` alone.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    parse_clock(text).filter(|(_, rest)| rest.is_empty()).map(|(nanos, _)| nanos)
}

/// The seconds that a zone is ahead of UTC, if it is `UTC` or a fixed offset.
pub(crate) fn offset_seconds(zone: &str) -> Option<i64> {
    if ["UTC", "Z", "Etc/UTC", "GMT"].iter().any(|utc| zone.eq_ignore_ascii_case(utc)) {
        return Some(0);
    }
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let (hours, rest) = number(rest, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() { (0, rest) } else { number(rest, 2)? };
    let valid = hours < 24 && minutes < 60 && rest.is_empty();
    valid.then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

/// A number of exactly `len` digits, and what follows.
fn number(text: &str, len: usize) -> Option<(u32, &str)> {
    let digits = text.get(..len).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    Some((digits.parse().ok()?, &text[len..]))
}

/// `3 days`, `1 year 2 months`, `-1 day 12:30:00`.
pub(crate) fn parse_interval(text: &str) -> Option<Interval> {
    let mut interval = Interval::default();
    let mut words = text.split_ascii_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        let (negative, plain) = match word.strip_prefix('-') {
            Some(plain) => (true, plain),
            None => (false, word.strip_prefix('+').unwrap_or(word)),
        };
        if plain.contains(':') {
            let nanos = parse_time(plain)?;
            interval.nanos = interval.nanos.checked_add(if negative { -nanos } else { nanos })?;
            continue;
        }
        let count: i64 =
            plain.parse().ok().filter(|_| plain.starts_with(|c: char| c.is_ascii_digit()))?;
        let count = if negative { -count } else { count };
        let unit = words.next()?.to_ascii_lowercase();
        let mut nanos = |each: i64| {
            interval.nanos = interval.nanos.checked_add(count.checked_mul(each)?)?;
            Some(())
        };
        match unit.strip_suffix('s').unwrap_or(&unit) {
            "nanosecond" => nanos(1)?,
            "microsecond" => nanos(1000)?,
            "millisecond" => nanos(1_000_000)?,
            "second" | "sec" => nanos(NANOS_PER_SECOND)?,
            "minute" | "min" => nanos(60 * NANOS_PER_SECOND)?,
            "hour" => nanos(3600 * NANOS_PER_SECOND)?,
            unit => {
                let (months, days) = match unit {
                    "day" => (0, count),
                    "week" => (0, count.checked_mul(7)?),
                    "month" => (count, 0),
                    "year" => (count.checked_mul(12)?, 0),
                    _ => return None,
                };
                interval.months = interval.months.checked_add(months.try_into().ok()?)?;
                interval.days = interval.days.checked_add(days.try_into().ok()?)?;
            }
        }
    }
    Some(interval)
}

/// Writes a day as `2024-02-29`.
pub(crate) fn write_date(out: &mut String, day: i64) {
    let (year, month, day) = civil(day);
    let sign = if year < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs());
}

/// Writes nanoseconds of a day as `13:45:59`, with a fraction where there is one.
pub(crate) fn write_clock(out: &mut String, nanos: i64) {
    let (seconds, nanos) = (nanos / NANOS_PER_SECOND, nanos % NANOS_PER_SECOND);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if nanos != 0 {
        let digits = format!("{nanos:09}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
}

/// Writes nanoseconds since 1970 as `2024-02-29 13:45:59`.
pub(crate) fn write_timestamp(out: &mut String, nanos: i128) {
    let day = i128::from(NANOS_PER_DAY);
    write_date(out, nanos.div_euclid(day) as i64);
    out.push(' ');
    write_clock(out, nanos.rem_euclid(day) as i64);
}

/// Writes an interval so that [`parse_interval`] reads it back.
pub(crate) fn write_interval(out: &mut String, interval: Interval) {
    let start = out.len();
    for (count, unit) in [
        (i64::from(interval.months), "months"),
        (i64::from(interval.days), "days"),
        (interval.nanos / NANOS_PER_SECOND, "seconds"),
        (interval.nanos % NANOS_PER_SECOND, "nanoseconds"),
    ] {
        if count != 0 {
            let blank = if out.len() == start { "" } else { " " };
            let _ = write!(out, "{blank}{count} {unit}");
        }
    }
    if out.len() == start {
        out.push_str("0 days");
    }
}
