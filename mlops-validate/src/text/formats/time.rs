//! Dates and times.

pub(super) fn is_date_time(text: &[u8]) -> bool {
    let Some((date, [b'T' | b't', time @ ..])) = text.split_first_chunk::<10>() else {
        return false;
    };
    is_date(date) && matches!(time_of_day(time), Some(Zone::Offset))
}

pub(super) fn is_time(text: &[u8]) -> bool {
    time_of_day(text).is_some()
}

#[inline]
pub(super) fn is_date(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return false;
    };
    if ![y1, y2, y3, y4].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let (Some(month), Some(day)) = (two(m1, m2), two(d1, d2)) else {
        return false;
    };
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => {
            // Every fourth year, and of the centuries every fourth.
            let (century, year) = ((y1 - b'0') * 10 + y2 - b'0', (y3 - b'0') * 10 + y4 - b'0');
            let leap = if year == 0 { century } else { year } % 4 == 0;
            28 + u8::from(leap)
        }
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Whether a time said where on Earth.
enum Zone {
    None,
    Offset,
}

/// `hh:mm:ss[.f][Z|±hh:mm]`.
fn time_of_day(text: &[u8]) -> Option<Zone> {
    let (&[h1, h2, b':', m1, m2, b':', s1, s2], rest) = text.split_first_chunk::<8>()? else {
        return None;
    };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            &fraction[digits..]
        }
        rest => rest,
    };
    let (zone, offset) = match *rest {
        [] => (Zone::None, 0),
        [b'Z' | b'z'] => (Zone::Offset, 0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i32::from(hours) * 60 + i32::from(minutes);
            (Zone::Offset, if sign == b'+' { offset } else { -offset })
        }
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // A leap second is the last of a day in UTC.
    let utc = (i32::from(hour) * 60 + i32::from(minute) - offset).rem_euclid(24 * 60);
    (second < 60 || utc == 24 * 60 - 1).then_some(zone)
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then_some(tens.wrapping_mul(10).wrapping_add(ones))
}
