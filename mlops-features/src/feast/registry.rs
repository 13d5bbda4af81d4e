//! The messages of `feast.core.Registry`, as Feast 0.67 numbers their fields.

use std::collections::BTreeMap;

use mlops_core::Result;

use super::wire::{Message, Value, bad};

type Map = BTreeMap<String, String>;

/// What is read of a registry.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) entities: Vec<Entity>,
    pub(super) views: Vec<View>,
    pub(super) on_demand: Vec<OnDemand>,
    pub(super) services: Vec<Service>,
    /// How many there are of each thing that is not read.
    pub(super) others: BTreeMap<&'static str, usize>,
}

#[derive(Debug, Default)]
pub(super) struct Entity {
    pub(super) name: String,
    pub(super) project: String,
    pub(super) value_type: u64,
    pub(super) description: String,
    pub(super) join_key: String,
    pub(super) tags: Map,
    pub(super) owner: String,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value_type: u64,
    pub(super) tags: Map,
    pub(super) description: String,
}

/// A feature view, or a stream feature view.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "these are the flags that a view of Feast has")]
pub(super) struct View {
    pub(super) name: String,
    pub(super) project: String,
    pub(super) entities: Vec<String>,
    pub(super) features: Vec<Field>,
    pub(super) entity_columns: Vec<Field>,
    pub(super) tags: Map,
    /// Seconds and nanoseconds.
    pub(super) ttl: (i64, i64),
    pub(super) source: Option<Source>,
    pub(super) stream: Option<Source>,
    pub(super) description: String,
    pub(super) owner: String,
    pub(super) transformed: bool,
    pub(super) aggregations: usize,
    pub(super) of_views: bool,
    pub(super) online: bool,
    pub(super) disabled: bool,
}

#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) kind: u64,
    pub(super) class: String,
    pub(super) name: String,
    /// Column of the source → name in the view.
    pub(super) mapping: Map,
    pub(super) event_time: String,
    pub(super) created: String,
    pub(super) date_partition: String,
    pub(super) uri: String,
    pub(super) endpoint: String,
    /// Whether the files have a format that is not Parquet.
    pub(super) other_format: bool,
    /// The table of a warehouse.
    pub(super) table: String,
}

#[derive(Debug, Default)]
pub(super) struct OnDemand {
    pub(super) name: String,
    pub(super) project: String,
    pub(super) features: Vec<Field>,
}

#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) project: String,
    pub(super) uses: Vec<Use>,
    pub(super) tags: Map,
    pub(super) description: String,
    pub(super) owner: String,
    pub(super) logged: bool,
}

#[derive(Debug, Default)]
pub(super) struct Use {
    pub(super) view: String,
    pub(super) alias: String,
    pub(super) features: Vec<String>,
    pub(super) keys: Map,
    pub(super) version: i64,
}

impl Registry {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut registry = Self::default();
        let mut known = false;
        for field in Message::new(bytes).fields() {
            let (number, value) = field?;
            known |= matches!(number, 1..=8 | 10..=19);
            match number {
                1 => registry.entities.push(Entity::read(spec(value)?)?),
                6 => registry.views.push(View::read(spec(value)?, &PLAIN)?),
                14 => registry.views.push(View::read(spec(value)?, &STREAM)?),
                7 => registry.services.push(Service::read(spec(value)?)?),
                8 => registry.on_demand.push(OnDemand::read(spec(value)?)?),
                2 => *registry.others.entry("feature tables").or_default() += 1,
                11 => *registry.others.entry("saved datasets").or_default() += 1,
                13 => *registry.others.entry("validation references").or_default() += 1,
                16 => *registry.others.entry("permissions").or_default() += 1,
                19 => *registry.others.entry("label views").or_default() += 1,
                _ => {}
            }
        }
        if known { Ok(registry) } else { Err(bad("it has none of the parts of one")) }
    }
}

