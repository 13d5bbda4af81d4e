//! The sins, and who notices each.

use super::Saboteur;

/// What a saboteur does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sin {
    /// Says `Ok` to a label's new value and keeps the old one.
    LosesTheLastWrite,
    /// Stores the labels of a change whose params are refused.
    UpdatesByHalves,
    /// Writes no journal row for a change of inputs.
    ForgetsRows,
    /// Stores a repeated chunk once more.
    StoresChunksTwice,
    /// Has no NaN: 0 takes its place.
    MakesNanZero,
    /// Answers from a cache that the writes of other handles do not reach.
    ReadsStale,
    /// Remembers how many rows were shown instead of where to go on.
    PagesByOffset,
    /// Takes points for a run that has ended.
    TakesLatePoints,
    /// Frees every object of a purged run.
    FreesSharedObjects,
    /// Restores all runs of an experiment.
    RestoresTooMuch,
    /// Starts again from the first page if it does not know the token.
    TakesForeignTokens,
    /// Finds live runs in the trash.
    IgnoresTheView,
    /// Shows the oldest of equals first.
    BreaksTiesWrongly,
    /// Keeps the old value of a rewritten param and says `Ok`.
    SwallowsRewrittenParams,
    /// Does not look at what a change expects.
    IgnoresExpectations,
    /// Cuts params after 6,000 bytes.
    CutsValues,
    /// Counts the page instead of the result.
    CountsThePage,
    /// Does not say that a replaced object is needed no more.
    LeaksReplacedObjects,
    /// Finds artifacts by the letters that their path starts with.
    ListsByLetters,
    /// Writes every row in its own name.
    HidesTheActor,
    /// Fails when a run is started again.
    StartsOnlyOnce,
    /// Takes the current version out of its stage in one transaction and puts the next into it in
    /// another.
    PromotesInTwoSteps,
    /// Answers once more with the version that was in the stage before.
    ResolvesStale,
    /// Counts approvals of what has changed since.
    KeepsOldApprovals,
    /// Writes all aliases as it read them, and so takes away those that came in between.
    LosesAliases,
    /// Does not look at what aliases are expected to name.
    IgnoresExpectedAliases,
    /// Counts from the versions that are there.
    ReusesNumbers,
    /// Moves what the policy refuses.
    IgnoresThePolicy,
    /// Lets anybody move anything.
    IgnoresRoles,
    /// Lets authors approve their own versions.
    AllowsSelfApproval,
    /// Writes no evidence into the journal.
    ForgetsEvidence,
    /// Leaves a field of the manifest out when a version is read.
    ChangesManifests,
    /// Frees every object of a purged version.
    FreesObjectsOfOthers,
    /// Makes no edge for a version that was rolled back to.
    LosesEdges,
    /// Takes `alias != 'x'` for: no alias is `x`.
    NegatesMembers,
    /// Takes `not` of what is unknown for true.
    NegatesTheUnknown,
    /// Does not look at the version that a document is expected to have.
    IgnoresDocumentVersions,
    /// Starts readers of the journal again from the beginning.
    ForgetsReaders,
}

