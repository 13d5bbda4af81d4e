//! The one filter grammar of every search, a superset of MLflow's.
//!
//! ```text
//! metrics.auc > 0.9 and (params.model = 'gbdt' or not tags.team in ('a', 'b'))
//! min(metrics.loss) < 0.1 and duration between 60 and 3600 and status != 'failed'
//! ```
//!
//! A filter is parsed once into a [`Filter`]; backends turn the tree into bound parameters or walk it
//! with [`Filter::matches`]. Logic is SQL's: what a run does not have is unknown, a comparison with
//! it is unknown, and only what is *true* matches. So `params.lr != '1'` does not match a run without
//! `lr`; `params.lr is null` does. NaN is a value, equal to nothing and not ordered: any comparison
//! with it is unknown too, but `metrics.x is null` is false for it.
//!
//! A [`Subject`] says what is searched. The grammar and the logic are the same for all; the names
//! differ, and a name that the subject does not have is an error of the parser and never a term that
//! silently matches nothing.
//!
//! | subject | attributes | others |
//! |---|---|---|
//! | run, experiment | `id`, `name`, `status`, `user`, `started`, `ended`, `duration`, `note`, `parent`, `experiment` | `metrics.`, `params.`, `tags.`, `datasets.` |
//! | model | `name`, `created`, `updated`, `note` | `tags.`, `alias`, `stage` |
//! | version | `name`, `version`, `run_id`, `user`, `created`, `updated`, `note`, `digest` | `metrics.` (last values), `params.`, `tags.`, `datasets.`, `alias`, `stage` |

mod ast;
mod check;
mod eval;
mod lexer;
mod names;
mod parser;
mod print;
#[cfg(test)]
mod tests;

pub use ast::{
    Aggregate, Attribute, Comparison, DatasetField, Field, Filter, Literal, Member, OrderBy,
    Subject,
};
pub use eval::{DatasetEntry, Record, compare, ilike, like, param_number};
