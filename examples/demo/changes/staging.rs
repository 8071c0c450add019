//! Staging tables: whole flights that a statement copies into the table `flights`.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::Failure;
use crate::flights::{Flight, Model};

/// A row of a staging table.
pub struct Staged {
    pub id: i64,
    pub flight: Flight,
    pub cancelled: bool,
}

impl Staged {
    /// A flight whose values are computed from its key, at the time of the last flight.
    pub fn made_up(model: &Model, id: i64) -> Self {
        Self {
            id,
            flight: Flight {
                delay: id % 61 - 15,
                origin: (id % model.airports() as i64) as u16,
                hour: Model::hour_of(model.last_flight),
            },
            cancelled: false,
        }
    }
}

/// Creates a table of these flights.
pub async fn stage(
    engine: &DataFusionEngine,
    model: &Model,
    table: &str,
    rows: &[Staged],
) -> Result<(), Failure> {
    let batch = batch_of(model, rows)?;
    engine
        .create_table(table, &batch.schema(), &["id".to_string()])
        .await?;
    engine.load_arrow(table, &[batch]).await?;
    Ok(())
}

/// These flights. The model has no times, distances and destinations, so this function makes them up.
pub fn batch_of(model: &Model, rows: &[Staged]) -> Result<RecordBatch, Failure> {
    let airport = |turn: u16| {
        let count = model.airports() as u16;
        let codes = rows
            .iter()
            .map(move |row| (row.flight.origin + turn) % count);
        StringViewArray::from_iter_values(codes.map(|number| model.airport(number)))
    };
    let ids = rows.iter().map(|row| row.id);
    let dates = rows.iter().map(|_| model.last_flight);
    let delays = rows.iter().map(|row| row.flight.delay);
    let distances = rows.iter().map(|row| 100 + row.id % 2000);
    let cancelled: Vec<bool> = rows.iter().map(|row| row.cancelled).collect();
    let columns: [(&str, ArrayRef); 7] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids))),
        (
            "date",
            Arc::new(TimestampMicrosecondArray::from_iter_values(dates)),
        ),
        ("delay", Arc::new(Int64Array::from_iter_values(delays))),
        (
            "distance",
            Arc::new(Int64Array::from_iter_values(distances)),
        ),
        ("origin", Arc::new(airport(0))),
        ("destination", Arc::new(airport(1))),
        ("cancelled", Arc::new(BooleanArray::from(cancelled))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}
