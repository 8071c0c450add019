//! Arrays that hold more than their rows: slices, and values behind NULLs, must give the same results as copies.

use rhei_datafusion::arrow::array::{Array, RecordBatch, UInt64Array};
use rhei_datafusion::arrow::compute::{concat_batches, is_null, nullif, take};
use rhei_datafusion::arrow::util::pretty::pretty_format_batches;
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::common::{engines, number, run};

#[tokio::test]
async fn lists_of_fixed_size_are_made_of_their_own_rows() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE g (k INT, v INT[3], w INT[2][3])").await;
        run(
            &engine,
            "INSERT INTO g SELECT n, [n, n, n], [[n, n], [n, n], [n, n]] FROM generate_series(1, 100000) AS s (n)",
        )
        .await;
        let others =
            "SELECT count(*) FROM g WHERE v[1] <> k OR v[3] <> k OR w[1][1] <> k OR w[3][2] <> k";
        assert_eq!(number(&engine, others).await, 0, "{store}");
        run(&engine, "UPDATE g SET v = [k, -k, k] WHERE k % 3 = 1").await;
        let others = "SELECT count(*) FROM g WHERE v[2] <> k AND v[2] <> -k OR v[3] <> k";
        assert_eq!(number(&engine, others).await, 0, "{store}");
    }
}

/// Rows of many types, with NULL values and NULLs inside nested values.
const ROWS: &str = "
    SELECT n AS id,
        CASE WHEN n % 7 <> 3 THEN n END AS i,
        CASE WHEN n % 5 <> 1 THEN 'text ' || n END AS t,
        CASE WHEN n % 5 <> 1 THEN arrow_cast('tag ' || n % 4, 'Dictionary(Int32, Utf8)') END AS d,
        CASE WHEN n % 6 <> 2 THEN [n, n % 4, NULL, -n] END AS l,
        CASE WHEN n % 6 <> 4 THEN range(n, n + n % 4) END AS r,
        CASE WHEN n % 4 <> 3 THEN [n, n + 1, n + 2] END AS three,
        CASE WHEN n % 6 <> 5 THEN ['a' || n, NULL, 'b'] END AS s,
        CASE WHEN n % 5 <> 0 THEN [[n, 1], [], NULL, [n % 3]] END AS ll,
        CASE WHEN n % 5 <> 2 THEN named_struct('a', n, 'b', 'in ' || n, 'c', [n, n]) END AS st,
        CASE WHEN n % 5 <> 3 THEN map(['k', 'o'], [n, n + 1]) END AS m,
        CASE WHEN n % 5 <> 4 THEN arrow_cast([n, n * 2], 'FixedSizeList(2, Int64)') END AS f,
        CASE WHEN n % 3 <> 0 THEN n % 2 = 0 END AS b,
        CASE WHEN n % 9 <> 0 THEN date '2024-01-01' + n::INT END AS day,
        CASE WHEN n % 8 <> 0 THEN (n * 1.25)::DECIMAL(10, 2) END AS dec
    FROM generate_series(1, 60) AS q (n)";

