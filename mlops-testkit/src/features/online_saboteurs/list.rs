//! The sins, and who notices each.

use super::{OnlineSaboteur, OnlineSin};

/// All saboteurs.
pub(super) const SABOTEURS: &[OnlineSaboteur] = &[
    OnlineSaboteur { name: "none", sin: OnlineSin::None, caught_by: &[], sometimes: &[] },
    OnlineSaboteur {
        name: "loses_the_last_write",
        sin: OnlineSin::LosesTheLastWrite,
        caught_by: &[
            "writes_in_any_order_end_in_the_same_entry",
            "rows_ahead_of_the_clock_wait_for_their_time",
            "a_repeated_write_changes_nothing",
            "a_write_of_the_past_is_counted_as_stale",
            "a_batch_may_write_a_key_many_times",
            "a_payload_may_be_empty_or_large",
            "many_keys_are_found_again",
        ],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "the_last_to_come_wins",
        sin: OnlineSin::TheLastToComeWins,
        caught_by: &[
            "writes_in_any_order_end_in_the_same_entry",
            "of_one_event_time_the_later_known_one_answers",
            "a_repeated_write_changes_nothing",
            "a_write_of_the_past_is_counted_as_stale",
            "a_batch_may_write_a_key_many_times",
        ],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "ignores_rows_ahead",
        sin: OnlineSin::IgnoresRowsAhead,
        caught_by: &[
            "writes_in_any_order_end_in_the_same_entry",
            "rows_ahead_of_the_clock_wait_for_their_time",
            "a_repeated_write_changes_nothing",
            "too_many_rows_ahead_of_the_clock_are_refused",
            "writers_of_one_key_end_as_one_after_the_other",
        ],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "counts_stale_as_changed",
        sin: OnlineSin::CountsStaleAsChanged,
        caught_by: &[
            "a_repeated_write_changes_nothing",
            "a_write_of_the_past_is_counted_as_stale",
            "a_batch_may_write_a_key_many_times",
        ],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "advances_anyhow",
        sin: OnlineSin::AdvancesAnyhow,
        caught_by: &[
            "a_watermark_moves_only_from_what_is_expected",
            "of_many_that_advance_at_once_one_does",
        ],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "answers_by_name",
        sin: OnlineSin::AnswersByName,
        caught_by: &["one_read_answers_for_several_tables_in_order"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "takes_null_for_empty",
        sin: OnlineSin::TakesNullForEmpty,
        caught_by: &["a_null_key_has_no_entry"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "cuts_keys",
        sin: OnlineSin::CutsKeys,
        caught_by: &["a_key_may_hold_any_bytes"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "counts_erased_twice",
        sin: OnlineSin::CountsErasedTwice,
        caught_by: &["erased_keys_are_gone_and_counted"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "forgets_the_watermark",
        sin: OnlineSin::ForgetsTheWatermark,
        caught_by: &["erased_keys_are_gone_and_counted"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "keeps_the_watermark",
        sin: OnlineSin::KeepsTheWatermark,
        caught_by: &["a_dropped_table_is_gone_with_its_watermark"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "lists_what_was_read",
        sin: OnlineSin::ListsWhatWasRead,
        caught_by: &["tables_lists_the_tables_that_are_there"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "freezes_memory",
        sin: OnlineSin::FreezesMemory,
        caught_by: &[
            "what_is_read_in_memory_is_what_is_read",
            "another_handle_sees_what_is_written",
        ],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "reads_stale",
        sin: OnlineSin::ReadsStale,
        caught_by: &["another_handle_sees_what_is_written"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "is_not_durable",
        sin: OnlineSin::IsNotDurable,
        caught_by: &[
            "of_many_that_advance_at_once_one_does",
            "writers_of_one_key_end_as_one_after_the_other",
            "another_handle_sees_what_is_written",
            "what_was_acknowledged_is_there_when_it_is_opened_again",
        ],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "cuts_payloads",
        sin: OnlineSin::CutsPayloads,
        caught_by: &["a_payload_may_be_empty_or_large"],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "erases_nothing",
        sin: OnlineSin::ErasesNothing,
        caught_by: &[
            "erased_keys_are_gone_and_counted",
            "an_erased_key_may_be_written_again",
            "another_handle_sees_what_is_written",
        ],
        sometimes: &[],
    },
];
