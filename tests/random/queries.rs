//! Random queries.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::expressions::{Column, Generator, Scope};
use crate::tree::{End, Expr, Kind, Query, Relation, Select, Source, With};
use crate::world::World;

/// The columns that a query must have.
#[derive(Clone)]
pub enum RequiredColumns {
    Any,
    Kinds(Vec<Kind>),
}

impl Generator {
    pub fn query(&mut self, world: &World) -> Query {
        let query = self.query_over(world, &[], &RequiredColumns::Any, 2);
        if query.end != End::Nothing {
            return query;
        }
        let alias = self.alias("t");
        let columns = columns_of(&alias, kinds_of(&query));
        let sight = Scope {
            world,
            columns: &columns,
            outer: &[],
            queries: 0,
        };
        let mut around = Select::default();
        let all = columns
            .iter()
            .map(|column| Expr::sql(column.kind, column.sql.clone()));
        let all: Vec<_> = all.collect();
        match self.rng.random_range(0..10) {
            0 => {
                let count = Expr::sql(Kind::Int, "count(*)");
                let filter = self.expr(&sight, Kind::Bool, 1);
                around.is_aggregate = true;
                around.items = vec![match self.one_in(2) {
                    true => Expr::of(Kind::Int, "{} FILTER (WHERE {})", [count, filter]),
                    false => count,
                }];
            }
            1 => {
                around.distinct = true;
                around.items = all[..self.rng.random_range(1..=all.len())].to_vec();
            }
            2 => {
                around.filter = Some(self.expr(&sight, Kind::Bool, 1));
                around.items = all;
            }
            _ => return query,
        }
        around.from = vec![Source {
            join: "",
            relation: Relation::Query(Box::new(query)),
            alias,
            on: None,
        }];
        around.into()
    }

    /// A query inside an expression; with `one_row` it returns at most one row.
    pub fn subquery(&mut self, sight: &Scope, wanted: &RequiredColumns, one_row: bool) -> Query {
        let outer: Vec<Column> = sight.columns.iter().chain(sight.outer).cloned().collect();
        let mut query = self.query_over(sight.world, &outer, wanted, sight.queries - 1);
        if one_row {
            let limit = Some((0, 1));
            query.end = self.pick(&[End::Order(limit), End::Around(limit)]);
        }
        query
    }

    fn query_over(
        &mut self,
        world: &World,
        outer: &[Column],
        wanted: &RequiredColumns,
        queries: usize,
    ) -> Query {
        let kinds = match wanted {
            RequiredColumns::Kinds(kinds) => kinds.clone(),
            RequiredColumns::Any => (0..self.rng.random_range(1..4))
                .map(|_| self.kind())
                .collect(),
        };
        let mut world = world.clone();
        let mut with = Vec::new();
        if queries > 0 && outer.is_empty() && self.one_in(5) {
            let made = match self.one_in(3) {
                true => self.recursive(&world),
                false => With {
                    name: self.alias("w"),
                    query: self.query_over(&world, &[], &RequiredColumns::Any, queries - 1),
                    step: None,
                },
            };
            world.add(&made.name, kinds_of(&made.query));
            with.push(made);
        }
        let select = self.select(&world, outer, &kinds, queries);
        let mut rest = Vec::new();
        // DuckDB 2.0 mishandles NULLs of INTERSECT in a correlated subquery.
        while outer.is_empty() && rest.len() < 3 && self.one_in(6) {
            let operation = self.pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
            rest.push((
                operation,
                self.select(&world, outer, &kinds, queries.saturating_sub(1)),
            ));
        }
        let end = match self.one_in(4) && !kinds.iter().any(|kind| kind.is_nested()) {
            true => {
                let limit = Some((self.rng.random_range(0..3), self.rng.random_range(0..6)));
                let first = self.rng.random_range(1..=kinds.len());
                let distinct = End::DistinctOn(first);
                self.pick(&[
                    End::Order(None),
                    End::Order(limit),
                    End::Around(limit),
                    distinct,
                ])
            }
            false => End::Nothing,
        };
        Query {
            with,
            select,
            rest,
            end,
        }
    }

