//! The records whose result differs from DataFusion's, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// A file and a line number.
type Place = (String, u32);

/// The reasons that apply only in a durable database, and only in a page.
pub const DURABLE: &str = "vortex";
pub const PAGE: &str = "page";

pub struct Differences {
    /// The reason (of `DURABLE` and `PAGE`) that applies to this run.
    here: Option<&'static str>,
    /// The explanation of each reason word.
    reasons: BTreeMap<String, String>,
    known: BTreeMap<Place, String>,
}

impl Differences {
    /// Reads lines `= WORD: explanation` and `FILE:LINE WORD`.
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

    /// Whether records with this reason differ in a run like this one.
    fn holds(&self, word: &str) -> bool {
        ![DURABLE, PAGE].contains(&word) || self.here == Some(word)
    }

    /// The errors in the list: records that differ and are not listed, listed records that do not differ (where all
    /// records were run), reason words without an explanation.
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

    /// Replaces the list's records for these files with `found`.
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
