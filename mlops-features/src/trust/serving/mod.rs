//! Serving logs: what was answered online, so that it can be played again.
//!
//! A [`LoggedService`] answers as a [`PreparedService`](crate::PreparedService) does, and keeps a sample of its answers in a
//! [`ServingLog`], which writes them as Parquet segments below `<prefix>/<service>/<version>/`. The sample
//! is by key, not by request: of a key all requests are kept or none, in every process and for ever, so
//! that whole histories can be looked at.
//!
//! What is buffered has a bound, and is lost when the process is killed: at most
//! [`ServingOptions::rows`] records of each writer. What was flushed is as durable as the store. What was
//! left out because the buffer was full is counted, in the process and in the next segment.

mod head;
mod log;
mod logged;
mod place;
mod rewrite;

pub(crate) use self::head::{AT, Head, logged_column, online_column, status_column};
pub use self::log::{ServingLog, ServingOptions, WhenFull};
pub(crate) use self::logged::status;
pub use self::logged::{LoggedService, ServingMark};
pub use self::place::ServingLogs;
pub(crate) use self::rewrite::Cleaned;
