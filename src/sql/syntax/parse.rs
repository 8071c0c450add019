//! The parser, with limits on length, nesting and chains that are checked before anything recursive sees the text.
//!
//! The parser, the planner and even the destructor of a parsed statement recurse to the depth of nested expressions
//! and along chains of operators, so both are measured on the tokens, in one pass without recursion.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, DFParserBuilder, Statement as DFStatement};
use datafusion::sql::sqlparser::ast::{VisitMut, VisitorMut};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::desugar::Spelling;
use super::dialect::EngineDialect;
use super::grouping_sets;
use super::parameters::Found;
use super::row_values::RowValues;
use super::struct_types;
use super::unsupported::Unplanned;
use crate::error::DfOlapError;

/// Bounds on a statement's text.
#[derive(Debug, Clone)]
pub(crate) struct TextLimits {
    /// The maximum length of a text, in bytes.
    pub text_bytes: usize,
    /// The maximum number of words, symbols and spaces.
    pub words: usize,
    /// The maximum number of operators and postfixes between two commas or clauses, and of joined tables or combined
    /// queries.
    pub chain: usize,
    /// The maximum nesting of parentheses and brackets, and of the parser's own recursion.
    pub depth: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self {
            text_bytes: 64 << 20,
            words: 2_000_000,
            chain: 1_000,
            depth: 64,
        }
    }
}

/// How often tokens may be read in a short text.
const MIN_READS: usize = 250_000;

/// How often each token may be read, on average, in a long text.
const READS_PER_TOKEN: usize = 8;

/// Whether the statement's tree is shallow enough for any stack: the text is short and has few levels of parentheses.
pub(crate) fn is_short(sql: &str) -> bool {
    const BYTES: usize = 4096;
    const DEPTH: usize = 8;
    if sql.len() > BYTES {
        return false;
    }
    let (mut depth, mut deepest) = (0usize, 0);
    for byte in sql.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest <= DEPTH
}

/// Parses all statements of a text.
pub(crate) fn parse_statements(
    sql: &str,
    limits: &TextLimits,
) -> Result<VecDeque<DFStatement>, DfOlapError> {
    let mut tokens = tokens(sql, limits)?;
    struct_types::respell(&mut tokens);
    grouping_sets::enclose(&mut tokens);
    let dialect = EngineDialect::new(tokens.len());
    let mut parser = DFParserBuilder::new(tokens)
        .with_dialect(&dialect)
        .with_recursion_limit(limits.depth)
        .build()?;
    let parsed = parser.parse_statements();
    if dialect.is_exhausted() {
        return Err(DfOlapError::ResourcesExhausted(
            "the statement takes too long to parse: nested calls with an error in them can be read in too many ways; \
             correct the innermost call, or nest fewer"
                .into(),
        ));
    }
    let mut statements = parsed?;
    let mut found = Found::default();
    for statement in &mut statements {
        let _ = visit(statement, &mut found);
        if let ControlFlow::Break(refused) = visit(statement, &mut Unplanned::default()) {
            return Err(refused);
        }
    }
    if let Some(mut numbered) = found.numbered()? {
        for statement in &mut statements {
            let _ = visit(statement, &mut numbered);
        }
    }
    for statement in &mut statements {
        let _ = visit(statement, &mut RowValues);
        let _ = visit(statement, &mut Spelling);
    }
    Ok(statements)
}

/// Applies a visitor to the sqlparser nodes of a statement.
fn visit<V: VisitorMut>(statement: &mut DFStatement, visitor: &mut V) -> ControlFlow<V::Break> {
    match statement {
        DFStatement::Statement(statement) => statement.visit(visitor),
        DFStatement::Explain(explain) => visit(&mut explain.statement, visitor),
        DFStatement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(visitor),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        DFStatement::CreateExternalTable(_) | DFStatement::Reset(_) => ControlFlow::Continue(()),
    }
}

