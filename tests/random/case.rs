//! A database, changes to it and a query, on which all databases must agree.

use crate::databases::{Answer, DuckDb, Engine, Engines, ask};
use crate::tree::{End, Expr, Kind, Query};
use crate::world::World;

#[derive(Debug, Clone)]
pub enum Statement {
    Query(Query),
    /// A query that fails in every database or in none.
    Fallible(Query),
    /// The changed table, and the statement.
    Write(String, Expr),
}

impl Statement {
    pub fn sql(&self) -> String {
        match self {
            Self::Query(query) | Self::Fallible(query) => query.to_string(),
            Self::Write(_, write) => write.to_string(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Case {
    pub world: World,
    /// The databases agreed on all statements before the last one.
    pub statements: Vec<Statement>,
}

/// The error where a statement did not finish in time.
const LATE: &str = "not in time";

/// Counts of the checked statements.
#[derive(Debug, Default)]
pub struct Counts {
    pub statements: usize,
    /// DuckDB returned rows too.
    pub with_duckdb: usize,
    /// Every database refused the statement.
    pub refused: usize,
    /// DuckDB alone refused the statement: its plan may evaluate an expression that another plan skips.
    pub alone: usize,
    /// This engine does not support the statement.
    pub unsupported: usize,
}

impl Counts {
    /// Adds the counts of another job.
    pub fn add(&mut self, other: &Self) {
        self.statements += other.statements;
        self.with_duckdb += other.with_duckdb;
        self.refused += other.refused;
        self.alone += other.alone;
        self.unsupported += other.unsupported;
    }
}

/// All databases, filled with the rows of a world.
pub struct Open<'a> {
    engines: Engines,
    duckdb: &'a mut DuckDb,
    /// Whether DuckDB made a change that this engine does not support.
    pub has_diverged: bool,
}

impl<'a> Open<'a> {
    pub async fn new(world: &World, duckdb: &'a mut DuckDb) -> Self {
        let engines = Engines::open();
        duckdb.reset();
        for sql in world.statements() {
            duckdb.ask(&sql).unwrap();
            for answer in engines.run(&sql).await {
                answer.unwrap_or_else(|failed| panic!("{sql}: {}", failed.text));
            }
        }
        Self {
            engines,
            duckdb,
            has_diverged: false,
        }
    }

    /// Runs a statement on all databases; returns a description of wrong answers.
    pub async fn check(&mut self, statement: &Statement, counts: &mut Counts) -> Option<String> {
        match statement {
            Statement::Query(query) => self.query(query, counts).await,
            Statement::Fallible(query) => {
                let alone = counts.alone;
                let wrong = self.rows(&query.to_string(), false, counts).await;
                let is_alone = counts.alone > alone;
                wrong.or_else(|| is_alone.then(|| "refused by DuckDB alone".to_string()))
            }
            Statement::Write(table, write) => self.write(table, write, counts).await,
        }
    }

    async fn write(&mut self, table: &str, write: &Expr, counts: &mut Counts) -> Option<String> {
        let sql = write.to_string();
        let theirs = self.duckdb.ask(&sql).map(|_| Vec::new());
        let ours = self.engines.run(&sql).await;
        let ours = ours.into_iter().map(|answer| answer.map(|_| Vec::new()));
        let unsupported = counts.unsupported;
        if let Some(wrong) = self.compare(ours.collect(), theirs, counts) {
            return Some(wrong);
        }
        self.has_diverged |= counts.unsupported > unsupported;
        if self.has_diverged {
            return None;
        }
        let all = format!("SELECT * FROM {table}");
        self.rows(&all, false, &mut Counts::default()).await
    }

    async fn rows(&mut self, sql: &str, in_order: bool, counts: &mut Counts) -> Option<String> {
        let mut theirs = self.duckdb.ask(sql);
        let mut ours = Vec::new();
        for (_, engine) in &self.engines.all {
            ours.push(ask(engine, sql).await);
        }
        if !in_order {
            let ours = ours.iter_mut().filter_map(|answer| answer.as_mut().ok());
            ours.chain(theirs.as_mut().ok())
                .for_each(|rows| rows.sort());
        }
        self.compare(ours, theirs, counts)
    }

    fn compare(
        &self,
        ours: Vec<Answer>,
        theirs: Result<Vec<String>, String>,
        counts: &mut Counts,
    ) -> Option<String> {
        counts.statements += 1;
        let names = self.engines.all.iter().map(|(name, _)| *name);
        let mut first: Option<(&str, Answer)> = None;
        for (name, answer) in names.zip(ours) {
            if let Err(failed) = &answer
                && (failed.is_internal || failed.is_late)
            {
                let what = if failed.is_late { LATE } else { name };
                return Some(format!("{what}: {name}: {}", failed.text));
            }
            match &first {
                None => first = Some((name, answer)),
                Some((known, before)) => {
                    let same = match (before, &answer) {
                        (Ok(before), Ok(answer)) => before == answer,
                        (before, answer) => before.is_err() == answer.is_err(),
                    };
                    if !same {
                        return Some(format!(
                            "{known}:\n{}\n{name}:\n{}",
                            shown(before),
                            shown(&answer)
                        ));
                    }
                }
            }
        }
        let (_, ours) = first?;
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                counts.with_duckdb += 1;
                (ours != theirs).then(|| {
                    format!(
                        "here:\n{}\nDuckDB:\n{}",
                        shown(&Ok(ours)),
                        theirs.join("\n")
                    )
                })
            }
            (Err(failed), _) if failed.is_unsupported => {
                counts.unsupported += 1;
                None
            }
            (Err(failed), Ok(_)) => Some(format!("refused: {}", failed.text)),
            (Err(_), Err(_)) => {
                counts.refused += 1;
                None
            }
            (Ok(_), Err(_)) => {
                counts.alone += 1;
                None
            }
        }
    }

    async fn query(&mut self, query: &Query, counts: &mut Counts) -> Option<String> {
        // Among equal numbers, this engine sorts -0.0 before 0.0; DuckDB keeps them in any order.
        let is_double = |item: &Expr| item.kind == Kind::Double;
        let in_order = query.end != End::Nothing && !query.select.items.iter().any(is_double);
        let sql = query.to_string();
        if let Some(wrong) = self.rows(&sql, in_order, counts).await {
            return Some(wrong);
        }
        self.rewritten_as_cte_and_view(query).await
    }

    /// The same query as a CTE and as a view must return the same rows.
    async fn rewritten_as_cte_and_view(&self, query: &Query) -> Option<String> {
        let (_, engine) = &self.engines.all[1];
        let rows = in_any_order(engine, &query.to_string()).await.ok()?;
        let again = in_any_order(engine, &format!("WITH q AS ({query}) SELECT * FROM q")).await;
        if again.as_ref().ok() != Some(&rows) {
            return Some(format!(
                "as it is:\n{}\nas a CTE:\n{}",
                rows.join("\n"),
                shown(&again)
            ));
        }
        let made = ask(engine, &format!("CREATE OR REPLACE VIEW v AS {query}")).await;
        let again = match made {
            Ok(_) => in_any_order(engine, "SELECT * FROM v").await,
            Err(failed) => Err(failed),
        };
        let _ = ask(engine, "DROP VIEW IF EXISTS v").await;
        if again.as_ref().ok() != Some(&rows) {
            return Some(format!(
                "as it is:\n{}\nas a view:\n{}",
                rows.join("\n"),
                shown(&again)
            ));
        }
        self.three_values(query).await
    }

    /// A condition is true, false or NULL for each row, so the three results together are all rows.
    async fn three_values(&self, query: &Query) -> Option<String> {
        let filter = query.select.filter.clone()?;
        if !query.is_row_by_row() {
            return None;
        }
        let (_, engine) = &self.engines.all[1];
        let with = |filter: Option<Expr>| {
            let mut query = query.clone();
            query.select.filter = filter;
            query
        };
        let all = in_any_order(engine, &with(None).to_string()).await.ok()?;
        let mut parts = Vec::new();
        for sql in ["{}", "(NOT {})", "({} IS NULL)"] {
            let part = with(Some(Expr::of(Kind::Bool, sql, [filter.clone()])));
            match ask(engine, &part.to_string()).await {
                Ok(rows) => parts.extend(rows),
                Err(failed) => return Some(format!("{part}\n{}", failed.text)),
            }
        }
        parts.sort();
        (parts != all).then(|| {
            format!(
                "without the condition:\n{}\ntrue, false and NULL:\n{}",
                all.join("\n"),
                parts.join("\n")
            )
        })
    }
}

async fn in_any_order(engine: &Engine, sql: &str) -> Answer {
    let mut rows = ask(engine, sql).await?;
    rows.sort();
    Ok(rows)
}

fn shown(answer: &Answer) -> String {
    match answer {
        Ok(rows) => rows.join("\n"),
        Err(failed) => format!("error {}", failed.text),
    }
}

impl Case {
    /// Runs the case; returns a description of what is wrong with its last statement.
    async fn fails(&self, duckdb: &mut DuckDb) -> Option<String> {
        let (last, before) = self.statements.split_last()?;
        let mut open = Open::new(&self.world, duckdb).await;
        for statement in before {
            if open
                .check(statement, &mut Counts::default())
                .await
                .is_some()
            {
                return None;
            }
        }
        open.check(last, &mut Counts::default()).await
    }

