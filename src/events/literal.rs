//! PostgreSQL's text form of arrays, `{1,NULL,"a b"}`, as JSON.

use arrow::datatypes::DataType;

/// The array literal as JSON for a list of this type; `None` if it is none.
pub(super) fn to_json(text: &str, list: &DataType) -> Option<String> {
    let mut reader = Reader {
        rest: text.trim(),
        json: String::with_capacity(text.len() + 16),
    };
    // An array whose bounds do not begin at 1 has them before it: [0:1]={1,2}.
    if reader.rest.starts_with('[') {
        reader.rest = reader.rest.split_once("]=")?.1;
    }
    reader.array(list)?;
    reader.rest.is_empty().then_some(reader.json)
}

struct Reader<'a> {
    rest: &'a str,
    json: String,
}

impl Reader<'_> {
    fn take(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// One array; those in it have one dimension less, and the depth of the type bounds that of the recursion.
    fn array(&mut self, list: &DataType) -> Option<()> {
        let (DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)) =
            list
        else {
            return None;
        };
        if !self.take('{') {
            return None;
        }
        self.json.push('[');
        if !self.take('}') {
            loop {
                match self.rest.starts_with('{') {
                    true => self.array(item.data_type())?,
                    false => self.item(item.data_type())?,
                }
                if self.take('}') {
                    break;
                }
                if !self.take(',') {
                    return None;
                }
                self.json.push(',');
            }
        }
        self.json.push(']');
        Some(())
    }

    fn item(&mut self, of: &DataType) -> Option<()> {
        if self.take('"') {
            let mut text = String::new();
            let mut signs = self.rest.char_indices();
            loop {
                match signs.next()? {
                    (at, '"') => {
                        self.rest = &self.rest[at + 1..];
                        break;
                    }
                    (_, '\\') => text.push(signs.next()?.1),
                    (_, sign) => text.push(sign),
                }
            }
            self.push(&text);
            return Some(());
        }
        let (text, rest) = self.rest.split_at(self.rest.find([',', '}'])?);
        self.rest = rest;
        match text {
            "" => return None,
            _ if text.eq_ignore_ascii_case("null") => self.json.push_str("null"),
            "t" | "f" if *of == DataType::Boolean => {
                self.json
                    .push_str(if text == "t" { "true" } else { "false" });
            }
            _ => self.push(text),
        }
        Some(())
    }

    fn push(&mut self, text: &str) {
        self.json
            .push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    fn list(of: DataType) -> DataType {
        DataType::List(Field::new("item", of, true).into())
    }

    #[test]
    fn arrays_become_lists() {
        let texts = list(DataType::Utf8);
        let of = |text| to_json(text, &texts);
        assert_eq!(of("{}").as_deref(), Some("[]"));
        assert_eq!(
            of(r#"{a,NULL,"b, \"c\\"}"#).as_deref(),
            Some(r#"["a",null,"b, \"c\\"]"#)
        );
        assert_eq!(of(r#"{"NULL"}"#).as_deref(), Some(r#"["NULL"]"#));
        assert_eq!(of("[0:1]={x,y}").as_deref(), Some(r#"["x","y"]"#));
        let flags = list(list(DataType::Boolean));
        assert_eq!(
            to_json("{{t,f},{f,t}}", &flags).as_deref(),
            Some("[[true,false],[false,true]]")
        );
        for wrong in [
            "", "{", "{a", "{a,}", "{,a}", "{a}b", "{\"a}", "{{a}}", "a", "[1]={",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
