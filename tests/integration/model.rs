//! Random statements on a table and on a naive model of it: a list of rows that is changed one by one.
//!
//! `MODEL_SEED=<number>` runs one seed again, `MODEL_STATEMENTS=<number>` sets how many statements a run has. Conditions and
//! values are trees, see [`Condition`] and [`Value`], that SQL and the model evaluate each in its own way.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rhei_datafusion::{DataFusionEngine, OlapEngine};

use crate::common::{engines, rows, run};
use crate::model_expr::{Condition, Value};

/// A row of `t (id BIGINT PRIMARY KEY, g BIGINT NOT NULL, n BIGINT, s TEXT, x BIGINT)`, where `x` comes and goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub id: i64,
    pub g: i64,
    pub n: Option<i64>,
    pub s: Option<String>,
    pub x: Option<i64>,
}

#[derive(Clone, Default)]
struct Model {
    rows: Vec<Row>,
    next_id: i64,
    has_x: bool,
    default_x: Option<i64>,
}

pub fn literal(value: Option<i64>) -> String {
    value.map_or("NULL".to_string(), |v| v.to_string())
}

fn quoted(value: &Option<String>) -> String {
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
    /// A statement, and the rows that it affects; the model is changed as the table will be.
    fn step(&mut self, rng: &mut StdRng) -> (String, u64) {
        match rng.random_range(0..100) {
            0..22 => self.insert(rng),
            22..27 => self.insert_select(rng),
            27..43 => self.update(rng),
            43..48 => self.update_from(rng),
            48..61 => self.delete(rng),
            61..69 => self.point(rng),
            69..80 => self.merge(rng),
            80..93 => self.upsert(rng),
            93..99 => self.alter(rng),
            _ => {
                let count = self.rows.len() as u64;
                self.rows.clear();
                ("TRUNCATE TABLE t".to_string(), count)
            }
        }
    }

    fn fresh_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    fn any_id(&mut self, rng: &mut StdRng) -> i64 {
        match self.rows.choose(rng) {
            Some(row) if rng.random_bool(0.6) => row.id,
            _ => self.fresh_id(),
        }
    }

    fn insert(&mut self, rng: &mut StdRng) -> (String, u64) {
        let mut columns = vec!["id", "g"];
        columns.extend(
            ["n", "s", "x"]
                .into_iter()
                .filter(|c| (*c != "x" || self.has_x) && rng.random_bool(0.7)),
        );
        let shift = rng.random_range(0..columns.len());
        columns.rotate_left(shift);
        let count = if rng.random_bool(0.05) {
            rng.random_range(50..90)
        } else {
            rng.random_range(1..8)
        };
        let mut lines = Vec::new();
        for _ in 0..count {
            let mut row = Row {
                id: self.fresh_id(),
                g: rng.random_range(0..6),
                x: self.x_of_new(),
                ..Row::default()
            };
            let values = columns.iter().map(|column| match *column {
                "id" => row.id.to_string(),
                "g" => row.g.to_string(),
                "n" => {
                    row.n = maybe(rng);
                    literal(row.n)
                }
                "s" => {
                    row.s = text(rng);
                    quoted(&row.s)
                }
                _ if rng.random_bool(0.3) => "DEFAULT".to_string(),
                _ => {
                    row.x = maybe(rng);
                    literal(row.x)
                }
            });
            lines.push(format!("({})", values.collect::<Vec<_>>().join(", ")));
            self.rows.push(row);
        }
        (
            format!(
                "INSERT INTO t ({}) VALUES {}",
                columns.join(", "),
                lines.join(", ")
            ),
            count,
        )
    }

    fn x_of_new(&self) -> Option<i64> {
        self.default_x.filter(|_| self.has_x)
    }

    fn insert_select(&mut self, rng: &mut StdRng) -> (String, u64) {
        let condition = Condition::random(rng, self.has_x, 2);
        let least = self.rows.iter().map(|r| r.id).min().unwrap_or(0);
        let offset = self.next_id + 1 - least;
        if offset > 1_000_000 || self.rows.len() > 300 {
            return self.delete(rng);
        }
        let new: Vec<Row> = self
            .rows
            .iter()
            .filter(|row| condition.holds(row))
            .map(|row| Row {
                id: row.id + offset,
                g: row.g,
                n: row.n,
                s: row.s.clone(),
                x: self.x_of_new(),
            })
            .collect();
        self.next_id = new
            .iter()
            .map(|r| r.id)
            .max()
            .unwrap_or(0)
            .max(self.next_id);
        let count = new.len() as u64;
        self.rows.extend(new);
        (
            format!(
                "INSERT INTO t (s, id, g, n) SELECT s, id + {offset}, g, n FROM t WHERE {condition}"
            ),
            count,
        )
    }

    fn update(&mut self, rng: &mut StdRng) -> (String, u64) {
        let condition = Condition::random(rng, self.has_x, 3);
        let (n, x) = (
            Value::random(rng, self.has_x, 2),
            Value::random(rng, self.has_x, 2),
        );
        let (set_n, set_x, set_g, set_s) = (
            rng.random_bool(0.6),
            self.has_x && rng.random_bool(0.5),
            rng.random_bool(0.3),
            rng.random_bool(0.3),
        );
        let s = text(rng);
        let mut sets = Vec::new();
        if set_n {
            sets.push(format!("n = ({n}) % 1000"));
        }
        if set_x {
            sets.push(format!("x = ({x}) % 1000"));
        }
        if set_g {
            // The value of before, whatever else is set.
            sets.push("g = coalesce(n, g) % 6".to_string());
        }
        if set_s || sets.is_empty() {
            sets.push(format!("s = {}", quoted(&s)));
        }
        let mut count = 0;
        for row in self.rows.iter_mut().filter(|row| condition.holds(row)) {
            let old = row.clone();
            if set_n {
                row.n = n.of(&old).map(|v| v % 1000);
            }
            if set_x {
                row.x = x.of(&old).map(|v| v % 1000);
            }
            if set_g {
                row.g = old.n.unwrap_or(old.g) % 6;
            }
            if set_s || sets.len() == 1 && sets[0].starts_with("s = ") {
                row.s = s.clone();
            }
            count += 1;
        }
        (
            format!("UPDATE t SET {} WHERE {condition}", sets.join(", ")),
            count,
        )
    }

    /// Distinct keys with a value each, as `VALUES`.
    fn source(
        rng: &mut StdRng,
        keys: impl IntoIterator<Item = i64>,
    ) -> (BTreeMap<i64, Option<i64>>, String) {
        let source: BTreeMap<i64, Option<i64>> =
            keys.into_iter().map(|key| (key, maybe(rng))).collect();
        let lines = source
            .iter()
            .map(|(key, value)| format!("({key}, CAST({} AS BIGINT))", literal(*value)));
        let values = lines.collect::<Vec<_>>().join(", ");
        (source, values)
    }

    fn update_from(&mut self, rng: &mut StdRng) -> (String, u64) {
        let condition = Condition::random(rng, self.has_x, 2);
        let keys: Vec<i64> = (0..rng.random_range(1..5))
            .map(|_| rng.random_range(0..6))
            .collect();
        let (source, values) = Self::source(rng, keys);
        let mut count = 0;
        for row in self
            .rows
            .iter_mut()
            .filter(|row| source.contains_key(&row.g) && condition.holds(row))
        {
            row.n = source[&row.g];
            count += 1;
        }
        (
            format!(
                "UPDATE t SET n = v.m FROM (VALUES {values}) AS v(k, m) WHERE t.g = v.k AND ({condition})"
            ),
            count,
        )
    }

    fn delete(&mut self, rng: &mut StdRng) -> (String, u64) {
        let mut condition = Condition::random(rng, self.has_x, 3);
        if self.rows.len() < 60 {
            condition = Condition::And(
                Box::new(condition),
                Box::new(Condition::random(rng, self.has_x, 1)),
            );
        }
        let before = self.rows.len();
        let sql = match rng.random_range(0..4) {
            0 => {
                let keys: Vec<i64> = (0..4).map(|_| rng.random_range(0..9)).collect();
                let values: Vec<String> = keys.iter().map(|key| format!("({key})")).collect();
                self.rows
                    .retain(|row| !(keys.contains(&row.g) && condition.holds(row)));
                format!(
                    "DELETE FROM t USING (VALUES {}) AS v(k) WHERE t.g = v.k AND ({condition})",
                    values.join(", ")
                )
            }
            1 => {
                let groups: HashSet<i64> = self
                    .rows
                    .iter()
                    .filter(|r| r.id % 5 == 0 && condition.holds(r))
                    .map(|r| r.g)
                    .collect();
                self.rows
                    .retain(|row| !(groups.contains(&row.g) && condition.holds(row)));
                format!(
                    "DELETE FROM t WHERE g IN (SELECT t.g FROM t WHERE id % 5 = 0 AND ({condition})) AND ({condition})"
                )
            }
            _ => {
                self.rows.retain(|row| !condition.holds(row));
                format!("DELETE FROM t WHERE {condition}")
            }
        };
        (sql, (before - self.rows.len()) as u64)
    }

    /// A change of one row by its key, in the plainest words.
    fn point(&mut self, rng: &mut StdRng) -> (String, u64) {
        let id = self.any_id(rng);
        let n = maybe(rng);
        let (condition, strict) = match rng.random_range(0..4) {
            0 => (format!("id = {id} AND g = 2"), true),
            1 => (format!("g = 2 AND {id} = t.id"), true),
            _ => (format!("id = {id}"), false),
        };
        let hit = |row: &Row| row.id == id && (!strict || row.g == 2);
        let count = self.rows.iter().filter(|row| hit(row)).count() as u64;
        if rng.random_bool(0.5) {
            self.rows.retain(|row| !hit(row));
            return (format!("DELETE FROM t WHERE {condition}"), count);
        }
        let add = rng.random_bool(0.3);
        for row in self.rows.iter_mut().filter(|row| hit(row)) {
            row.n = if add { row.n.map(|n| n % 1000 + 1) } else { n };
        }
        let value = if add {
            "n % 1000 + 1".to_string()
        } else {
            literal(n)
        };
        (format!("UPDATE t SET n = {value} WHERE {condition}"), count)
    }

    fn merge(&mut self, rng: &mut StdRng) -> (String, u64) {
        let keys: Vec<i64> = (0..rng.random_range(1..8))
            .map(|_| self.any_id(rng))
            .collect();
        let (source, values) = Self::source(rng, keys);
        let (delete, update, orphan) = (
            rng.random_bool(0.5)
                .then(|| Condition::random(rng, self.has_x, 1)),
            rng.random_bool(0.7)
                .then(|| Condition::random(rng, self.has_x, 2)),
            rng.random_bool(0.4)
                .then(|| Condition::random(rng, self.has_x, 2)),
        );
        let insert =
            rng.random_bool(0.7) || (delete.is_none() && update.is_none() && orphan.is_none());
        let above = rng.random_range(-20..10);
        let removes = rng.random_bool(0.2);
        let mut sql = format!("MERGE INTO t USING (VALUES {values}) AS v(id, n) ON t.id = v.id");
        if let Some(condition) = &delete {
            let _ = write!(sql, " WHEN MATCHED AND {condition} THEN DELETE");
        }
        if let Some(condition) = &update {
            let _ = write!(
                sql,
                " WHEN MATCHED AND {condition} THEN UPDATE SET n = v.n, s = 'merged', g = (t.g + 1) % 6"
            );
        }
        if insert {
            let _ = write!(
                sql,
                " WHEN NOT MATCHED AND v.n > {above} THEN INSERT (id, n, g) VALUES (v.id, v.n, 3)"
            );
        }
        if let Some(condition) = &orphan {
            let action = if removes {
                "DELETE"
            } else {
                "UPDATE SET s = NULL"
            };
            let _ = write!(
                sql,
                " WHEN NOT MATCHED BY SOURCE AND {condition} THEN {action}"
            );
        }
        let there: HashSet<i64> = self.rows.iter().map(|row| row.id).collect();
        let holds = |condition: &Option<Condition>, row: &Row| {
            condition.as_ref().is_some_and(|c| c.holds(row))
        };
        let mut count = 0;
        let mut kept = Vec::new();
        for mut row in std::mem::take(&mut self.rows) {
            match source.get(&row.id) {
                Some(_) if holds(&delete, &row) => {
                    count += 1;
                    continue;
                }
                Some(n) if holds(&update, &row) => {
                    count += 1;
                    row = Row {
                        n: *n,
                        s: Some("merged".to_string()),
                        g: (row.g + 1) % 6,
                        ..row
                    };
                }
                None if holds(&orphan, &row) => {
                    count += 1;
                    if removes {
                        continue;
                    }
                    row.s = None;
                }
                _ => {}
            }
            kept.push(row);
        }
        self.rows = kept;
        for (id, n) in source
            .into_iter()
            .filter(|(id, n)| insert && !there.contains(id) && n.is_some_and(|n| n > above))
        {
            count += 1;
            self.rows.push(Row {
                id,
                n,
                g: 3,
                s: None,
                x: self.x_of_new(),
            });
        }
        (sql, count)
    }

    fn upsert(&mut self, rng: &mut StdRng) -> (String, u64) {
        let keys: Vec<i64> = (0..rng.random_range(1..8))
            .map(|_| self.any_id(rng))
            .collect();
        let (source, values) = Self::source(rng, keys);
        let condition = Condition::random(rng, self.has_x, 2);
        let way = rng.random_range(0..4);
        let rows =
            format!("INTO t (id, n, g) SELECT v.id, v.n, 2 FROM (VALUES {values}) AS v(id, n)");
        let sql = match way {
            0 => format!("INSERT {rows} ON CONFLICT DO NOTHING"),
            1 => format!("INSERT OR REPLACE {rows}"),
            2 => format!(
                "INSERT {rows} ON CONFLICT (id) DO UPDATE SET n = coalesce(t.n, 0) % 1000 + excluded.n, g = excluded.g"
            ),
            _ => {
                format!("INSERT {rows} ON CONFLICT (id) DO UPDATE SET s = 'kept' WHERE {condition}")
            }
        };
        let mut count = 0;
        for (id, n) in source {
            let x = self.x_of_new();
            let new = Row {
                id,
                n,
                g: 2,
                s: None,
                x,
            };
            match self.rows.iter_mut().find(|row| row.id == id) {
                None => self.rows.push(new),
                Some(row) => match way {
                    0 => continue,
                    1 => *row = new,
                    2 => {
                        row.n = n.map(|n| row.n.unwrap_or(0) % 1000 + n);
                        row.g = 2;
                    }
                    _ if condition.holds(row) => row.s = Some("kept".to_string()),
                    _ => continue,
                },
            }
            count += 1;
        }
        (sql, count)
    }

    fn alter(&mut self, rng: &mut StdRng) -> (String, u64) {
        self.has_x = !self.has_x;
        if !self.has_x {
            self.rows.iter_mut().for_each(|row| row.x = None);
            return ("ALTER TABLE t DROP COLUMN x".to_string(), 0);
        }
        self.default_x = rng.random_bool(0.5).then(|| rng.random_range(0..9));
        self.rows.iter_mut().for_each(|row| row.x = self.default_x);
        match self.default_x {
            Some(default) => (
                format!("ALTER TABLE t ADD COLUMN x BIGINT DEFAULT {default}"),
                0,
            ),
            None => ("ALTER TABLE t ADD COLUMN x BIGINT".to_string(), 0),
        }
    }

    /// Where the table differs from the model.
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
            None if done.len() % 4 == 0 => model.check(engine).await.err(),
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

/// Some statements as one change; now and then the last one fails, and nothing has happened.
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
