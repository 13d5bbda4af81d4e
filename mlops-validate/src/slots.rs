//! The columns that a suite looks at, each made once a chunk however many checks look.
//!
//! A slot is a column of the data, or what a path reaches inside one: `address.zip`, `items[]`. Several
//! checks that name the same column share its slot; columns that no slot needs are never decoded.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use mlops_core::{Error, Result};

use crate::nearest::nearest;
use crate::rules::column::field;

/// A step from a column to what is inside.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A field of a struct.
    Field(String),
    /// A field of the structs that are the items of a list.
    OfItems(String),
}

/// A column, or what a path reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    path: String,
    column: usize,
    steps: Vec<Step>,
    data_type: DataType,
    nullable: bool,
}

/// All slots of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    schema: Arc<Schema>,
    slots: Vec<Slot>,
}

impl Slots {
    pub(crate) fn new(schema: Arc<Schema>) -> Self {
        Self { schema, slots: Vec::new() }
    }

    /// The slot of a column or path.
    ///
    /// # Errors
    /// `Invalid` if there is no such column; it names the nearest.
    pub(crate) fn slot(&mut self, path: &str) -> Result<usize> {
        if let Some(known) = self.slots.iter().position(|slot| slot.path == path) {
            return Ok(known);
        }
        let slot = resolve(&self.schema, path)?;
        self.slots.push(slot);
        Ok(self.slots.len() - 1)
    }

    /// Slots of several paths.
    pub(crate) fn all<S: AsRef<str>>(&mut self, paths: &[S]) -> Result<Vec<usize>> {
        paths.iter().map(|path| self.slot(path.as_ref())).collect()
    }

    /// The type of what is in a slot.
    pub(crate) fn data_type(&self, slot: usize) -> &DataType {
        &self.slots[slot].data_type
    }

    /// The path of a slot.
    pub(crate) fn path(&self, slot: usize) -> &str {
        &self.slots[slot].path
    }

    /// The column of the schema that a slot needs.
    pub(crate) fn column(&self, slot: usize) -> usize {
        self.slots[slot].column
    }

    /// Whether a slot is a whole column, not something inside one.
    pub(crate) fn is_whole(&self, slot: usize) -> bool {
        let slot = &self.slots[slot];
        slot.steps.is_empty()
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The schema of the data.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Slots as a schema of columns of the slots' paths.
    pub(crate) fn schema_of(&self, slots: &[usize]) -> Schema {
        Schema::new(
            slots
                .iter()
                .map(|slot| {
                    let Slot { path, data_type, nullable, .. } = &self.slots[*slot];
                    Field::new(path, data_type.clone(), *nullable)
                })
                .collect::<Vec<_>>(),
        )
    }

    /// Fills the slots from a batch of the whole schema; those of which `wanted` is false stay empty.
    pub(crate) fn fill(
        &self,
        batch: &RecordBatch,
        wanted: impl Fn(usize) -> bool,
        out: &mut Vec<Option<ArrayRef>>,
    ) -> Result<()> {
        out.clear();
        for (number, slot) in self.slots.iter().enumerate() {
            out.push(if wanted(number) { Some(slot.of(batch.column(slot.column))?) } else { None });
        }
        Ok(())
    }
}

impl Slot {
    fn of(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let mut array = Arc::clone(column);
        for step in &self.steps {
            array = match step {
                Step::Field(name) => field(&array, name)?,
                Step::OfItems(name) => of_items(&array, name)?,
            };
        }
        Ok(array)
    }
}

/// The list of one field of the structs in a list.
fn of_items(array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let unreadable = |source| {
        Error::new(mlops_core::ErrorKind::Internal, "validate", "items cannot be read")
            .with("field", name)
            .with_source(source)
    };
    macro_rules! list {
        ($list:expr, $array:ident) => {{
            let list = $list;
            let values = field(list.values(), name)?;
            let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            let made = arrow::array::$array::try_new(
                item,
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            );
            Ok(Arc::new(made.map_err(unreadable)?))
        }};
    }
    match array.data_type() {
        DataType::List(_) => list!(array.as_list::<i32>(), ListArray),
        DataType::LargeList(_) => list!(array.as_list::<i64>(), LargeListArray),
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let values = field(list.values(), name)?;
            let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            let made = arrow::array::FixedSizeListArray::try_new(
                item,
                *size,
                values,
                list.nulls().cloned(),
            );
            Ok(Arc::new(made.map_err(unreadable)?))
        }
        other => Err(Error::new(mlops_core::ErrorKind::Internal, "validate", "not a list")
            .with("type", other)),
    }
}

