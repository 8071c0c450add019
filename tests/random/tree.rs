//! SQL as trees whose parts can be left out.

use std::fmt::{Display, Formatter, Result};

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Double,
    Decimal,
    Text,
    Date,
    Timestamp,
    /// A list of whole numbers. Tables have such columns, and expressions use them; no query returns one.
    List,
    /// A struct of a whole number and a text, used as lists are.
    Struct,
}

impl Kind {
    pub const SCALARS: [Self; 7] = [
        Self::Bool,
        Self::Int,
        Self::Double,
        Self::Decimal,
        Self::Text,
        Self::Date,
        Self::Timestamp,
    ];

    /// Whether the kind is nested: DuckDB and this engine sort such values differently.
    pub fn is_nested(self) -> bool {
        matches!(self, Self::List | Self::Struct)
    }

    pub fn sql_type(self) -> &'static str {
        match self {
            Self::Bool => "BOOLEAN",
            Self::Int => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL(12, 2)",
            Self::Text => "VARCHAR",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
            Self::List => "BIGINT[]",
            Self::Struct => "STRUCT(a BIGINT, b VARCHAR)",
        }
    }

    /// The simplest value of the kind.
    fn simplest(self) -> &'static str {
        match self {
            Self::Bool => "TRUE",
            Self::Int => "1",
            Self::Double => "CAST(1 AS DOUBLE)",
            Self::Decimal => "CAST(1 AS DECIMAL(12, 2))",
            Self::Text => "'a'",
            Self::Date => "DATE '2024-01-01'",
            Self::Timestamp => "TIMESTAMP '2024-01-01 00:00:00'",
            Self::List => "CAST([1] AS BIGINT[])",
            Self::Struct => "CAST({'a': 1, 'b': 'a'} AS STRUCT(a BIGINT, b VARCHAR))",
        }
    }
}

#[derive(Debug, Clone)]
pub enum Part {
    Sql(String),
    Expr(Expr),
    Query(Box<Query>),
}

/// An expression: SQL text with nested expressions and queries.
#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: Kind,
    pub parts: Vec<Part>,
}

impl Expr {
    pub fn sql(kind: Kind, sql: impl Into<String>) -> Self {
        Self {
            kind,
            parts: vec![Part::Sql(sql.into())],
        }
    }

    /// The text `sql`, with an expression in place of each `{}`.
    pub fn of(kind: Kind, sql: &str, within: impl IntoIterator<Item = Self>) -> Self {
        let mut within = within.into_iter();
        let mut parts = Vec::new();
        for (place, text) in sql.split("{}").enumerate() {
            if place > 0 {
                parts.extend(within.next().map(Part::Expr));
            }
            parts.push(Part::Sql(text.to_string()));
        }
        Self { kind, parts }
    }

    /// Simpler expressions of the same kind, the simplest first.
    pub fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        if self.parts.len() > 1 {
            simpler.push(Self::sql(self.kind, self.kind.simplest()));
        }
        for part in &self.parts {
            if let Part::Expr(within) = part
                && within.kind == self.kind
            {
                simpler.push(within.clone());
            }
        }
        for (place, part) in self.parts.iter().enumerate() {
            let others: Vec<Part> = match part {
                Part::Sql(_) => Vec::new(),
                Part::Expr(within) => within.simpler().into_iter().map(Part::Expr).collect(),
                Part::Query(within) => {
                    let within = within.simpler().into_iter();
                    within.map(|query| Part::Query(Box::new(query))).collect()
                }
            };
            simpler.extend(others.into_iter().map(|other| {
                let mut expr = self.clone();
                expr.parts[place] = other;
                expr
            }));
        }
        simpler
    }
}

#[derive(Debug, Clone)]
pub enum Relation {
    Table(String),
    Query(Box<Query>),
    Lateral(Box<Query>),
}

#[derive(Debug, Clone)]
pub struct Source {
    /// The join with the sources before it.
    pub join: &'static str,
    pub relation: Relation,
    pub alias: String,
    pub on: Option<Expr>,
}

#[derive(Debug, Clone)]
pub struct Select {
    pub distinct: bool,
    pub items: Vec<Expr>,
    pub from: Vec<Source>,
    pub filter: Option<Expr>,
    /// The SQL around the grouping keys: `{}`, `ROLLUP ({})`, …
    pub grouping: &'static str,
    pub groups: Vec<Expr>,
    pub is_aggregate: bool,
    pub having: Option<Expr>,
}

/// A CTE.
#[derive(Debug, Clone)]
pub struct With {
    pub name: String,
    pub query: Query,
    /// The recursive step, repeated until it gives no new rows.
    pub step: Option<Select>,
}

