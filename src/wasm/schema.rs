//! Converts columns from and to JavaScript's `{ name, type, nullable }`.

use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

use super::error::invalid;
use crate::engine::DataFusionEngine;
use crate::error::DfOlapError;
use crate::olap::OlapEngine;
use crate::sql::syntax::dialect::EngineDialect;

/// A column before its type is known.
pub struct Column {
    name: String,
    data_type: String,
    nullable: bool,
}

/// Reads a list of columns.
pub fn columns(list: &JsValue) -> Result<Vec<Column>, DfOlapError> {
    if !Array::is_array(list) {
        return Err(invalid("a schema is a list of { name, type, nullable }"));
    }
    Array::from(list)
        .iter()
        .map(|column| read_column(&column))
        .collect()
}

fn read_column(column: &JsValue) -> Result<Column, DfOlapError> {
    let property = |name: &str| Reflect::get(column, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let Some(name) = property("name").as_string() else {
        return Err(invalid("a column needs a name"));
    };
    let Some(data_type) = property("type").as_string() else {
        return Err(invalid(format!(
            "column '{name}' needs a type, as \"BIGINT\" or \"Int64\""
        )));
    };
    Ok(Column {
        name,
        data_type,
        nullable: property("nullable").as_bool().unwrap_or(true),
    })
}

/// The schema of columns whose types are given by their SQL or Arrow names.
pub async fn schema(
    engine: &DataFusionEngine,
    columns: Vec<Column>,
) -> Result<SchemaRef, DfOlapError> {
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let what = format!("column '{}'", column.name);
        let data_type = data_type(engine, &what, &column.data_type).await?;
        fields.push(Field::new(column.name, data_type, column.nullable));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The type with the SQL or Arrow name `name`.
pub async fn data_type(
    engine: &DataFusionEngine,
    what: &str,
    name: &str,
) -> Result<DataType, DfOlapError> {
    if let Ok(data_type) = DataType::from_str(name) {
        return Ok(data_type);
    }
    let unknown = |why: String| {
        invalid(format!(
            "{what}: '{name}' is no type of SQL or Arrow: {why}"
        ))
    };
    let parsed = Parser::new(&EngineDialect::default())
        .try_with_sql(name)
        .and_then(|mut parser| {
            let data_type = parser.parse_data_type()?;
            parser.expect_token(&Token::EOF)?;
            Ok(data_type)
        })
        .map_err(|error| unknown(error.to_string()))?;
    // The type comes from a query of the engine, so that the package needs no other code from SQL text to a plan.
    let cast = format!("SELECT CAST(NULL AS {parsed}) AS value");
    let cast = engine.query(&cast).await;
    let cast = cast.map_err(|error| unknown(error.to_string()))?;
    match cast.first() {
        Some(row) => Ok(row.schema().field(0).data_type().clone()),
        None => Err(unknown("it has no value".to_string())),
    }
}

/// Converts a schema to JavaScript.
pub fn to_js(schema: &Schema) -> JsValue {
    let list = Array::new();
    for field in schema.fields() {
        let column = Object::new();
        let properties: [(&str, JsValue); 3] = [
            ("name", field.name().into()),
            ("type", field.data_type().to_string().into()),
            ("nullable", field.is_nullable().into()),
        ];
        for (name, value) in properties {
            let _ = Reflect::set(&column, &name.into(), &value);
        }
        list.push(&column);
    }
    list.into()
}
