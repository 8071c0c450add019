//! Random writes.

use rand::Rng;

use crate::case::Statement;
use crate::expressions::{Column, Generator, Scope};
use crate::queries::RequiredColumns;
use crate::tree::{End, Expr, Kind, Part};
use crate::world::World;

impl Generator {
    pub fn write(&mut self, world: &World) -> Statement {
        let table = self.pick(&world.tables);
        let name = &table.name;
        let columns = table.kinds.iter().enumerate().map(|(place, kind)| Column {
            sql: format!("{name}.c{place}"),
            kind: *kind,
        });
        let columns: Vec<_> = columns.collect();
        let sight = Scope {
            world,
            columns: &columns,
            outer: &[],
            queries: 1,
        };
        let write = match self.pick(&[0, 0, 1, 2, 3]) {
            2 | 3 if table.has_key => self.upsert(&sight, name, &table.kinds),
            0 => {
                // Keys are not updated: this engine does not enforce their uniqueness.
                let first = usize::from(table.has_key);
                let changed: Vec<usize> = (first..table.kinds.len())
                    .filter(|_| self.one_in(2))
                    .collect();
                let changed = if changed.is_empty() { vec![1] } else { changed };
                let values = changed
                    .iter()
                    .map(|place| self.expr(&sight, table.kinds[*place], 2));
                let mut within: Vec<_> = values.collect();
                within.push(self.expr(&sight, Kind::Bool, 3));
                let set: Vec<_> = changed
                    .iter()
                    .map(|place| format!("c{place} = {{}}"))
                    .collect();
                Expr::of(
                    Kind::Bool,
                    &format!("UPDATE {name} SET {} WHERE {{}}", set.join(", ")),
                    within,
                )
            }
            1 => {
                let filter = self.expr(&sight, Kind::Bool, 3);
                Expr::of(
                    Kind::Bool,
                    &format!("DELETE FROM {name} WHERE {{}}"),
                    [filter],
                )
            }
            2 if !table.kinds.iter().any(|kind| kind.is_nested()) => {
                let nothing = Scope {
                    columns: &[],
                    ..sight
                };
                let mut query = self.subquery(
                    &nothing,
                    &RequiredColumns::Kinds(table.kinds.clone()),
                    false,
                );
                // Few rows: later statements join the table with itself.
                query.end = End::Order(Some((0, 20)));
                Expr {
                    kind: Kind::Bool,
                    parts: vec![
                        Part::Sql(format!("INSERT INTO {name} SELECT * FROM ")),
                        Part::Query(Box::new(query)),
                        Part::Sql(" AS q".to_string()),
                    ],
                }
            }
            _ => self.merge(&sight, name, &table.kinds),
        };
        Statement::Write(name.clone(), write)
    }

    /// An INSERT of the distinct keys of a table, some of which exist already.
    fn upsert(&mut self, sight: &Scope, name: &str, kinds: &[Kind]) -> Expr {
        let from = self.pick(&sight.world.tables);
        let by = self.pick(&(0..from.kinds.len()).collect::<Vec<_>>());
        let key = match from.kinds[by] {
            Kind::Int => format!("abs(c{by}) % 80"),
            Kind::Text => format!("length(c{by}) * 7 % 80"),
            _ => "1".to_string(),
        };
        let source = [Column {
            sql: "s.k".to_string(),
            kind: Kind::Int,
        }];
        let source = Scope {
            columns: &source,
            queries: 0,
            ..*sight
        };
        let inserted = kinds[1..].iter().map(|kind| self.expr(&source, *kind, 1));
        let mut within: Vec<_> = inserted.collect();
        let values = ", {}".repeat(within.len());
        let changed = self.rng.random_range(1..kinds.len());
        let both = kinds.iter().enumerate().flat_map(|(place, kind)| {
            [name, "excluded"].map(|of| Column {
                sql: format!("{of}.c{place}"),
                kind: *kind,
            })
        });
        let both: Vec<_> = both.collect();
        let both = Scope {
            columns: &both,
            queries: 0,
            ..*sight
        };
        let action = match self.rng.random_range(0..3) {
            0 => "NOTHING".to_string(),
            1 => {
                within.push(self.expr(&both, kinds[changed], 2));
                format!("UPDATE SET c{changed} = {{}}")
            }
            _ => {
                within.push(self.expr(&both, kinds[changed], 2));
                within.push(self.expr(&both, Kind::Bool, 2));
                format!("UPDATE SET c{changed} = {{}} WHERE {{}}")
            }
        };
        let sql = format!(
            "INSERT INTO {name} SELECT s.k{values} FROM (SELECT DISTINCT {key} AS k FROM {}) AS s WHERE s.k IS NOT NULL \
             ON CONFLICT (c0) DO {action}",
            from.name
        );
        Expr::of(Kind::Bool, &sql, within)
    }

