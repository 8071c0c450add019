//! The SQL dialect: sqlparser's generic dialect with PostgreSQL's operator precedence.
//!
//! The generic dialect reads `a IS DISTINCT FROM b OR c` as `a IS DISTINCT FROM (b OR c)`, binds `||` more tightly
//! than `+`, and `=` as tightly as `BETWEEN`. This module can go when sqlparser lets a dialect choose its features
//! and its precedences separately, and parses the right operand of `IS DISTINCT FROM` correctly.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// How many expressions the parser may begin to read in a short text.
const MIN_READS: usize = 100_000;

/// How often the parser may begin to read an expression at each token, in a long text.
const READS_PER_TOKEN: usize = 8;

/// The dialect of one SQL text.
///
/// After an error in the arguments of CAST, CEIL, POSITION, SUBSTRING and the like, the parser reads the arguments
/// again as those of an ordinary function, which takes exponential time where such calls are nested. So the dialect
/// counts how often the parser begins to read an expression, and ends the parsing when it has read too many.
#[derive(Debug)]
pub(crate) struct EngineDialect {
    reads_left: Cell<usize>,
}

impl EngineDialect {
    /// For a text of so many tokens.
    pub fn new(tokens: usize) -> Self {
        Self {
            reads_left: Cell::new(MIN_READS.max(READS_PER_TOKEN * tokens)),
        }
    }

    /// Whether the parser has read too many expressions; then its error says nothing about the text.
    pub fn is_exhausted(&self) -> bool {
        self.reads_left.get() == 0
    }
}

impl Default for EngineDialect {
    fn default() -> Self {
        Self::new(0)
    }
}

/// Delegates feature flags to the generic dialect.
macro_rules! generic {
    ($($feature:ident)*) => {
        $(fn $feature(&self) -> bool {
            GenericDialect.$feature()
        })*
    };
}

impl Dialect for EngineDialect {
    // For some syntax, the parser checks whether the dialect is the generic one.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch)
    }

    /// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE>
    fn prec_value(&self, prec: Precedence) -> u8 {
        let postgres = PostgreSqlDialect {};
        match prec {
            // DataFusion's `^` is PostgreSQL's `#`, exclusive or, not power.
            Precedence::Caret => postgres.prec_value(Precedence::PgOther),
            // In `[from:to]` and `{key: value}` the colon ends an operand.
            Precedence::Colon => postgres.prec_value(Precedence::Between),
            prec => postgres.prec_value(prec),
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::Colon => None,
            _ => PostgreSqlDialect {}.get_next_precedence(parser),
        }
    }

    // `IS [NOT] DISTINCT FROM`, whose right operand ends before an operator that binds less tightly, and `IN` lists.
    fn parse_infix(
        &self,
        parser: &mut Parser,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        use Keyword::{DISTINCT, FROM, IS, NOT};
        if let Some(list) = in_list(parser, left) {
            return Some(list);
        }
        let make = if parser.parse_keywords(&[IS, DISTINCT, FROM]) {
            Expr::IsDistinctFrom
        } else if parser.parse_keywords(&[IS, NOT, DISTINCT, FROM]) {
            Expr::IsNotDistinctFrom
        } else {
            return None;
        };
        let right = parser.parse_subexpr(precedence);
        Some(right.map(|right| make(Box::new(left.clone()), Box::new(right))))
    }

    /// `x -> x + 1` and `lambda x: x + 1`, as in DuckDB.
    fn supports_lambda_functions(&self) -> bool {
        true
    }

    /// `1_000`, which would otherwise be the number 1 with the alias `_000`.
    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_order_by_all(&self) -> bool {
        true
    }

    /// `NOT EXISTS (…) IN (…)` negates `EXISTS (…) IN (…)`, because NOT binds less tightly than IN.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        match self.reads_left.get().checked_sub(1) {
            Some(left) if left > 0 => self.reads_left.set(left),
            _ => {
                self.reads_left.set(0);
                return Some(Err(ParserError::RecursionLimitExceeded));
            }
        }
        if !parser.parse_keywords(&[Keyword::NOT, Keyword::EXISTS]) {
            return None;
        }
        parser.prev_token();
        let negated = parser.parse_subexpr(self.prec_value(Precedence::UnaryNot));
        Some(negated.map(|negated| match negated {
            Expr::Exists { subquery, negated } => Expr::Exists {
                subquery,
                negated: !negated,
            },
            other => Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: Box::new(other),
            },
        }))
    }

    generic! {
        supports_unicode_string_literal
        supports_partition_by_after_order_by
        supports_array_join_syntax
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_left_associative_joins_without_parens
        supports_connect_by
        supports_match_recognize
        supports_pipe_operator
        supports_start_transaction_modifier
        supports_window_function_null_treatment_arg
        supports_dictionary_syntax
        supports_window_clause_named_window_reference
        supports_parenthesized_set_variables
        supports_select_wildcard_except
        support_map_literal_syntax
        allow_extract_custom
        allow_extract_single_quotes
        supports_extract_comma_syntax
        supports_create_view_comment_syntax
        supports_parens_around_table_factor
        supports_values_as_table_factor
        supports_create_index_with_clause
        supports_explain_with_utility_options
        supports_limit_comma
        supports_update_order_by
        supports_from_first_select
        supports_projection_trailing_commas
        supports_asc_desc_in_column_definition
        supports_try_convert
        supports_bitwise_shift_operators
        supports_comment_on
        supports_load_extension
        supports_named_fn_args_with_assignment_operator
        supports_struct_literal
        supports_empty_projections
        supports_nested_comments
        supports_multiline_comment_hints
        supports_user_host_grantee
        supports_string_escape_constant
        supports_array_typedef_with_brackets
        supports_match_against
        supports_set_names
        supports_comma_separated_set_assignments
        supports_filter_during_aggregation
        supports_select_wildcard_exclude
        supports_data_type_signed_suffix
        supports_interval_options
        supports_quote_delimited_string
        supports_select_wildcard_replace
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_optimize_table
        supports_install
        supports_detach
        supports_prewhere
        supports_with_fill
        supports_limit_by
        supports_interpolate
        supports_settings
        supports_select_format
        supports_comment_optimizer_hint
        supports_constraint_keyword_without_name
        supports_key_column_option
        supports_comma_separated_trim
        supports_cte_without_as
        supports_select_item_multi_column_alias
        supports_xml_expressions
    }
}

