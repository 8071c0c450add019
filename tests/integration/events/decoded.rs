//! Each type of column takes the values that tools write for it, exactly, and no others.

use rhei_datafusion::arrow::datatypes::TimeUnit;
use rhei_datafusion::{BytesEncoding, DecimalEncoding, EventFormat, EventReader};

use super::{apply, read, reader};
use crate::common::{engines, rows, run};

/// Values of a column of this type, and the texts of what is stored; `None` for values that do not fit.
async fn take(data_type: &str, reader: &EventReader, values: &[(&str, Option<&str>)]) {
    for (store, engine) in engines() {
        run(
            &engine,
            &format!("CREATE TABLE t (id BIGINT PRIMARY KEY, v {data_type})"),
        )
        .await;
        for (place, (value, expected)) in values.iter().enumerate() {
            let reader = reader.clone().first_seq(place as u64 + 1);
            let event = format!(
                r#"{{"op":"c","after":{{"id":{place},"v":{value}}},"source":{{"db":"d","table":"t"}}}}"#
            );
            let at = format!("{store}: {data_type} {value}");
            let read = read(&engine, &reader, &event)
                .await
                .unwrap_or_else(|e| panic!("{at}: {e}"));
            let applied = engine.apply_changes("s", read.changes).await;
            let Some(expected) = expected else {
                let error = applied.expect_err(&at).to_string();
                assert!(
                    error.contains("'v'") && error.contains("BadValue"),
                    "{at}: {error}"
                );
                continue;
            };
            applied.unwrap_or_else(|e| panic!("{at}: {e}"));
            let found = rows(&engine, &format!("SELECT v FROM t WHERE id = {place}")).await;
            assert_eq!(found, [*expected], "{at}");
        }
    }
}

fn debezium() -> EventReader {
    reader(EventFormat::Debezium).decimals(DecimalEncoding::Text)
}

#[tokio::test]
async fn numbers() {
    let integers = [
        ("7", Some("7")),
        ("-128", Some("-128")),
        ("\"12\"", Some("12")),
        ("1.0", Some("1")),
        ("1e2", Some("100")),
        ("true", Some("1")),
        ("null", Some("NULL")),
        ("128", None),
        ("1.5", None),
        ("\"x\"", None),
        ("\"\"", None),
        ("[1]", None),
        ("99999999999999999999999", None),
    ];
    take("TINYINT", &debezium(), &integers).await;
    let big = [
        ("9223372036854775807", Some("9223372036854775807")),
        ("-9223372036854775808", Some("-9223372036854775808")),
        ("9007199254740993", Some("9007199254740993")),
        ("9223372036854775808", None),
    ];
    take("BIGINT", &debezium(), &big).await;
    let unsigned = [
        ("18446744073709551615", Some("18446744073709551615")),
        ("-1", None),
    ];
    take("BIGINT UNSIGNED", &debezium(), &unsigned).await;
    let wrapped = [("-1", Some("18446744073709551615")), ("7", Some("7"))];
    take("BIGINT UNSIGNED", &debezium().wrapped_unsigned(), &wrapped).await;
    let floats = [
        ("0.1", Some("0.1")),
        ("1", Some("1.0")),
        ("\"NaN\"", Some("NaN")),
        ("\"-Infinity\"", Some("-inf")),
        ("1e999", None),
        ("true", None),
        ("\"abc\"", None),
    ];
    take("DOUBLE", &debezium(), &floats).await;
    take("REAL", &debezium(), &floats).await;
    let flags = [
        ("true", Some("true")),
        ("0", Some("false")),
        ("\"t\"", Some("true")),
        ("\"False\"", Some("false")),
        ("2", None),
        ("\"yes\"", None),
    ];
    take("BOOLEAN", &debezium(), &flags).await;
}

