//! Random queries that may fail. The failing expression is one that every row needs, so that no plan can skip it: where
//! one database fails, all fail.

use rand::Rng;

use crate::expressions::{Column, Generator};
use crate::tree::{Expr, Kind, Query, Relation, Select, Source};
use crate::world::World;

impl Generator {
    /// A query over a table with whole numbers, where such a table exists.
    pub fn fallible(&mut self, world: &World) -> Option<Query> {
        let has_numbers = |kinds: &[Kind]| kinds.contains(&Kind::Int);
        let tables = world
            .tables
            .iter()
            .filter(|table| has_numbers(&table.kinds));
        let tables: Vec<_> = tables.cloned().collect();
        if tables.is_empty() {
            return None;
        }
        let table = self.pick(&tables);
        let alias = self.alias("t");
        let columns = table.kinds.iter().enumerate().map(|(place, kind)| Column {
            sql: format!("{alias}.c{place}"),
            kind: *kind,
        });
        let columns: Vec<_> = columns.collect();
        let mut select = Select {
            from: vec![Source {
                join: "",
                relation: Relation::Table(table.name),
                alias,
                on: None,
            }],
            ..Select::default()
        };
        select.items = vec![match self.rng.random_range(0..7) {
            0 | 1 => self.large(&columns, 2),
            2 => self.narrow(&columns),
            3 => self.of_large(&columns, "CAST({} AS INTEGER)"),
            4 => {
                select.is_aggregate = true;
                let keys: Vec<_> = columns.iter().filter(|key| !key.kind.is_nested()).collect();
                if self.one_in(2) {
                    let key = self.pick(&keys);
                    select.groups = vec![Expr::sql(key.kind, key.sql.clone())];
                }
                let sum = self.pick(&[
                    "CAST(sum({}) AS BIGINT)",
                    "CAST(sum(DISTINCT {}) AS BIGINT)",
                    "sum(CAST({} AS DECIMAL(20, 0)) * 1000000000000000000)",
                ]);
                self.of_large(&columns, sum)
            }
            5 => self.running_sum(&columns),
            _ => self.several_rows(world, &columns),
        }];
        Some(select.into())
    }

    fn of_large(&mut self, columns: &[Column], sql: &str) -> Expr {
        let within = self.large(columns, 1);
        Expr::of(Kind::Int, sql, [within])
    }

    /// A whole number that may overflow. Each part has a column, because a constant part may be evaluated even if no
    /// row needs it.
    fn large(&mut self, columns: &[Column], depth: usize) -> Expr {
        let numbers = columns.iter().filter(|column| column.kind == Kind::Int);
        let numbers: Vec<_> = numbers.map(|column| column.sql.clone()).collect();
        if depth == 0 {
            return Expr::sql(Kind::Int, self.pick(&numbers));
        }
        // DuckDB merges the constant factors of nested products, whatever the rows are; a `+ 1` keeps the factors
        // apart.
        let sql = self.pick(&[
            "({} + {})",
            "({} - 3 * {})",
            "({} * {})",
            "(({} + 1) * 4611686018427387904)",
            "(({} + 1) * 1537228672809129301)",
            "({} + 9223372036854775800)",
            "(-9223372036854775800 - {})",
            "(({} + 1) * 3037000499)",
            "(- {})",
            "(- (-9223372036854775800 - {}))",
            "abs(-9223372036854775800 - {})",
        ]);
        // The second operand differs from the first: DuckDB simplifies `x - x` to 0 and `x + n - x` to `n`.
        let other = Expr::of(Kind::Int, "({} + 1)", [self.large(columns, depth - 1)]);
        let within = [self.large(columns, depth - 1), other];
        Expr::of(Kind::Int, sql, within)
    }

    fn narrow(&mut self, columns: &[Column]) -> Expr {
        let narrow = self.pick(&["TINYINT", "SMALLINT", "INTEGER"]);
        let sql = self.pick(&["+", "-", "*"]);
        let factor = match narrow {
            "TINYINT" => 20,
            "SMALLINT" => 5_000,
            _ => 300_000_000,
        };
        let operand = format!("CAST({{}} * {factor} AS {narrow})");
        let sql = format!("CAST(({operand} {sql} {operand}) AS BIGINT)");
        let within = [(); 2].map(|()| self.large(columns, 0));
        Expr::of(Kind::Int, &sql, within)
    }

    fn running_sum(&mut self, columns: &[Column]) -> Expr {
        let keys = columns.iter().filter(|column| !column.kind.is_nested());
        let keys: Vec<_> = keys.map(|key| format!("{} NULLS FIRST", key.sql)).collect();
        let within = self.large(columns, 1);
        // The sum of each frame must not depend on the order of tied rows.
        let frame = self.pick(&[
            "RANGE UNBOUNDED PRECEDING",
            "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
        ]);
        let sql = format!(
            "CAST(sum({{}}) OVER (ORDER BY {} {frame}) AS BIGINT)",
            keys.join(", ")
        );
        Expr::of(Kind::Int, &sql, [within])
    }

    /// A scalar subquery that may return several rows.
    fn several_rows(&mut self, world: &World, columns: &[Column]) -> Expr {
        let table = self.pick(&world.tables);
        let alias = self.alias("t");
        let kinds = table.kinds.iter().enumerate();
        let pairs = kinds.flat_map(|(place, kind)| {
            let same = columns
                .iter()
                .filter(move |column| column.kind == *kind && !kind.is_nested());
            same.map(move |column| (place, column.sql.clone()))
        });
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() {
            return self.large(columns, 2);
        }
        let (place, outer) = self.pick(&pairs);
        let sql = format!(
            "(SELECT {alias}.c{place} FROM {} AS {alias} WHERE {alias}.c{place} = {outer})",
            table.name
        );
        Expr::sql(table.kinds[place], sql)
    }
}
