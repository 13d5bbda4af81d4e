//! The sins of a registry, and who notices each.

use super::{Saboteur, Sin};

/// Those of `Registry`, `Catalog`, `Lineage`, and what these write into the journal.
pub(super) const OF_REGISTRY: &[Saboteur] = &[
    Saboteur {
        name: "two_step_promote",
        sin: Sin::PromotesInTwoSteps,
        // Each case in which a version makes room and that looks at the rows or moves of this; and those
        // in which it is approved that it does: after the first step the approval, bound to who is in the
        // stage, counts no more.
        caught_by: &[
            "a_plan_survives_being_written_and_read",
            "an_approval_is_used_up_by_the_move_that_it_allowed",
            "a_rollback_brings_back_the_version_that_held_the_stage",
            "the_policy_may_ask_of_a_rollback_what_it_asks_of_a_promotion",
            "the_history_is_every_move_in_order",
            "each_move_says_who_when_why_and_on_what_evidence",
            "a_promotion_writes_one_row_with_policy_evidence_and_approvals",
            "a_rollback_says_that_it_is_one",
            "rows_of_the_registry_are_sealed_and_proved",
            "replaying_the_journal_gives_the_registry",
        ],
        sometimes: &[
            "exactly_one_version_holds_production_at_each_row",
            "a_reader_never_sees_production_empty_while_it_changes_hands",
        ],
        found_at_random: true,
    },
    Saboteur {
        name: "stale_resolve",
        sin: Sin::ResolvesStale,
        // Each case in which a version comes into a stage where another is, and that then asks for the
        // first time who is there. `Fixture::holders` and replaying ask too.
        caught_by: &[
            "a_version_that_nobody_moved_is_found_in_none",
            "of_several_versions_in_a_stage_the_one_that_came_last_is_found",
            "a_promoted_version_is_in_its_stage_for_every_reader_at_once",
            "the_one_that_was_there_makes_room",
            "where_many_may_be_nobody_makes_room",
            "a_policy_that_allows_one_again_makes_all_others_leave",
            "a_plan_survives_being_written_and_read",
            "a_plan_with_forged_steps_moves_what_is_right",
            "a_rollback_brings_back_the_version_that_held_the_stage",
            "gates_and_approvals_of_a_rollback_are_shown_and_waived",
            "a_rollback_to_a_version_that_never_held_the_stage_is_denied",
            "a_rollback_may_come_from_any_stage",
            "a_rollback_of_which_something_changed_is_a_conflict",
            "a_version_in_the_trash_is_not_rolled_back_to",
            "the_history_explains_every_stage",
            "replaying_the_journal_gives_the_registry",
        ],
        sometimes: &["exactly_one_version_holds_production_at_each_row"],
        found_at_random: true,
    },
    Saboteur {
        name: "approval_survives",
        sin: Sin::KeepsOldApprovals,
        caught_by: &[
            "an_approver_who_lost_the_role_counts_no_more",
            "an_approval_is_bound_to_everything_that_was_seen",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "lost_alias",
        sin: Sin::LosesAliases,
        caught_by: &["moving_one_alias_leaves_those_that_others_moved_meanwhile"],
        sometimes: &["aliases_moved_at_once_are_all_kept"],
        found_at_random: false,
    },
    Saboteur {
        name: "ignored_alias_expectation",
        sin: Sin::IgnoresExpectedAliases,
        // Each case that expects an alias to name what it does not name. What is `Invalid` stays so.
        caught_by: &[
            "a_change_of_a_model_that_is_refused_changes_nothing",
            "an_alias_that_does_not_name_what_was_expected_is_a_conflict",
            "an_alias_may_be_expected_without_being_moved",
            "of_two_that_expect_the_same_only_one_moves_the_alias",
            "an_alias_that_all_expect_the_same_of_moves_once",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "reused_number",
        sin: Sin::ReusesNumbers,
        caught_by: &[
            "a_model_of_a_purged_name_goes_on_counting_where_that_ended",
            "a_number_is_not_given_again_after_its_version_was_purged",
            "an_imported_number_that_is_not_greater_than_all_before_is_a_conflict",
        ],
        sometimes: &["versions_registered_at_once_have_numbers_without_gap"],
        found_at_random: false,
    },
    Saboteur {
        name: "ignored_policy",
        sin: Sin::IgnoresThePolicy,
        // Each case in which a policy is stored and then refuses a move: by where the version comes from,
        // by the role, by a gate, by lack of approvals; and no case in which something else refuses.
        caught_by: &[
            "a_version_may_only_come_from_where_the_policy_says",
            "who_carries_out_a_move_needs_the_role",
            "a_metric_passes_within_its_bounds_and_the_bounds_are_included",
            "a_metric_that_is_missing_or_nan_fails",
            "a_metric_may_be_that_of_an_evaluation",
            "a_version_must_be_better_than_the_current_one_by_the_margin",
            "evaluations_are_compared_only_on_the_same_data",
            "a_suite_must_have_been_run_and_passed_not_too_long_ago",
            "a_profile_must_be_among_the_files",
            "fairness_must_have_been_measured_and_lie_within_bounds",
            "the_run_must_have_finished_and_its_code_be_committed",
            "a_trusted_key_must_have_signed",
            "a_recovery_drill_must_have_passed_not_too_long_ago",
            "a_gate_that_time_closes_after_the_plan_refuses",
            "all_gates_are_judged_and_each_failed_one_is_named",
            "the_models_own_policy_counts_before_the_default_one",
            "a_stage_that_the_policy_does_not_name_has_no_gates",
            "a_plan_with_forged_gates_is_judged_anew",
            "a_plan_with_forged_approvals_is_judged_anew",
            "a_move_that_needs_an_approval_is_denied_without_and_done_with_one",
            "approvals_are_counted_by_person",
            "a_withdrawn_approval_counts_no_more",
            "a_rejection_forbids_the_move_until_it_is_withdrawn",
            "the_author_of_a_version_cannot_approve_it",
            "who_lacks_the_role_can_neither_approve_nor_reject",
            "an_approver_who_lost_the_role_counts_no_more",
            "an_approval_is_bound_to_everything_that_was_seen",
            "an_approval_is_used_up_by_the_move_that_it_allowed",
            "an_approval_expires_by_time",
            "an_approval_of_another_version_or_stage_does_not_count",
            "the_policy_may_ask_of_a_rollback_what_it_asks_of_a_promotion",
            "a_refused_promotion_leaves_the_edges",
            "a_plan_that_was_approved_in_the_meantime_applies",
            "a_call_of_the_registry_that_is_refused_writes_no_row",
            "a_file_that_may_run_code_needs_a_permit",
            "a_signature_must_fit_the_callers_of_the_current_version",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "ignored_role",
        sin: Sin::IgnoresRoles,
        // Each case in which access rules refuse a move to who carries it out. Those about approvers are
        // not among them: a verdict is refused elsewhere.
        caught_by: &[
            "who_carries_out_a_move_needs_the_role",
            "who_has_no_role_may_not_move_anything",
            "a_plan_with_a_forged_actor_is_judged_by_who_carries_it_out",
            "a_rollback_needs_the_role_all_the_same",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "self_approval",
        sin: Sin::AllowsSelfApproval,
        caught_by: &[
            "the_author_of_a_version_cannot_approve_it",
            "the_author_of_a_copied_version_cannot_approve_it",
            "a_call_of_the_registry_that_is_refused_writes_no_row",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "forgotten_evidence",
        sin: Sin::ForgetsEvidence,
        // Each case that compares a row of a promotion, or what replaying it gives, with what was decided.
        caught_by: &[
            "a_promotion_writes_one_row_with_policy_evidence_and_approvals",
            "a_rollback_says_that_it_is_one",
            "replaying_the_journal_gives_the_registry",
        ],
        sometimes: &["exactly_one_version_holds_production_at_each_row"],
        found_at_random: true,
    },
    Saboteur {
        name: "changed_manifest",
        sin: Sin::ChangesManifests,
        caught_by: &["a_version_comes_back_as_it_was_registered"],
        sometimes: &[],
        found_at_random: false,
    },
    Saboteur {
        name: "freed_while_shared_by_versions",
        sin: Sin::FreesObjectsOfOthers,
        caught_by: &[
            "a_purge_does_not_free_what_another_version_names",
            "a_purge_does_not_free_what_a_run_names",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "lost_edge",
        sin: Sin::LosesEdges,
        caught_by: &["a_rollback_moves_the_edges_back", "replaying_the_journal_gives_the_registry"],
        sometimes: &["exactly_one_version_holds_production_at_each_row"],
        found_at_random: true,
    },
    Saboteur {
        name: "negated_member",
        sin: Sin::NegatesMembers,
        caught_by: &[
            "each_filter_of_the_corpus_finds_its_models",
            "each_filter_of_the_corpus_finds_its_versions",
            "the_corpora_agree_with_the_walk_over_the_records",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "negated_unknown",
        sin: Sin::NegatesTheUnknown,
        caught_by: &[
            "each_filter_of_the_corpus_finds_its_models",
            "each_filter_of_the_corpus_finds_its_versions",
            "the_corpora_agree_with_the_walk_over_the_records",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "ignored_document_version",
        sin: Sin::IgnoresDocumentVersions,
        caught_by: &[
            "a_document_that_does_not_have_the_expected_version_is_a_conflict",
            "of_two_that_expect_the_same_only_one_stores",
            "an_expectation_is_checked_although_nothing_would_change",
            "a_call_of_the_registry_that_is_refused_writes_no_row",
        ],
        sometimes: &[],
        found_at_random: true,
    },
    Saboteur {
        name: "forgotten_reader",
        sin: Sin::ForgetsReaders,
        // Each case that advances a reader and then asks where it is, or advances it again.
        caught_by: &[
            "a_reader_goes_on_from_where_it_is",
            "a_reader_that_is_elsewhere_is_a_conflict",
            "a_reader_goes_neither_back_nor_beyond_the_last_row",
            "readers_go_on_by_themselves_and_write_no_rows",
            "a_reader_of_the_journal_is_advanced_once",
        ],
        sometimes: &[],
        found_at_random: true,
    },
];
