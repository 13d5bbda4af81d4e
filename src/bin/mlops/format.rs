//! Values as people read them: instants, durations, sizes, numbers, ids, texts.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use mlops::RunId;
use mlops::registry::Stage;
use mlops::time::{Instant, from_micros_lossy};

/// How many digits of an id a table shows, where they are enough.
const SHORT_ID: usize = 12;

/// `2026-01-31 14:05:09`, in UTC.
pub(crate) fn instant(at: Instant) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// As [`instant`], of microseconds since 1970.
pub(crate) fn micros(micros: i64) -> String {
    instant(from_micros_lossy(micros))
}

/// `0.42s`, `12.3s`, `4m07s`, `2h05m`, `3d04h`.
pub(crate) fn duration(secs: f64) -> String {
    // The bounds are where the rounded text would have a digit more.
    if secs < 9.995 {
        return format!("{secs:.2}s");
    }
    if secs < 59.95 {
        return format!("{secs:.1}s");
    }
    let whole = secs.round() as u64;
    match whole {
        0..3_600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h{:02}m", whole / 3_600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// `17 B`, `4.2 KiB`, `1.5 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Six significant digits; whole numbers whole.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if value == 0.0 || (value.fract() == 0.0 && size < 1e15) {
        return format!("{value:.0}");
    }
    if !(1e-4..1e9).contains(&size) {
        let text = format!("{value:.5e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        return format!("{digits}e{exponent}");
    }
    let before = size.log10().floor() as i32 + 1;
    let after = usize::try_from(6 - before).unwrap_or(0);
    let text = format!("{value:.after$}");
    if after == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// `1 run`, `2 runs`.
pub(crate) fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Text of at most `most` characters on one line, without control characters: what was stored may
/// not move the cursor of whoever looks at it.
pub(crate) fn text(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (at, c) in text.chars().enumerate() {
        if at == most {
            shown.pop();
            shown.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if c.is_control() => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

/// A text of several lines, without other control characters.
pub(crate) fn paragraph(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

/// The ids in few digits; whole, where these few would be those of two of them.
pub(crate) fn short_ids(ids: &[RunId]) -> Vec<String> {
    let whole: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for id in &whole {
        *seen.entry(&id[..SHORT_ID]).or_default() += 1;
    }
    let shown = |id: &String| {
        let short = &id[..SHORT_ID];
        if seen[short] == 1 { short.to_owned() } else { id.clone() }
    };
    whole.iter().map(shown).collect()
}

/// A span of time as people write it: `30d`, `12h`, `1d12h`, `90m`, `45s`, `2w`.
pub(crate) fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    let wrong = || "write a number and s, m, h, d or w, such as 30d or 1d12h".to_owned();
    let mut rest = text.trim();
    let mut secs: i64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        let mut letters = rest[digits..].chars();
        let unit = match letters.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(unit).ok_or_else(wrong)?;
        secs = secs.checked_add(part).ok_or_else(wrong)?;
        rest = letters.as_str();
    }
    // 10,000 years: beyond it, no instant lies so far back.
    TimeDelta::try_seconds(secs).filter(|span| span.num_days() <= 3_660_000).ok_or_else(wrong)
}

/// `key=value`; the value may be empty and may hold further `=`.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write key=value".to_owned()),
    }
}

/// `key=number`; also `NaN` and `inf`.
pub(crate) fn parse_number(text: &str) -> Result<(String, f64), String> {
    let (key, value) = parse_pair(text).map_err(|_| "write key=number".to_owned())?;
    let number: f64 = value.parse().map_err(|_| format!("`{value}` is no number"))?;
    // What is written in digits and too large would become infinite.
    if number.is_infinite() && value.contains(|c: char| c.is_ascii_digit()) {
        return Err(format!("`{value}` is too large; infinite is written inf"));
    }
    Ok((key, number))
}

/// A stage's name; case does not matter.
pub(crate) fn parse_stage(text: &str) -> Result<Stage, String> {
    text.parse().map_err(|_| "write None, Development, Staging, Production or Archived".to_owned())
}

/// An instant as people write it: `2026-03-03T14:00:00+01:00`, `2026-03-03 14:00` and `2026-03-03`;
/// UTC, if it does not say.
pub(crate) fn parse_instant(text: &str) -> Result<Instant, String> {
    let text = text.trim().replacen(' ', "T", 1);
    let zoned = DateTime::parse_from_rfc3339(&text)
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M%:z"));
    if let Ok(at) = zoned {
        return Ok(at.with_timezone(&Utc));
    }
    let plain = text.trim_end_matches("UTC").trim_end_matches(['Z', ' ']);
    let timed = NaiveDateTime::parse_from_str(plain, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(plain, "%Y-%m-%dT%H:%M"));
    timed
        .or_else(|_| {
            NaiveDate::parse_from_str(plain, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN))
        })
        .map(|at| at.and_utc())
        .map_err(|_| "write 2026-03-03, '2026-03-03 14:00' or 2026-03-03T14:00:00+01:00".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_parse_as_people_write_them() {
        let shown = |text| parse_instant(text).map(|at| at.to_rfc3339());
        let two = Ok("2026-03-03T14:00:00+00:00".to_owned());
        for text in [
            "2026-03-03 14:00",
            "2026-03-03T14:00Z",
            "2026-03-03 14:00:00 UTC",
            "2026-03-03T15:00:00+01:00",
            "2026-03-03 15:00+01:00",
            "2026-03-03 14:00:00.000",
        ] {
            assert_eq!(shown(text), two, "{text}");
        }
        assert_eq!(shown("2026-03-03"), Ok("2026-03-03T00:00:00+00:00".to_owned()));
        for wrong in ["", "yesterday", "2026-02-30", "14:00", "2026-03-03 25:00"] {
            assert!(parse_instant(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_metric_is_a_key_and_any_number() {
        assert_eq!(parse_number("auc=0.9"), Ok(("auc".to_owned(), 0.9)));
        assert!(parse_number("auc=NaN").is_ok_and(|(_, value)| value.is_nan()));
        assert!(parse_number("auc=good").is_err() && parse_number("auc").is_err());
        assert!(parse_number("auc=1e999").is_err() && parse_number("auc=-1e999").is_err());
        assert_eq!(parse_number("auc=-inf"), Ok(("auc".to_owned(), f64::NEG_INFINITY)));
    }

    #[test]
    fn durations_are_short_and_rounded_to_what_matters() {
        let shown = [0.0, 0.1234, 9.994, 59.94, 75.0, 3_725.0, 273_600.0].map(duration);
        assert_eq!(shown, ["0.00s", "0.12s", "9.99s", "59.9s", "1m15s", "1h02m", "3d04h"]);
    }

    #[test]
    fn numbers_have_six_significant_digits() {
        let values = [0.1 + 0.2, 1.0, -12.5, 123_456.789, 0.000_012_345_678, 2e20, f64::NAN];
        let shown = values.map(number);
        assert_eq!(shown, ["0.3", "1", "-12.5", "123457", "1.23457e-5", "2e20", "NaN"]);
    }

    #[test]
    fn spans_parse_in_units_and_sums_of_them() {
        let secs = |text| parse_duration(text).map(|span| span.num_seconds());
        assert_eq!(secs("30d"), Ok(2_592_000));
        assert_eq!(secs("1d12h"), Ok(129_600));
        assert_eq!(secs("0s"), Ok(0));
        for wrong in ["", "30", "d", "-3d", "3x", "99999999999999999999d", "9999999999w"] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ids_are_whole_where_twelve_digits_are_those_of_two() {
        let parse = |text: &str| text.parse::<RunId>().unwrap();
        let a = parse("0191d2a0b1c27def8123456789abcdef");
        let b = parse("0191d2a0b1c27def8123456789abcdee");
        let c = parse("0191d2a0b1c37def8123456789abcdef");
        let shown = short_ids(&[a, b, c]);
        assert_eq!(shown, [a.to_string(), b.to_string(), "0191d2a0b1c3".into()]);
    }

    #[test]
    fn texts_cannot_move_the_cursor() {
        assert_eq!(text("a\u{1b}[2Jb\nc", 40), "a\u{fffd}[2Jb c");
        assert_eq!(text("abcdef", 4), "abc…");
        assert_eq!(text("abcd", 4), "abcd");
    }
}