#[tokio::test]
async fn decimals() {
    let texts = [
        ("\"1.50\"", Some("1.50")),
        ("12345678901234567890.12", Some("12345678901234567890.12")),
        ("-0.01", Some("-0.01")),
        ("\"1.500\"", Some("1.50")),
        ("1e3", Some("1000.00")),
        ("1.005", None),
        ("\"NaN\"", None),
        ("1e30", None),
    ];
    take("DECIMAL(22, 2)", &debezium(), &texts).await;
    let wide = [(
        "123456789012345678901234567890.000000001",
        Some("123456789012345678901234567890.000000001"),
    )];
    take("DECIMAL(40, 9)", &debezium(), &wide).await;
    let base64 = [
        ("\"AehI\"", Some("1250.00")),
        ("\"+x4=\"", Some("-12.50")),
        ("\"/w==\"", Some("-0.01")),
        ("\"AIA=\"", Some("1.28")),
        ("\"gAA=\"", Some("-327.68")),
        ("{\"scale\":1,\"value\":\"+w==\"}", Some("-0.50")),
        ("12.5", Some("12.50")),
        ("{\"scale\":4,\"value\":\"Kkk=\"}", None),
        ("{\"scale\":70000,\"value\":\"AQ==\"}", None),
        ("{\"scale\":-2147483648,\"value\":\"AQ==\"}", None),
        ("{\"scale\":2,\"value\":\"AQ==\",\"unit\":\"g\"}", None),
        ("\"?\"", None),
        ("\"\"", None),
    ];
    let reader = reader(EventFormat::Debezium).decimals(DecimalEncoding::Base64);
    take("DECIMAL(10, 2)", &reader, &base64).await;
}

#[tokio::test]
async fn texts_and_bytes() {
    let texts = [
        ("\"a\\u00e9\\n\\\"\\ud83d\\ude00\"", Some("aé\\n\"😀")),
        ("12.50", Some("12.50")),
        ("false", Some("false")),
        ("{\"a\": [1, null]}", Some("{\"a\": [1, null]}")),
        (
            "{\"scale\":2,\"value\":\"kilo\"}",
            Some("{\"scale\":2,\"value\":\"kilo\"}"),
        ),
        ("\"\"", Some("''")),
    ];
    take("TEXT", &debezium(), &texts).await;
    let bytes = [
        ("\"AAH+/w==\"", Some("0001feff")),
        ("\"?\"", None),
        ("1", None),
    ];
    take("BYTEA", &debezium(), &bytes).await;
    let url = [("\"AAH-_w==\"", Some("0001feff"))];
    take("BYTEA", &debezium().bytes(BytesEncoding::Base64Url), &url).await;
    let hex = [
        ("\"0001feff\"", Some("0001feff")),
        ("\"\\\\x00\"", Some("00")),
        ("\"0\"", None),
    ];
    take("BYTEA", &debezium().bytes(BytesEncoding::Hex), &hex).await;
}

#[tokio::test]
async fn dates_and_times() {
    let micros = debezium().time_unit(TimeUnit::Microsecond);
    let dates = [
        ("20513", Some("2026-03-01")),
        ("-165", Some("1969-07-20")),
        ("\"2026-03-01\"", Some("2026-03-01")),
        ("\"2026-03-01Z\"", Some("2026-03-01")),
        ("\"2026-03-01 00:00:00\"", Some("2026-03-01")),
        ("\"2026-03-01 00:00:01\"", None),
        ("\"0000-00-00\"", None),
        ("1.5", None),
    ];
    take("DATE", &debezium(), &dates).await;
    let moments = [
        ("1772352900000001", Some("2026-03-01T08:15:00.000001")),
        ("-1", Some("1969-12-31T23:59:59.999999")),
        (
            "\"2026-03-01 08:15:00.25\"",
            Some("2026-03-01T08:15:00.250"),
        ),
        ("\"2026-03-01T08:15:00+02:00\"", Some("2026-03-01T06:15:00")),
        ("\"2026-03-01 08:15:00+00\"", Some("2026-03-01T08:15:00")),
        ("\"infinity\"", None),
        ("\"0000-00-00 00:00:00\"", None),
        ("9223372036854775807", None),
        ("true", None),
    ];
    take("TIMESTAMP", &micros, &moments).await;
    let seconds = [
        ("1772352900000000", Some("2026-03-01T08:15:00")),
        ("1772352900000001", None),
    ];
    take("TIMESTAMP(0)", &micros, &seconds).await;
    let times = [
        ("32400000000", Some("09:00:00")),
        ("\"09:00:00.5Z\"", Some("09:00:00.500")),
        ("86400000000", None),
        ("-1", None),
        ("\"25:00:00\"", None),
    ];
    take("TIME", &micros, &times).await;
}

