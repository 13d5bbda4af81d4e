//! Types that mean the same: units, zones, and the widths of keys (R9, R10).

use mlops_core::arrow::datatypes::{DataType, TimeUnit};
use mlops_core::features::KeyType::String as Text;

use super::super::build::{int, row, text};
use super::super::oracle::Row;
use super::{NOT_FOUND, S, Tricky, US, found};

fn at(event_time: i64, value: i64) -> Row {
    row(1, event_time * 1_000_000, event_time * 1_000_000, value)
}

/// A row of key 1 of nanoseconds.
fn fine(event_time: i64, value: i64) -> Row {
    Row { key: int(1), event_time, created: Some(5 * S), value: Some(value) }
}

fn times(name: &'static str, unit: TimeUnit, zone: Option<&str>, rows: Vec<Row>) -> Tricky {
    Tricky::new(name, rows).encoded(|e| e.times = DataType::Timestamp(unit, zone.map(Into::into)))
}

fn keys(name: &'static str, ints: DataType) -> Tricky {
    Tricky::new(name, vec![at(5, 1), row(2, 6_000_000, 6_000_000, 2)])
        .encoded(|e| e.ints = ints)
        .ask(10 * S, found(1))
        .ask_of(int(2), 10 * S, found(2))
        .ask_of(int(258), 10 * S, NOT_FOUND)
        .ask_of(int(-1), 10 * S, NOT_FOUND)
        .ask_of(int((1 << 32) + 1), 10 * S, NOT_FOUND)
}

fn texts(name: &'static str, texts: DataType) -> Tricky {
    let at = |key: &str, value| Row { key: text(key), ..at(5, value) };
    Tricky::new(name, vec![at("a", 1), at("b", 2), at("", 3), at("a", 4)])
        .keys(&[Text])
        .encoded(|e| e.texts = texts)
        .ask_of(text("a"), 10 * S, found(4))
        .ask_of(text("b"), 10 * S, found(2))
        .ask_of(text(""), 10 * S, found(3))
        .ask_of(text("c"), 10 * S, NOT_FOUND)
}

pub(super) fn all() -> Vec<Tricky> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let two = || vec![at(5, 1), at(10, 2)];
    // 2023-10-29 02:30 is there twice in Berlin: at 00:30 and at 01:30 UTC.
    let fold = 1_698_539_400;
    let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int32), Box::new(values));
    vec![
        times("naive_times_are_utc", Microsecond, None, two())
            .ask(10 * S, found(2))
            .ask(10 * S - US, found(1)),
        times("zoned_times_are_instants", Microsecond, Some("+05:30"), two())
            .ask(10 * S, found(2))
            .ask(10 * S - US, found(1)),
        times(
            "both_hours_of_a_dst_fold",
            Microsecond,
            Some("Europe/Berlin"),
            vec![at(fold, 1), at(fold + 3_600, 2)],
        )
        .ask(fold * S, found(1))
        .ask((fold + 3_600) * S - US, found(1))
        .ask((fold + 3_600) * S, found(2)),
        times("rows_of_seconds", Second, None, two())
            .ask(10 * S, found(2))
            .ask(10 * S - US, found(1))
            .ask(10 * S + US, found(2)),
        times("rows_of_milliseconds", Millisecond, Some("UTC"), two())
            .ask(10 * S, found(2))
            .ask(10 * S - 1, found(1)),
        times("rows_of_whole_nanoseconds", Nanosecond, None, two())
            .ask(10 * S, found(2))
            .ask(10 * S - US, found(1)),
        times("asks_of_nanoseconds", Microsecond, Some("UTC"), two())
            .ask(10 * S - 1, found(1))
            .ask(10 * S + 1, found(2))
            .ask(5 * S - 1, NOT_FOUND),
        times(
            "rows_of_parts_of_a_microsecond",
            Nanosecond,
            None,
            vec![fine(7 * S + 300, 1), fine(7 * S + 700, 2), fine(7 * S + 500, 3)],
        )
        .ask(7 * S + 300, found(1))
        .ask(7 * S + 299, NOT_FOUND)
        .ask(7 * S + 600, found(3))
        .ask(8 * S, found(2)),
        times(
            "rows_of_nanoseconds_and_asks_of_microseconds",
            Nanosecond,
            None,
            vec![fine(7 * S + 1, 1), fine(7 * S - 999, 2)],
        )
        .ask(7 * S, found(2))
        .ask(7 * S + US, found(1)),
        times(
            "rows_of_nanoseconds_before_1970",
            Nanosecond,
            None,
            vec![fine(-7 * S + 1, 1), fine(-7 * S - 1, 2)],
        )
        .ask(-7 * S, found(2))
        .ask(-7 * S + 1, found(1))
        .ask(-7 * S - 1, found(2))
        .ask(-7 * S - 2, NOT_FOUND),
        Tricky::new("rows_of_days", vec![at(86_400, 1), at(2 * 86_400, 2)])
            .encoded(|e| e.times = DataType::Date32)
            .ask(86_400 * S, found(1))
            .ask(86_400 * S - US, NOT_FOUND)
            .ask(2 * 86_400 * S - US, found(1))
            .ask(2 * 86_400 * S, found(2)),
        keys("keys_of_32_bits", DataType::Int32),
        keys("keys_of_16_bits", DataType::Int16),
        keys("keys_of_8_bits", DataType::Int8),
        keys("unsigned_keys_of_8_bits", DataType::UInt8),
        keys("unsigned_keys_of_32_bits", DataType::UInt32),
        keys("unsigned_keys_of_64_bits", DataType::UInt64),
        texts("text_keys", DataType::Utf8),
        texts("text_keys_of_large_offsets", DataType::LargeUtf8),
        texts("text_keys_as_views", DataType::Utf8View),
        texts("text_keys_in_a_dictionary", dictionary(DataType::Utf8)),
    ]
}
