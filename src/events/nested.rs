//! Lists, structs and maps: each part is read by the rules of its own type.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, LargeListArray, ListArray, MapArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};
use arrow::error::ArrowError;
use serde_json::value::RawValue;

use super::encoding::{Encoding, Refused};
use super::json::{Scalar, for_each};

/// The values of one type in a nested column.
pub(super) trait Part: Debug + Send + Sync {
    fn len(&self) -> usize;
    fn append_null(&mut self);
    /// If the value is refused, a NULL has to be appended in its place.
    fn append(&mut self, value: &Scalar<'_>, as_: Encoding) -> Result<(), Refused>;
    fn finish(self: Box<Self>) -> Result<ArrayRef, ArrowError>;
}

type BoxedPart = Box<dyn Part>;

/// The values of a nested column. A value that is refused may leave parts of itself behind: the NULL that is appended
/// in its place covers them.
#[derive(Debug)]
pub(super) struct Nested {
    is_valid: Vec<bool>,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    /// The field of the items, the items of all lists, and their number after each list.
    List(FieldRef, BoxedPart, Vec<usize>, Shape),
    Struct(Fields, Vec<BoxedPart>),
    /// The field of the entries, the keys and values of all maps, and their number after each map.
    Map(FieldRef, [BoxedPart; 2], Vec<usize>, bool),
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    List,
    Large,
    Fixed(i32),
}

impl Nested {
    /// No values of a nested type; `None` for a type that JSON has no form for.
    pub fn new(data_type: &DataType, part: &dyn Fn(&DataType) -> BoxedPart) -> Option<Self> {
        let items = |item: &FieldRef| part(item.data_type());
        let parts = match data_type {
            DataType::List(item) => {
                Parts::List(Arc::clone(item), items(item), vec![0], Shape::List)
            }
            DataType::LargeList(item) => {
                Parts::List(Arc::clone(item), items(item), vec![0], Shape::Large)
            }
            DataType::FixedSizeList(item, size) => {
                Parts::List(Arc::clone(item), items(item), vec![0], Shape::Fixed(*size))
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().map(|field| part(field.data_type()));
                Parts::Struct(fields.clone(), columns.collect())
            }
            DataType::Map(entry, is_sorted) => {
                let DataType::Struct(fields) = entry.data_type() else {
                    return None;
                };
                let [key, value] = fields.as_ref() else {
                    return None;
                };
                let columns = [key, value].map(|field| part(field.data_type()));
                Parts::Map(Arc::clone(entry), columns, vec![0], *is_sorted)
            }
            _ => return None,
        };
        Some(Self {
            is_valid: Vec::new(),
            parts,
        })
    }

    pub fn append_null(&mut self) {
        self.is_valid.push(false);
        let rows = self.is_valid.len();
        match &mut self.parts {
            Parts::List(_, items, ends, shape) => {
                if let Shape::Fixed(size) = shape {
                    fill(items.as_mut(), rows * usize::try_from(*size).unwrap_or(0));
                }
                ends.push(items.len());
            }
            Parts::Struct(_, columns) => columns
                .iter_mut()
                .for_each(|column| fill(column.as_mut(), rows)),
            Parts::Map(_, columns, ends, _) => {
                let entries = columns[0].len();
                fill(columns[1].as_mut(), entries);
                ends.push(entries);
            }
        }
    }

