//! Files of events in each format: after all of them, the tables have the rows of the source.

use rhei_datafusion::arrow::datatypes::TimeUnit;
use rhei_datafusion::{
    Changes, DataFusionEngine, DecimalEncoding, EventFormat, EventReader, IgnoredEvent, Obstacle,
    Progress, UnknownColumns,
};

use super::{SOURCE, apply, read, reader, sample};
use crate::changes::events::counted;
use crate::common::{engines, rows, run};

/// How a file is read, and what comes of it.
struct Sample {
    file: &'static str,
    reader: EventReader,
    policy: fn(Changes) -> Changes,
    table: &'static str,
    query: &'static str,
    expected: &'static [&'static str],
    ignored: &'static [(IgnoredEvent, u64)],
}

impl Sample {
    async fn holds(&self) {
        let events = sample(self.file);
        for (store, engine) in engines() {
            run(&engine, self.table).await;
            let all = read(&engine, &self.reader, &events).await.unwrap();
            assert_eq!(all.events, events.lines().count() as u64, "{store}");
            let ignored: Vec<_> = all.ignored.iter().map(|(kind, n)| (*kind, *n)).collect();
            assert_eq!(ignored, self.ignored, "{store}");
            let changes = (self.policy)(all.changes);
            let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
            assert_eq!(counted(&applied), all.rows, "{store}");
            assert_eq!(applied.watermark, Some(all.events), "{store}");
            self.has_rows(&engine, store).await;

            let again = apply(&engine, &self.reader, &events, self.policy).await;
            assert_eq!(again.unwrap().progress, Progress::Before, "{store}");
        }
        self.holds_event_by_event(&events).await;
    }

    /// The same in calls of one event each, and as one list.
    async fn holds_event_by_event(&self, events: &str) {
        let (_, engine) = engines().remove(0);
        run(&engine, self.table).await;
        for (place, event) in events.lines().enumerate() {
            let reader = self.reader.clone().first_seq(place as u64 + 1);
            apply(&engine, &reader, event, self.policy).await.unwrap();
        }
        self.has_rows(&engine, "event by event").await;

        let (_, engine) = engines().remove(0);
        run(&engine, self.table).await;
        let list = format!(" [{}] ", events.lines().collect::<Vec<_>>().join(",\n"));
        apply(&engine, &self.reader, &list, self.policy)
            .await
            .unwrap();
        self.has_rows(&engine, "as a list").await;
    }

    async fn has_rows(&self, engine: &DataFusionEngine, how: &str) {
        assert_eq!(rows(engine, self.query).await, self.expected, "{how}");
    }
}

const ORDERS: &str = "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer TEXT NOT NULL, amount DECIMAL(10, 2), \
     placed TIMESTAMP, day DATE, active BOOLEAN, payload BYTEA, tags TEXT[], rate TEXT)";
const OF_ORDERS: &str = "SELECT id, customer, amount, placed, day, active, encode(payload, 'hex'), tags, rate FROM \
     orders ORDER BY id";

fn same(changes: Changes) -> Changes {
    changes
}

#[tokio::test]
async fn debezium_without_schemas() {
    let sample = Sample {
        file: "debezium.jsonl",
        reader: reader(EventFormat::Debezium)
            .decimals(DecimalEncoding::Text)
            .time_unit(TimeUnit::Microsecond),
        policy: same,
        table: ORDERS,
        query: OF_ORDERS,
        expected: &[
            "11 | Grażyna Brzęczyszczykiewicz, ul. Długa 7/9, 31-147 Kraków — \"VIP\" 🎁 | -15.75 | \
             2026-03-02T07:30:45.000001 | 2026-03-02 | false | \
             f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff696e766f6963652e706466 | [refund] | NULL",
            "112 | line one\\nline two\tTab 😀 | 99999999.99 | 1969-07-20T20:17:40.000001 | 1969-07-20 | false | \
             '' | [NULL, legacy] | NULL",
            "9007199254740993 | Σωκράτης | -0.01 | NULL | NULL | true | NULL | [no-date] | NULL",
        ],
        ignored: &[
            (IgnoredEvent::Transaction, 6),
            (IgnoredEvent::Heartbeat, 1),
            (IgnoredEvent::Message, 1),
            (IgnoredEvent::Tombstone, 2),
        ],
    };
    sample.holds().await;
}

#[tokio::test]
async fn debezium_with_schemas() {
    let sample = Sample {
        file: "debezium_schema.jsonl",
        reader: reader(EventFormat::Debezium),
        policy: same,
        table: ORDERS,
        query: OF_ORDERS,
        expected: &[
            "11 | Grażyna Brzęczyszczykiewicz, ul. Długa 7/9, 31-147 Kraków — \"VIP\" 🎁 | -327.68 | \
             2026-03-02T07:30:45.000001 | 2026-03-02 | NULL | 696e766f6963652e706466 | [refund] | -0.5",
            "13 | Σωκράτης | NULL | NULL | NULL | NULL | NULL | NULL | NULL",
            "112 | line one\\nline two 😀 | 99999999.99 | 1969-07-20T20:17:40.000001 | 1969-07-20 | false | '' | \
             [NULL, legacy] | 42",
        ],
        ignored: &[
            (IgnoredEvent::Transaction, 4),
            (IgnoredEvent::Heartbeat, 1),
            (IgnoredEvent::Message, 1),
            (IgnoredEvent::Tombstone, 2),
        ],
    };
    sample.holds().await;
}