    /// A smaller case with the same kind of difference, and its description.
    pub async fn shrunk(self, wrong: String, duckdb: &mut DuckDb) -> (Self, String) {
        let (mut case, mut wrong) = (self, wrong);
        if kind_of(&wrong) == LATE {
            // Each attempt would take as long as the timeout.
            return (case, wrong);
        }
        let mut attempts = 0;
        'shrinking: loop {
            for simpler in case.simpler() {
                attempts += 1;
                if attempts > 500 {
                    break 'shrinking;
                }
                if let Some(text) = simpler.fails(duckdb).await
                    && kind_of(&text) == kind_of(&wrong)
                {
                    (case, wrong) = (simpler, text);
                    continue 'shrinking;
                }
            }
            break;
        }
        (case, wrong)
    }

    fn simpler(&self) -> Vec<Self> {
        let with = |statements: Vec<Statement>| Self {
            world: self.world.clone(),
            statements,
        };
        let mut simpler = Vec::new();
        let (last, before) = match self.statements.split_last() {
            Some(split) => split,
            None => return simpler,
        };
        for place in 0..before.len() {
            let mut statements = self.statements.clone();
            statements.remove(place);
            simpler.push(with(statements));
        }
        let lasts: Vec<_> = match last {
            Statement::Query(query) => query.simpler().into_iter().map(Statement::Query).collect(),
            Statement::Fallible(query) => {
                let query = query.simpler().into_iter();
                query.map(Statement::Fallible).collect()
            }
            Statement::Write(table, write) => {
                let write = write.simpler().into_iter();
                write
                    .map(|write| Statement::Write(table.clone(), write))
                    .collect()
            }
        };
        simpler.extend(
            lasts
                .into_iter()
                .map(|last| with(before.iter().cloned().chain([last]).collect())),
        );
        simpler.extend(self.world.simpler().into_iter().map(|world| Self {
            world,
            statements: self.statements.clone(),
        }));
        simpler
    }

    pub fn sql(&self) -> String {
        let mut lines = self.world.statements();
        lines.extend(self.statements.iter().map(Statement::sql));
        lines.join(";\n") + ";"
    }
}

/// The kind of a wrong answer; another kind is another bug.
fn kind_of(wrong: &str) -> &str {
    wrong.split(':').next().unwrap_or_default()
}