/// What a path means in a schema.
fn resolve(schema: &Schema, path: &str) -> Result<Slot> {
    let slot = |column: usize, field: &Field| Slot {
        path: path.to_owned(),
        column,
        steps: Vec::new(),
        data_type: field.data_type().clone(),
        nullable: field.is_nullable(),
    };
    let named = |name: &str| -> Result<Option<usize>> {
        let mut found =
            schema.fields().iter().enumerate().filter(|(_, field)| field.name() == name);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(Some(index)),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => {
                Err(Error::invalid("suite", "the data has two columns of one name")
                    .with("column", format!("{name:?}")))
            }
        }
    };
    if let Some(index) = named(path)? {
        return Ok(slot(index, schema.field(index)));
    }
    // The longest beginning that is a column's name wins, for names with dots in them.
    let ends = path.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).map(|(at, _)| at);
    for end in ends.collect::<Vec<_>>().into_iter().rev() {
        if let Some(index) = named(&path[..end])? {
            let mut slot = slot(index, schema.field(index));
            walk(&mut slot, &path[end..])?;
            return Ok(slot);
        }
    }
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Err(missing(path, &names))
}

/// Walks from a column to what the rest of a path names.
fn walk(slot: &mut Slot, rest: &str) -> Result<()> {
    let mut rest = rest;
    let mut in_items = false;
    while !rest.is_empty() {
        if let Some(more) = rest.strip_prefix("[]") {
            if in_items || !is_list(&slot.data_type) {
                return Err(Error::invalid("suite", "`[]` stands for the items of a list")
                    .with("path", &slot.path)
                    .with("type", &slot.data_type)
                    .with_hint("a path goes through one list at most"));
            }
            in_items = true;
            rest = more;
            continue;
        }
        let name_start = rest.strip_prefix('.').unwrap_or(rest);
        let end = name_start.find(['.', '[']).unwrap_or(name_start.len());
        let (name, more) = name_start.split_at(end);
        let inside = if in_items { item_type(&slot.data_type) } else { Some(&slot.data_type) };
        let Some(DataType::Struct(fields)) = inside else {
            return Err(Error::invalid("suite", "only a struct has fields")
                .with("path", &slot.path)
                .with("field", format!("{name:?}"))
                .with("type", &slot.data_type));
        };
        let Some((_, found)) = fields.find(name) else {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            return Err(missing(name, &names).with("path", &slot.path));
        };
        let data_type = found.data_type().clone();
        if in_items {
            let item = Arc::new(Field::new_list_field(data_type, true));
            slot.data_type = match &slot.data_type {
                DataType::LargeList(_) => DataType::LargeList(item),
                DataType::FixedSizeList(_, size) => DataType::FixedSizeList(item, *size),
                _ => DataType::List(item),
            };
            slot.steps.push(Step::OfItems(name.to_owned()));
        } else {
            slot.data_type = data_type;
            slot.steps.push(Step::Field(name.to_owned()));
        }
        slot.nullable = true;
        rest = more;
    }
    Ok(())
}

/// Whether values have items.
pub(crate) fn is_list(data_type: &DataType) -> bool {
    item_type(data_type).is_some()
}

/// The type of a list's items.
pub(crate) fn item_type(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type())
        }
        _ => None,
    }
}

/// What a value rule sees of a column: the values of a dictionary, the items of a list.
pub(crate) fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => value_type(values),
        other => item_type(other).map_or(other, value_type),
    }
}

#[cold]
fn missing(name: &str, names: &[&str]) -> Error {
    let error = Error::invalid("suite", "the data has no such column").with("column", name);
    if let Some(near) = nearest(name, names.iter().copied()) {
        return error.with_hint(format!("there is {near:?}"));
    }
    let few: Vec<&str> = names.iter().copied().take(20).collect();
    let more = if names.len() > few.len() { ", …" } else { "" };
    error.with_hint(format!("there are {}{more}", few.join(", ")))
}
