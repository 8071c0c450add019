//! A minimal parser for `INSERT INTO t (a, b) VALUES (1, 'x')`, because the general parser takes most of the time of
//! such a statement.
//!
//! This parser accepts only text that the general parser reads in the same way: one table by its bare name, columns by
//! their bare names, and values that are numbers, strings, NULL, TRUE, FALSE or DEFAULT. Any other text is left to the
//! general parser.

use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;

use super::insert::{Cell, Literals, Name, number};
use datafusion::common::ScalarValue;

/// The literals of such a statement; `None` for any other text. `lower_case` says whether unquoted names are
/// lowercased.
pub(crate) fn read(sql: &str, lower_case: bool) -> Option<Literals> {
    let mut text = Text {
        rest: sql,
        lower_case,
    };
    text.keyword("INSERT")?;
    text.keyword("INTO")?;
    let table = text.table()?;
    let mut columns = Vec::new();
    if text.symbol('(').is_some() {
        loop {
            columns.push(text.name()?);
            if text.symbol(',').is_none() {
                break;
            }
        }
        text.symbol(')')?;
    }
    text.keyword("VALUES")?;
    let mut cells = Vec::new();
    let mut rows = 0;
    let mut width = 0;
    loop {
        text.symbol('(')?;
        loop {
            cells.push(text.value()?);
            if text.symbol(',').is_none() {
                break;
            }
        }
        text.symbol(')')?;
        rows += 1;
        if rows == 1 {
            width = cells.len();
        }
        if cells.len() != rows * width {
            return None;
        }
        if text.symbol(',').is_none() {
            break;
        }
    }
    let _ = text.symbol(';');
    text.skip_space();
    text.rest.is_empty().then_some(Literals {
        table,
        columns,
        width,
        cells,
    })
}

struct Text<'a> {
    rest: &'a str,
    lower_case: bool,
}

impl<'a> Text<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn symbol(&mut self, symbol: char) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(symbol)?;
        Some(())
    }

    /// The next letters, digits and underscores, if they do not begin with a digit.
    fn word(&mut self) -> Option<&'a str> {
        self.skip_space();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        // The next character may belong to the name (`é`, `$`), or make the word the prefix of a string (`N'x'`).
        let ends = rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r', '(', ')', ',', ';']);
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) || !ends {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    fn keyword(&mut self, keyword: &str) -> Option<()> {
        self.word()?.eq_ignore_ascii_case(keyword).then_some(())
    }

    fn table(&mut self) -> Option<String> {
        self.skip_space();
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let word = self.word()?;
        let upper = word.to_ascii_uppercase();
        match ALL_KEYWORDS.binary_search(&upper.as_str()) {
            Ok(_) => None,
            Err(_) => Some(self.normalized(word)),
        }
    }

    fn name(&mut self) -> Option<Name> {
        self.skip_space();
        let is_quoted = self.rest.starts_with('"');
        let name = match is_quoted {
            true => self.quoted()?,
            false => {
                let word = self.word()?;
                self.normalized(word)
            }
        };
        Some(Name { name, is_quoted })
    }

    fn normalized(&self, word: &str) -> String {
        match self.lower_case {
            true => word.to_ascii_lowercase(),
            false => word.to_string(),
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let (name, rest) = self.rest.strip_prefix('"')?.split_once('"')?;
        if name.is_empty() || rest.starts_with('"') {
            return None;
        }
        self.rest = rest;
        Some(name.to_string())
    }

    /// A literal; `Some(None)` for DEFAULT.
    fn value(&mut self) -> Option<Option<Cell>> {
        self.skip_space();
        match self.rest.as_bytes().first()? {
            b'\'' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let word = self.word()?;
                let is = |keyword| word.eq_ignore_ascii_case(keyword);
                let known = |value| Some(Some(Cell::Value(value)));
                if is("NULL") {
                    known(ScalarValue::Null)
                } else if is("TRUE") {
                    known(ScalarValue::Boolean(Some(true)))
                } else if is("FALSE") {
                    known(ScalarValue::Boolean(Some(false)))
                } else if is("DEFAULT") {
                    Some(None)
                } else {
                    None
                }
            }
        }
    }

    fn string(&mut self) -> Option<Option<Cell>> {
        let inside = &self.rest[1..];
        let mut text = String::new();
        let mut from = 0;
        loop {
            let end = from + inside[from..].find('\'')?;
            text.push_str(&inside[from..end]);
            if !inside[end + 1..].starts_with('\'') {
                self.rest = &inside[end + 1..];
                break;
            }
            text.push('\'');
            from = end + 2;
        }
        if text.contains('\\') {
            return None;
        }
        Some(Some(Cell::Value(ScalarValue::Utf8(Some(text)))))
    }

    fn number(&mut self) -> Option<Option<Cell>> {
        let (negative, digits) = match self.rest.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, self.rest),
        };
        let end = digits.find([',', ')', ' ']).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at(end);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !(plain(whole) && plain(fraction)) {
            return None;
        }
        self.rest = rest;
        number(digits, negative).map(Some)
    }
}