/// Tokenizes a text and checks it against the limits.
fn tokens(sql: &str, limits: &TextLimits) -> Result<Vec<TokenWithSpan>, DfOlapError> {
    if sql.len() > limits.text_bytes {
        return Err(DfOlapError::ResourcesExhausted(format!(
            "the SQL text has {} bytes, more than the {} allowed; load data with load_arrow or parameters",
            sql.len(),
            limits.text_bytes
        )));
    }
    if sql.len() > limits.words && words(sql) > limits.words {
        return Err(DfOlapError::ResourcesExhausted(format!(
            "the SQL text has more than {} words and symbols; load data with load_arrow, or by INSERT of plain literals",
            limits.words
        )));
    }
    let tokens = Tokenizer::new(&EngineDialect::default(), sql)
        .tokenize_with_location()
        .map_err(|error| DfOlapError::Invalid(format!("SQL error: {error}")))?;
    let most_reads = MIN_READS.max(READS_PER_TOKEN * tokens.len());
    let mut reads = 0usize;
    let mut open = vec![Level::default()];
    let mut is_after_paren = false;
    for token in &tokens {
        if matches!(token.token, Token::Whitespace(_)) {
            continue;
        }
        let depth = open.len();
        let Some(level) = open.last_mut() else { break };
        reads = reads.saturating_add(level.reads());
        if reads > most_reads {
            return Err(DfOlapError::ResourcesExhausted(
                "the statement takes too long to parse: tables and subqueries in FROM are nested in too many \
                 parentheses; leave out those that are not needed, or use WITH"
                    .into(),
            ));
        }
        let follows_paren = std::mem::replace(&mut is_after_paren, token.token == Token::LParen);
        match &token.token {
            // A call, subscript or group is one more link of the surrounding chain.
            Token::LParen => {
                level.operators += 1;
                let inner = level.parenthesis(follows_paren);
                open.push(inner);
            }
            Token::LBracket | Token::LBrace => {
                level.operators += 1;
                open.push(Level::default());
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                if depth > 1 {
                    open.pop();
                }
            }
            Token::Comma => {
                level.operators = 0;
                level.clauses += usize::from(level.in_from);
                level.is_table_next = level.in_from;
            }
            Token::SemiColon => open = vec![Level::default()],
            Token::Word(word) => level.word(word.keyword),
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::Placeholder(_)
            | Token::EOF => {}
            _ => level.operators += 1,
        }
        let longest = open.last().map_or(0, |l| l.operators.max(l.clauses));
        if longest > limits.chain {
            return Err(DfOlapError::ResourcesExhausted(format!(
                "the statement chains more than {} operators, joins or set operations; use IN (…), a VALUES list or \
                 several statements",
                limits.chain
            )));
        }
        if open.len() > limits.depth {
            return Err(DfOlapError::ResourcesExhausted(format!(
                "the statement is nested more than {} levels deep",
                limits.depth
            )));
        }
    }
    Ok(tokens)
}

/// How many tokens a text has at most, without the memory that tokens take.
fn words(sql: &str) -> usize {
    // Where it is not plain which quote begins a text, the words of quoted texts count as well.
    let is_plain = !sql.contains(['\\', '$', '`']) && !sql.contains("--") && !sql.contains("/*");
    is_plain
        .then(|| words_outside(sql, true))
        .flatten()
        .or_else(|| words_outside(sql, false))
        .unwrap_or(usize::MAX)
}

/// The words outside of quotes, or all words unless `quotes`; `None` for a quote with a prefix, as in `q'!'!'`, which
/// may end anywhere.
fn words_outside(sql: &str, quotes: bool) -> Option<usize> {
    let (mut count, mut in_word, mut quote) = (0, false, None);
    let mut before = ' ';
    for c in sql.chars() {
        if quote.is_some() {
            if quote == Some(c) {
                quote = None;
            }
            before = c;
            continue;
        }
        let is_part = c == '_' || c.is_alphanumeric() && (c.is_ascii() || c.is_alphabetic());
        if quotes && matches!(c, '\'' | '"') {
            if in_word || matches!(before, '#' | '@') {
                return None;
            }
            quote = Some(c);
        }
        // `1L1L` is two numbers.
        let begins = !in_word || before == 'L' && c.is_ascii_digit();
        count += usize::from(!is_part || begins);
        in_word = is_part;
        before = c;
    }
    Some(count)
}

/// Counters for one level of parentheses.
struct Level {
    /// Links of the current expression.
    operators: usize,
    /// Joined tables and queries combined by set operations.
    clauses: usize,
    in_from: bool,
    /// Whether a parenthesis here would enclose tables.
    is_table_next: bool,
    /// How many parentheses in a row enclose these tables, without anything between them.
    table_parens: usize,
    /// How often the parser may read the tokens before the first of these parentheses.
    outer_reads: usize,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            operators: 0,
            clauses: 0,
            in_from: false,
            is_table_next: false,
            table_parens: 0,
            outer_reads: 1,
        }
    }
}

impl Level {
    /// How often the parser may read each token here. At a parenthesis in FROM it tries to read a subquery, and if it
    /// fails, it reads the same tokens again as tables in parentheses.
    fn reads(&self) -> usize {
        self.outer_reads.saturating_mul(self.table_parens.max(1))
    }

    /// The level inside a parenthesis that opens here.
    fn parenthesis(&self, follows_paren: bool) -> Self {
        let (table_parens, outer_reads) = if follows_paren && self.table_parens > 0 {
            (self.table_parens + 1, self.outer_reads)
        } else {
            (usize::from(self.is_table_next), self.reads())
        };
        Self {
            table_parens,
            outer_reads,
            ..Self::default()
        }
    }

    fn word(&mut self, keyword: Keyword) {
        match keyword {
            Keyword::FROM | Keyword::USING => {
                self.operators = 0;
                self.in_from = true;
                self.is_table_next = true;
            }
            Keyword::ON => self.is_table_next = false,
            Keyword::SELECT
            | Keyword::WHERE
            | Keyword::HAVING
            | Keyword::GROUP
            | Keyword::ORDER
            | Keyword::SET
            | Keyword::VALUES => {
                self.operators = 0;
                self.in_from = false;
                self.is_table_next = false;
            }
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN => {
                self.operators = 0;
                self.clauses += 1;
                self.is_table_next |= keyword == Keyword::JOIN;
            }
            Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::CASE
            | Keyword::WHEN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::BETWEEN
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::INTERVAL
            | Keyword::DIV => self.operators += 1,
            _ => {}
        }
    }
}