#[tokio::test]
async fn debezium_of_mysql() {
    let sample = Sample {
        file: "debezium_mysql.jsonl",
        reader: reader(EventFormat::Debezium)
            .time_unit(TimeUnit::Millisecond)
            .time_unit_of("items.opens", TimeUnit::Microsecond)
            .wrapped_unsigned()
            .ignore_ddl(),
        policy: same,
        table: "CREATE TABLE items (id INT PRIMARY KEY, sku TEXT, name TEXT, price DECIMAL(10, 2), stock INT, \
                active TINYINT, status TEXT, flags TEXT, made TIMESTAMP, opens TIME, changed TIMESTAMP, attrs TEXT, \
                image BYTEA, season SMALLINT, serial BIGINT UNSIGNED, note TEXT)",
        query: "SELECT id, sku, name, price, stock, active, status, flags, made, opens, changed, attrs, \
                encode(image, 'hex'), season, serial, note FROM items ORDER BY id",
        expected: &[
            "1 | MUG-01 | Mug \"Döner\" ☕ | 8.49 | 118 | 1 | listed | sale | 2026-01-05T10:00:00.125 | 09:00:00 | \
             2026-03-02T08:05:00 | {\"color\":\"red\",\"ml\":300} | 89504e470d0a1a0a0000000d49484452 | 2026 | 7 | \
             NULL",
            "2 | TEE-XL | O'Neill Tee | 24.00 | 25 | 1 | listed | '' | NULL | NULL | 2026-03-02T08:06:00 | NULL | \
             NULL | NULL | 18446744073709551615 | NULL",
            "5 | PEN-5 | Pen\tset | -3.50 | 1000 | 1 | listed | NULL | 2026-03-02T08:00:01.999 | NULL | \
             2026-03-02T08:22:00 | \"text\" | NULL | 2026 | NULL | refund\\nline2",
            "6 | BAG | Bag – \"große\" | 0.01 | NULL | 0 | archived | '' | 2026-03-02T08:21:00.001 | 00:00:00 | \
             2026-03-02T08:21:00 | NULL | NULL | 2026 | 1 | first with note",
            "44 | CAP-BLK | Cap 🧢\\\\black | 19.95 | 40 | 1 | listed | new | 2026-03-02T08:00:00 | 08:30:00 | \
             2026-03-02T08:00:00 | {\"size\":null} | ff00 | 2026 | 9007199254740993 | NULL",
        ],
        ignored: &[
            (IgnoredEvent::Heartbeat, 1),
            (IgnoredEvent::Tombstone, 2),
            (IgnoredEvent::Ddl, 1),
        ],
    };
    sample.holds().await;
}

#[tokio::test]
async fn debezium_flattened() {
    let sample = Sample {
        file: "debezium_flattened.jsonl",
        reader: reader(EventFormat::DebeziumFlattened)
            .decimals(DecimalEncoding::Text)
            .ignore_tombstones(),
        policy: same,
        table: "CREATE TABLE customers (id BIGINT PRIMARY KEY, name TEXT NOT NULL, email TEXT, \
                balance DECIMAL(10, 2), since DATE, vip BOOLEAN, note TEXT, prefs TEXT)",
        query: "SELECT * FROM customers ORDER BY id",
        expected: &[
            "1 | Lena Ångström | NULL | 35.20 | NULL | false | NULL | {\"lang\": \"sv\"}",
            "2 | Bob \"Bobby\" Tables | bob@example.com | -300.00 | 2020-02-29 | false | ask for ID\\n\"urgent\" | {}",
            "3 | 刘伟 | liu@example.cn | 99999999.99 | 2026-03-03 | true | NULL | NULL",
            "5 | Tom again | tom@example.com | NULL | NULL | NULL | re-used key | NULL",
            "40 | Zoë 🦊 | zoe@example.fr | 0.00 | 2026-03-03 | true | née \\\\ Dubois | {\"tags\": [\"a\", \"b\"]}",
        ],
        ignored: &[(IgnoredEvent::Heartbeat, 1), (IgnoredEvent::Tombstone, 2)],
    };
    sample.holds().await;
}

