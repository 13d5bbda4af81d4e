//! The sins, and who notices each.

use super::{OnlineSaboteur, OnlineSin};

/// All saboteurs.
pub(super) const SABOTEURS: &[OnlineSaboteur] = &[
    OnlineSaboteur { name: "none", sin: OnlineSin::None, caught_by: &[], sometimes: &[] },
    OnlineSaboteur {
        name: "loses_the_last_write",
        sin: OnlineSin::LosesTheLastWrite,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "the_last_to_come_wins",
        sin: OnlineSin::TheLastToComeWins,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "ignores_rows_ahead",
        sin: OnlineSin::IgnoresRowsAhead,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "counts_stale_as_changed",
        sin: OnlineSin::CountsStaleAsChanged,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "advances_anyhow",
        sin: OnlineSin::AdvancesAnyhow,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "answers_by_name",
        sin: OnlineSin::AnswersByName,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "takes_null_for_empty",
        sin: OnlineSin::TakesNullForEmpty,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur { name: "cuts_keys", sin: OnlineSin::CutsKeys, caught_by: &[], sometimes: &[] },
    OnlineSaboteur {
        name: "counts_erased_twice",
        sin: OnlineSin::CountsErasedTwice,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "forgets_the_watermark",
        sin: OnlineSin::ForgetsTheWatermark,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "keeps_the_watermark",
        sin: OnlineSin::KeepsTheWatermark,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "lists_what_was_read",
        sin: OnlineSin::ListsWhatWasRead,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "freezes_memory",
        sin: OnlineSin::FreezesMemory,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "reads_stale",
        sin: OnlineSin::ReadsStale,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "is_not_durable",
        sin: OnlineSin::IsNotDurable,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "cuts_payloads",
        sin: OnlineSin::CutsPayloads,
        caught_by: &[],
        sometimes: &[],
    },
    OnlineSaboteur {
        name: "erases_nothing",
        sin: OnlineSin::ErasesNothing,
        caught_by: &[],
        sometimes: &[],
    },
];