#[tokio::test]
async fn lists_and_structs() {
    let lists = [
        ("[1, null, 3]", Some("[1, NULL, 3]")),
        ("[]", Some("[]")),
        ("\"{1,NULL,3}\"", Some("[1, NULL, 3]")),
        ("\"[4]\"", Some("[4]")),
        ("[\"x\"]", None),
        ("{}", None),
        ("5", None),
        ("\"{1\"", None),
    ];
    take("INT[]", &debezium(), &lists).await;
    let structs = [
        ("{\"a\":1,\"b\":\"x\"}", Some("{a: 1, b: x}")),
        ("{\"b\":null}", Some("{a: NULL, b: NULL}")),
        ("\"{\\\"a\\\":2}\"", Some("{a: 2, b: NULL}")),
        ("{\"a\":1,\"c\":2}", None),
        ("[]", None),
    ];
    take("STRUCT<a INT, b TEXT>", &debezium(), &structs).await;
}

#[tokio::test]
async fn the_parts_of_a_list_are_read_like_values() {
    let micros = debezium().time_unit(TimeUnit::Microsecond);
    let times = [
        (
            "[1764486000000001, null]",
            Some("[2025-11-30T07:00:00.000001, NULL]"),
        ),
        (
            "\"{\\\"2026-03-01 08:15:00+02\\\"}\"",
            Some("[2026-03-01T06:15:00]"),
        ),
        ("[\"soon\"]", None),
    ];
    take("TIMESTAMP[]", &micros, &times).await;
    let decimals = [
        ("[1.23, \"-0.5\"]", Some("[1.23, -0.50]")),
        ("\"{1.2300}\"", Some("[1.23]")),
        ("[1.239]", None),
        ("\"{1.239}\"", None),
    ];
    take("DECIMAL(10, 2)[]", &debezium(), &decimals).await;
    let base64 = reader(EventFormat::Debezium).decimals(DecimalEncoding::Base64);
    take(
        "DECIMAL(10, 2)[]",
        &base64,
        &[("[\"AehI\", \"+x4=\"]", Some("[1250.00, -12.50]"))],
    )
    .await;
    let integers = [
        ("[9007199254740993, 7.0]", Some("[9007199254740993, 7]")),
        ("[1.5]", None),
        ("[true, \"x\"]", None),
    ];
    take("BIGINT[]", &debezium(), &integers).await;
    take(
        "TINYINT[]",
        &debezium(),
        &[("[127, -128]", Some("[127, -128]")), ("[128]", None)],
    )
    .await;
    take(
        "BOOLEAN[]",
        &debezium(),
        &[("\"{t,f,NULL}\"", Some("[true, false, NULL]"))],
    )
    .await;
    take(
        "BYTEA[]",
        &debezium(),
        &[("[\"abcd\"]", Some("[69b71d]")), ("[\"?\"]", None)],
    )
    .await;
    let nested = [
        ("[[1], [], null, [2, 3]]", Some("[[1], [], NULL, [2, 3]]")),
        ("\"{{1,2},{3,4}}\"", Some("[[1, 2], [3, 4]]")),
        ("[[1], [\"x\"]]", None),
        ("[[5]]", Some("[[5]]")),
    ];
    take("INT[][]", &debezium(), &nested).await;
    let structs = [
        (
            "[{\"a\": [1, 2]}, null, {}]",
            Some("[{a: [1, 2]}, NULL, {a: NULL}]"),
        ),
        ("[{\"a\": [1, \"x\"]}]", None),
        ("[{\"a\": [3], \"a\": [4]}]", None),
        ("[{\"a\": [5]}]", Some("[{a: [5]}]")),
    ];
    take("STRUCT<a INT[]>[]", &debezium(), &structs).await;
    let unknown = reader(EventFormat::Debezium);
    let (_, engine) = engines().remove(0);
    run(
        &engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, l TIMESTAMP[])",
    )
    .await;
    let event = r#"{"op":"c","after":{"id":1,"l":[1]},"source":{"table":"t"}}"#;
    let error = read(&engine, &unknown, event)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'l'") && error.contains("time_unit"),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_schema_says_of_a_column_holds() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, p DECIMAL(10, 2), w TEXT, n BIGINT, f DOUBLE, day TIMESTAMP, \
             at TIMESTAMP, bits BYTEA, times TIMESTAMP[])",
        )
        .await;
        let field = |name: &str, kind: &str, of: &str, more: &str| {
            format!(r#"{{"type":"{kind}","optional":true,"name":{of},"field":"{name}"{more}}}"#)
        };
        let decimal = "\"org.apache.kafka.connect.data.Decimal\"";
        let scale = r#","parameters":{"scale":"2"}"#;
        let items = r#","items":{"type":"int64","name":"io.debezium.time.Timestamp"}"#;
        let fields = [
            field("id", "int64", "null", ""),
            field("p", "bytes", decimal, scale),
            field(
                "w",
                "struct",
                "\"io.debezium.data.VariableScaleDecimal\"",
                "",
            ),
            field("n", "bytes", decimal, r#","parameters":{"scale":"0"}"#),
            field("f", "bytes", decimal, scale),
            field("day", "int32", "\"io.debezium.time.Date\"", ""),
            field("at", "int64", "null", ""),
            field("bits", "bytes", "\"io.debezium.data.Bits\"", ""),
            field("times", "array", "null", items),
        ];
        let event = format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[{}]}}]}},"payload":{{
            "op":"c","source":{{"table":"t"}},"after":{{"id":1,"p":"AehI","w":{{"scale":1,"value":"+w=="}},"n":"1234",
            "f":"AehI","day":20513,"at":1500,"bits":"abcd","times":[1500]}}}}}}"#,
            fields.join(",")
        );
        let reader = reader(EventFormat::Debezium)
            .bytes(BytesEncoding::Hex)
            .time_unit(TimeUnit::Second)
            .time_unit_of("t.at", TimeUnit::Millisecond);
        apply(&engine, &reader, &event, |changes| changes)
            .await
            .unwrap();
        let query = "SELECT p, w, n, f, day, at, encode(bits, 'hex'), times FROM t";
        let expected = "1250.00 | -0.5 | -2658824 | 1250.0 | 2026-03-01T00:00:00 | 1970-01-01T00:00:01.500 | 69b71d | \
             [1970-01-01T00:00:01.500]";
        assert_eq!(rows(&engine, query).await, [expected], "{store}");
    }
}

