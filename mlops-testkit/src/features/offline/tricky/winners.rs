//! Which row answers: ties, nulls, late rows and what was known (R1, R4–R6).

use mlops_core::features::KnownAt;

use super::super::build::{int, row};
use super::super::oracle::Row;
use super::{EXPIRED, NOT_FOUND, NULL, S, Tricky, found};

/// A row of key 1, of seconds, that does not say when it was known.
fn unsaid(event_time: i64, value: i64) -> Row {
    Row { key: int(1), event_time: event_time * S, created: None, value: Some(value) }
}

/// A row of key 1, of seconds.
fn at(event_time: i64, created: i64, value: impl Into<Option<i64>>) -> Row {
    row(1, event_time * 1_000_000, created * 1_000_000, value)
}

pub(super) fn all() -> Vec<Tricky> {
    let late = || vec![at(10, 10, 10), at(10, 50, 20)];
    vec![
        Tricky::new("only_future_rows", vec![at(20, 20, 1)]).ask(10 * S, NOT_FOUND),
        Tricky::new("unknown_entity", vec![at(5, 5, 1)]).ask_of(int(2), 10 * S, NOT_FOUND),
        Tricky::new("no_rows_at_all", Vec::new()).ask(10 * S, NOT_FOUND),
        Tricky::new("tie_created_wins", vec![at(5, 6, 10), at(5, 7, 20)]).ask(10 * S, found(20)),
        Tricky::new("tie_created_wins_in_the_other_order", vec![at(5, 7, 20), at(5, 6, 10)])
            .ask(10 * S, found(20)),
        Tricky::new("event_time_beats_created", vec![at(6, 7, 40), at(5, 9, 30)])
            .ask(10 * S, found(40)),
        Tricky::new(
            "tie_exact_duplicate_last_of_the_source_wins",
            vec![at(5, 5, 1), at(5, 5, 2), at(5, 5, 3)],
        )
        .ask(10 * S, found(3)),
        Tricky::new("tie_exact_duplicate_of_unknown_creation", vec![unsaid(5, 1), unsaid(5, 2)])
            .ask(10 * S, found(2)),
        Tricky::new("tie_unknown_creation_is_lowest", vec![at(5, -9, 1), unsaid(5, 2)])
            .ask(10 * S, found(1)),
        Tricky::new("winning_null_value_stays_null", vec![at(5, 5, 1), at(6, 6, None)])
            .ask(10 * S, NULL)
            .ask(5 * S, found(1)),
        Tricky::new("tie_of_a_null_value_stays_null", vec![at(5, 5, 1), at(5, 6, None)])
            .ask(10 * S, NULL),
        Tricky::new("late_arrival_is_seen_by_default", late()).ask(20 * S, found(20)),
        Tricky::new("late_arrival_is_not_known_at_the_instant", late())
            .known_at(KnownAt::EventTime)
            .ask(20 * S, found(10))
            .ask(50 * S, found(20))
            .ask(50 * S - 1_000, found(10)),
        Tricky::new("known_at_one_instant_for_all_rows", late())
            .known_at(KnownAt::Instant(49_999_999))
            .ask(20 * S, found(10))
            .ask(90 * S, found(10)),
        Tricky::new("known_at_one_instant_is_inclusive", late())
            .known_at(KnownAt::Instant(50_000_000))
            .ask(20 * S, found(20)),
        Tricky::new("unknown_creation_is_not_known", vec![at(5, 5, 1), unsaid(6, 2)])
            .known_at(KnownAt::EventTime)
            .ask(10 * S, found(1)),
        Tricky::new("unknown_creation_is_never_known", vec![unsaid(6, 2)])
            .known_at(KnownAt::Instant(i64::MAX))
            .ask(10 * S, NOT_FOUND),
        Tricky::new(
            "many_late_corrections_are_walked_back",
            vec![at(5, 5, 1), at(6, 30, 2), at(7, 31, 3), at(8, 32, 4), at(9, 33, 5)],
        )
        .known_at(KnownAt::EventTime)
        .ask(10 * S, found(1))
        .ask(30 * S, found(2))
        .ask(32 * S, found(4))
        .ask(33 * S, found(5)),
        Tricky::new("a_late_row_of_an_older_instant_does_not_win", vec![at(9, 9, 2), at(5, 20, 1)])
            .known_at(KnownAt::EventTime)
            .ask(30 * S, found(2)),
        Tricky::new("what_is_known_may_be_expired", vec![at(5, 5, 1), at(18, 30, 2)])
            .known_at(KnownAt::EventTime)
            .ttl(5_000_000)
            .ask(20 * S, EXPIRED)
            .ask(23 * S, EXPIRED)
            .ask(30 * S, EXPIRED),
        Tricky::new("created_before_its_event_waits_for_the_event", vec![at(20, 5, 1)])
            .known_at(KnownAt::EventTime)
            .ask(10 * S, NOT_FOUND)
            .ask(20 * S, found(1)),
        Tricky::new("duplicate_entity_rows_are_all_kept", vec![at(5, 5, 1)])
            .ask(10 * S, found(1))
            .ask(10 * S, found(1))
            .ask(4 * S, NOT_FOUND)
            .ask(10 * S, found(1)),
        Tricky::new(
            "input_order_is_kept",
            vec![at(5, 5, 1), at(15, 15, 2), row(2, 7_000_000, 7_000_000, 3)],
        )
        .ask(20 * S, found(2))
        .ask_of(int(2), 20 * S, found(3))
        .ask(5 * S, found(1))
        .ask_of(int(2), 6 * S, NOT_FOUND)
        .ask(14 * S, found(1)),
        Tricky::new(
            "source_may_be_unsorted",
            vec![at(15, 15, 3), at(5, 5, 1), at(25, 25, 4), at(10, 10, 2)],
        )
        .ask(12 * S, found(2))
        .ask(30 * S, found(4))
        .ask(7 * S, found(1))
        .ask(24 * S, found(3)),
    ]
}