#[derive(Debug, Clone)]
pub struct Query {
    pub with: Vec<With>,
    pub select: Select,
    /// Set operations and their further SELECTs.
    pub rest: Vec<(&'static str, Select)>,
    pub end: End,
}

/// The SQL after the last SELECT of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Nothing,
    /// ORDER BY all columns by position, with OFFSET and LIMIT.
    Order(Option<(u64, u64)>),
    /// The same in an outer query around a query without ORDER BY.
    Around(Option<(u64, u64)>),
    /// DISTINCT ON the first so many columns in an outer query, ordered by all columns.
    DistinctOn(usize),
}

impl From<Select> for Query {
    fn from(select: Select) -> Self {
        Self {
            with: Vec::new(),
            select,
            rest: Vec::new(),
            end: End::Nothing,
        }
    }
}

impl End {
    fn simpler(self) -> Vec<Self> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Order(Some(_)) => vec![Self::Nothing, Self::Order(None)],
            Self::Around(limit) => vec![Self::Nothing, Self::Order(limit)],
            Self::Order(None) | Self::DistinctOn(_) => vec![Self::Nothing],
        }
    }
}

impl Query {
    /// Whether each row of its FROM clause gives one row of its own.
    pub fn is_row_by_row(&self) -> bool {
        let select = &self.select;
        let items = || select.items.iter().map(Expr::to_string);
        let looks_further = |item: &str| item.contains(" OVER (");
        !select.distinct
            && !select.is_aggregate
            && self.rest.is_empty()
            && self.end == End::Nothing
            && !items().any(|item| looks_further(&item))
    }

    pub fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        for place in 0..self.with.len() {
            let mut query = self.clone();
            query.with.remove(place);
            simpler.push(query);
        }
        for place in 0..self.rest.len() {
            let mut query = self.clone();
            query.rest.remove(place);
            simpler.push(query);
            let mut query = self.clone();
            query.select = query.rest.remove(place).1;
            simpler.push(query);
        }
        simpler.extend(self.end.simpler().into_iter().map(|end| Self {
            end,
            ..self.clone()
        }));
        let may_lose_items = self.rest.is_empty() && !matches!(self.end, End::DistinctOn(_));
        for select in self.select.simpler(may_lose_items) {
            simpler.push(Self {
                select,
                ..self.clone()
            });
        }
        for (place, (_, select)) in self.rest.iter().enumerate() {
            for select in select.simpler(false) {
                let mut query = self.clone();
                query.rest[place].1 = select;
                simpler.push(query);
            }
        }
        for (place, with) in self.with.iter().enumerate() {
            let mut push = |change: &dyn Fn(&mut With)| {
                let mut query = self.clone();
                change(&mut query.with[place]);
                simpler.push(query);
            };
            if with.step.is_some() {
                push(&|with| with.step = None);
            }
            for within in with.query.simpler() {
                // The step must have as many columns as the query.
                let same = within.select.items.len() == with.query.select.items.len();
                if same || with.step.is_none() {
                    push(&|with| with.query = within.clone());
                }
            }
            for step in with.step.iter().flat_map(|step| step.simpler(false)) {
                push(&|with| with.step = Some(step.clone()));
            }
        }
        simpler
    }
}

impl Default for Select {
    fn default() -> Self {
        Self {
            distinct: false,
            items: Vec::new(),
            from: Vec::new(),
            filter: None,
            grouping: "{}",
            groups: Vec::new(),
            is_aggregate: false,
            having: None,
        }
    }
}

impl Select {
    fn simpler(&self, may_lose_items: bool) -> Vec<Self> {
        let mut simpler = Vec::new();
        let mut push = |change: &dyn Fn(&mut Self)| {
            let mut select = self.clone();
            change(&mut select);
            simpler.push(select);
        };
        for place in 1..self.from.len() {
            push(&|select| {
                select.from.remove(place);
            });
        }
        if self.filter.is_some() {
            push(&|select| select.filter = None);
        }
        if self.having.is_some() {
            push(&|select| select.having = None);
        }
        if self.distinct {
            push(&|select| select.distinct = false);
        }
        if may_lose_items && self.items.len() > 1 {
            for place in 0..self.items.len() {
                push(&|select| {
                    select.items.remove(place);
                });
            }
        }
        for place in 0..self.groups.len() {
            push(&|select| {
                select.groups.remove(place);
            });
        }
        if self.grouping != "{}" {
            push(&|select| select.grouping = "{}");
        }
        for (place, source) in self.from.iter().enumerate() {
            if source.join == "LEFT JOIN" || source.join == "FULL JOIN" {
                push(&|select| select.from[place].join = "JOIN");
            }
            if let Relation::Query(query) | Relation::Lateral(query) = &source.relation {
                for query in query.simpler() {
                    push(&|select| match &mut select.from[place].relation {
                        Relation::Query(within) | Relation::Lateral(within) => {
                            **within = query.clone()
                        }
                        Relation::Table(_) => {}
                    });
                }
            }
            for on in source.on.iter().flat_map(Expr::simpler) {
                push(&|select| select.from[place].on = Some(on.clone()));
            }
        }
        for filter in self.filter.iter().flat_map(Expr::simpler) {
            push(&|select| select.filter = Some(filter.clone()));
        }
        for having in self.having.iter().flat_map(Expr::simpler) {
            push(&|select| select.having = Some(having.clone()));
        }
        for (place, item) in self.items.iter().enumerate() {
            for item in item.simpler() {
                push(&|select| select.items[place] = item.clone());
            }
        }
        // A key is replaced everywhere in the query.
        for key in &self.groups {
            let text = key.to_string();
            for other in key.simpler() {
                push(&|select| {
                    let exprs = select.groups.iter_mut().chain(&mut select.items);
                    for expr in exprs.chain(&mut select.having) {
                        replace(expr, &text, &other);
                    }
                });
            }
        }
        simpler
    }
}