#[tokio::test]
async fn a_date_is_a_number_of_days_unless_its_column_has_another_unit() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, a DATE, b DATE, c DATE)",
        )
        .await;
        let field = |name: &str, of: &str| {
            format!(
                r#"{{"type":"int64","optional":true,"name":"io.debezium.time.{of}","field":"{name}"}}"#
            )
        };
        let fields = [
            r#"{"type":"int64","field":"id"}"#.to_string(),
            field("a", "Date"),
            field("b", "Timestamp"),
            field("c", "NanoTimestamp"),
        ];
        let fields = fields.join(",");
        let event = |schema: bool, row: &str| {
            let payload = format!(r#"{{"op":"c","source":{{"table":"t"}},"after":{row}}}"#);
            match schema {
                true => format!(
                    r#"{{"schema":{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[{fields}]}}]}},"payload":{payload}}}"#
                ),
                false => payload,
            }
        };
        let reader = debezium()
            .time_unit(TimeUnit::Microsecond)
            .time_unit_of("b", TimeUnit::Millisecond);
        let events = [
            event(
                true,
                r#"{"id":1,"a":20513,"b":1772323200000,"c":-86400000000000}"#,
            ),
            event(false, r#"{"id":2,"a":-1,"b":86400000,"c":20513}"#),
        ];
        apply(&engine, &reader, &events.concat(), |changes| changes)
            .await
            .unwrap();
        let expected = [
            "1 | 2026-03-01 | 2026-03-01 | 1969-12-31",
            "2 | 1969-12-31 | 1970-01-02 | 2026-03-01",
        ];
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            expected,
            "{store}"
        );
        let noon = event(true, r#"{"id":3,"b":43200000}"#);
        let read = engine.read_changes(&reader, noon).await.unwrap();
        let error = engine.apply_changes("another", read.changes).await;
        let error = error.unwrap_err();
        assert!(
            error.to_string().contains("43200000 does not fit it"),
            "{store}: {error}"
        );
    }
}

