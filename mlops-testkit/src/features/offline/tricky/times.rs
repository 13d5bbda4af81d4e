//! What can be seen at an instant: both bounds, to the microsecond (R2, R3).

use super::super::build::row;
use super::super::oracle::Row;
use super::{EXPIRED, NOT_FOUND, NULL, S, Tricky, US, found};

fn at(event_time: i64, value: impl Into<Option<i64>>) -> Row {
    row(1, event_time * 1_000_000, event_time * 1_000_000, value)
}

pub(super) fn all() -> Vec<Tricky> {
    let two = || vec![at(5, 1), at(10, 2)];
    vec![
        Tricky::new("upper_bound_is_inclusive", two())
            .ask(10 * S, found(2))
            .ask(10 * S - US, found(1))
            .ask(5 * S - US, NOT_FOUND),
        Tricky::new("strict_upper_bound_is_exclusive", two())
            .strict()
            .ask(10 * S, found(1))
            .ask(10 * S + US, found(2))
            .ask(5 * S, NOT_FOUND),
        Tricky::new("strict_upper_bound_of_nanoseconds", two())
            .strict()
            .ask(10 * S + 1, found(2))
            .ask(10 * S - 1, found(1))
            .ask(10 * S, found(1)),
        Tricky::new("ttl_lower_bound_is_inclusive", vec![at(3_600, 1)])
            .ttl(3_600_000_000)
            .ask(7_200 * S, found(1))
            .ask(7_200 * S + US, EXPIRED),
        Tricky::new("ttl_is_exact_to_the_microsecond", vec![at(5, 1)])
            .ttl(1)
            .ask(5 * S, found(1))
            .ask(5 * S + US, found(1))
            .ask(5 * S + 2 * US, EXPIRED),
        Tricky::new("ttl_is_compared_at_the_finer_unit", vec![at(5, 1)])
            .ttl(1)
            .ask(5 * S + US, found(1))
            .ask(5 * S + US + 1, EXPIRED),
        Tricky::new("ttl_of_half_a_second_is_not_unlimited", vec![at(5, 1)])
            .ttl(500_000)
            .ask(5 * S + S / 2, found(1))
            .ask(5 * S + S / 2 + US, EXPIRED)
            .ask(9_000 * S, EXPIRED),
        Tricky::new("ttl_of_one_and_a_half_seconds", vec![at(5, 1)])
            .ttl(1_500_000)
            .ask(5 * S + 3 * S / 2, found(1))
            .ask(7 * S, EXPIRED),
        Tricky::new("ttl_zero_is_unlimited", vec![at(5, 1)]).ask(4_000_000_000 * S, found(1)),
        Tricky::new("only_expired_rows", vec![at(5, 1), at(6, 2)])
            .ttl(1_000_000)
            .ask(100 * S, EXPIRED),
        Tricky::new("an_expired_null_is_expired", vec![at(5, None)])
            .ttl(1_000_000)
            .ask(6 * S, NULL)
            .ask(7 * S, EXPIRED),
        Tricky::new("strict_bound_and_ttl_together", two())
            .strict()
            .ttl(5_000_000)
            .ask(10 * S, found(1))
            .ask(15 * S, found(2))
            .ask(15 * S + US, EXPIRED),
        Tricky::new("before_1970", vec![at(-20, 1), at(-10, 2)])
            .ttl(5_000_000)
            .ask(-10 * S, found(2))
            .ask(-10 * S - US, EXPIRED)
            .ask(-15 * S, found(1))
            .ask(-21 * S, NOT_FOUND)
            .ask(-5 * S, found(2))
            .ask(0, EXPIRED),
        Tricky::new("before_1970_in_nanoseconds", vec![at(-20, 1), at(-10, 2)])
            .ask(-10 * S - 1, found(1))
            .ask(-10 * S + 1, found(2))
            .ask(-20 * S - 1, NOT_FOUND),
        Tricky::new("a_ttl_that_reaches_before_time_began", vec![at(5, 1)])
            .ttl(100 * 366 * 86_400_000_000)
            .ask(-9_000_000_000 * S, NOT_FOUND)
            .ask(6 * S, found(1)),
    ]
}