/// Expressions that are evaluated for each row.
const OF_ROWS: &[&str] = &[
    "arrow_cast(three, 'FixedSizeList(3, Int64)')",
    "arrow_cast(three, 'FixedSizeList(3, Utf8)')",
    "arrow_cast([three, three], 'List(FixedSizeList(3, Int64))')",
    "arrow_cast(named_struct('x', three), 'Struct(\"x\": FixedSizeList(3, Int64))')",
    "arrow_cast(l, 'LargeList(Int32)')",
    "arrow_cast(l, 'List(Utf8)')",
    "arrow_cast(s, 'LargeList(Utf8View)')",
    "arrow_cast(ll, 'List(List(Float64))')",
    "arrow_cast(ll, 'LargeList(LargeList(Int64))')",
    "arrow_cast(f, 'List(Int64)')",
    "arrow_cast(f, 'FixedSizeList(2, Int32)')",
    "arrow_cast(d, 'Utf8')",
    "arrow_cast(t, 'Dictionary(Int16, Utf8)')",
    "arrow_cast(st, 'Struct(\"a\": Int32, \"b\": Utf8View, \"c\": List(Int32))')",
    "i::VARCHAR",
    "l::VARCHAR",
    "ll::VARCHAR",
    "day::VARCHAR",
    "dec::DOUBLE",
    "l[2]",
    "r[1]",
    "r[-1]",
    "s[1]",
    "ll[1][1]",
    "f[2]",
    "l[2:3]",
    "s[2:3]",
    "ll[1:2]",
    "st['a']",
    "st['c'][1]",
    "m['k']",
    "map_keys(m)",
    "map_values(m)",
    "map_extract(m, 'o')",
    "map_entries(m)",
    "array_length(l)",
    "array_dims(ll)",
    "array_ndims(ll)",
    "cardinality(ll)",
    "empty(r)",
    "array_sort(l)",
    "array_sort(r, 'DESC')",
    "array_distinct(l)",
    "array_reverse(l)",
    "array_reverse(s)",
    "array_reverse(f)",
    "array_append(l, i)",
    "array_prepend(i, l)",
    "array_append(s, t)",
    "array_concat(l, r)",
    "array_concat(ll, [[i]])",
    "array_union(l, r)",
    "array_except(l, r)",
    "array_intersect(l, r)",
    "array_has(r, i)",
    "array_has(s, 'b')",
    "array_has_all(l, r)",
    "array_has_any(l, three)",
    "array_position(l, i)",
    "array_positions(l, i)",
    "array_remove(l, i)",
    "array_remove_all(l, i)",
    "array_replace(l, i, 0)",
    "array_replace_all(s, 'b', t)",
    "array_to_string(l, ',', '-')",
    "array_to_string(s, ',')",
    "array_max(l)",
    "array_min(r)",
    "array_repeat(l, 2)",
    "array_repeat(t, 2)",
    "l || i",
    "array_append(nullif(l, l), i)",
    "array_resize(l, 6, i)",
    "array_pop_front(r)",
    "array_pop_back(l)",
    "array_any_value(l)",
    "arrays_zip(l, r)",
    "flatten(ll)",
    "list_extract(ll, 1)",
    "coalesce(l, r)",
    "coalesce(st, named_struct('a', 0, 'b', 'none', 'c', [0]))",
    "coalesce(m, map(['k', 'o'], [0, 0]))",
    "coalesce(d, t)",
    "nullif(l, three)",
    "CASE WHEN b THEN l WHEN i > 20 THEN r END",
    "CASE WHEN b THEN st END",
    "CASE i % 3 WHEN 0 THEN s WHEN 1 THEN [t] END",
    "l = r",
    "l < three",
    "st = named_struct('a', i, 'b', 'in ' || i, 'c', [i, i])",
    "l IS NULL",
    "l IS DISTINCT FROM three",
    "l IN (r, three)",
    "b AND i > 10 OR NOT b",
    "i BETWEEN 10 AND 20",
    "t LIKE '%1%'",
    "t ~ '1|2'",
    "d = 'tag 2'",
    "upper(t) || d",
    "concat(t, d, i)",
    "substr(t, 2, 4)",
    "split_part(t, ' ', 2)",
    "replace(t, 'text', d)",
    "regexp_replace(t, '[0-9]', 'x')",
    "string_to_array(t, ' ')",
    "lpad(t, 12, d)",
    "strpos(t, '1')",
    "length(d)",
    "md5(t)",
    "encode(t::BYTEA, 'hex')",
    "date_part('day', day)",
    "date_trunc('month', day)",
    "day + INTERVAL '1' DAY",
    "dec * 2 + i",
    "round(dec)",
    "abs(-i)",
    "i % 7",
    "-i",
    "greatest(i, id - 5)",
    "struct(i, l, t)",
    "named_struct('x', l, 'y', m)",
    "[l, r]",
    "[st, st]",
    "[m]",
    "map([id], [l])",
    "lag(l) OVER (ORDER BY id)",
    "first_value(st) OVER (PARTITION BY i % 3 ORDER BY id)",
    "lead(m, 2) OVER (ORDER BY id)",
    "nth_value(s, 2) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)",
    "max(t) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING)",
    "array_agg(l) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
];

