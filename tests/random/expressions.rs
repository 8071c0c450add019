//! Random expressions over the visible columns.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::queries::RequiredColumns;
use crate::tree::{Expr, Kind, Part};
use crate::world::World;

/// A column, or an expression in its place, as SQL.
#[derive(Debug, Clone)]
pub struct Column {
    pub sql: String,
    pub kind: Kind,
}

/// The tables and columns that an expression may use.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub world: &'a World,
    pub columns: &'a [Column],
    /// Columns of the outer queries.
    pub outer: &'a [Column],
    /// How deep queries may still be nested.
    pub queries: usize,
}

pub struct Generator {
    pub rng: StdRng,
    aliases: usize,
}

impl Generator {
    pub fn new(rng: StdRng) -> Self {
        Self { rng, aliases: 0 }
    }

    pub fn alias(&mut self, kind: &str) -> String {
        self.aliases += 1;
        format!("{kind}{}", self.aliases)
    }

    pub fn one_in(&mut self, times: u32) -> bool {
        self.rng.random_ratio(1, times)
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).unwrap().clone()
    }

    pub fn kind(&mut self) -> Kind {
        self.pick(&Kind::SCALARS)
    }

    pub fn literal(&mut self, kind: Kind) -> Expr {
        let number = self.rng.random_range(-3..10);
        let quarters = self.rng.random_range(0..4) * 25;
        let sql = match kind {
            kind if self.one_in(8) => format!("CAST(NULL AS {})", kind.sql_type()),
            Kind::Bool => self.pick(&["TRUE", "FALSE"]).to_string(),
            Kind::Int => number.to_string(),
            Kind::Double => format!("CAST({number}.{quarters} AS DOUBLE)"),
            Kind::Decimal => format!("CAST({number}.{quarters} AS DECIMAL(12, 2))"),
            Kind::Text => format!("'{}'", self.text()),
            Kind::Date => format!("DATE '{}'", self.day()),
            Kind::Timestamp => format!(
                "TIMESTAMP '{} {:02}:{:02}:00'",
                self.day(),
                self.rng.random_range(0..24),
                self.rng.random_range(0..60)
            ),
            Kind::List => {
                let values = (0..self.rng.random_range(0..4)).map(|_| match self.one_in(4) {
                    true => "NULL".to_string(),
                    false => self.rng.random_range(-3..10).to_string(),
                });
                let values: Vec<_> = values.collect();
                format!("CAST([{}] AS BIGINT[])", values.join(", "))
            }
            Kind::Struct => {
                let number = self.pick(&["NULL", "1", "2", "7"]);
                let text = self.pick(&["NULL", "'a'", "'ab'", "''"]);
                format!(
                    "CAST({{'a': {number}, 'b': {text}}} AS {})",
                    kind.sql_type()
                )
            }
        };
        Expr::sql(kind, sql)
    }

    /// One of a few dates, so that some are equal.
    fn day(&mut self) -> String {
        let day = self.pick(&[1, 2, 14, 28]);
        format!("2024-0{}-{day:02}", self.rng.random_range(1..4))
    }

    /// A text, escaped for an SQL literal.
    pub fn text(&mut self) -> &'static str {
        self.pick(&[
            "", "a", "ab", "abc", "b", "B", "ä", "O''Brien", " a ", "a%", "_", "1", "2024-02", "5",
        ])
    }

    fn column(&mut self, sight: &Scope, kind: Kind) -> Option<Expr> {
        let near: Vec<_> = sight
            .columns
            .iter()
            .filter(|column| column.kind == kind)
            .collect();
        let far: Vec<_> = sight
            .outer
            .iter()
            .filter(|column| column.kind == kind)
            .collect();
        let from = if !far.is_empty() && (near.is_empty() || self.one_in(3)) {
            far
        } else {
            near
        };
        let column = from.choose(&mut self.rng)?;
        Some(Expr::sql(kind, column.sql.clone()))
    }

    pub fn expr(&mut self, sight: &Scope, kind: Kind, depth: usize) -> Expr {
        if depth == 0 || self.one_in(4) {
            let column = if self.one_in(5) {
                None
            } else {
                self.column(sight, kind)
            };
            return column.unwrap_or_else(|| self.literal(kind));
        }
        // A scalar subquery takes the first of several rows in an order, and DuckDB sorts NULLs inside lists and
        // structs last.
        if sight.queries > 0 && self.one_in(12) && !kind.is_nested() {
            return self.scalar_subquery(sight, kind);
        }
        let depth = depth - 1;
        if self.one_in(6) {
            return self.any_kind(sight, kind, depth);
        }
        match kind {
            Kind::Bool => self.bool(sight, depth),
            Kind::Int => self.int(sight, depth),
            Kind::Double => {
                let sql = self.pick(&["({} + {})", "({} - {})", "({} * {})", "abs({})", "(- {})"]);
                match self.one_in(5) {
                    true => self.call(
                        sight,
                        depth,
                        Kind::Double,
                        "CAST({} AS DOUBLE)",
                        &[Kind::Int],
                    ),
                    false => self.call(
                        sight,
                        depth,
                        Kind::Double,
                        sql,
                        &[Kind::Double, Kind::Double],
                    ),
                }
            }
            Kind::Decimal => {
                let sql = self.pick(&["({} + {})", "({} - {})", "abs({})", "(- {})"]);
                match self.one_in(5) {
                    true => self.call(
                        sight,
                        depth,
                        Kind::Decimal,
                        "CAST({} AS DECIMAL(20, 2))",
                        &[Kind::Int],
                    ),
                    false => self.call(
                        sight,
                        depth,
                        Kind::Decimal,
                        sql,
                        &[Kind::Decimal, Kind::Decimal],
                    ),
                }
            }
            Kind::Text => self.text_of(sight, depth),
            Kind::Date => {
                let by = self.interval();
                let plus = format!("CAST(({{}} + {by}) AS DATE)");
                let (sql, of) = self.pick(&[
                    ("greatest({}, {})", Kind::Date),
                    ("least({}, {})", Kind::Date),
                    ("CAST({} AS DATE)", Kind::Timestamp),
                    (&plus, Kind::Date),
                ]);
                self.call(sight, depth, Kind::Date, sql, &[of; 2])
            }
            Kind::Timestamp => {
                let by = self.interval();
                let (plus, minus) = (format!("({{}} + {by})"), format!("({{}} - {by})"));
                // In this engine, a DATE minus an interval of whole days is a DATE.
                let cast = format!("CAST({minus} AS TIMESTAMP)");
                let (sql, of) = self.pick(&[
                    ("greatest({}, {})", Kind::Timestamp),
                    ("least({}, {})", Kind::Timestamp),
                    ("date_trunc('month', {})", Kind::Timestamp),
                    ("date_trunc('hour', {})", Kind::Timestamp),
                    ("date_trunc('week', {})", Kind::Timestamp),
                    (&plus, Kind::Timestamp),
                    (&minus, Kind::Timestamp),
                    (&cast, Kind::Date),
                    ("CAST({} AS TIMESTAMP)", Kind::Date),
                ]);
                self.call(sight, depth, Kind::Timestamp, sql, &[of; 2])
            }
            Kind::List => {
                let (sql, kinds): (_, &[Kind]) = self.pick(&[
                    (
                        "CAST([{}, {}] AS BIGINT[])",
                        &[Kind::Int, Kind::Int] as &[Kind],
                    ),
                    ("array_append({}, {})", &[Kind::List, Kind::Int]),
                    (
                        "array_concat(coalesce({}, CAST([] AS BIGINT[])), coalesce({}, CAST([] AS BIGINT[])))",
                        &[Kind::List, Kind::List],
                    ),
                ]);
                self.call(sight, depth, Kind::List, sql, kinds)
            }
            Kind::Struct => {
                let sql = "CAST({'a': {}, 'b': {}} AS STRUCT(a BIGINT, b VARCHAR))";
                self.call(sight, depth, kind, sql, &[Kind::Int, Kind::Text])
            }
        }
    }

    fn interval(&mut self) -> String {
        let long = self.pick(&["days", "weeks", "months", "years"]);
        let short = self.pick(&["minutes", "hours"]);
        let n = self.rng.random_range(-40..40);
        let simple = self.pick(&[long, short]);
        let times = self.rng.random_range(-3..4);
        match self.rng.random_range(0..6) {
            0 => format!("INTERVAL '{n} {long} {} {short}'", n + 5),
            1 => format!("({times} * INTERVAL '{n} {simple}')"),
            2 => format!("(INTERVAL '{n} {simple}' * {times}.5)"),
            3 => format!("(INTERVAL '{n} {simple}' / 4)"),
            _ => format!("INTERVAL '{n} {simple}'"),
        }
    }

    /// An expression that exists for every kind.
    fn any_kind(&mut self, sight: &Scope, kind: Kind, depth: usize) -> Expr {
        let sql = self.pick(&[
            "coalesce({}, {})",
            "nullif({}, {})",
            "CASE WHEN {} THEN {} ELSE {} END",
            "CASE WHEN {} THEN {} WHEN {} THEN {} END",
            "CASE {} WHEN {} THEN {} ELSE {} END",
        ]);
        let other = self.kind();
        let kinds: Vec<Kind> = match sql.matches("{}").count() {
            2 => vec![kind, kind],
            3 => vec![Kind::Bool, kind, kind],
            _ if sql.starts_with("CASE W") => vec![Kind::Bool, kind, Kind::Bool, kind],
            _ => vec![other, other, kind, kind],
        };
        self.call(sight, depth, kind, sql, &kinds)
    }

    fn call(&mut self, sight: &Scope, depth: usize, kind: Kind, sql: &str, kinds: &[Kind]) -> Expr {
        let mut within: Vec<Expr> = Vec::new();
        for kind in kinds {
            // Sometimes the same operand twice: many simplifications apply to equal operands.
            let known = within.iter().find(|known| known.kind == *kind).cloned();
            within.push(match known.filter(|_| self.one_in(5)) {
                Some(known) => known,
                None => self.expr(sight, *kind, depth),
            });
        }
        Expr::of(kind, sql, within)
    }

    fn int(&mut self, sight: &Scope, depth: usize) -> Expr {
        let (sql, kind) = self.pick(&[
            ("({} + {})", Kind::Int),
            ("({} - {})", Kind::Int),
            ("({} * {})", Kind::Int),
            ("({} // nullif({}, 0))", Kind::Int),
            ("({} % nullif({}, 0))", Kind::Int),
            ("(- {})", Kind::Int),
            ("abs({})", Kind::Int),
            ("({} & {})", Kind::Int),
            ("({} | {})", Kind::Int),
            ("((- {}) & {})", Kind::Int),
            ("((- coalesce({}, 7)) & coalesce({}, 7))", Kind::Int),
            ("((- coalesce({}, 7)) | coalesce({}, 7))", Kind::Int),
            ("(- ({} | {}))", Kind::Int),
            ("greatest({}, {})", Kind::Int),
            ("least({}, {})", Kind::Int),
            ("CAST({} AS BIGINT)", Kind::Bool),
            ("length({})", Kind::Text),
            ("CAST(extract(month FROM {}) AS BIGINT)", Kind::Date),
            ("CAST(extract(day FROM {}) AS BIGINT)", Kind::Date),
            ("CAST(extract(hour FROM {}) AS BIGINT)", Kind::Timestamp),
            ("CAST(array_length({}) AS BIGINT)", Kind::List),
            ("({})[1]", Kind::List),
            ("({})[2]", Kind::List),
            ("({})['a']", Kind::Struct),
            ("({}).a", Kind::Struct),
            (
                "CAST(extract(epoch FROM ({} - {})) AS BIGINT)",
                Kind::Timestamp,
            ),
        ]);
        self.call(sight, depth, Kind::Int, sql, &[kind, kind])
    }

    fn text_of(&mut self, sight: &Scope, depth: usize) -> Expr {
        let (sql, kinds): (_, &[Kind]) = self.pick(&[
            ("upper({})", &[Kind::Text] as &[Kind]),
            ("lower({})", &[Kind::Text]),
            ("trim({})", &[Kind::Text]),
            ("reverse({})", &[Kind::Text]),
            ("({} || {})", &[Kind::Text, Kind::Text]),
            ("concat({}, {})", &[Kind::Text, Kind::Text]),
            ("replace({}, 'a', {})", &[Kind::Text, Kind::Text]),
            ("substr({}, 1, 2)", &[Kind::Text]),
            ("substr({}, 2)", &[Kind::Text]),
            ("CAST({} AS VARCHAR)", &[Kind::Int]),
            ("CAST({} AS VARCHAR)", &[Kind::Bool]),
            ("CAST({} AS VARCHAR)", &[Kind::Date]),
            ("CAST({} AS VARCHAR)", &[Kind::Decimal]),
            ("({})['b']", &[Kind::Struct]),
        ]);
        self.call(sight, depth, Kind::Text, sql, kinds)
    }

    fn bool(&mut self, sight: &Scope, depth: usize) -> Expr {
        let kind = self.kind();
        if sight.queries > 0 && self.one_in(8) {
            return self.condition_with_query(sight, kind, depth);
        }
        if self.one_in(12) {
            // Casts that do not keep the order, or that map many values to one.
            let (sql, kinds) = self.pick(&[
                ("(CAST({} AS DATE) = {})", [Kind::Timestamp, Kind::Date]),
                ("(CAST({} AS DATE) >= {})", [Kind::Timestamp, Kind::Date]),
                ("(CAST({} AS VARCHAR) = {})", [Kind::Int, Kind::Text]),
                ("(CAST({} AS VARCHAR) > {})", [Kind::Int, Kind::Text]),
                ("(CAST({} AS VARCHAR) < {})", [Kind::Int, Kind::Text]),
                ("(CAST({} AS VARCHAR) < {})", [Kind::Date, Kind::Text]),
                ("(CAST({} AS DOUBLE) = {})", [Kind::Decimal, Kind::Double]),
            ]);
            return self.call(sight, depth, Kind::Bool, sql, &kinds);
        }
        let (sql, kind) = match self.rng.random_range(0..12) {
            11 => (
                self.pick(&[
                    "({} = {})",
                    "({} <> {})",
                    "({} IS NOT DISTINCT FROM {})",
                    "({} IS NOT NULL)",
                ]),
                Kind::Struct,
            ),
            10 => (
                self.pick(&[
                    "({} = {})",
                    "({} <> {})",
                    "({} IS DISTINCT FROM {})",
                    "({} IS NULL)",
                    "array_has({}, 2)",
                ]),
                Kind::List,
            ),
            0..3 => (
                self.pick(&["({} AND {})", "({} OR {})", "(NOT {})"]),
                Kind::Bool,
            ),
            3..7 => {
                let compared = self.pick(&[
                    "({} = {})",
                    "({} <> {})",
                    "({} < {})",
                    "({} <= {})",
                    "({} > {})",
                    "({} >= {})",
                    "({} IS DISTINCT FROM {})",
                    "({} IS NOT DISTINCT FROM {})",
                ]);
                (compared, kind)
            }
            7 => (
                self.pick(&[
                    "({} IS NULL)",
                    "({} IS NOT NULL)",
                    "({} IN ({}, {}))",
                    "({} NOT IN ({}, {}, {}))",
                    "({} BETWEEN {} AND {})",
                    "({} NOT BETWEEN {} AND {})",
                ]),
                kind,
            ),
            8 => (
                self.pick(&[
                    "({} IS TRUE)",
                    "({} IS NOT TRUE)",
                    "({} IS FALSE)",
                    "({} IS NOT FALSE)",
                ]),
                Kind::Bool,
            ),
            _ => (
                self.pick(&[
                    "({} LIKE 'a%')",
                    "({} NOT LIKE '%b%')",
                    "({} ILIKE '_B%')",
                    "({} LIKE {})",
                    "starts_with({}, {})",
                    "contains({}, {})",
                ]),
                Kind::Text,
            ),
        };
        self.call(sight, depth, Kind::Bool, sql, &[kind; 4])
    }

    fn condition_with_query(&mut self, sight: &Scope, kind: Kind, depth: usize) -> Expr {
        let mut kinds = vec![kind];
        let (exists, wanted) = match self.one_in(2) {
            true => (true, RequiredColumns::Any),
            false => {
                if self.one_in(2) {
                    kinds.push(self.kind());
                }
                (false, RequiredColumns::Kinds(kinds.clone()))
            }
        };
        // DuckDB 2.0 loses rows of a correlated subquery that is compared by several columns.
        let asked = match kinds.len() {
            1 => *sight,
            _ => Scope {
                columns: &[],
                outer: &[],
                ..*sight
            },
        };
        let query = Part::Query(Box::new(self.subquery(&asked, &wanted, false)));
        let mut parts = Vec::new();
        if exists {
            let how = self.pick(&["(EXISTS ", "(NOT EXISTS "]);
            parts.push(Part::Sql(how.to_string()));
            parts.push(query);
            parts.push(Part::Sql(")".to_string()));
        } else {
            let how = match kinds.len() {
                1 => self.pick(&[
                    " IN ", " IN ", " NOT IN ", " NOT IN ", " = ANY ", " <> ALL ", " < ANY ",
                    " >= ALL ",
                ]),
                _ => self.pick(&[" IN ", " NOT IN "]),
            };
            let asked = match kinds.len() {
                1 => "{}",
                _ => "({}, {})",
            };
            parts.push(Part::Sql("(".to_string()));
            parts.push(Part::Expr(self.call(sight, depth, kind, asked, &kinds)));
            parts.push(Part::Sql(how.to_string()));
            parts.push(query);
            parts.push(Part::Sql(")".to_string()));
        }
        Expr {
            kind: Kind::Bool,
            parts,
        }
    }

    fn scalar_subquery(&mut self, sight: &Scope, kind: Kind) -> Expr {
        let query = self.subquery(sight, &RequiredColumns::Kinds(vec![kind]), true);
        Expr {
            kind,
            parts: vec![Part::Query(Box::new(query))],
        }
    }
}
