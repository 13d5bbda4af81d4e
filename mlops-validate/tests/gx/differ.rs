//! Where we and Great Expectations differ on purpose.

/// A case: the expectation without `expect_`, its title, what we make of it.
type Case = (&'static str, &'static str, &'static str);

/// Cases, those that agree, those of expectations (or arguments) without a counterpart.
pub(crate) const COUNTS: (u32, u32, u32) = (472, 377, 76);

const NOTHING: &str = "test_empty_column_should_be_false_no_observed_value_with_which_to_compare";

/// The reason, and the cases.
pub(crate) const DIFFER: &[(&str, &[Case])] = &[
    (
        "a column without values has no maximum or mean: the check is vacuous, which warns",
        &[
            ("column_max_to_be_between", NOTHING, "success is true"),
            ("column_mean_to_be_between", NOTHING, "success is true"),
            ("column_median_to_be_between", NOTHING, "success is true"),
        ],
    ),
    (
        "truth values are no numbers, so they have no mean",
        &[
            (
                "column_mean_to_be_between",
                "coerced_types_true_false_and_null",
                "refused: suite: invalid: the column has no such metric",
            ),
            (
                "column_mean_to_be_between",
                "coerced_types_true_false_values",
                "refused: suite: invalid: the column has no such metric",
            ),
        ],
    ),
    (
        "the deviation is rounded correctly here: 2/√3 is 1.1547005383792515, not …17",
        &[("column_stdev_to_be_between", "positive_test__exact_min_and_max", "success is false")],
    ),
    (
        "a column of texts and numbers has no Arrow type: the table is without it",
        &[
            (
                "column_pair_values_to_be_equal",
                "basic_negative_example_compare_number_to_text",
                "refused: expression: invalid: no column `y`",
            ),
            (
                "column_pair_values_to_be_equal",
                "positive_example_with_mismatched_null_values_and_ignore_row_if__either_value_is_missing_compare_number_to_text",
                "refused: suite: invalid: the data has no such column",
            ),
            (
                "column_pair_values_to_be_equal",
                "positive_example_with_mostly_compare_number_to_text",
                "refused: expression: invalid: no column `y`",
            ),
            (
                "column_values_to_be_between",
                "test_conditional_expectation_fails",
                "refused: expression: invalid: no column `y`",
            ),
            (
                "column_values_to_be_between",
                "test_conditional_expectation_fails",
                "refused: expression: invalid: no column `y`",
            ),
            (
                "column_values_to_be_between",
                "test_conditional_expectation_passes",
                "refused: expression: invalid: no column `y`",
            ),
            (
                "column_values_to_be_between",
                "test_conditional_expectation_passes",
                "refused: expression: invalid: no column `y`",
            ),
            (
                "column_values_to_be_in_type_list",
                "negative_test_string_and_int_values_complete_output",
                "0 rows fail",
            ),
            (
                "column_values_to_be_in_type_list",
                "negative_test_string_and_int_values_summary_output",
                "0 rows fail",
            ),
            (
                "column_values_to_be_in_type_list",
                "positive_test_string_and_int_values",
                "success is false",
            ),
        ],
    ),
    (
        "a number never equals a text; that it is compared with one is a mistake of the suite",
        &[(
            "column_values_to_be_in_set",
            "test_conditional_expectation_passes",
            "refused: expression: invalid: int64 and text cannot be compared",
        )],
    ),
    (
        "numbers are not turned into text before they are read as JSON",
        &[(
            "column_values_to_be_json_parseable",
            "negative_test_integers",
            "refused: suite: invalid: the rule is for text",
        )],
    ),
    (
        "a column compared with itself is a mistake of the suite",
        &[(
            "column_pair_values_to_be_equal",
            "trivial_case:_x__x",
            "refused: suite: invalid: a column is compared with itself",
        )],
    ),
];