/// Queries that combine many rows.
const OF_TABLES: &[&str] = &[
    "SELECT i % 4 AS g, array_agg(l ORDER BY id) AS x FROM t GROUP BY g ORDER BY g",
    "SELECT i % 4 AS g, array_agg(st ORDER BY id DESC) AS x FROM t GROUP BY g ORDER BY g",
    "SELECT i % 4 AS g, first_value(m ORDER BY id) AS x, last_value(ll ORDER BY id) AS y FROM t GROUP BY g ORDER BY g",
    "SELECT l[2] AS g, count(*), min(t), max(d), sum(i), avg(dec), bool_or(b), min(day) FROM t GROUP BY g ORDER BY g",
    "SELECT i % 4 AS g, string_agg(t, ',' ORDER BY id), median(i), approx_distinct(t) FROM t GROUP BY g ORDER BY g",
    "SELECT i % 4 AS g, min(l), max(l), min(st), max(three) FROM t GROUP BY g ORDER BY g",
    "SELECT r AS g, count(*) AS n, sum(id) FROM t GROUP BY g ORDER BY sum(id)",
    "SELECT st AS g, count(*) AS n, sum(id) FROM t GROUP BY g ORDER BY sum(id)",
    "SELECT d AS g, f[1] % 2 AS h, count(*) AS n FROM t GROUP BY g, h ORDER BY g, h",
    "SELECT count(DISTINCT l), count(DISTINCT d), count(DISTINCT st), count(DISTINCT r) FROM t",
    "SELECT DISTINCT three FROM t ORDER BY three",
    "SELECT id FROM t ORDER BY l, id",
    "SELECT id FROM t ORDER BY st DESC NULLS LAST, id LIMIT 20",
    "SELECT id FROM t ORDER BY d, t DESC, id",
    "SELECT id, unnest(l) AS x FROM t ORDER BY id, x",
    "SELECT id, unnest(ll) AS x FROM t ORDER BY id, x",
    "SELECT id, unnest(s) AS x, unnest(r) AS y FROM t ORDER BY id, x, y",
    "SELECT id, unnest(st) FROM t ORDER BY id",
    "SELECT a.id AS x, b.id AS y, a.l, b.m FROM t AS a JOIN t AS b ON a.three = b.three AND a.id % 2 = 0 ORDER BY x, y",
    "SELECT a.id AS x, b.id AS y, b.st, a.f FROM t AS a LEFT JOIN t AS b ON a.d = b.d AND a.i + 8 = b.id ORDER BY x, y",
    "SELECT a.id AS x, b.ll FROM t AS a JOIN t AS b ON a.id < b.id AND b.id < a.id + 3 ORDER BY x, b.id",
    "SELECT id FROM t WHERE l IN (SELECT three FROM t) OR r NOT IN (SELECT l FROM t WHERE l IS NOT NULL) ORDER BY id",
    "SELECT l, st, m FROM t WHERE id % 5 = 2 UNION ALL SELECT r, st, m FROM t WHERE id % 7 = 3 ORDER BY 1, 2",
    "SELECT l FROM t INTERSECT SELECT l FROM t WHERE id > 30 ORDER BY 1",
    "SELECT id FROM t WHERE st['a'] > 11 ORDER BY id",
    "SELECT id, st['b'] AS b FROM t WHERE st['a'] = 1 OR st['c'][1] = 1 OR m['k'] = 1 ORDER BY id",
    "SELECT st['a'] AS a, count(*) AS n FROM t GROUP BY a ORDER BY a",
    "SELECT a.id AS x, b.id AS y FROM t AS a JOIN t AS b ON a.st['a'] = b.st['a'] WHERE b.st['b'] LIKE 'in 1%' ORDER BY x, y",
    "SELECT id, ll, f, s FROM t WHERE i > 11 AND b ORDER BY id LIMIT 9 OFFSET 3",
];

