//! Reads JSON files: newline-delimited objects, concatenated objects, or one array of objects.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use arrow::error::ArrowError;
use arrow::json::reader::infer_json_schema_from_iterator;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::invalid;
use crate::error::DfOlapError;
use crate::runtime::check_room;

/// Converts an array of objects to one object per line; other text is returned as it is.
pub fn objects(bytes: Bytes) -> Result<Bytes, DfOlapError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        return Ok(bytes);
    }
    let objects: Vec<&RawValue> = serde_json::from_slice(&bytes)
        .map_err(|error| invalid(format!("this is no list of JSON objects: {error}")))?;
    check_room(bytes.len())?;
    let mut text = Vec::with_capacity(bytes.len());
    for object in objects {
        text.extend_from_slice(object.get().as_bytes());
        text.push(b'\n');
    }
    Ok(text.into())
}

/// The columns of the first `count` objects, in the order of their first appearance.
pub fn schema(text: &[u8], count: usize) -> Result<Schema, DfOlapError> {
    let unreadable = |error| invalid(format!("this is no JSON that can be read: {error}"));
    let objects = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    let objects: Vec<&RawValue> = objects
        .take(count)
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    let values = objects.iter().map(|object| {
        serde_json::from_str::<serde_json::Value>(object.get())
            .map_err(|error| ArrowError::JsonError(error.to_string()))
    });
    let found = infer_json_schema_from_iterator(values)?;
    let mut shape = JsonShape::Leaf;
    for object in objects {
        shape.add(serde_json::from_str(object.get()).map_err(unreadable)?);
    }
    Ok(Schema::new(ordered(found.fields(), &shape)))
}

/// The field names within a value, in the order of their first appearance, which Arrow's schema inference loses.
enum JsonShape {
    Leaf,
    /// The common shape of the items of a list.
    List(Box<JsonShape>),
    Object(Vec<(String, JsonShape)>),
}

impl JsonShape {
    fn add(&mut self, other: JsonShape) {
        match (&mut *self, other) {
            (Self::List(item), Self::List(more)) => item.add(*more),
            (Self::Object(parts), Self::Object(more)) => {
                for (name, shape) in more {
                    match parts.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, part)) => part.add(shape),
                        None => parts.push((name, shape)),
                    }
                }
            }
            (Self::Leaf, other) => *self = other,
            _ => {}
        }
    }
}

fn ordered(fields: &Fields, shape: &JsonShape) -> Fields {
    let JsonShape::Object(parts) = shape else {
        return fields.clone();
    };
    let by_name: HashMap<&str, &FieldRef> = fields
        .iter()
        .map(|field| (field.name().as_str(), field))
        .collect();
    parts
        .iter()
        .filter_map(|(name, part)| Some(of_part(by_name.get(name.as_str())?, part)))
        .collect()
}

fn of_part(field: &FieldRef, shape: &JsonShape) -> FieldRef {
    let data_type = match (field.data_type(), shape) {
        (DataType::Struct(fields), _) => DataType::Struct(ordered(fields, shape)),
        (DataType::List(item), JsonShape::List(of_item)) => DataType::List(of_part(item, of_item)),
        _ => return Arc::clone(field),
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

impl<'de> Deserialize<'de> for JsonShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = JsonShape;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonShape, E> {
        Ok(JsonShape::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<JsonShape, E> {
        Ok(JsonShape::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<JsonShape, E> {
        Ok(JsonShape::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonShape, E> {
        Ok(JsonShape::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<JsonShape, E> {
        Ok(JsonShape::Leaf)
    }

    fn visit_unit<E>(self) -> Result<JsonShape, E> {
        Ok(JsonShape::Leaf)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonShape, A::Error> {
        let mut shape = JsonShape::Leaf;
        while let Some(item) = items.next_element()? {
            shape.add(item);
        }
        Ok(JsonShape::List(Box::new(shape)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<JsonShape, A::Error> {
        let mut shape = JsonShape::Object(Vec::new());
        while let Some((name, part)) = entries.next_entry()? {
            shape.add(JsonShape::Object(vec![(name, part)]));
        }
        Ok(shape)
    }
}
