//! Reading the history of a metric: from chunks and sealed objects to points by step.

use bytes::Bytes;
use mlops_core::tracking::{ChunkData, HistoryQuery, MetricHistory, MetricPoint, StoredChunk};
use mlops_core::{Error, Key, Result, RunId};

use crate::active::seal::is_resealed;
use crate::points::{self, Wanted};
use crate::tracking::Parts;

/// Fewer points than this cannot hold first, last and both extremes.
const FEWEST_POINTS: usize = 4;

pub(crate) async fn read(
    parts: &Parts,
    run: RunId,
    key: &Key,
    query: &HistoryQuery,
) -> Result<MetricHistory> {
    if query.max_points.is_some_and(|most| most < FEWEST_POINTS) {
        return Err(Error::invalid("tracking.metric_history", "asks for too few points")
            .with("max_points", query.max_points.unwrap_or_default())
            .with("at_least", FEWEST_POINTS));
    }
    let mut tries = 0;
    let mut history = loop {
        let chunks = parts.tracker.metric_chunks(run, Some(key)).await?;
        match read_chunks(parts, run, &chunks, key, query).await {
            Ok(history) => break history,
            // Somebody put the chunks into one object while we were reading: read that.
            Err(e) if tries < 5 && is_resealed(parts, run, &chunks, &e).await? => tries += 1,
            Err(e) => return Err(e),
        }
    };
    sort_by_step(&mut history);
    if let Some(most) = query.max_points {
        history = thin_out(&history, most);
    }
    Ok(history)
}

async fn read_chunks(
    parts: &Parts,
    run: RunId,
    chunks: &[StoredChunk],
    key: &Key,
    query: &HistoryQuery,
) -> Result<MetricHistory> {
    let mut history = MetricHistory::default();
    let holds = |step, time| query.holds(step, time);
    for chunk in chunks {
        let bytes = chunk_bytes(parts, chunk).await?;
        points::decode_into(chunk.codec, &bytes, &Wanted { key, holds: &holds }, &mut history)
            .map_err(|e| e.with("run", run).with("chunk", chunk.id.0))?;
    }
    Ok(history)
}

/// The bytes of a chunk, verified where they are an object.
pub(crate) async fn chunk_bytes(parts: &Parts, chunk: &StoredChunk) -> Result<Bytes> {
    match &chunk.data {
        ChunkData::Inline(bytes) => Ok(bytes.clone()),
        ChunkData::Blob(blob) => parts.blobs.get_bytes(blob).await,
    }
}

/// Orders points by step; points of one step stay in the order in which they were written.
fn sort_by_step(history: &mut MetricHistory) {
    if history.steps.is_sorted() {
        return;
    }
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|i| history.steps[*i]);
    *history = pick(history, order);
}

fn pick(history: &MetricHistory, order: impl IntoIterator<Item = usize>) -> MetricHistory {
    let mut picked = MetricHistory::default();
    for i in order {
        picked.push(MetricPoint {
            step: history.steps[i],
            time_micros: history.times_micros[i],
            value: history.values[i],
        });
    }
    picked
}

/// At most `most` of the points: of each of `most / 4` stretches the first, the last, the smallest
/// and the greatest (the M4 aggregation), so that a drawn line looks as with all of them. NaN is
/// neither small nor great, but may be first or last.
fn thin_out(history: &MetricHistory, most: usize) -> MetricHistory {
    let len = history.len();
    if len <= most {
        return history.clone();
    }
    let stretches = most / 4;
    let mut picked = Vec::with_capacity(most);
    for stretch in 0..stretches {
        let (from, to) = (stretch * len / stretches, (stretch + 1) * len / stretches);
        if from == to {
            continue;
        }
        let (mut low, mut high) = (from, from);
        for i in from..to {
            let value = history.values[i];
            if value < history.values[low] || history.values[low].is_nan() {
                low = i;
            }
            if value > history.values[high] || history.values[high].is_nan() {
                high = i;
            }
        }
        let mut four = [from, low, high, to - 1];
        four.sort_unstable();
        picked.extend(four);
    }
    picked.dedup();
    pick(history, picked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn thinning_keeps_the_extremes_and_the_ends(
            values in proptest::collection::vec(any::<f64>(), 1..500),
            most in 4..100usize,
        ) {
            let mut history = MetricHistory::default();
            for (i, value) in values.iter().enumerate() {
                history.push(MetricPoint { step: i as i64, time_micros: 0, value: *value });
            }
            let thin = thin_out(&history, most);
            prop_assert!(thin.len() <= most.max(values.len().min(most)));
            prop_assert!(thin.steps.is_sorted());
            prop_assert_eq!(thin.steps.first(), history.steps.first());
            prop_assert_eq!(thin.steps.last(), history.steps.last());
            let extreme = |h: &MetricHistory, f: fn(f64, f64) -> f64| {
                h.values.iter().copied().fold(f64::NAN, f).to_bits()
            };
            prop_assert_eq!(extreme(&thin, f64::min), extreme(&history, f64::min));
            prop_assert_eq!(extreme(&thin, f64::max), extreme(&history, f64::max));
        }
    }
}
