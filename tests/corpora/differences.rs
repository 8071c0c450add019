//! The records that do not come out as in DataFusion, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// A file, and a line of it.
type Place = (String, u32);

/// The reasons of those that differ in a durable database alone, and of those that do in a page.
pub const DURABLE: &str = "vortex";
pub const PAGE: &str = "page";

pub struct Differences {
    /// Which of these reasons holds.
    here: Option<&'static str>,
    /// What the words say that stand for a reason.
    reasons: BTreeMap<String, String>,
    known: BTreeMap<Place, String>,
}

impl Differences {
    /// Lines `= WORD: what it says` and `FILE:LINE WORD`.
    pub fn read(path: &Path, here: Option<&'static str>) -> Self {
        let (mut reasons, mut known) = (BTreeMap::new(), BTreeMap::new());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Some(reason) = line.strip_prefix("= ") {
                let (word, says) = reason
                    .split_once(": ")
                    .unwrap_or_else(|| panic!("{line}: = WORD: what it says"));
                reasons.insert(word.to_string(), says.to_string());
                continue;
            }
            let parts = line.rsplit_once(' ').and_then(|(place, word)| {
                let (file, number) = place.rsplit_once(':')?;
                Some(((file.to_string(), number.parse().ok()?), word.to_string()))
            });
            let (place, word) = parts.unwrap_or_else(|| panic!("{line}: FILE:LINE WORD"));
            known.insert(place, word);
        }
        Self {
            here,
            reasons,
            known,
        }
    }

    /// Whether records with a reason do not come out as there in such a database.
    fn holds(&self, word: &str) -> bool {
        ![DURABLE, PAGE].contains(&word) || self.here == Some(word)
    }

    /// What is wrong with the list: records that differ and are not in it, that are in it and do not (where all were
    /// run), reasons that nobody gave.
    pub fn compare<'a>(
        &self,
        found: impl Iterator<Item = (&'a str, &'a BTreeMap<u32, String>)>,
        all_were_run: bool,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for (file, differ) in found {
            for (line, text) in differ {
                let known = self.known.get(&(file.to_string(), *line));
                match known.filter(|word| self.holds(word)) {
                    None => wrong.push(format!("{file}:{line} differs: {text}")),
                    Some(word) if !self.reasons.contains_key(word) => {
                        wrong.push(format!("{file}:{line} has no reason, but '{word}': {text}"));
                    }
                    Some(_) => {}
                }
            }
            let listed = self.known.iter();
            let listed = listed.filter(|((known, _), word)| {
                let has_run = all_were_run || self.here == Some(word.as_str());
                has_run && known == file && self.holds(word)
            });
            for ((_, line), word) in listed.filter(|((_, line), _)| !differ.contains_key(line)) {
                wrong.push(format!(
                    "{file}:{line} is listed ({word}) and does not differ"
                ));
            }
        }
        wrong
    }

    /// Makes the list what was found in these files.
    pub fn update(&mut self, found: &BTreeMap<String, BTreeSet<u32>>) {
        let mut known = std::mem::take(&mut self.known);
        known.retain(|(file, line), word| {
            found.get(file).is_none_or(|lines| lines.contains(line)) || !self.holds(word)
        });
        self.known = known;
        for (file, lines) in found {
            for line in lines {
                self.known
                    .entry((file.clone(), *line))
                    .or_insert_with(|| "?".to_string());
            }
        }
    }

    pub fn write(&self, path: &Path) {
        let mut text = String::from(
            "# Records of DataFusion's tests that do not come out here as there, each with the word for its reason.\n\n",
        );
        for (word, says) in &self.reasons {
            let _ = writeln!(text, "= {word}: {says}");
        }
        text.push('\n');
        for ((file, line), word) in &self.known {
            let _ = writeln!(text, "{file}:{line} {word}");
        }
        std::fs::write(path, text).unwrap();
    }
}
