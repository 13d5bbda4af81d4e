//! How far the online store is behind the log.

use mlops_core::Result;
use mlops_core::features::{Lag, Lifecycle, Source};

use super::Features;
use super::materialize::rows_after;
use super::place::places;

impl Features {
    pub(super) async fn lags(&self) -> Result<Vec<Lag>> {
        let registered = self.load().await?;
        let mut lags = Vec::new();
        for (name, record) in &registered.views {
            if record.state.at(self.now()) == Lifecycle::Retired {
                continue;
            }
            let mut lag = Lag::new(name.clone());
            if record.last().table.source == Source::Log {
                // Of versions that are kept up beside the last one, the one that is behind the most counts.
                for place in places(&registered, record)? {
                    let manifest = self.parts.offline.manifest(&place.table.id, None).await?;
                    let mark = self.parts.online.watermark(&place.online).await?;
                    lag.rows = lag.rows.max(rows_after(&manifest, mark.next_seq));
                    let behind = manifest.segments.iter().filter(|s| s.seq.1 >= mark.next_seq);
                    let since = behind.map(|segment| segment.created.0).min();
                    lag.waiting_since = [lag.waiting_since, since].into_iter().flatten().min();
                    lag.newest_event_time = manifest.segments.iter().map(|s| s.event_time.1).max();
                    lag.appended_at = (manifest.position > 0).then_some(manifest.last_created);
                    lag.materialized_at = (mark.at > 0).then_some(mark.at);
                }
            }
            lags.push(lag);
        }
        Ok(lags)
    }
}