/// What is defined, without what Feast notes of it.
fn spec(value: Value<'_>) -> Result<Message<'_>> {
    let mut spec = Message::default();
    for field in value.message()?.fields() {
        if let (1, value) = field? {
            spec = value.message()?;
        }
    }
    Ok(spec)
}

impl Entity {
    fn read(message: Message<'_>) -> Result<Self> {
        let mut entity = Self::default();
        for field in message.fields() {
            match field? {
                (1, value) => entity.name = value.string()?,
                (2, value) => entity.value_type = value.number()?,
                (3, value) => entity.description = value.string()?,
                (4, value) => entity.join_key = value.string()?,
                (8, value) => value.entry(&mut entity.tags)?,
                (9, value) => entity.project = value.string()?,
                (10, value) => entity.owner = value.string()?,
                _ => {}
            }
        }
        Ok(entity)
    }
}

impl Field {
    fn read(value: Value<'_>) -> Result<Self> {
        let mut read = Self::default();
        for field in value.message()?.fields() {
            match field? {
                (1, value) => read.name = value.string()?,
                (2, value) => read.value_type = value.number()?,
                (3, value) => value.entry(&mut read.tags)?,
                (4, value) => read.description = value.string()?,
                _ => {}
            }
        }
        Ok(read)
    }
}

/// The parts of a view.
#[derive(Clone, Copy)]
enum Part {
    Name,
    Project,
    Entity,
    Feature,
    EntityColumn,
    Tag,
    Ttl,
    Source,
    Online,
    Stream,
    Description,
    Owner,
    Transformation,
    Aggregation,
    View,
    Disabled,
}

/// The numbers of a feature view's fields; those of a stream feature view are others.
const PLAIN: [(u64, Part); 15] = [
    (1, Part::Name),
    (2, Part::Project),
    (3, Part::Entity),
    (4, Part::Feature),
    (5, Part::Tag),
    (6, Part::Ttl),
    (7, Part::Source),
    (8, Part::Online),
    (9, Part::Stream),
    (10, Part::Description),
    (11, Part::Owner),
    (12, Part::EntityColumn),
    (14, Part::View),
    (15, Part::Transformation),
    (20, Part::Disabled),
];

const STREAM: [(u64, Part); 16] = [
    (1, Part::Name),
    (2, Part::Project),
    (3, Part::Entity),
    (4, Part::Feature),
    (5, Part::EntityColumn),
    (6, Part::Description),
    (7, Part::Tag),
    (8, Part::Owner),
    (9, Part::Ttl),
    (10, Part::Source),
    (11, Part::Stream),
    (12, Part::Online),
    (13, Part::Transformation),
    (15, Part::Aggregation),
    (17, Part::Transformation),
    (23, Part::Disabled),
];

impl View {
    fn read(message: Message<'_>, parts: &[(u64, Part)]) -> Result<Self> {
        let mut view = Self::default();
        for field in message.fields() {
            let (number, value) = field?;
            let Some((_, part)) = parts.iter().find(|(there, _)| *there == number) else {
                continue;
            };
            match part {
                Part::Name => view.name = value.string()?,
                Part::Project => view.project = value.string()?,
                Part::Entity => view.entities.push(value.string()?),
                Part::Feature => view.features.push(Field::read(value)?),
                Part::EntityColumn => view.entity_columns.push(Field::read(value)?),
                Part::Tag => value.entry(&mut view.tags)?,
                Part::Ttl => view.ttl = duration(value)?,
                Part::Source => view.source = Some(Source::read(value)?),
                Part::Online => view.online = value.number()? != 0,
                Part::Stream => view.stream = Some(Source::read(value)?),
                Part::Description => view.description = value.string()?,
                Part::Owner => view.owner = value.string()?,
                Part::Transformation => view.transformed = true,
                Part::Aggregation => view.aggregations += 1,
                Part::View => view.of_views = true,
                Part::Disabled => view.disabled = value.number()? != 0,
            }
        }
        Ok(view)
    }
}

/// A span's seconds and nanoseconds.
fn duration(value: Value<'_>) -> Result<(i64, i64)> {
    let mut span = (0, 0);
    for field in value.message()?.fields() {
        match field? {
            (1, value) => span.0 = value.number()?.cast_signed(),
            (2, value) => span.1 = value.number()?.cast_signed(),
            _ => {}
        }
    }
    Ok(span)
}

impl Source {
    fn read(value: Value<'_>) -> Result<Self> {
        let mut source = Self::default();
        for field in value.message()?.fields() {
            match field? {
                (1, value) => source.kind = value.number()?,
                (2, value) => value.entry(&mut source.mapping)?,
                (3, value) => source.event_time = value.string()?,
                (4, value) => source.date_partition = value.string()?,
                (5, value) => source.created = value.string()?,
                (17, value) => source.class = value.string()?,
                (20, value) => source.name = value.string()?,
                (11, value) => source.read_files(value.message()?)?,
                // BigQuery, Redshift, Snowflake, Spark, Trino, Athena: the table comes first.
                (12 | 15 | 19 | 27 | 30 | 35, value) => {
                    for field in value.message()?.fields() {
                        if let (1, value) = field? {
                            source.table = value.string()?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(source)
    }

    fn read_files(&mut self, options: Message<'_>) -> Result<()> {
        for field in options.fields() {
            match field? {
                (1, format) => {
                    for field in format.message()?.fields() {
                        self.other_format |= field?.0 != 1;
                    }
                }
                (2, value) => self.uri = value.string()?,
                (3, value) => self.endpoint = value.string()?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl OnDemand {
    fn read(message: Message<'_>) -> Result<Self> {
        let mut read = Self::default();
        for field in message.fields() {
            match field? {
                (1, value) => read.name = value.string()?,
                (2, value) => read.project = value.string()?,
                (3, value) => read.features.push(Field::read(value)?),
                _ => {}
            }
        }
        Ok(read)
    }
}

impl Service {
    fn read(message: Message<'_>) -> Result<Self> {
        let mut service = Self::default();
        for field in message.fields() {
            match field? {
                (1, value) => service.name = value.string()?,
                (2, value) => service.project = value.string()?,
                (3, value) => service.uses.push(Use::read(value)?),
                (4, value) => value.entry(&mut service.tags)?,
                (5, value) => service.description = value.string()?,
                (6, value) => service.owner = value.string()?,
                (7, _) => service.logged = true,
                _ => {}
            }
        }
        Ok(service)
    }
}

impl Use {
    fn read(value: Value<'_>) -> Result<Self> {
        let mut read = Self::default();
        for field in value.message()?.fields() {
            match field? {
                (1, value) => read.view = value.string()?,
                (2, value) => read.features.push(Field::read(value)?.name),
                (3, value) => read.alias = value.string()?,
                (4, value) => value.entry(&mut read.keys)?,
                (10, value) => read.version = value.number()?.cast_signed(),
                _ => {}
            }
        }
        Ok(read)
    }
}
