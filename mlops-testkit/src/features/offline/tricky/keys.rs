//! What is the same key: tuples, nulls, and none at all (R2, R7, R8).

use mlops_core::features::KeyType::{Int, String as Text};

use super::super::build::{int, text};
use super::super::oracle::{Part, Row};
use super::{NOT_FOUND, S, Tricky, found};

fn at(key: Vec<Part>, event_time: i64, value: i64) -> Row {
    let event_time = event_time * S;
    Row { key, event_time, created: Some(event_time), value: Some(value) }
}

fn ints(a: i64, b: i64) -> Vec<Part> {
    vec![Part::Int(a), Part::Int(b)]
}

fn texts(a: &str, b: &str) -> Vec<Part> {
    [text(a), text(b)].concat()
}

pub(super) fn all() -> Vec<Tricky> {
    let half = || vec![Part::Int(1), Part::Null];
    vec![
        Tricky::new("null_key_matches_nothing", vec![at(int(1), 5, 1), at(vec![Part::Null], 6, 2)])
            .ask_of(vec![Part::Null], 10 * S, NOT_FOUND)
            .ask(10 * S, found(1)),
        Tricky::new("null_ask_is_not_the_key_zero", vec![at(int(0), 5, 1)])
            .ask_of(vec![Part::Null], 10 * S, NOT_FOUND)
            .ask_of(int(0), 10 * S, found(1)),
        Tricky::new("null_ask_is_not_the_empty_text", vec![at(text(""), 5, 1)])
            .keys(&[Text])
            .ask_of(vec![Part::Null], 10 * S, NOT_FOUND)
            .ask_of(text(""), 10 * S, found(1)),
        Tricky::new(
            "a_key_with_a_null_part_matches_nothing",
            vec![at(ints(1, 0), 5, 1), at(half(), 6, 2)],
        )
        .keys(&[Int, Int])
        .ask_of(half(), 10 * S, NOT_FOUND)
        .ask_of(ints(1, 0), 10 * S, found(1)),
        Tricky::new(
            "composite_keys_are_tuples",
            vec![at(ints(1, 23), 5, 1), at(ints(12, 3), 5, 2), at(ints(3, 12), 5, 3)],
        )
        .keys(&[Int, Int])
        .ask_of(ints(1, 23), 10 * S, found(1))
        .ask_of(ints(12, 3), 10 * S, found(2))
        .ask_of(ints(3, 12), 10 * S, found(3))
        .ask_of(ints(23, 1), 10 * S, NOT_FOUND),
        Tricky::new(
            "composite_texts_are_not_joined",
            vec![
                at(texts("ab", "c"), 5, 1),
                at(texts("a", "bc"), 5, 2),
                at(texts("", "abc"), 5, 3),
            ],
        )
        .keys(&[Text, Text])
        .ask_of(texts("ab", "c"), 10 * S, found(1))
        .ask_of(texts("a", "bc"), 10 * S, found(2))
        .ask_of(texts("", "abc"), 10 * S, found(3))
        .ask_of(texts("abc", ""), 10 * S, NOT_FOUND),
        Tricky::new(
            "keys_of_a_number_and_a_text",
            vec![at([int(1), text("1")].concat(), 5, 1), at([int(1), text("2")].concat(), 5, 2)],
        )
        .keys(&[Int, Text])
        .ask_of([int(1), text("1")].concat(), 10 * S, found(1))
        .ask_of([int(1), text("2")].concat(), 10 * S, found(2))
        .ask_of([int(2), text("1")].concat(), 10 * S, NOT_FOUND),
        Tricky::new(
            "texts_are_equal_by_their_bytes",
            vec![at(text("é"), 5, 1), at(text("e\u{301}"), 5, 2), at(text("a'\"\\; --"), 5, 3)],
        )
        .keys(&[Text])
        .ask_of(text("é"), 10 * S, found(1))
        .ask_of(text("e\u{301}"), 10 * S, found(2))
        .ask_of(text("E\u{301}"), 10 * S, NOT_FOUND)
        .ask_of(text("a'\"\\; --"), 10 * S, found(3))
        .ask_of(text("e\u{301} "), 10 * S, NOT_FOUND),
        Tricky::new(
            "the_ends_of_whole_numbers",
            vec![at(int(i64::MIN), 5, 1), at(int(i64::MAX), 5, 2), at(int(-1), 5, 3)],
        )
        .ask_of(int(i64::MIN), 10 * S, found(1))
        .ask_of(int(i64::MAX), 10 * S, found(2))
        .ask_of(int(-1), 10 * S, found(3))
        .ask_of(int(0), 10 * S, NOT_FOUND),
        Tricky::new("without_keys_by_time_alone", vec![at(vec![], 5, 1), at(vec![], 15, 2)])
            .keys(&[])
            .ask_of(vec![], 10 * S, found(1))
            .ask_of(vec![], 20 * S, found(2))
            .ask_of(vec![], 4 * S, NOT_FOUND),
        Tricky::new(
            "one_key_has_nothing_to_do_with_another",
            vec![at(int(1), 5, 1), at(int(2), 6, 2), at(int(1), 3, 3)],
        )
        .ask(10 * S, found(1))
        .ask_of(int(2), 10 * S, found(2))
        .ask_of(int(3), 10 * S, NOT_FOUND),
    ]
}
