//! What a validation remembers from row to row, beside counts.
//!
//! Every kind merges, in any order, to what one pass would have remembered; and every kind can be
//! written down, so that partitions are validated apart and put together a day later.

use std::sync::OnceLock;

use mlops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::folds::metric::MetricMemory;
use crate::folds::ordered::OrderMemory;
use crate::keys::{
    Dependency, DistinctEstimate, DuplicateFilter, Duplicates, FinishOptions, KeyStore, Orphans,
};
use crate::stats::BinCounts;

/// One fold's or row rule's memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Memory {
    None,
    /// Every key.
    Keys(Box<KeysMemory>),
    /// Which keys may be there twice.
    Suspects(DuplicateFilter),
    /// How many keys there are, nearly.
    Distinct(DistinctEstimate),
    /// Which key has which value.
    Dependency(Dependency),
    /// Keys that another table does not have.
    Orphans(Orphans),
    /// How values follow one another.
    Order(OrderMemory),
    /// What aggregates are made of.
    Metric(Box<MetricMemory>),
    /// Values by cell.
    Bins(BinCounts),
}

/// Keys, and how many rows had none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeysMemory {
    pub(crate) store: KeyStore,
    pub(crate) without_key: u64,
    /// What the keys come to, once somebody has asked.
    #[serde(skip)]
    found: OnceLock<Duplicates>,
}

/// Duplicated keys that a report could show at most.
const SAMPLES: usize = 1000;

impl KeysMemory {
    pub(crate) fn new(store: KeyStore) -> Self {
        Self { store, without_key: 0, found: OnceLock::new() }
    }

    /// The store, to put keys in.
    pub(crate) fn store_mut(&mut self) -> &mut KeyStore {
        self.found.take();
        &mut self.store
    }

    /// What the keys come to, with all that are there more than once.
    pub(crate) fn found(&self) -> &Duplicates {
        let options = FinishOptions { threads: 1, samples: SAMPLES, all: true };
        self.found.get_or_init(|| self.store.finish(&options))
    }
}

impl Memory {
    /// How many rows a second pass would blame.
    pub(crate) fn rows_to_blame(&self) -> u64 {
        match self {
            Self::Keys(keys) => keys.found().rows_involved + keys.without_key,
            Self::Dependency(dependency) => dependency.finish(0).rows_involved,
            _ => 0,
        }
    }

    /// What both together remember.
    ///
    /// # Errors
    /// `Internal` if they are of different kinds: the plan's digest keeps that out.
    pub(crate) fn merge(self, other: Self) -> Result<Self> {
        Ok(match (self, other) {
            (Self::None, Self::None) => Self::None,
            (Self::Keys(a), Self::Keys(b)) => {
                let without_key = a.without_key + b.without_key;
                let merged = KeysMemory::new(a.store.merge(b.store)?);
                Self::Keys(Box::new(KeysMemory { without_key, ..merged }))
            }
            (Self::Suspects(a), Self::Suspects(b)) => Self::Suspects(a.merge(&b)?),
            (Self::Distinct(a), Self::Distinct(b)) => Self::Distinct(a.merge(b)),
            (Self::Dependency(a), Self::Dependency(b)) => Self::Dependency(a.merge(b)),
            (Self::Orphans(a), Self::Orphans(b)) => Self::Orphans(a.merge(b)),
            (Self::Order(a), Self::Order(b)) => Self::Order(a.merge(b)),
            (Self::Metric(a), Self::Metric(b)) => Self::Metric(Box::new(a.merge(*b)?)),
            (Self::Bins(mut a), Self::Bins(b)) => {
                a.merge(&b)?;
                Self::Bins(a)
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "validate.merge",
                    "two states of one plan remember different things",
                ));
            }
        })
    }
}
