//! Random statements on a table and on a naive model of it: a list of rows that is changed row by row.
//!
//! `MODEL_SEED=<number>` repeats a seed, `MODEL_STATEMENTS=<number>` sets the number of statements of a run. Conditions
//! and values are trees, see [`Condition`] and [`Value`], that SQL and the model evaluate independently.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::common::{engines, rows, run};

/// A row of `t (id BIGINT PRIMARY KEY, g BIGINT NOT NULL, n BIGINT, s TEXT, x BIGINT)`, where `x` is added and dropped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub id: i64,
    pub g: i64,
    pub n: Option<i64>,
    pub s: Option<String>,
    pub x: Option<i64>,
}

#[derive(Clone, Default)]
pub struct Model {
    pub rows: Vec<Row>,
    pub next_id: i64,
    pub has_x: bool,
    pub default_x: Option<i64>,
}

pub fn literal(value: Option<i64>) -> String {
    value.map_or("NULL".to_string(), |v| v.to_string())
}

pub fn quoted(value: &Option<String>) -> String {
    value.as_ref().map_or("NULL".to_string(), |v| {
        format!("'{}'", v.replace('\'', "''"))
    })
}

pub fn maybe(rng: &mut StdRng) -> Option<i64> {
    rng.random_bool(0.8).then(|| rng.random_range(-20..20))
}

pub fn text(rng: &mut StdRng) -> Option<String> {
    let words = ["", "a", "ab", "abc", "O'Brien", "NULL", "ä", "b;--", "%_"];
    rng.random_bool(0.8)
        .then(|| words.choose(rng).unwrap().to_string())
}

impl Model {
    /// Compares the table with the model; the error describes the difference.
    async fn check(&self, engine: &DataFusionEngine) -> Result<(), String> {
        let columns = if self.has_x {
            "id, g, n, s, x"
        } else {
            "id, g, n, s"
        };
        let table = rows(
            engine,
            &format!("SELECT {columns} FROM t ORDER BY id, g, n, s"),
        )
        .await;
        let mut all: Vec<&Row> = self.rows.iter().collect();
        all.sort_by_key(|row| row.id);
        let model: Vec<String> = all
            .iter()
            .map(|row| {
                let s = match row.s.as_deref() {
                    None => "NULL",
                    Some("") => "''",
                    Some("NULL") => "\\NULL",
                    Some(s) => s,
                };
                let x = if self.has_x {
                    format!(" | {}", literal(row.x))
                } else {
                    String::new()
                };
                format!("{} | {} | {} | {s}{x}", row.id, row.g, literal(row.n))
            })
            .collect();
        if table != model {
            let only = |a: &[String], b: &[String]| {
                a.iter()
                    .filter(|line| !b.contains(line))
                    .cloned()
                    .collect::<Vec<_>>()
            };
            let (more, less) = (only(&table, &model), only(&model, &table));
            return Err(format!(
                "{} rows, {} expected; wrong: {more:#?}, missing: {less:#?}",
                table.len(),
                model.len()
            ));
        }
        let sum = self
            .rows
            .iter()
            .filter_map(|row| row.n)
            .reduce(|a, b| a + b);
        let nulls = self.rows.iter().filter(|row| row.n.is_none()).count();
        let expected = format!("{} | {} | {nulls}", self.rows.len(), literal(sum));
        let totals = rows(
            engine,
            "SELECT count(*), sum(n), count(*) - count(n) FROM t",
        )
        .await;
        if totals != [expected.as_str()] {
            return Err(format!("totals {totals:?}, expected {expected}"));
        }
        Ok(())
    }
}

async fn compare(engine: &DataFusionEngine, seed: u64, statements: usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut model = Model::default();
    let mut done: Vec<String> = Vec::new();
    run(
        engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, g BIGINT NOT NULL, n BIGINT, s TEXT)",
    )
    .await;
    while done.len() < statements {
        let failed = if rng.random_bool(0.1) {
            batch(engine, &mut model, &mut rng, &mut done).await
        } else {
            let (sql, expected) = model.step(&mut rng);
            done.push(sql.clone());
            match engine.execute(&sql).await {
                Ok(count) if count == expected => None,
                Ok(count) => Some(format!("affected {count}, expected {expected}")),
                Err(error) => Some(error.to_string()),
            }
        };
        let failed = match failed {
            None if done.len().is_multiple_of(4) => model.check(engine).await.err(),
            other => other,
        };
        if let Some(failed) = failed {
            let last = done[done.len().saturating_sub(8)..].join(";\n");
            panic!(
                "MODEL_SEED={seed}, statement {}: {failed}\nthe last statements:\n{last};",
                done.len()
            );
        }
    }
    model
        .check(engine)
        .await
        .unwrap_or_else(|failed| panic!("MODEL_SEED={seed}: {failed}"));
}

/// Runs some statements as one change; sometimes the last statement fails, and then nothing may have changed.
async fn batch(
    engine: &DataFusionEngine,
    model: &mut Model,
    rng: &mut StdRng,
    done: &mut Vec<String>,
) -> Option<String> {
    let mut after = model.clone();
    let (mut sql, expected): (Vec<String>, Vec<u64>) =
        (0..rng.random_range(1..5)).map(|_| after.step(rng)).unzip();
    let fails = rng.random_bool(0.3);
    if fails {
        sql.push("UPDATE nope SET n = 0".to_string());
    } else {
        *model = after;
    }
    let sql = sql.join(";\n");
    let result = engine.execute_batch(&sql).await;
    done.push(format!("/* batch */ {sql}"));
    match result {
        Ok(counts) if !fails && counts == expected => None,
        Err(error) if fails && error.to_string().contains("nope") => None,
        Ok(counts) => Some(format!(
            "affected {counts:?}, expected {expected:?}, to fail: {fails}"
        )),
        Err(error) => Some(error.to_string()),
    }
}

fn number_from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number"))
    })
}

#[tokio::test]
async fn random_statements_leave_what_a_naive_model_leaves() {
    let seed = number_from_env("MODEL_SEED").unwrap_or_else(rand::random);
    let statements = number_from_env("MODEL_STATEMENTS").unwrap_or(400) as usize;
    println!("MODEL_SEED={seed}");
    for (store, engine) in engines() {
        println!("{store}");
        compare(&engine, seed, statements).await;
    }
}
