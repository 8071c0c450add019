//! Rewrites DuckDB's struct types, `STRUCT(a INT, b TEXT)`, to the dialect's: `STRUCT<a INT, b TEXT>`.
//!
//! The parser reads the first form only in the DuckDB dialect, and the second form in the generic one. A call of the
//! function `struct` does not begin with two words side by side, so the first field distinguishes a type from a call.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Replaces the parentheses of such types with angle brackets.
pub(super) fn respell(tokens: &mut [TokenWithSpan]) {
    // For each open parenthesis, whether it encloses the fields of a type.
    let mut open = Vec::new();
    for at in 0..tokens.len() {
        match tokens[at].token {
            Token::LParen => {
                let is_type = is_type(tokens, at);
                if is_type {
                    tokens[at].token = Token::Lt;
                }
                open.push(is_type);
            }
            Token::RParen if open.pop() == Some(true) => tokens[at].token = Token::Gt,
            _ => {}
        }
    }
}

/// Whether the parenthesis at `at` begins the fields of a type: `STRUCT (name type`.
fn is_type(tokens: &[TokenWithSpan], at: usize) -> bool {
    let is_space = |token: &&TokenWithSpan| matches!(token.token, Token::Whitespace(_));
    let before = tokens[..at].iter().rev().find(|token| !is_space(token));
    let is_struct = |token: &TokenWithSpan| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::STRUCT);
    if !before.is_some_and(is_struct) {
        return false;
    }
    let mut within = tokens[at + 1..].iter().filter(|token| !is_space(token));
    let (Some(name), Some(data_type)) = (within.next(), within.next()) else {
        return false;
    };
    let (Token::Word(name), Token::Word(data_type)) = (&name.token, &data_type.token) else {
        return false;
    };
    // Two words in a call: `struct(x IS NULL)`, `struct(NOT x)`, `struct(x AS y)`, …
    const IN_EXPRESSIONS: [Keyword; 16] = [
        Keyword::AND,
        Keyword::AS,
        Keyword::AT,
        Keyword::BETWEEN,
        Keyword::CASE,
        Keyword::COLLATE,
        Keyword::DIV,
        Keyword::ILIKE,
        Keyword::IN,
        Keyword::IS,
        Keyword::LIKE,
        Keyword::NOT,
        Keyword::OR,
        Keyword::OVER,
        Keyword::SIMILAR,
        Keyword::SELECT,
    ];
    let is_operator = |keyword: &Keyword| IN_EXPRESSIONS.contains(keyword);
    !is_operator(&name.keyword) && !is_operator(&data_type.keyword)
}