/// Those of `Tracker` and `Journal`.
pub(super) const OF_TRACKER: &[Saboteur] = &[
    Saboteur {
        name: "lost_update",
        sin: Sin::LosesTheLastWrite,
        caught_by: &["a_label_set_again_has_the_new_value"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "half_update",
        sin: Sin::UpdatesByHalves,
        caught_by: &[
            "a_change_that_is_refused_changes_nothing",
            "a_call_that_is_refused_writes_no_row",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "forgotten_row",
        sin: Sin::ForgetsRows,
        caught_by: &[
            "each_change_of_a_run_writes_one_row_that_says_what_changed",
            "replaying_the_journal_gives_the_registry",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "chunk_stored_twice",
        sin: Sin::StoresChunksTwice,
        caught_by: &[
            "a_repeated_chunk_changes_nothing",
            "a_repeated_chunk_after_the_end_changes_nothing",
            "a_seal_changes_no_summary_and_no_count",
            "a_row_holds_only_what_was_not_so_already",
            "a_call_that_changes_nothing_writes_no_row",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "nan_becomes_zero",
        sin: Sin::MakesNanZero,
        caught_by: &[
            "nan_and_infinities_come_back_as_they_went_in",
            "each_filter_of_the_corpus_finds_its_runs",
            "each_filter_of_the_corpus_is_counted",
            "what_a_run_does_not_have_and_nan_come_last_both_ways",
            "points_that_are_not_finite_are_written_as_text",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "stale_reads",
        sin: Sin::ReadsStale,
        caught_by: &["a_call_sees_what_another_handle_did_before"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "pages_by_offset",
        sin: Sin::PagesByOffset,
        caught_by: &[
            "pages_neither_repeat_nor_skip_when_runs_come_and_go",
            "runs_made_after_the_first_page_are_not_returned",
            "a_page_follows_a_run_that_has_left_the_result",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "late_points",
        sin: Sin::TakesLatePoints,
        caught_by: &["points_for_a_run_that_has_ended_are_invalid"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "freed_while_shared",
        sin: Sin::FreesSharedObjects,
        caught_by: &[
            "purge_does_not_free_what_another_run_names",
            "purging_runs_does_not_free_what_a_version_names",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "restores_too_many",
        sin: Sin::RestoresTooMuch,
        caught_by: &[
            "restoring_an_experiment_brings_back_exactly_the_runs_that_went_with_it",
            "runs_that_went_before_at_the_same_instant_stay_in_the_trash",
            "each_change_of_an_experiment_writes_one_row_that_says_what_changed",
            "a_call_that_changes_nothing_writes_no_row",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "foreign_token",
        sin: Sin::TakesForeignTokens,
        caught_by: &[
            "a_token_of_another_query_of_the_registry_is_invalid",
            "a_token_of_another_query_is_invalid",
            "a_text_that_is_not_a_token_is_invalid",
            "a_token_of_another_query_for_experiments_is_invalid",
        ],
        sometimes: &[],
        found_at_random: false,
    },
    Saboteur {
        name: "ignored_view",
        sin: Sin::IgnoresTheView,
        caught_by: &["the_view_says_whether_the_trash_is_looked_at"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "wrong_tie_break",
        sin: Sin::BreaksTiesWrongly,
        caught_by: &["the_youngest_run_comes_first_and_of_equals_the_greatest_id"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "swallowed_param",
        sin: Sin::SwallowsRewrittenParams,
        caught_by: &[
            "update_run_with_a_param_rewritten_is_invalid_and_stores_nothing",
            "a_change_that_is_refused_changes_nothing",
            "a_call_that_is_refused_writes_no_row",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "ignored_expectation",
        sin: Sin::IgnoresExpectations,
        caught_by: &[
            "a_status_that_is_not_the_expected_one_is_a_conflict",
            "expecting_unfinished_holds_for_running_and_lost",
            "a_change_that_is_refused_changes_nothing",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "cut_value",
        sin: Sin::CutsValues,
        caught_by: &["values_of_the_longest_length_come_back_whole"],
        sometimes: &[],
        found_at_random: false,
    },
    Saboteur {
        name: "counted_page",
        sin: Sin::CountsThePage,
        caught_by: &["count_ignores_limit_order_and_page"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "leaked_object",
        sin: Sin::LeaksReplacedObjects,
        caught_by: &[
            "replacing_an_artifact_returns_the_old_object",
            "an_old_object_that_another_run_names_is_not_returned",
            "a_sealed_object_can_be_sealed_again_with_what_came_later",
            "a_purge_does_not_free_what_a_run_names",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "listed_by_letters",
        sin: Sin::ListsByLetters,
        caught_by: &["artifacts_under_a_prefix_are_listed_by_path"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "hidden_actor",
        sin: Sin::HidesTheActor,
        caught_by: &["the_journal_names_the_actor_and_the_instant"],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "started_only_once",
        sin: Sin::StartsOnlyOnce,
        caught_by: &[
            "starting_a_run_again_returns_it_unchanged",
            "a_call_that_changes_nothing_writes_no_row",
        ],
        sometimes: &[],
        found_at_random: true,
    },
];
