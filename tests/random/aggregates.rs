//! Random aggregates and window functions.

use rand::Rng;

use crate::expressions::{Column, Generator, Scope};
use crate::tree::{Expr, Kind, Select};

impl Generator {
    pub fn aggregate(&mut self, select: &mut Select, sight: &Scope, kinds: &[Kind]) {
        select.is_aggregate = true;
        // DuckDB 2.0 loses the single row of an aggregate over no rows in a correlated subquery with DISTINCT.
        select.distinct &= sight.outer.is_empty();
        let near = Scope {
            queries: 0,
            ..*sight
        };
        for _ in 0..self.rng.random_range(0..3) {
            let wanted = self.pick(kinds);
            let kind = match wanted.is_nested() || self.one_in(2) {
                true => self.kind(),
                false => wanted,
            };
            let depth = self.pick(&[0, 0, 1]);
            let key = self.expr(&Scope { outer: &[], ..near }, kind, depth);
            let text = key.to_string();
            let is_new = select.groups.iter().all(|known| known.to_string() != text);
            // A key without a column may be an integer literal, which GROUP BY takes as a column position.
            if is_new && text.contains(".c") {
                select.groups.push(key);
            }
        }
        // A literal that is coerced to a decimal changes the name of its key, which grouping sets then do not find.
        let has_decimals = select
            .groups
            .iter()
            .any(|key| key.to_string().contains("CAST"));
        if !select.groups.is_empty() && !has_decimals && self.one_in(6) {
            select.grouping = self.pick(&["ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())"]);
        }
        let mut known: Vec<Column> = select
            .groups
            .iter()
            .map(|key| Column {
                sql: key.to_string(),
                kind: key.kind,
            })
            .collect();
        for kind in kinds {
            known.push(Column {
                sql: self.aggregated(&near, *kind).to_string(),
                kind: *kind,
            });
        }
        let over = Scope {
            columns: &known,
            outer: &[],
            queries: 0,
            ..*sight
        };
        let items = kinds.iter().map(|kind| {
            let depth = self.pick(&[0, 1]);
            self.expr(&over, *kind, depth)
        });
        select.items = items.collect();
        // This engine refuses HAVING in a query with functions but with neither keys nor aggregates.
        let is_grouped = !select.groups.is_empty() || !kinds.iter().any(|kind| kind.is_nested());
        if is_grouped && self.one_in(4) {
            select.having = Some(self.expr(&over, Kind::Bool, 1));
        }
        // Without keys, at least one item must be an aggregate; else the query gives one row for each input row.
        if select.groups.is_empty() {
            select.items[0] = Expr::sql(kinds[0], known[0].sql.clone());
        }
    }

    fn aggregated(&mut self, sight: &Scope, kind: Kind) -> Expr {
        let sql = match kind {
            Kind::Bool => self.pick(&["bool_and({})", "bool_or({})"]),
            Kind::Int => self.pick(&[
                "count(*)",
                "count(*)",
                "count(*)",
                "count({})",
                "count(DISTINCT {})",
                "CAST(sum({}) AS BIGINT)",
                "CAST(sum(DISTINCT {}) AS BIGINT)",
                "min({})",
                "max({})",
            ]),
            Kind::Double => self.pick(&["sum({})", "min({})", "max({})"]),
            Kind::Decimal => self.pick(&["sum({})", "min({})", "max({})"]),
            Kind::Text => self.pick(&[
                "min({})",
                "max({})",
                "string_agg({}, ',' ORDER BY {} NULLS FIRST)",
            ]),
            Kind::Date | Kind::Timestamp => self.pick(&["min({})", "max({})"]),
            Kind::List | Kind::Struct => return self.expr(sight, kind, 0),
        };
        let of = match sql.starts_with("count") {
            true => self.kind(),
            false => kind,
        };
        let within = self.expr(sight, of, 1);
        let aggregated = Expr::of(kind, sql, [within.clone(), within]);
        match !sql.starts_with("CAST") && self.one_in(5) {
            true => {
                let filter = self.expr(sight, Kind::Bool, 1);
                Expr::of(kind, "{} FILTER (WHERE {})", [aggregated, filter])
            }
            false => aggregated,
        }
    }

    /// A window function ordered by all columns, so that tied rows are equal.
    pub fn window(&mut self, sight: &Scope, kind: Kind) -> Expr {
        let near = Scope {
            queries: 0,
            outer: &[],
            ..*sight
        };
        let keys: Vec<_> = sight
            .columns
            .iter()
            .map(|column| format!("{} NULLS FIRST", column.sql))
            .collect();
        let has_nested = sight.columns.iter().any(|column| column.kind.is_nested());
        if keys.is_empty() || has_nested {
            return self.expr(sight, kind, 2);
        }
        let by = self.kind();
        let partition = self.expr(&near, by, 1);
        let partition = match partition.to_string().contains(".c") && self.one_in(2) {
            true => format!("PARTITION BY {partition} "),
            false => String::new(),
        };
        let frame = self.pick(&[
            "",
            " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
            " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            " ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING",
        ]);
        let function = match kind {
            Kind::Int => self.pick(&[
                "row_number()",
                "rank()",
                "dense_rank()",
                "count(*)",
                "count({})",
                "sum({})",
                "lag({}, 1)",
                "max({})",
            ]),
            Kind::Bool => self.pick(&["bool_and({})", "lag({}, 2)", "first_value({})"]),
            Kind::Double | Kind::Decimal => self.pick(&["sum({})", "lead({}, 1)", "min({})"]),
            Kind::Text | Kind::Date | Kind::Timestamp | Kind::List | Kind::Struct => self.pick(&[
                "lag({}, 1)",
                "lead({}, 1)",
                "first_value({})",
                "last_value({})",
                "max({})",
            ]),
        };
        let has_frame = !["row_number", "rank", "dense_rank", "lag", "lead"]
            .iter()
            .any(|ranked| function.starts_with(ranked));
        let frame = if has_frame { frame } else { "" };
        let within = self.expr(&near, kind, 1);
        let over = format!(
            "{function} OVER ({partition}ORDER BY {}{frame})",
            keys.join(", ")
        );
        // A row number or rank is UInt64 in DataFusion and BIGINT in DuckDB.
        match function.contains("{}") {
            true => Expr::of(kind, &over, [within]),
            false => Expr::of(kind, &format!("CAST({over} AS BIGINT)"), [within]),
        }
    }
}
