//! SET and RESET, where the builder allows them: an accepted setting takes effect, any other is refused by name.

use rhei_datafusion::arrow::util::pretty::pretty_format_batches;
use rhei_datafusion::{EngineBuilder, ErrorKind, OlapEngine};

use crate::common::{engines, fresh_folder, refused, rows, run, vortex};

#[tokio::test]
async fn settings_change_only_where_the_builder_allows_it() {
    let engine = EngineBuilder::new().allow_settings(true).build().unwrap();
    run(&engine, "SET datafusion.execution.batch_size = 100").await;
    let batches = engine.query("SELECT * FROM range(1000)").await.unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= 100));
    run(&engine, "RESET datafusion.execution.batch_size").await;
    // A setting without effect is refused.
    for setting in [
        "datafusion.runtime.memory_limit = '1K'",
        "datafusion.catalog.default_schema = 'other'",
        "datafusion.catalog.information_schema = false",
        "datafusion.format.null = 'nothing'",
        "datafusion.sql_parser.dialect = 'mysql'",
        "datafusion.sql_parser.recursion_limit = 5",
        "datafusion.optimizer.enable_piecewise_merge_join = true",
    ] {
        let error = refused(&engine, &format!("SET {setting}")).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{setting}: {error}");
        assert!(error.to_string().contains("cannot be set"), "{error}");
        let name = setting.split_once(" = ").unwrap().0;
        if name.starts_with("datafusion.runtime") {
            let error = refused(&engine, &format!("RESET {name}")).await;
            assert_eq!(error.kind(), ErrorKind::Denied, "{setting}: {error}");
        } else if name.starts_with("datafusion") {
            // RESET of such a setting is allowed and does nothing.
            let show =
                format!("SELECT value FROM information_schema.df_settings WHERE name = '{name}'");
            let before = rows(&engine, &show).await;
            run(&engine, &format!("RESET {name}")).await;
            assert_eq!(rows(&engine, &show).await, before, "{setting}");
        }
    }
}

/// Each accepted setting changes the behaviour that it names.
#[tokio::test]
async fn settings_that_are_taken_work() {
    let builder = EngineBuilder::new().target_partitions(4);
    let engine = builder.allow_settings(true).build().unwrap();
    let shown = async |sql: &str| {
        let rows = engine.query(sql).await.unwrap();
        pretty_format_batches(&rows).unwrap().to_string()
    };
    for (setting, query, before, after) in [
        (
            "datafusion.execution.time_zone = 'Asia/Tokyo'",
            "SELECT CAST('2020-01-01T00:00:00' AS TIMESTAMP WITH TIME ZONE) AS t",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:00+09:00",
        ),
        (
            "datafusion.sql_parser.parse_float_as_decimal = true",
            "SELECT arrow_typeof(0.1) AS t",
            "Float64",
            "Decimal128(1, 1)",
        ),
        (
            "datafusion.sql_parser.default_null_ordering = 'nulls_min'",
            "SELECT string_agg(coalesce(v, 'none'), ' ') AS t FROM (SELECT v FROM (VALUES ('a'), (NULL)) AS q (v) ORDER BY v LIMIT 1)",
            "| a ",
            "| none ",
        ),
        (
            "datafusion.sql_parser.enable_ident_normalization = false",
            "SELECT 1 AS Upper",
            "| upper |",
            "| Upper |",
        ),
        (
            "datafusion.execution.target_partitions = 1",
            "EXPLAIN FORMAT INDENT SELECT value % 7, count(*) FROM range(100000) GROUP BY 1",
            "FinalPartitioned",
            "Single",
        ),
        (
            "datafusion.explain.logical_plan_only = true",
            "EXPLAIN FORMAT INDENT SELECT 1",
            "physical_plan",
            "logical_plan",
        ),
    ] {
        let found = shown(query).await;
        assert!(found.contains(before), "{setting}: {found}");
        run(&engine, &format!("SET {setting}")).await;
        let found = shown(query).await;
        let as_set = found.contains(after) && !found.contains(before);
        assert!(as_set, "{setting}: {found}");
        run(
            &engine,
            &format!("RESET {}", setting.split_once(" = ").unwrap().0),
        )
        .await;
        let found = shown(query).await;
        assert!(found.contains(before), "reset of {setting}: {found}");
    }
}