    /// A recursive query: its first column counts up to a small limit, so that it ends.
    fn recursive(&mut self, world: &World) -> With {
        let name = self.alias("w");
        let further = (0..self.rng.random_range(0..3)).map(|_| self.kind());
        let kinds: Vec<_> = [Kind::Int].into_iter().chain(further).collect();
        let begun = self.query_over(world, &[], &RequiredColumns::Kinds(kinds.clone()), 0);
        let begun_as = self.alias("t");
        let cast = |kind: Kind, expr: Expr| {
            Expr::of(kind, &format!("CAST({{}} AS {})", kind.sql_type()), [expr])
        };
        let columns = |of: &str| columns_of(of, kinds.clone());
        let items = columns(&begun_as).into_iter().enumerate();
        let items = items.map(|(place, column)| match place {
            0 => Expr::sql(
                Kind::Int,
                format!("CAST(abs({}) % 4 AS BIGINT)", column.sql),
            ),
            _ => cast(column.kind, Expr::sql(column.kind, column.sql)),
        });
        let select = Select {
            items: items.collect(),
            from: vec![Source {
                join: "",
                relation: Relation::Query(Box::new(begun)),
                alias: begun_as.clone(),
                on: None,
            }],
            ..Select::default()
        };
        let again = self.alias("t");
        let mut sources = vec![Source {
            join: "",
            relation: Relation::Table(name.clone()),
            alias: again.clone(),
            on: None,
        }];
        let mut seen = columns(&again);
        let joined = self.pick(&world.tables);
        let same = joined.kinds.iter().position(|kind| *kind == Kind::Int);
        if let Some(same) = same
            && joined.rows.len() < 10
            && self.one_in(2)
        {
            let alias = self.alias("t");
            let on = format!("({again}.c0 = {alias}.c{same})");
            seen.extend(columns_of(&alias, joined.kinds));
            sources.push(Source {
                join: "JOIN",
                relation: Relation::Table(joined.name),
                alias,
                on: Some(Expr::sql(Kind::Bool, on)),
            });
        }
        let sight = Scope {
            world,
            columns: &seen,
            outer: &[],
            queries: 0,
        };
        let made = kinds[1..]
            .iter()
            .map(|kind| cast(*kind, self.expr(&sight, *kind, 2)));
        let next = Expr::sql(Kind::Int, format!("CAST({again}.c0 + 1 AS BIGINT)"));
        let items = [next].into_iter().chain(made).collect();
        let ends = Expr::sql(Kind::Bool, format!("({again}.c0 < 5)"));
        let filter = match self.one_in(2) {
            true => ends,
            false => {
                let further = self.expr(&sight, Kind::Bool, 2);
                Expr::of(Kind::Bool, "({} AND {})", [ends, further])
            }
        };
        With {
            name,
            query: select.into(),
            step: Some(Select {
                items,
                from: sources,
                filter: Some(filter),
                ..Select::default()
            }),
        }
    }

    fn select(
        &mut self,
        world: &World,
        outer: &[Column],
        kinds: &[Kind],
        queries: usize,
    ) -> Select {
        let (from, columns) = self.from(world, outer, queries);
        let sight = Scope {
            world,
            columns: &columns,
            outer,
            queries,
        };
        let mut filter = match self.one_in(3) {
            true => None,
            false => {
                let depth = self.pick(&[1, 1, 2, 3, 3]);
                Some(self.expr(&sight, Kind::Bool, depth))
            }
        };
        let equal = match self.one_in(4) {
            true => self.equal(&columns, &columns),
            false => None,
        };
        let bound = match self.one_in(4) {
            true => self.bound(&columns),
            false => None,
        };
        for further in [equal, bound].into_iter().flatten() {
            filter = Some(match filter {
                Some(filter) => Expr::of(Kind::Bool, "({} AND {})", [further, filter]),
                None => further,
            });
        }
        let mut select = Select {
            distinct: self.one_in(8),
            from,
            filter,
            ..Select::default()
        };
        match self.rng.random_range(0..10) {
            0..3 => self.aggregate(&mut select, &sight, kinds),
            3 => {
                // Only one window function: tied rows may have another order for a second one.
                let rest = kinds[1..].iter();
                let rest: Vec<_> = rest.map(|kind| self.expr(&sight, *kind, 3)).collect();
                let windows = [self.window(&sight, kinds[0])]
                    .into_iter()
                    .chain(rest)
                    .collect();
                select.items = windows;
            }
            _ => {
                select.items = kinds
                    .iter()
                    .map(|kind| {
                        // Items that are plain columns take other code paths.
                        let depth = self.pick(&[0, 3, 3]);
                        self.expr(&sight, *kind, depth)
                    })
                    .collect()
            }
        }
        select
    }

    fn from(
        &mut self,
        world: &World,
        outer: &[Column],
        queries: usize,
    ) -> (Vec<Source>, Vec<Column>) {
        let (mut from, mut columns) = (Vec::<Source>::new(), Vec::<Column>::new());
        let tables = self.pick(&[1, 1, 1, 2, 2, 3]);
        for place in 0..tables {
            let alias = self.alias("t");
            let is_lateral = place > 0 && queries > 0 && self.one_in(10);
            let (relation, kinds) = if is_lateral {
                let sight = Scope {
                    world,
                    columns: &columns,
                    outer,
                    queries,
                };
                let query = self.subquery(&sight, &RequiredColumns::Any, false);
                let kinds = kinds_of(&query);
                (Relation::Lateral(Box::new(query)), kinds)
            } else if queries > 0 && self.one_in(6) {
                let mut query = self.query_over(world, &[], &RequiredColumns::Any, queries - 1);
                query.select.distinct |= !query.select.is_aggregate && self.one_in(2);
                let kinds = kinds_of(&query);
                (Relation::Query(Box::new(query)), kinds)
            } else {
                let table = self.pick(&world.tables);
                (Relation::Table(table.name), table.kinds)
            };
            let own = columns_of(&alias, kinds);
            let join = match is_lateral {
                true => self.pick(&["JOIN", "LEFT JOIN"]),
                false => self.pick(&[
                    "JOIN",
                    "JOIN",
                    "LEFT JOIN",
                    "LEFT JOIN",
                    "RIGHT JOIN",
                    "FULL JOIN",
                    "SEMI JOIN",
                    "ANTI JOIN",
                ]),
            };
            let on = self.on(world, &columns, &own, join);
            if place == 0 || !(join == "SEMI JOIN" || join == "ANTI JOIN") {
                columns.extend(own);
            }
            from.push(Source {
                join,
                relation,
                alias,
                on: Some(on),
            });
        }
        (from, columns)
    }

