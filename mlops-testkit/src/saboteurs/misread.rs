//! Filters as they are understood by who has their negations wrong.

use mlops_core::filter::{Comparison, Field, Filter};

use super::Sin;

/// The filter as it is understood by this sinner; as it is by all others.
pub(super) fn misread(sin: Sin, filter: Filter) -> Filter {
    let all = |filters: Vec<Filter>| filters.into_iter().map(|f| misread(sin, f)).collect();
    let not = |filter| Filter::Not(Box::new(filter));
    match filter {
        Filter::And(filters) => Filter::And(all(filters)),
        Filter::Or(filters) => Filter::Or(all(filters)),
        Filter::Term(field @ Field::Member(_), Comparison::Ne(literal))
            if sin == Sin::NegatesMembers =>
        {
            not(Filter::Term(field, Comparison::Eq(literal)))
        }
        Filter::Not(inner) => {
            let unknown = inner.fields().into_iter().cloned();
            let unknown = unknown.map(|field| Filter::Term(field, Comparison::IsNull));
            let mut any: Vec<_> = unknown.filter(|_| sin == Sin::NegatesTheUnknown).collect();
            any.push(not(misread(sin, *inner)));
            if any.len() == 1 { any.remove(0) } else { Filter::Or(any) }
        }
        other => other,
    }
}