/// `x IN ((SELECT …), y)`, whose first value the parser takes for the subquery of `x IN (SELECT …)`. The token after
/// that value decides between the two; trying both would double the work at each level of nesting.
fn in_list(parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let not = usize::from(parser.peek_keyword(Keyword::NOT));
    let follows =
        |place: usize, token: &Token| parser.peek_nth_token_ref(not + place).token == *token;
    let is_in = matches!(&parser.peek_nth_token_ref(not).token, Token::Word(word) if word.keyword == Keyword::IN);
    if !is_in || !follows(1, &Token::LParen) || !follows(2, &Token::LParen) {
        return None;
    }
    if !is_value(parser) {
        return None;
    }
    let negated = parser.parse_keyword(Keyword::NOT);
    let mut list = || {
        parser.expect_keyword(Keyword::IN)?;
        parser.expect_token(&Token::LParen)?;
        let list = parser.parse_comma_separated(Parser::parse_expr)?;
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::InList {
            expr: Box::new(left.clone()),
            list,
            negated,
        })
    };
    Some(list())
}

/// Whether the second opening parenthesis ahead encloses a value of a list, and not all or part of a subquery.
fn is_value(parser: &Parser) -> bool {
    use Keyword::{EXCEPT, FETCH, INTERSECT, LIMIT, MINUS, OFFSET, ORDER, UNION};
    let mut open = 0_usize;
    for at in parser.index().. {
        match &parser.token_at(at).token {
            Token::LParen => open += 1,
            Token::RParen if open == 2 => {
                let mut after = (at + 1..).map(|at| &parser.token_at(at).token);
                let after = after.find(|token| !matches!(token, Token::Whitespace(_)));
                return match after {
                    Some(Token::Word(word)) => {
                        ![EXCEPT, FETCH, INTERSECT, LIMIT, MINUS, OFFSET, ORDER, UNION]
                            .contains(&word.keyword)
                    }
                    Some(Token::RParen | Token::EOF) | None => false,
                    Some(_) => true,
                };
            }
            Token::RParen => open = open.saturating_sub(1),
            Token::EOF => return false,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use datafusion::sql::sqlparser::ast::{VisitMut, VisitorMut};

    use super::*;

    /// PostgreSQL's precedence table, the tightest operators first.
    const INFIX: [(u8, &[&str]); 7] = [
        (10, &["*", "/", "%"]),
        (9, &["+", "-"]),
        (8, &["||", "&", "|", "<<", ">>", "^", "->>", "@>", "<@"]),
        (
            7,
            &[
                "LIKE",
                "NOT LIKE",
                "ILIKE",
                "NOT ILIKE",
                "SIMILAR TO",
                "BETWEEN",
            ],
        ),
        (6, &["=", "<>", "!=", "<", ">", "<=", ">=", "~", "!~*"]),
        (2, &["AND"]),
        (1, &["OR"]),
    ];
    const DISTINCT: [&str; 2] = ["IS DISTINCT FROM", "IS NOT DISTINCT FROM"];
    const POSTFIX: [(u8, &[&str]); 4] = [
        (13, &["::INT"]),
        (12, &["[1]"]),
        (7, &["IN (1, 2)", "NOT IN (1, 2)"]),
        (
            5,
            &[
                "IS NULL",
                "IS NOT NULL",
                "IS TRUE",
                "IS NOT FALSE",
                "IS UNKNOWN",
            ],
        ),
    ];
    const PREFIX: [(u8, &str); 3] = [(11, "-"), (11, "+"), (4, "NOT")];

    /// The expression with parentheses around each operation, and no others.
    fn grouped(text: &str) -> String {
        struct Group;
        impl VisitorMut for Group {
            type Break = ();

            fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
                match expr {
                    Expr::Nested(inner) => *expr = inner.as_ref().clone(),
                    Expr::Identifier(_) | Expr::Value(_) => {}
                    other => *other = Expr::Nested(Box::new(other.clone())),
                }
                ControlFlow::Continue(())
            }
        }
        let dialect = EngineDialect::default();
        let mut parser = Parser::new(&dialect).try_with_sql(text).unwrap();
        let mut expr = parser
            .parse_expr()
            .unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(parser.next_token().token, Token::EOF, "{text}");
        let _ = expr.visit(&mut Group);
        expr.to_string()
    }

    /// Every infix operator: its rank, the text between its operands (with the middle operand, if any), and the text
    /// after them.
    fn infix() -> Vec<(u8, String, String)> {
        let of_table = INFIX
            .iter()
            .flat_map(|(rank, ops)| ops.iter().map(|op| (*rank, *op)));
        let all = of_table.chain(DISTINCT.map(|op| (5, op)));
        all.flat_map(|(rank, op)| match op {
            "BETWEEN" => vec![(rank, "BETWEEN m AND".to_string(), String::new())],
            "LIKE" => vec![
                (rank, op.to_string(), String::new()),
                (rank, op.to_string(), " ESCAPE 'e'".to_string()),
            ],
            _ => vec![(rank, op.to_string(), String::new())],
        })
        .collect()
    }

    #[test]
    fn each_two_operators_bind_as_in_postgresql() {
        let infix = infix();
        let mut pairs = 0;
        let mut same = |text: String, meant: String| {
            assert_eq!(grouped(&text), grouped(&meant), "{text}");
            pairs += 1;
        };
        for (rank, op, end) in &infix {
            for (other_rank, other, other_end) in &infix {
                if rank == other_rank && [5, 6, 7].contains(rank) {
                    continue; // PostgreSQL refuses these
                }
                let meant = match rank >= other_rank {
                    true => format!("(a {op} b{end}) {other} c{other_end}"),
                    false => format!("a {op} (b {other} c{other_end}){end}"),
                };
                // Before a tighter operator, ESCAPE would stand in another place than in `meant`.
                if end.is_empty() || rank >= other_rank {
                    same(format!("a {op} b{end} {other} c{other_end}"), meant);
                }
            }
            for (postfix_rank, postfixes) in POSTFIX {
                for postfix in postfixes {
                    if rank == &postfix_rank || !end.is_empty() {
                        continue;
                    }
                    let meant = match *rank > postfix_rank {
                        true => format!("(a {op} b) {postfix}"),
                        false => format!("a {op} (b {postfix})"),
                    };
                    same(format!("a {op} b {postfix}"), meant);
                }
            }
            for (prefix_rank, prefix) in PREFIX {
                let meant = match prefix_rank > *rank {
                    true => format!("({prefix} a) {op} b{end}"),
                    false => format!("{prefix} (a {op} b{end})"),
                };
                same(format!("{prefix} a {op} b{end}"), meant);
            }
            if *rank > 7 {
                same(
                    format!("a BETWEEN b {op} c AND d {op} e"),
                    format!("a BETWEEN (b {op} c) AND (d {op} e)"),
                );
            }
        }
        for (rank, postfixes) in POSTFIX {
            for postfix in postfixes {
                for (prefix_rank, prefix) in PREFIX {
                    let meant = match prefix_rank > rank {
                        true => format!("({prefix} a) {postfix}"),
                        false => format!("{prefix} (a {postfix})"),
                    };
                    same(format!("{prefix} a {postfix}"), meant);
                }
            }
        }
        for (op, meant) in [
            ("*", "a * (b AT TIME ZONE 'UTC')"),
            ("||", "a || (b AT TIME ZONE 'UTC')"),
            ("=", "a = (b AT TIME ZONE 'UTC')"),
        ] {
            same(format!("a {op} b AT TIME ZONE 'UTC'"), meant.to_string());
        }
        same(
            "a AT TIME ZONE b || c".to_string(),
            "(a AT TIME ZONE b) || c".to_string(),
        );
        assert!(pairs > 900, "{pairs} pairs");
    }
}