#[tokio::test]
async fn instants_are_read_and_shown_in_the_time_zone_of_the_session() {
    for (storage, _) in engines() {
        let builder = EngineBuilder::new().allow_settings(true);
        let builder = match storage {
            "memory" => builder,
            _ => builder.storage(vortex(&fresh_folder())),
        };
        let engine = builder.build().unwrap();
        let one = async |sql: &str| rows(&engine, sql).await.join(", ");
        run(
            &engine,
            "CREATE TABLE utc (s TEXT, f TEXT, tz TIMESTAMP WITH TIME ZONE)",
        )
        .await;
        let insert = "INSERT INTO utc VALUES ('2020-07-01T12:00:00', '01.07.2020 12:00', '2020-07-01T12:00:00Z')";
        run(&engine, insert).await;
        // Cached plans and prepared statements follow the new time zone.
        let cast = "SELECT CAST(s AS TIMESTAMP WITH TIME ZONE) FROM utc";
        run(&engine, &format!("PREPARE p AS {cast}")).await;
        for _ in 0..3 {
            assert_eq!(one(cast).await, "2020-07-01T12:00:00Z");
        }
        assert_eq!(
            one("SELECT to_timestamp(s) FROM utc").await,
            "2020-07-01T12:00:00"
        );

        run(&engine, "SET TIME ZONE = 'America/New_York'").await;
        for (sql, expected) in [
            (cast, "2020-07-01T12:00:00-04:00"),
            ("EXECUTE p", "2020-07-01T12:00:00-04:00"),
            (
                "SELECT TIMESTAMPTZ '2020-01-01T12:00:00'",
                "2020-01-01T12:00:00-05:00",
            ),
            (
                "SELECT TIMESTAMPTZ '2020-07-01T12:00:00Z'",
                "2020-07-01T08:00:00-04:00",
            ),
            (
                "SELECT date_trunc('day', TIMESTAMPTZ '2020-07-01T02:00:00Z')",
                "2020-06-30T00:00:00-04:00",
            ),
            (
                "SELECT arrow_typeof(now())",
                "Timestamp(ns, \"America/New_York\")",
            ),
            // A text column behaves as a text literal does.
            (
                "SELECT to_timestamp('2020-07-01T12:00:00')",
                "2020-07-01T12:00:00-04:00",
            ),
            (
                "SELECT to_timestamp(s) FROM utc",
                "2020-07-01T12:00:00-04:00",
            ),
            (
                "SELECT to_timestamp_seconds(s) FROM utc",
                "2020-07-01T12:00:00-04:00",
            ),
            (
                "SELECT to_timestamp_millis(s) FROM utc",
                "2020-07-01T12:00:00-04:00",
            ),
            (
                "SELECT to_timestamp_micros(s) FROM utc",
                "2020-07-01T12:00:00-04:00",
            ),
            (
                "SELECT to_timestamp_nanos(s) FROM utc",
                "2020-07-01T12:00:00-04:00",
            ),
            (
                "SELECT to_timestamp(f, '%d.%m.%Y %H:%M') FROM utc",
                "2020-07-01T12:00:00-04:00",
            ),
            // A TIMESTAMPTZ column has its own zone; its instants do not change.
            ("SELECT tz FROM utc", "2020-07-01T12:00:00Z"),
            (
                "SELECT count(*) FROM utc WHERE tz = TIMESTAMPTZ '2020-07-01T08:00:00'",
                "1",
            ),
            (
                "SELECT count(*) FROM utc WHERE tz > TIMESTAMPTZ '2020-07-01T08:00:00'",
                "0",
            ),
        ] {
            assert_eq!(one(sql).await, expected, "{storage}: {sql}");
        }
        run(
            &engine,
            "UPDATE utc SET tz = TIMESTAMPTZ '2020-07-01T09:00:00'",
        )
        .await;
        run(
            &engine,
            "CREATE TABLE york AS SELECT tz, TIMESTAMPTZ '2020-07-01T09:00:00' AS here FROM utc",
        )
        .await;
        run(
            &engine,
            "CREATE TABLE typed (here TIMESTAMP WITH TIME ZONE)",
        )
        .await;
        run(
            &engine,
            "INSERT INTO typed VALUES ('2020-07-01T09:00:00'), ('2020-07-01T13:00:00Z')",
        )
        .await;

        for wrong in ["Atlantis/Poseidon", "08:00", "+99:00", ""] {
            let error = refused(&engine, &format!("SET TIME ZONE = '{wrong}'")).await;
            assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}: {error}");
            assert!(
                error
                    .to_string()
                    .contains(&format!("'{wrong}' is not a time zone")),
                "{error}"
            );
        }
        assert_eq!(
            one("SHOW TIME ZONE").await,
            "datafusion.execution.time_zone | America/New_York"
        );
        run(&engine, "RESET TIME ZONE").await;
        assert_eq!(
            one("SHOW TIME ZONE").await,
            "datafusion.execution.time_zone | +00:00"
        );
        for (sql, expected) in [
            (cast, "2020-07-01T12:00:00Z"),
            ("EXECUTE p", "2020-07-01T12:00:00Z"),
            ("SELECT to_timestamp(s) FROM utc", "2020-07-01T12:00:00"),
            (
                "SELECT tz, here, tz = here FROM york",
                "2020-07-01T13:00:00Z | 2020-07-01T09:00:00-04:00 | true",
            ),
            (
                "SELECT DISTINCT here FROM typed",
                "2020-07-01T09:00:00-04:00",
            ),
        ] {
            assert_eq!(one(sql).await, expected, "{storage}: {sql}");
        }
    }
}