    fn on(&mut self, world: &World, left: &[Column], right: &[Column], join: &str) -> Expr {
        let both: Vec<Column> = left.iter().chain(right).cloned().collect();
        let sight = Scope {
            world,
            columns: &both,
            outer: &[],
            queries: 0,
        };
        let is_full = join == "FULL JOIN";
        let equal = match !is_full && self.one_in(3) {
            true => None,
            false => self.equal(left, right),
        };
        let Some(equal) = equal else {
            return self.expr(&sight, Kind::Bool, 2);
        };
        let further = match self.rng.random_range(0..6) {
            _ if is_full => None,
            0 => self.equal(left, right),
            1 | 2 => Some(self.expr(&sight, Kind::Bool, 2)),
            _ => None,
        };
        match further {
            Some(further) => Expr::of(Kind::Bool, "({} AND {})", [equal, further]),
            None => equal,
        }
    }

    /// A condition on one column that implies bounds for it, and similar conditions that do not.
    fn bound(&mut self, columns: &[Column]) -> Option<Expr> {
        let column = columns.choose(&mut self.rng)?.clone();
        let compared = self.pick(&["=", "=", "<", ">", "<=", ">=", "<>"]);
        let of = match column.kind {
            Kind::Int => self.pick(&[
                ("{}", Kind::Int),
                ("(- {})", Kind::Int),
                ("({} + 1)", Kind::Int),
                ("abs({})", Kind::Int),
                ("({} % 3)", Kind::Int),
                ("CAST({} AS VARCHAR)", Kind::Text),
                ("CAST({} AS DOUBLE)", Kind::Double),
                ("CAST({} AS BOOLEAN)", Kind::Bool),
            ]),
            Kind::Timestamp => self.pick(&[
                ("{}", Kind::Timestamp),
                ("CAST({} AS DATE)", Kind::Date),
                ("CAST({} AS DATE)", Kind::Date),
                ("date_trunc('month', {})", Kind::Timestamp),
            ]),
            Kind::Date => self.pick(&[
                ("{}", Kind::Date),
                ("CAST({} AS VARCHAR)", Kind::Text),
                ("CAST({} AS TIMESTAMP)", Kind::Timestamp),
            ]),
            Kind::Decimal => {
                self.pick(&[("{}", Kind::Decimal), ("CAST({} AS DOUBLE)", Kind::Double)])
            }
            Kind::Text => self.pick(&[
                ("{}", Kind::Text),
                ("upper({})", Kind::Text),
                ("TRY_CAST({} AS BIGINT)", Kind::Int),
            ]),
            Kind::List | Kind::Struct => return None,
            kind => ("{}", kind),
        };
        let value = self.literal(of.1);
        let sql = format!("({} {compared} {{}})", of.0);
        Some(Expr::of(
            Kind::Bool,
            &sql,
            [Expr::sql(column.kind, column.sql), value],
        ))
    }

    /// An equality between a column of each side.
    fn equal(&mut self, left: &[Column], right: &[Column]) -> Option<Expr> {
        let pairs = left
            .iter()
            .flat_map(|left| right.iter().map(move |right| (left, right)));
        let pairs = pairs.filter(|(left, right)| left.kind == right.kind && left.sql != right.sql);
        let pairs: Vec<_> = pairs.collect();
        let (left, right) = pairs.choose(&mut self.rng)?;
        let how = self.pick(&["=", "=", "=", "IS NOT DISTINCT FROM"]);
        Some(Expr::sql(
            Kind::Bool,
            format!("({} {how} {})", left.sql, right.sql),
        ))
    }
}

fn columns_of(alias: &str, kinds: Vec<Kind>) -> Vec<Column> {
    let columns = kinds.into_iter().enumerate().map(|(place, kind)| Column {
        sql: format!("{alias}.c{place}"),
        kind,
    });
    columns.collect()
}

fn kinds_of(query: &Query) -> Vec<Kind> {
    query.select.items.iter().map(|item| item.kind).collect()
}