#[tokio::test]
async fn maxwell() {
    let sample = Sample {
        file: "maxwell.jsonl",
        reader: reader(EventFormat::Maxwell).ignore_ddl(),
        // MySQL's zero dates are none, and the table gets the new column of its source.
        policy: |changes| {
            let changes = changes.skip(Obstacle::BadValue);
            changes.unknown_columns(UnknownColumns::Add)
        },
        table: "CREATE TABLE customers (id INT PRIMARY KEY, name TEXT, balance DECIMAL(10, 2), created TIMESTAMP, \
                born DATE, status TEXT, flags TEXT[], prefs TEXT, avatar BYTEA, big BIGINT UNSIGNED, active BOOLEAN)",
        query: "SELECT id, name, balance, created, born, status, flags, prefs, encode(avatar, 'hex'), big, active, \
                city FROM customers ORDER BY id",
        expected: &[
            "1 | Iñaki O'Hara | -99.95 | 2025-12-24T18:00:00.125 | 1980-01-31 | basic | [mail, sms] | \
             {\"lang\":\"eu\",\"n\":[1,2.5]} | 89504e47 | 7 | true | NULL",
            "2 | Eve \"E\" Doe | NULL | 2026-01-01T00:00:00 | 1975-07-07 | NULL | [] | {\"vip\":null} | NULL | \
             18446744073709551615 | false | São Paulo",
            "6 | Ünal | 99999999.99 | 2026-03-04T09:11:00 | NULL | gold | [sms] | NULL | ff007f | 1 | true | Zürich",
            "40 | Noor 🌙\\\\n | 0.10 | 2026-03-04T09:05:00.001 | 1999-12-31 | basic | [mail] | just text | NULL | \
             9007199254740993 | true | NULL",
        ],
        ignored: &[(IgnoredEvent::Snapshot, 2), (IgnoredEvent::Ddl, 1)],
    };
    sample.holds().await;
}

#[tokio::test]
async fn canal() {
    let sample = Sample {
        file: "canal.jsonl",
        reader: reader(EventFormat::Canal).ignore_ddl(),
        policy: |changes| changes.unknown_columns(UnknownColumns::Add),
        table: "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer TEXT, amount DECIMAL(10, 2), status TEXT, \
                placed TIMESTAMP, active BOOLEAN, doc TEXT, note TEXT, bin BYTEA, total BIGINT UNSIGNED)",
        query: "SELECT id, customer, amount, status, placed, active, doc, note, encode(bin, 'hex'), total, city FROM \
                orders ORDER BY id",
        expected: &[
            "10 | Åsa \"A\" Öberg | 1250.00 | paid | 2026-03-05T10:02:00.123 | true | {\"gift\":true,\"n\":1.5} | \
             paid by card | 00ff89504e47 | 18446744073709551615 | NULL",
            "11 | O'Brien\\\\Co | -12.50 | shipped | 2026-03-05T10:02:00.124 | NULL | NULL | NULL | NULL | \
             9007199254740993 | Cork",
            "14 | Çelik | 99999999.99 | new | 2026-03-05T10:09:00 | true | NULL | n | NULL | 2 | İzmir",
            "112 | 王芳 | 77.70 | NULL | NULL | NULL | [] | NULL | '' | NULL | NULL",
        ],
        ignored: &[(IgnoredEvent::Ddl, 2)],
    };
    sample.holds().await;
}

#[tokio::test]
async fn wal2json() {
    let sample = Sample {
        file: "wal2json.jsonl",
        reader: reader(EventFormat::Wal2json),
        policy: same,
        table: ORDERS,
        query: OF_ORDERS,
        expected: &[
            "11 | Grażyna Brzęczyszczykiewicz, ul. Długa 7/9, 31-147 Kraków — \"VIP\" 🎁 | -15.75 | \
             2026-03-02T07:30:45.000001 | 2026-03-02 | false | \
             f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff696e766f6963652e706466 | [refund] | NULL",
            "112 | line one\\nline two\tTab 😀 | 99999999.99 | 1969-07-20T20:17:40.000001 | 1969-07-20 | false | \
             '' | [NULL, legacy, \\NULL, ''] | NULL",
            "9007199254740993 | Σωκράτης | NULL | NULL | 2026-02-28 | true | NULL | NULL | NULL",
        ],
        ignored: &[(IgnoredEvent::Transaction, 6), (IgnoredEvent::Message, 2)],
    };
    sample.holds().await;
}

#[tokio::test]
async fn rhei() {
    let sample = Sample {
        file: "rhei.jsonl",
        reader: EventReader::new(EventFormat::Rhei),
        policy: same,
        table: "CREATE TABLE users (id BIGINT PRIMARY KEY, \"userName\" TEXT, score DOUBLE, joined TIMESTAMP, \
                born DATE, active BOOLEAN)",
        query: "SELECT * FROM users ORDER BY id",
        expected: &[
            "1 | Ada \"Countess\" Lovelace | 2.5 | 2026-03-01T08:00:00 | 1815-12-10 | true",
            "3 | O'Hara\\n🎁 | NULL | NULL | NULL | NULL",
            "20 | Grace | 1.5 | 2026-03-01T09:00:00 | 1906-12-09 | false",
        ],
        ignored: &[],
    };
    sample.holds().await;
}
