//! Rows as they come: into the log, and then online.

use arrow::array::RecordBatch;
use mlops_core::features::{
    Append, Appended, FeatureName, Lifecycle, Materialize, MaterializedView, Pushed, Registered,
    Scan, ViewRecord,
};
use mlops_core::{Error, ErrorKind, Result};

use super::Features;
use super::part::Part;
use super::place::{How, Place, places, table_of_all};
use super::view::unknown;

impl Features {
    /// Appends rows to the log alone.
    pub(super) async fn append_rows(
        &self,
        operation: &'static str,
        registered: &Registered,
        name: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Appended> {
        let record =
            registered.views.get(name).ok_or_else(|| unknown(operation, name, registered))?;
        if record.state.at(self.now()) == Lifecycle::Retired {
            return Err(Error::new(ErrorKind::Denied, operation, "the view is retired")
                .with("view", name)
                .with_hint("nobody reads or writes a retired view; define another one"));
        }
        let table = table_of_all(record, &record.last().table.id);
        self.parts.offline.append(&table, batch, options).await
    }

    /// Appends rows, and brings them online when they are durable.
    pub(super) async fn push_rows(
        &self,
        name: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Pushed> {
        let operation = "features.push";
        let registered = self.load().await?;
        let record =
            registered.views.get(name).ok_or_else(|| unknown(operation, name, &registered))?;
        if record.state.at(self.now()) == Lifecycle::Draft {
            return Err(Error::new(ErrorKind::Denied, operation, "the view is a draft")
                .with("view", name)
                .with_hint("append to it, or make it active"));
        }
        let appended = self.append_rows(operation, &registered, name, batch, options).await?;
        let changed = self.bring_pushed(&registered, record, appended).await.map_err(|error| {
            error.with_hint("the rows are in the log; the next materialization brings them online")
        })?;
        Ok(Pushed { appended, changed })
    }

    async fn bring_pushed(
        &self,
        registered: &Registered,
        record: &ViewRecord,
        appended: Appended,
    ) -> Result<u64> {
        let last = &record.last().table.id;
        let mut report = MaterializedView::new(record.last().definition.name.clone());
        for place in places(registered, record)?.iter().filter(|place| place.table.id == *last) {
            let mark = self.parts.online.watermark(&place.online).await?;
            if matches!(place.how, How::Windows(_)) || mark.next_seq >= appended.first_seq {
                // A state is a fold of the log in its order, so what is before goes first; mostly nothing is.
                self.bring_place(place, &Materialize::default(), &mut report).await?;
            } else {
                // What is before is somebody else's materialization; these rows need not wait for it.
                self.bring_alone(place, appended, &mut report).await?;
            }
        }
        Ok(report.changed)
    }

    async fn bring_alone(
        &self,
        place: &Place,
        appended: Appended,
        report: &mut MaterializedView,
    ) -> Result<()> {
        let now = self.parts.clock.now_micros();
        let mark = self.parts.online.watermark(&place.online).await?;
        let mut scan = Scan::default();
        scan.after_seq = appended.first_seq.checked_sub(1);
        Part::new(self, place, mark, now, None).write(scan, report).await
    }
}
