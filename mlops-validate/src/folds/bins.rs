//! `distribution`: how far the values are from those of a profile.

use std::sync::Arc;

use mlops_core::Result;
use mlops_core::validation::{DistributionMeasure, Status};
use serde_json::json;

use super::unique::other_memory;
use crate::kernel::{Chunk, Finding, Fold};
use crate::memory::Memory;
use crate::plan::{Conclude, Seen};
use crate::stats::{self, Bins};

/// Counts values by the cells of a profile.
#[derive(Debug)]
pub(crate) struct BinsFold {
    pub(crate) slot: usize,
    pub(crate) bins: Arc<Bins>,
}

impl Fold for BinsFold {
    fn memory(&self) -> Memory {
        Memory::Bins(self.bins.empty())
    }

    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()> {
        let Memory::Bins(counts) = memory else { return Err(other_memory()) };
        counts.merge(&self.bins.count(chunk.column(self.slot)?, eligible)?)
    }
}

/// The values are near those of the profile.
#[derive(Debug)]
pub(crate) struct NearProfile {
    pub(crate) bins: Arc<Bins>,
    pub(crate) measure: DistributionMeasure,
    pub(crate) max: f64,
    pub(crate) name: String,
}

impl Conclude for NearProfile {
    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let Some(Memory::Bins(counts)) = seen.memories.first() else {
            return Finding::plain(Status::Vacuous);
        };
        let (reference, current) = (self.bins.reference().counts(), counts.counts());
        let distance = match self.measure {
            DistributionMeasure::Psi => stats::psi(reference, current),
            DistributionMeasure::JensenShannon => stats::jensen_shannon(reference, current),
            DistributionMeasure::TotalVariation => stats::total_variation(reference, current),
            _ => {
                let ordered = self.bins.ordered();
                stats::kolmogorov_smirnov(&reference[ordered.clone()], &current[ordered])
                    .map(|found| found.statistic)
            }
        };
        // Nothing to compare: no rows, on one side or the other.
        let Ok(distance) = distance else { return Finding::plain(Status::Vacuous) };
        seen.note(&self.name, distance);
        let status = if distance <= self.max { Status::Passed } else { Status::Failed };
        let mut finding = Finding::plain(status).with_observed(json!(distance));
        finding.counts.judged = seen.rows;
        finding
    }
}
