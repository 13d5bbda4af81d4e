//! The feature store: what was known about this entity at that instant, for a million training rows or
//! for one request, with the same answer.
//!
//! [`Definitions`] say what there is: an [`Entity`] is what features are about, a [`FeatureView`] a table
//! of features with their times, a [`FeatureService`] the set that a model uses. [`FeatureStore`] is the
//! contract of the whole, [`OfflineStore`] and [`OnlineStore`] those of its two halves.
//!
//! The non-obvious decision: there is one order of writes ([`WriteOrder`]) and one rule of what can be
//! seen ([`Visibility`]), and both halves call it. A stored value is the greatest write of its key, a
//! maximum, which is commutative, associative and idempotent. So late, early, corrected, repeated and
//! reordered writes end in the same answer on both sides.

mod definitions;
mod entry;
mod keys;
mod lifecycle;
mod offline;
mod online;
mod order;
mod plan;
mod record;
mod request;
mod service;
mod store;
mod table;
mod types;
mod view;

pub use self::definitions::{
    Definitions, Entity, JoinKey, OnDemand, OnDemandFeature, RequestField,
};
pub use self::entry::{ENTRY_VERSION, Entry, EntryRow, MAX_PENDING, merge_entry};
pub use self::keys::KeyBatch;
pub use self::lifecycle::Lifecycle;
pub use self::offline::{
    Append, Appended, AsOf, CompactReport, Compaction, CompactionWatcher, Erased, Manifest,
    OfflineStore, Probe, Progress, RowStatus, Scan, Segment, SegmentColumn, Watcher,
};
pub use self::online::{
    LocalTable, OnlineRow, OnlineStore, OnlineWritten, TableRead, Visit, Watermark,
};
pub use self::order::{Boundary, KnownAt, Visibility, WriteOrder};
pub use self::plan::{ApplyPlan, Change, ChangeKind, Consumer};
pub use self::record::{Registered, ServiceRecord, ServiceVersion, ViewRecord, ViewVersion};
pub use self::request::{
    EntityRows, Historical, OnlineAnswer, Receipt, ReceiptTable, Status, TrainingSet,
};
pub use self::service::{FeatureService, ServiceRef, ViewUse};
pub use self::store::{
    FeatureStore, Lag, Materialize, Materialized, MaterializedView, Pushed, Rewritten,
};
pub use self::table::{Table, TableColumn, TableId, TableKey};
pub use self::types::{FeatureName, FeatureType, KeyType, Span};
pub use self::view::{Aggregate, AggregateFunction, Feature, FeatureView, Source};
