//! The tables of TPC-H at scale factor 0.01, and its 22 queries with DuckDB's answers. `scripts/tpch_oracle.py` checks
//! the answers.

use futures::stream;
use rhei_datafusion::DataFusionEngine;
use rhei_datafusion::arrow::record_batch::RecordBatchReader;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

use crate::sql_file::parse;

const SCALE_FACTOR: f64 = 0.01;

macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_str!($name))),*] };
}

const FILES: [(&str, &str); 22] = files!(
    "q01.sql" "q02.sql" "q03.sql" "q04.sql" "q05.sql" "q06.sql" "q07.sql" "q08.sql"
    "q09.sql" "q10.sql" "q11.sql" "q12.sql" "q13.sql" "q14.sql" "q15.sql" "q16.sql"
    "q17.sql" "q18.sql" "q19.sql" "q20.sql" "q21.sql" "q22.sql"
);

/// Creates and fills the eight tables.
pub async fn load(engine: &DataFusionEngine) {
    let region = RegionGenerator::new(SCALE_FACTOR, 1, 1);
    let nation = NationGenerator::new(SCALE_FACTOR, 1, 1);
    let supplier = SupplierGenerator::new(SCALE_FACTOR, 1, 1);
    let customer = CustomerGenerator::new(SCALE_FACTOR, 1, 1);
    let part = PartGenerator::new(SCALE_FACTOR, 1, 1);
    let partsupp = PartSuppGenerator::new(SCALE_FACTOR, 1, 1);
    let orders = OrderGenerator::new(SCALE_FACTOR, 1, 1);
    let lineitem = LineItemGenerator::new(SCALE_FACTOR, 1, 1);
    fill(engine, "region", RegionArrow::new(region)).await;
    fill(engine, "nation", NationArrow::new(nation)).await;
    fill(engine, "supplier", SupplierArrow::new(supplier)).await;
    fill(engine, "customer", CustomerArrow::new(customer)).await;
    fill(engine, "part", PartArrow::new(part)).await;
    fill(engine, "partsupp", PartSuppArrow::new(partsupp)).await;
    fill(engine, "orders", OrderArrow::new(orders)).await;
    fill(engine, "lineitem", LineItemArrow::new(lineitem)).await;
}

async fn fill(engine: &DataFusionEngine, table: &str, rows: impl RecordBatchReader + Send) {
    let schema = rows.schema();
    engine
        .create_table_from(table, &schema, &[], stream::iter(rows))
        .await
        .unwrap_or_else(|e| panic!("{table}: {e}"));
}

/// Runs all queries; fails with a list of all wrong answers.
pub async fn ask(engine: &DataFusionEngine) {
    let mut wrong = Vec::new();
    for (name, text) in FILES {
        let cases = parse(text);
        assert_eq!(cases.len(), 1, "{name} holds one question");
        if let Err(difference) = cases[0].check(engine).await {
            wrong.push(format!("{name}: {difference}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n\n{}",
        wrong.len(),
        FILES.len(),
        wrong.join("\n\n")
    );
}
