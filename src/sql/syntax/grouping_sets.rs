//! Works around the parser, which misreads keys of ROLLUP, CUBE and GROUPING SETS that begin with a parenthesis:
//! `ROLLUP ((a)[2])`.
//!
//! The parser reads each key of ROLLUP, CUBE and GROUPING SETS that begins with a parenthesis as a list of keys, so
//! the whole key is enclosed in another pair of parentheses. sqlparser's `Display` omits the parentheses around a
//! single key, so the stored text of a view needs the same fix.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Encloses such keys in parentheses.
pub(super) fn enclose(tokens: &mut Vec<TokenWithSpan>) {
    let mut inserted = Vec::new();
    for at in 0..tokens.len() {
        if tokens[at].token == Token::LParen && begins_sets(&tokens[..at]) {
            enclose_keys(tokens, at, &mut inserted);
        }
    }
    // From the last to the first, so that the remaining positions stay valid.
    inserted.sort_by_key(|(place, _)| *place);
    for (place, token) in inserted.iter().rev() {
        let span = tokens[*place].span;
        let token = TokenWithSpan::new(token.clone(), span);
        tokens.insert(*place, token);
    }
}

fn is_space(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// Whether the tokens before a parenthesis end with ROLLUP, CUBE or GROUPING SETS.
fn begins_sets(before: &[TokenWithSpan]) -> bool {
    let mut words = before.iter().rev().filter(|token| !is_space(token));
    let mut keyword = || match &words.next()?.token {
        Token::Word(word) => Some(word.keyword),
        _ => None,
    };
    match keyword() {
        Some(Keyword::ROLLUP | Keyword::CUBE) => true,
        Some(Keyword::SETS) => keyword() == Some(Keyword::GROUPING),
        _ => false,
    }
}

/// Records where to insert parentheses in the list that begins at `open`.
fn enclose_keys(tokens: &[TokenWithSpan], open: usize, inserted: &mut Vec<(usize, Token)>) {
    let mut depth = 0;
    let mut key = None;
    // The position that closes the parenthesis at the key's start.
    let mut closed = None;
    // The position after the key's last token.
    let mut end = open + 1;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        let is_end = depth == 1 && matches!(token.token, Token::Comma | Token::RParen);
        if is_end {
            if let (Some(key), Some(closed)) = (key, closed)
                && closed + 1 != end
            {
                inserted.extend([(key, Token::LParen), (end, Token::RParen)]);
            }
            (key, closed) = (None, None);
        } else if depth > 0 && !is_space(token) {
            key = key.or(Some(at));
            end = at + 1;
        }
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
        let begins = key.is_some_and(|key| tokens[key].token == Token::LParen);
        if depth == 1 && begins && closed.is_none() && token.token == Token::RParen {
            closed = Some(at);
        }
    }
}