#[tokio::test]
async fn a_bad_list_leaves_nothing_in_the_next_one() {
    let (_, engine) = engines().remove(0);
    let table = "CREATE TABLE t (id BIGINT PRIMARY KEY, l INT[][], s STRUCT<a INT[]>[])";
    run(&engine, table).await;
    let values = [
        (r#"[[1],[2,"x"]]"#, r#"[{"a":[1]}]"#),
        ("[[3]]", r#"[{"a":[2]},{"a":[3,"x"]}]"#),
        ("[[4,5],[6]]", r#"[{"a":[4]}]"#),
    ];
    let events = values.iter().enumerate().map(|(id, (l, s))| {
        format!(r#"{{"op":"c","after":{{"id":{id},"l":{l},"s":{s}}},"source":{{"table":"t"}}}}"#)
    });
    let (events, reader) = (events.collect::<String>(), debezium());
    let applied = apply(&engine, &reader, &events, |changes| {
        changes.skip(rhei_datafusion::Obstacle::BadValue)
    });
    assert_eq!(applied.await.unwrap().skipped, 2);
    let found = rows(&engine, "SELECT * FROM t").await;
    assert_eq!(found, ["2 | [[4, 5], [6]] | [{a: [4]}]"]);
}

#[tokio::test]
async fn one_bad_value_among_others_is_found_by_its_row() {
    let (_, engine) = engines().remove(0);
    run(
        &engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, l INT[], i INTERVAL)",
    )
    .await;
    let values = ["[1]", "[\"x\"]", "null", "[3]"];
    let events = values.iter().enumerate().map(|(id, value)| {
        format!(
            r#"{{"op":"c","after":{{"id":{id},"l":{value},"i":"{id} days"}},"source":{{"table":"t"}}}}"#
        )
    });
    let events: String = events.collect();
    let reader = debezium();
    let applied = apply(&engine, &reader, &events, |changes| {
        changes.skip(rhei_datafusion::Obstacle::BadValue)
    });
    assert_eq!(applied.await.unwrap().skips[0].seq, Some(2));
    let found = rows(&engine, "SELECT id, l, i FROM t ORDER BY id").await;
    assert_eq!(
        found,
        ["0 | [1] | 0 secs", "2 | NULL | 2 days", "3 | [3] | 3 days"]
    );

    let wrong = r#"{"op":"c","after":{"id":9,"i":"some days"},"source":{"table":"t"}}"#;
    let error = apply(&engine, &debezium().first_seq(9), wrong, |changes| changes).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("'i'") && error.contains("some days"),
        "{error}"
    );
}