fn replace(expr: &mut Expr, text: &str, by: &Expr) {
    if expr.to_string() == text {
        *expr = by.clone();
        return;
    }
    for part in &mut expr.parts {
        if let Part::Expr(within) = part {
            replace(within, text, by);
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for part in &self.parts {
            match part {
                Part::Sql(sql) => write!(f, "{sql}")?,
                Part::Expr(expr) => write!(f, "{expr}")?,
                Part::Query(query) => write!(f, "({query})")?,
            }
        }
        Ok(())
    }
}

impl Display for Select {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let items = self.items.iter().enumerate();
        let items = items.map(|(place, item)| format!("{item} AS c{place}"));
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        write!(
            f,
            "SELECT {distinct}{}",
            items.collect::<Vec<_>>().join(", ")
        )?;
        for (place, source) in self.from.iter().enumerate() {
            let join = if place == 0 { "FROM" } else { source.join };
            write!(f, " {join} ")?;
            match &source.relation {
                Relation::Table(name) => write!(f, "{name}")?,
                Relation::Query(query) => write!(f, "({query})")?,
                Relation::Lateral(query) => write!(f, "LATERAL ({query})")?,
            }
            write!(f, " AS {}", source.alias)?;
            if let Some(on) = &source.on
                && place > 0
            {
                write!(f, " ON {on}")?;
            }
        }
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if !self.groups.is_empty() {
            let keys: Vec<_> = self.groups.iter().map(Expr::to_string).collect();
            let keys = self.grouping.replace("{}", &keys.join(", "));
            write!(f, " GROUP BY {keys}")?;
        }
        if let Some(having) = &self.having {
            write!(f, " HAVING {having}")?;
        }
        Ok(())
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let is_recursive = self.with.iter().any(|with| with.step.is_some());
        let first = if is_recursive {
            "WITH RECURSIVE "
        } else {
            "WITH "
        };
        for (place, with) in self.with.iter().enumerate() {
            let before = if place == 0 { first } else { ", " };
            write!(f, "{before}{} AS ({}", with.name, with.query)?;
            if let Some(step) = &with.step {
                write!(f, " UNION {step}")?;
            }
            write!(f, ")")?;
        }
        if !self.with.is_empty() {
            write!(f, " ")?;
        }
        let items = 1..=self.select.items.len();
        match self.end {
            End::Nothing | End::Order(_) => {}
            End::Around(_) => write!(f, "SELECT * FROM (")?,
            End::DistinctOn(first) => {
                let keys: Vec<_> = (0..first).map(|place| format!("o.c{place}")).collect();
                write!(f, "SELECT DISTINCT ON ({}) * FROM (", keys.join(", "))?;
            }
        }
        write!(f, "{}", self.select)?;
        for (operation, select) in &self.rest {
            write!(f, " {operation} {select}")?;
        }
        if matches!(self.end, End::Around(_) | End::DistinctOn(_)) {
            write!(f, ") AS o")?;
        }
        let keys: Vec<_> = match self.end {
            End::Nothing => return Ok(()),
            End::DistinctOn(_) => items.map(|n| format!("o.c{} NULLS FIRST", n - 1)).collect(),
            _ => items.map(|place| format!("{place} NULLS FIRST")).collect(),
        };
        write!(f, " ORDER BY {}", keys.join(", "))?;
        match self.end {
            End::Order(Some((offset, limit))) | End::Around(Some((offset, limit))) => {
                write!(f, " LIMIT {limit} OFFSET {offset}")
            }
            _ => Ok(()),
        }
    }
}
