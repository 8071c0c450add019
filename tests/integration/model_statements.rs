//! The statements that `model.rs` sends: each as SQL, and applied to the model. Statements that look up a key are in
//! `model_keys.rs`.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;

use crate::model::{Model, Row, literal, maybe, quoted, text};
use crate::model_expr::{Condition, Value};

impl Model {
    /// A statement, and the number of rows that it affects; also applies it to the model.
    pub fn step(&mut self, rng: &mut StdRng) -> (String, u64) {
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
            // Uses the old value of `n`, even where the same UPDATE sets `n`.
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

    /// A change of one row by its key, in the simplest form.
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
}