    /// Appends a value, which is JSON.
    pub fn append(&mut self, json: &str, as_: Encoding) -> Result<(), Refused> {
        let value: &RawValue = serde_json::from_str(json).map_err(|_| Refused::Unfit)?;
        let mut refused = None;
        match &mut self.parts {
            Parts::List(field, items, ends, shape) => {
                let list: Vec<&RawValue> =
                    serde_json::from_str(value.get()).map_err(|_| Refused::Unfit)?;
                if let Shape::Fixed(size) = shape
                    && usize::try_from(*size) != Ok(list.len())
                {
                    return Err(Refused::Unfit);
                }
                for item in list {
                    let item = scalar(item)?;
                    if item == Scalar::Null && !field.is_nullable() {
                        return Err(Refused::Unfit);
                    }
                    if let Err(why) = items.append(&item, as_) {
                        // Covers what the item left behind.
                        items.append_null();
                        return Err(why);
                    }
                }
                ends.push(items.len());
            }
            Parts::Struct(fields, columns) => {
                let rows = self.is_valid.len() + 1;
                let read = for_each(value, |name, value| {
                    let place = fields.iter().position(|field| field.name() == name);
                    let appended = match place {
                        // A part that is there twice, or has no column, would be lost.
                        Some(place) if columns[place].len() < rows => {
                            let is_needed = !fields[place].is_nullable();
                            scalar(value).and_then(|value| match value {
                                Scalar::Null if is_needed => Err(Refused::Unfit),
                                value => columns[place].append(&value, as_),
                            })
                        }
                        _ => Err(Refused::Unfit),
                    };
                    if let Err(why) = appended {
                        refused.get_or_insert(why);
                    }
                    Ok(())
                });
                if read.is_err() {
                    return Err(Refused::Unfit);
                }
                let is_lacking = |(field, column): (&FieldRef, &BoxedPart)| {
                    column.len() < rows && !field.is_nullable()
                };
                if fields.iter().zip(&*columns).any(is_lacking) {
                    refused.get_or_insert(Refused::Unfit);
                }
                columns
                    .iter_mut()
                    .for_each(|column| fill(column.as_mut(), rows));
            }
            Parts::Map(_, columns, ends, _) => {
                let [keys, values] = columns;
                let read = for_each(value, |name, value| {
                    let key = Scalar::Text(name.into());
                    let appended = keys
                        .append(&key, as_)
                        .and_then(|()| scalar(value).and_then(|value| values.append(&value, as_)));
                    if let Err(why) = appended {
                        refused.get_or_insert(why);
                    }
                    fill(values.as_mut(), keys.len());
                    Ok(())
                });
                if read.is_err() {
                    return Err(Refused::Unfit);
                }
                if refused.is_none() {
                    ends.push(keys.len());
                }
            }
        }
        match refused {
            Some(why) => Err(why),
            None => {
                self.is_valid.push(true);
                Ok(())
            }
        }
    }

    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        let nulls = Some(NullBuffer::from(self.is_valid)).filter(|nulls| nulls.null_count() > 0);
        Ok(match self.parts {
            Parts::List(item, items, ends, shape) => {
                let items = in_type(items, item.data_type())?;
                match shape {
                    Shape::List => {
                        Arc::new(ListArray::try_new(item, offsets(&ends)?, items, nulls)?)
                    }
                    Shape::Large => Arc::new(LargeListArray::try_new(
                        item,
                        offsets(&ends)?,
                        items,
                        nulls,
                    )?),
                    Shape::Fixed(size) => {
                        Arc::new(FixedSizeListArray::try_new(item, size, items, nulls)?)
                    }
                }
            }
            Parts::Struct(fields, columns) => {
                let columns = columns.into_iter().zip(&fields);
                let columns = columns.map(|(column, field)| in_type(column, field.data_type()));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new(fields, columns, nulls)?)
            }
            Parts::Map(entry, columns, ends, is_sorted) => {
                let DataType::Struct(fields) = entry.data_type() else {
                    return Err(ArrowError::SchemaError("a map without entries".into()));
                };
                let columns = columns.into_iter().zip(fields);
                let columns = columns.map(|(column, field)| in_type(column, field.data_type()));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                let entries = StructArray::try_new(fields.clone(), columns, None)?;
                let ends = offsets(&ends)?;
                Arc::new(MapArray::try_new(entry, ends, entries, nulls, is_sorted)?)
            }
        })
    }
}

/// Appends NULLs until there are so many values.
fn fill(values: &mut dyn Part, until: usize) {
    while values.len() < until {
        values.append_null();
    }
}

fn scalar(value: &RawValue) -> Result<Scalar<'_>, Refused> {
    Scalar::of(value).map_err(|_| Refused::Unfit)
}

/// The values in exactly this type: those of wider types were not taken.
fn in_type(values: BoxedPart, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    arrow::compute::cast(&values.finish()?, data_type)
}

fn offsets<O: arrow::array::OffsetSizeTrait>(
    ends: &[usize],
) -> Result<OffsetBuffer<O>, ArrowError> {
    let ends = ends.iter().map(|end| O::from_usize(*end));
    let ends = ends.collect::<Option<Vec<O>>>();
    let ends = ends.ok_or_else(|| ArrowError::InvalidArgumentError("too many items".into()))?;
    Ok(OffsetBuffer::new(ScalarBuffer::from(ends)))
}
