//! Where we and Great Expectations differ on purpose.

/// A case: the expectation without `expect_`, its title, what we make of it.
type Case = (&'static str, &'static str, &'static str);

/// Cases, those that agree, those of expectations (or arguments) without a counterpart.
pub const COUNTS: (u32, u32, u32) = (0, 0, 0);

/// The reason, and the cases.
pub const DIFFER: &[(&str, &[Case])] = &[];
