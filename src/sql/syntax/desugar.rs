//! Rewrites syntax of PostgreSQL and DuckDB to equivalent syntax that DataFusion's planner supports.
//!
//! `FROM t` without a SELECT list, `SEMI JOIN` and `ANTI JOIN` without a side, `LIKE … ESCAPE` with any character,
//! `INTERVAL (x) DAY` of an expression, `//`, `(s).field`, `GROUP BY ()`, HAVING without GROUP BY and aggregates, and
//! lists of outer columns: DataFusion does not resolve outer columns in `[a, b]`, but does in the arguments of
//! `make_array`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, Interval, JoinOperator, ObjectName, Query, Select,
    SelectFlavor, SelectItem, TableFactor, TableWithJoins, Value, ValueWithSpan, Visit, VisitMut,
    Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::dialect::EngineDialect;
use super::selects::selects;

/// Rewrites such syntax in a statement.
pub(crate) struct Spelling;

impl VisitorMut for Spelling {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        selects(&mut query.body).into_iter().for_each(select);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Like {
                pattern,
                escape_char,
                any: false,
                ..
            }
            | Expr::ILike {
                pattern,
                escape_char,
                any: false,
                ..
            } => {
                if let Some(escape) = escape_char.as_ref().and_then(text_of)
                    && escape != "\\"
                    && escape.chars().count() <= 1
                    && let Some(new) = with_backslashes(pattern, escape.chars().next())
                {
                    **pattern = new;
                    *escape_char = None;
                }
            }
            Expr::CompoundFieldAccess { root, access_chain } => fields_by_text(root, access_chain),
            Expr::Array(list) => {
                *expr = call(Ident::new("make_array"), std::mem::take(&mut list.elem));
            }
            Expr::BinaryOp { op, .. } if *op == BinaryOperator::DuckIntegerDivide => {
                // `/` of two integers is an integer already.
                *op = BinaryOperator::Divide;
            }
            Expr::Interval(interval) => {
                if let Some(worked_out) = as_text(interval) {
                    *expr = worked_out;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// A semi or anti join keeps rows of its left table, and a query without a SELECT list has all columns, as in DuckDB.
fn select(select: &mut Select) {
    if select.flavor == SelectFlavor::FromFirstNoSelect {
        select.flavor = SelectFlavor::Standard;
        select.projection = vec![SelectItem::Wildcard(Default::default())];
    }
    select.from.iter_mut().for_each(joins);
    if has_one_group(select) {
        let one = Expr::GroupingSets(vec![Vec::new()]);
        select.group_by = GroupByExpr::Expressions(vec![one], Vec::new());
    }
}

/// Whether all rows are one group although DataFusion would not see that: `GROUP BY ()`, or HAVING without GROUP BY
/// and without any function call.
fn has_one_group(select: &Select) -> bool {
    match &select.group_by {
        GroupByExpr::Expressions(keys, more) if keys.is_empty() && more.is_empty() => {
            let has_calls = || {
                select.projection.visit(&mut Calls).is_break()
                    || select.having.visit(&mut Calls).is_break()
            };
            select.having.is_some() && !has_calls()
        }
        GroupByExpr::Expressions(keys, more) => {
            more.is_empty() && *keys == [Expr::Tuple(Vec::new())]
        }
        GroupByExpr::All(_) => false,
    }
}

/// Looks for a function call.
struct Calls;

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(_) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn joins(table: &mut TableWithJoins) {
    let nested = |factor: &mut TableFactor| {
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = factor
        {
            joins(table_with_joins);
        }
    };
    nested(&mut table.relation);
    for join in &mut table.joins {
        nested(&mut join.relation);
        let operator = &mut join.join_operator;
        *operator = match std::mem::replace(operator, JoinOperator::CrossApply) {
            JoinOperator::Semi(on) => JoinOperator::LeftSemi(on),
            JoinOperator::Anti(on) => JoinOperator::LeftAnti(on),
            other => other,
        };
    }
}

/// Rewrites `(s).a` to `(s)['a']`; the planner resolves fields that directly follow the name of a table or column.
fn fields_by_text(root: &Expr, chain: &mut [AccessExpr]) {
    let is_field = |access: &AccessExpr| matches!(access, AccessExpr::Dot(Expr::Identifier(_)));
    let names = match root {
        Expr::Identifier(_) => chain.iter().take_while(|access| is_field(access)).count(),
        _ => 0,
    };
    for access in &mut chain[names..] {
        if let AccessExpr::Dot(field) = access
            && let Expr::Identifier(name) = field
        {
            let name = match name.quote_style {
                Some(_) => std::mem::take(&mut name.value),
                None => name.value.to_lowercase(),
            };
            *field = Expr::value(Value::SingleQuotedString(name));
        }
    }
}

fn text_of(value: &ValueWithSpan) -> Option<&str> {
    match &value.value {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

/// The pattern with backslashes as escapes, the only escape character that Arrow supports.
fn with_backslashes(pattern: &Expr, escape: Option<char>) -> Option<Expr> {
    if let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text),
        span,
    }) = pattern
    {
        let mut new = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            if Some(char) == escape {
                new.push('\\');
                new.extend(chars.next());
            } else {
                new.extend((char == '\\').then_some('\\'));
                new.push(char);
            }
        }
        return Some(Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(new),
            span: *span,
        }));
    }
    let doubled = r"replace(__pattern, '\', '\\')";
    let text = match escape {
        None => doubled.to_string(),
        Some(escape) => {
            let escape = if escape == '\'' {
                "''".to_string()
            } else {
                escape.to_string()
            };
            format!(
                r"replace(replace(replace({doubled}, '{escape}{escape}', chr(1)), '{escape}', '\'), chr(1), '\{escape}')"
            )
        }
    };
    parsed(&text, "__pattern", pattern)
}

/// Rewrites `INTERVAL (x) DAY` to `CAST(x || ' DAY' AS INTERVAL)`.
fn as_text(interval: &Interval) -> Option<Expr> {
    let is_worked_out = matches!(
        interval.value.as_ref(),
        Expr::Nested(_)
            | Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Cast { .. }
            | Expr::Function(_)
    );
    let unit = interval.leading_field.as_ref()?;
    if !is_worked_out || interval.last_field.is_some() {
        return None;
    }
    let text = format!("CAST(CAST(__value AS VARCHAR) || ' {unit}' AS INTERVAL)");
    parsed(&text, "__value", &interval.value)
}

/// A call of the function `name`.
pub(crate) fn call(name: Ident, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(FunctionArgExpr::Expr);
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.map(FunctionArg::Unnamed).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Parses `text` as an expression and replaces the identifier `name` in it with `value`.
fn parsed(text: &str, name: &str, value: &Expr) -> Option<Expr> {
    struct Put<'a>(&'a str, &'a Expr);
    impl VisitorMut for Put<'_> {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if matches!(expr, Expr::Identifier(Ident { value, .. }) if value == self.0) {
                *expr = Expr::Nested(Box::new(self.1.clone()));
            }
            ControlFlow::Continue(())
        }
    }
    let dialect = EngineDialect::default();
    let parser = Parser::new(&dialect).try_with_sql(text);
    let mut made = parser.and_then(|mut parser| parser.parse_expr()).ok()?;
    let _ = VisitMut::visit(&mut made, &mut Put(name, value));
    Some(made)
}