    /// A MERGE whose source has one row for each key, so that each row is matched once.
    fn merge(&mut self, sight: &Scope, name: &str, kinds: &[Kind]) -> Expr {
        let key = self.pick(&(0..kinds.len()).collect::<Vec<_>>());
        let from = sight
            .world
            .tables
            .iter()
            .find(|table| table.kinds.contains(&kinds[key]));
        let Some(from) = from else {
            return Expr::sql(Kind::Bool, format!("DELETE FROM {name} WHERE FALSE"));
        };
        let same = from
            .kinds
            .iter()
            .position(|kind| *kind == kinds[key])
            .unwrap_or_default();
        let source = format!(
            "(SELECT c{same} AS k, count(*) AS n FROM {} GROUP BY c{same})",
            from.name
        );
        let with_source: Vec<_> = sight
            .columns
            .iter()
            .cloned()
            .chain([
                Column {
                    sql: "s.n".to_string(),
                    kind: Kind::Int,
                },
                Column {
                    sql: "s.k".to_string(),
                    kind: kinds[key],
                },
            ])
            .collect();
        let both = Scope {
            columns: &with_source,
            queries: 0,
            ..*sight
        };
        let alone = Scope {
            columns: &with_source[sight.columns.len()..],
            ..both
        };
        let condition = self.expr(&both, Kind::Bool, 2);
        let changed = self.pick(&(0..kinds.len()).collect::<Vec<_>>());
        let value = self.expr(&both, kinds[changed], 2);
        let inserted = kinds.iter().map(|kind| self.expr(&alone, *kind, 1));
        let mut inserted: Vec<_> = inserted.collect();
        let values = vec!["{}"; kinds.len()].join(", ");
        let mut unmatched = format!("WHEN NOT MATCHED THEN INSERT VALUES ({values})");
        if self.one_in(3) {
            inserted.push(self.expr(
                &Scope {
                    queries: 0,
                    ..*sight
                },
                Kind::Bool,
                1,
            ));
            let then = self.pick(&["DELETE", "UPDATE"]);
            unmatched += &format!(" WHEN NOT MATCHED BY SOURCE AND {{}} THEN {then}");
            if then == "UPDATE" {
                inserted.push(self.expr(
                    &Scope {
                        queries: 0,
                        ..*sight
                    },
                    kinds[changed],
                    1,
                ));
                unmatched += &format!(" SET c{changed} = {{}}");
            }
        }
        let matched = self.pick(&["DELETE", "UPDATE"]);
        let sql = match matched {
            "DELETE" => "WHEN MATCHED AND {} THEN DELETE".to_string(),
            _ => format!("WHEN MATCHED AND {{}} THEN UPDATE SET c{changed} = {{}}"),
        };
        let sql = format!(
            "MERGE INTO {name} USING {source} AS s ON {name}.c{key} = s.k {sql} {unmatched}"
        );
        let mut within = vec![condition];
        if matched == "UPDATE" {
            within.push(value);
        }
        within.extend(inserted);
        Expr::of(Kind::Bool, &sql, within)
    }
}
