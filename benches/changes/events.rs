//! Events of other tools that are read.

use std::time::Instant;

use rhei_datafusion::arrow::datatypes::TimeUnit;
use rhei_datafusion::{DataFusionEngine, EventFormat, EventReader, OlapEngine};

/// Reads events of Debezium with ten columns, without schemas.
pub async fn read() {
    const EVENTS: usize = 10_000;
    let engine = DataFusionEngine::new();
    let table = "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer TEXT, city TEXT, amount DECIMAL(10, 2), \
                 placed TIMESTAMP, day DATE, active BOOLEAN, items INT, weight DOUBLE, note TEXT)";
    engine.execute(table).await.expect("a table");
    let events: String = (0..EVENTS).map(event).collect();
    let reader = EventReader::new(EventFormat::Debezium)
        .first_seq(1)
        .time_unit(TimeUnit::Microsecond);
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let read = engine.read_changes(&reader, &events).await;
        times.push(begun.elapsed());
        assert_eq!(read.expect("events").rows, EVENTS as u64);
    }
    times.sort_unstable();
    let rate = EVENTS as f64 / times[times.len() / 2].as_secs_f64();
    println!("events of Debezium with ten columns, median: {rate:.0} a second");
}

fn event(n: usize) -> String {
    let placed = 1_764_486_000_000_000 + n * 1_000_003;
    format!(
        r#"{{"before":null,"after":{{"id":{n},"customer":"Customer number {n}","city":"Kraków","amount":{}.{:02},"placed":{placed},"day":{},"active":{},"items":{},"weight":{}.5,"note":null}},"source":{{"version":"3.5.0.Final","connector":"postgresql","name":"shop","ts_ms":1764486000123,"snapshot":"false","db":"shop","sequence":"[\"1\",\"2\"]","schema":"public","table":"orders","txId":{n},"lsn":{n},"xmin":null}},"op":"u","ts_ms":1764486000456,"transaction":null}}
"#,
        n % 1000,
        n % 100,
        20_000 + n % 1000,
        n.is_multiple_of(2),
        n % 17,
        n % 90,
    )
}
