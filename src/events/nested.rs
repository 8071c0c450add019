//! Lists, structs and maps of JSON as Arrow.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow_json::ReaderBuilder;

/// The texts as values of a type, and the rows whose text is none.
pub(super) fn decode(
    texts: &StringArray,
    to: &DataType,
) -> Result<(ArrayRef, Vec<usize>), ArrowError> {
    if let Ok(values) = decode_all(texts, to) {
        return Ok((values, Vec::new()));
    }
    // Some text is wrong: each by itself.
    let none = new_null_array(to, 1);
    let mut found = vec![none];
    let mut places = Vec::with_capacity(texts.len());
    let mut bad = Vec::new();
    for row in 0..texts.len() {
        let place = match decode_all(&texts.slice(row, 1), to) {
            _ if texts.is_null(row) => 0,
            Ok(value) => {
                found.push(value);
                found.len() - 1
            }
            Err(_) => {
                bad.push(row);
                0
            }
        };
        places.push((place, 0));
    }
    let found: Vec<&dyn Array> = found.iter().map(|value| value.as_ref()).collect();
    Ok((interleave(&found, &places)?, bad))
}

fn decode_all(texts: &StringArray, to: &DataType) -> Result<ArrayRef, ArrowError> {
    const NAME: &str = "v";
    if texts.is_empty() {
        return Ok(new_null_array(to, 0));
    }
    let schema = Arc::new(Schema::new(vec![Field::new(NAME, to.clone(), true)]));
    let mut decoder = ReaderBuilder::new(schema)
        .with_batch_size(texts.len())
        .with_strict_mode(true)
        .build_decoder()?;
    let mut object = String::new();
    for text in texts {
        object.clear();
        object.push_str("{\"v\":");
        object.push_str(text.unwrap_or("null"));
        object.push('}');
        let read = decoder.decode(object.as_bytes())?;
        if read != object.len() {
            return Err(ArrowError::JsonError("one text is several values".into()));
        }
    }
    match decoder.flush()? {
        Some(batch) if batch.num_rows() == texts.len() => Ok(Arc::clone(batch.column(0))),
        _ => Err(ArrowError::JsonError("a text is no value".into())),
    }
}
