//! MERGE, upserts and changes by one key, for `model.rs`: each as SQL, and applied to the model.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::model::{Model, Row, literal, maybe};
use crate::model_expr::Condition;

impl Model {
    pub fn fresh_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn any_id(&mut self, rng: &mut StdRng) -> i64 {
        match self.rows.choose(rng) {
            Some(row) if rng.random_bool(0.6) => row.id,
            _ => self.fresh_id(),
        }
    }

    pub fn x_of_new(&self) -> Option<i64> {
        self.default_x.filter(|_| self.has_x)
    }

    /// Distinct keys, each with a value, also as a `VALUES` list.
    pub fn source(
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

    pub fn merge(&mut self, rng: &mut StdRng) -> (String, u64) {
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

    pub fn upsert(&mut self, rng: &mut StdRng) -> (String, u64) {
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
}
