//! Refuses clauses that the parser accepts and DataFusion's planner silently ignores, or moves them to where the
//! planner sees them. Each check can be removed when DataFusion plans or refuses the clause.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, FunctionArguments, GroupByExpr, ObjectName, Query, Select, SetExpr, SetOperator,
    TableFactor, Visit, Visitor, VisitorMut,
};

use super::order_by_all::replace_with_ordinals;
use crate::error::DfOlapError;

/// Visits a whole statement and stops with an error at the first refused clause.
#[derive(Default)]
pub(super) struct Unplanned {
    /// How many queries enclose the current node.
    queries: usize,
}

impl VisitorMut for Unplanned {
    type Break = DfOlapError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DfOlapError> {
        replace_with_ordinals(query, self.queries > 0)?;
        self.queries += 1;
        if let Some(with) = &mut query.with
            && with.recursive
        {
            for cte in &mut with.cte_tables {
                whole_recursive_cte(cte)?;
            }
        }
        let Query {
            with: _,
            body: _,
            order_by: _,
            limit_clause: _,
            fetch: _,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators: _,
        } = query;
        refuse("FOR UPDATE and FOR SHARE", !locks.is_empty())?;
        refuse("FOR XML, JSON or BROWSE", for_clause.is_some())?;
        refuse("SETTINGS", settings.is_some())?;
        refuse("FORMAT", format_clause.is_some())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<DfOlapError> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DfOlapError> {
        let modifiers = match &select.group_by {
            GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => modifiers,
        };
        if let Some(modifier) = modifiers.first() {
            let hint = format!(
                "GROUP BY … {modifier}; write GROUP BY ROLLUP (…), CUBE (…) or GROUPING SETS (…)"
            );
            refuse(&hint, true)?;
        }
        refuse("PREWHERE", select.prewhere.is_some())?;
        refuse("CONNECT BY", !select.connect_by.is_empty())?;
        refuse("DISTRIBUTE BY", !select.distribute_by.is_empty())?;
        refuse("EXCLUDE after the columns", select.exclude.is_some())?;
        refuse(
            "SELECT AS STRUCT or VALUE",
            select.value_table_mode.is_some(),
        )?;
        let mut joins = select.from.iter().flat_map(|from| &from.joins);
        refuse("GLOBAL JOIN", joins.any(|join| join.global))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<DfOlapError> {
        const SAMPLE: &str = "TABLESAMPLE";
        match factor {
            TableFactor::Table {
                name: _,
                alias: _,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                let settings = args.as_ref().is_some_and(|args| args.settings.is_some());
                refuse("SETTINGS", settings)?;
                refuse("WITH (…) after a table", !with_hints.is_empty())?;
                if let Some(version) = version {
                    let hint =
                        format!("{version} after a table; read an earlier version by table_at");
                    refuse(&hint, true)?;
                }
                refuse("WITH ORDINALITY", *with_ordinality)?;
                refuse("PARTITION (…) after a table", !partitions.is_empty())?;
                refuse("a path after a table", json_path.is_some())?;
                refuse(SAMPLE, sample.is_some())?;
                refuse("an index hint", !index_hints.is_empty())
            }
            TableFactor::Derived { sample, .. } => refuse(SAMPLE, sample.is_some()),
            TableFactor::Function {
                with_ordinality, ..
            } => refuse("WITH ORDINALITY", *with_ordinality),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DfOlapError> {
        match expr {
            Expr::Function(call) if call.parameters != FunctionArguments::None => {
                refuse(&format!("a call with parameters, {call},"), true)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// If the body of a recursive CTE is a UNION, the planner ignores the clauses around the UNION. A CTE with such
/// clauses that does not reference itself is put in parentheses, so that the planner sees the whole query; one that
/// does is refused.
fn whole_recursive_cte(cte: &mut Cte) -> ControlFlow<DfOlapError> {
    let query = cte.query.as_mut();
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        right,
        ..
    } = query.body.as_ref()
    else {
        return ControlFlow::Continue(());
    };
    let unseen = [
        ("WITH", query.with.is_some()),
        ("ORDER BY", query.order_by.is_some()),
        ("LIMIT or OFFSET", query.limit_clause.is_some()),
        ("FETCH", query.fetch.is_some()),
        ("|>", !query.pipe_operators.is_empty()),
    ];
    let Some((clause, _)) = unseen.into_iter().find(|(_, present)| *present) else {
        return ControlFlow::Continue(());
    };
    let name = &cte.alias.name.value;
    if reads(right.as_ref(), name) {
        let what = format!(
            "{clause} in the recursive query {name}; put it into the query that reads {name}, or one side of the UNION \
             into parentheses with it,"
        );
        return refuse(&what, true);
    }
    let whole = SetExpr::Query(Box::new(query.clone()));
    query.with = None;
    query.order_by = None;
    query.limit_clause = None;
    query.fetch = None;
    query.pipe_operators.clear();
    *query.body = whole;
    ControlFlow::Continue(())
}

/// Whether `body` references a relation called `name`, ignoring case.
fn reads(body: &SetExpr, name: &str) -> bool {
    struct Named<'a>(&'a str);
    impl Visitor for Named<'_> {
        type Break = ();

        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            let [part] = relation.0.as_slice() else {
                return ControlFlow::Continue(());
            };
            match part.as_ident() {
                Some(ident) if ident.value.eq_ignore_ascii_case(self.0) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    Visit::visit(body, &mut Named(name)).is_break()
}

fn refuse(what: &str, present: bool) -> ControlFlow<DfOlapError> {
    match present {
        true => ControlFlow::Break(DfOlapError::Unsupported(format!("{what} is not supported"))),
        false => ControlFlow::Continue(()),
    }
}