#[tokio::test]
async fn what_is_made_of_slices_is_what_is_made_of_copies() {
    for ((store, copies), (_, slices)) in engines().into_iter().zip(engines()) {
        let rows = rows(&copies).await;
        run(&slices, &format!("CREATE TABLE t AS {ROWS} LIMIT 0")).await;
        let mut from = 0;
        for length in [1, 5, 2, 17, 3, 1, 8].into_iter().cycle() {
            let length = usize::min(length, rows.num_rows() - from);
            let slice = rows.slice(from, length);
            slices.load_arrow("t", &[slice]).await.unwrap();
            from += length;
            if from == rows.num_rows() {
                break;
            }
        }
        answer_alike(store, &copies, &slices).await;
    }
}

#[tokio::test]
async fn what_lies_behind_a_null_is_no_value() {
    for ((store, plain), (_, filled)) in engines().into_iter().zip(engines()) {
        let rows = rows(&plain).await;
        let columns = rows.columns().iter().map(|column| {
            let valid = (0..column.len()).find(|row| column.is_valid(*row)).unwrap();
            let rows = (0..column.len()).map(|row| match column.is_valid(row) {
                true => row as u64,
                false => valid as u64,
            });
            let full = take(column, &UInt64Array::from_iter_values(rows), None).unwrap();
            nullif(&full, &is_null(column).unwrap()).unwrap()
        });
        let behind = RecordBatch::try_new(rows.schema(), columns.collect()).unwrap();
        run(&filled, &format!("CREATE TABLE t AS {ROWS} LIMIT 0")).await;
        filled.load_arrow("t", &[behind]).await.unwrap();
        answer_alike(store, &plain, &filled).await;
        for engine in [&plain, &filled] {
            run(
                engine,
                "UPDATE t SET i = -i WHERE st['a'] = 1 OR m['o'] = 2",
            )
            .await;
            run(engine, "DELETE FROM t WHERE st['c'][1] = 1").await;
        }
        answer_alike(store, &plain, &filled).await;
    }
}

/// Slices that the engine makes in queries.
#[tokio::test]
async fn what_is_made_of_rows_behind_an_offset_is_what_is_made_of_them() {
    for (store, engine) in engines() {
        run(&engine, &format!("CREATE TABLE whole AS {ROWS}")).await;
        for sql in queries("ORDER BY id") {
            let mut answers = Vec::new();
            for rows in ["WHERE id > 4 AND id <= 54", "ORDER BY id LIMIT 50 OFFSET 4"] {
                let sql = format!("WITH t AS (SELECT * FROM whole {rows}) {sql}");
                answers.push(shown(&engine.query(&sql).await.unwrap()));
            }
            assert_eq!(answers[0], answers[1], "{store}: {sql}");
        }
    }
}

/// Creates a table from `ROWS` and returns its rows.
async fn rows(engine: &DataFusionEngine) -> RecordBatch {
    run(engine, &format!("CREATE TABLE t AS {ROWS}")).await;
    let rows = engine.query("SELECT * FROM t ORDER BY id").await.unwrap();
    concat_batches(&rows[0].schema(), &rows).unwrap()
}

/// All queries of this file; those over `OF_ROWS` read the rows that the clause `of_rows` selects.
fn queries(of_rows: &str) -> impl Iterator<Item = String> {
    let of_rows = OF_ROWS
        .iter()
        .map(move |expr| format!("SELECT id, {expr} AS x FROM t {of_rows}"));
    of_rows.chain(OF_TABLES.iter().map(|sql| (*sql).to_string()))
}

async fn answer_alike(store: &str, one: &DataFusionEngine, other: &DataFusionEngine) {
    let mut wrong = Vec::new();
    for sql in queries("WHERE id > 4 ORDER BY id LIMIT 40") {
        let of_one = one.query(&sql).await.map(|rows| shown(&rows));
        let of_other = other.query(&sql).await.map(|rows| shown(&rows));
        match (of_one, of_other) {
            (Ok(of_one), Ok(of_other)) if of_one == of_other => {}
            found => wrong.push(format!("{sql}\n{found:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{store}: {} differ:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

fn shown(rows: &[RecordBatch]) -> String {
    pretty_format_batches(rows).unwrap().to_string()
}
