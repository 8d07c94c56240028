//! Finding secrets in lines: known ones, those that look like one, and what the installation says.

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use serde::de::IgnoredAny;

use super::{
    Spec,
    shapes::{self, Hit, KeyBlock, LONGEST_HEAD, Shapes},
    spec::OutputRules,
};

const MASK: &[u8] = b"***";

/// Replaces secrets by `***`.
pub(super) struct Redactor {
    /// Known secrets: the next one quickly, and all of them.
    next: Option<AhoCorasick>,
    finder: Option<AhoCorasick>,
    shapes: Option<Shapes>,
    patterns: Vec<Regex>,
    /// A secret that is not in a text whole can only begin in its last so many bytes.
    overhang: usize,
}

/// Why a pattern of the installation cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("“{pattern}” is no regular expression: {why}. Correct it.")]
    Unreadable { pattern: String, why: String },
    #[error(
        "“{pattern}” may match without end, and then a secret could be cut in two. Write how often at most, such as {{1,200}} in place of + or *; at most {} bytes in all.",
        OutputRules::LONGEST_MATCH
    )]
    Endless { pattern: String },
    #[error("“{pattern}” matches nothing at all between any two letters. Say what it has to find.")]
    Empty { pattern: String },
}

/// Reads a pattern of the installation. Its letters are bytes, and `^` and `$` stand for the ends of a line.
pub(super) fn pattern(text: &str) -> Result<Regex, PatternError> {
    let unreadable = |why: &dyn ToString| PatternError::Unreadable {
        pattern: text.to_owned(),
        why: last_line(&why.to_string()),
    };
    let shape = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .build()
        .parse(text)
        .map_err(|why| unreadable(&why))?;
    let pattern = text.to_owned();
    match shape.properties().maximum_len() {
        Some(longest) if longest <= OutputRules::LONGEST_MATCH => {}
        _ => return Err(PatternError::Endless { pattern }),
    }
    if shape.properties().minimum_len() == Some(0) {
        return Err(PatternError::Empty { pattern });
    }
    RegexBuilder::new(text)
        .unicode(false)
        .multi_line(true)
        .build()
        .map_err(|why| unreadable(&why))
}

fn last_line(text: &str) -> String {
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// A text without these secrets, line by line, and without what looks like one.
pub(crate) fn masked<'a>(secrets: impl Iterator<Item = &'a str>, text: &str) -> String {
    let secrets: Vec<String> = secrets.map(str::to_owned).collect();
    let Ok(redactor) = Redactor::new(&secrets, &OutputRules::default()) else {
        // Fails closed; the rules are our own, and tests read them.
        return "***".to_owned();
    };
    let mut out = Vec::new();
    redactor.append(text.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

impl Redactor {
    pub fn new(secrets: &[String], rules: &OutputRules) -> Result<Self, String> {
        let mut known: Vec<String> = secrets
            .iter()
            // Output is judged line by line, so each line of a key file is a secret of its own.
            .flat_map(|secret| secret.lines())
            .filter(|line| line.trim().len() >= Spec::SHORTEST_REDACTION)
            .flat_map(|line| [line.to_owned(), in_json(line), in_ascii_json(line)])
            .collect();
        known.sort_unstable();
        known.dedup();
        let longest = known.iter().map(String::len).max().unwrap_or(0);
        let (next, finder) = if known.is_empty() {
            (None, None)
        } else {
            let finder = AhoCorasick::new(&known).map_err(|error| error.to_string())?;
            (Some(shapes::quick(&known)?), Some(finder))
        };
        let shapes = rules.well_known.then(Shapes::new).transpose()?;
        let patterns: Vec<Regex> = rules
            .patterns
            .iter()
            .map(|text| pattern(text).map_err(|error| error.to_string()))
            .collect::<Result<_, _>>()?;
        let overhang = [
            longest.saturating_sub(1),
            shapes.as_ref().map_or(0, |_| LONGEST_HEAD),
            if patterns.is_empty() {
                0
            } else {
                OutputRules::LONGEST_MATCH
            },
        ];
        Ok(Self {
            next,
            finder,
            shapes,
            patterns,
            overhang: overhang.into_iter().max().unwrap_or(0),
        })
    }

    fn hits(&self, text: &[u8]) -> Vec<Hit> {
        let mut found = Vec::new();
        let hit = |start, end| Hit {
            head: start,
            start,
            end,
        };
        if let Some(finder) = &self.finder {
            let hits = finder.find_overlapping_iter(text);
            found.extend(hits.map(|found| hit(found.start(), found.end())));
        }
        if let Some(shapes) = &self.shapes {
            shapes.find(text, &mut found);
        }
        for pattern in &self.patterns {
            let hits = pattern.find_iter(text);
            found.extend(hits.map(|found| hit(found.start(), found.end())));
        }
        found
    }

    /// Where secrets are, as ranges in order that neither touch nor overlap.
    fn find(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let hits = self.hits(text).into_iter();
        let mut found: Vec<_> = hits.map(|hit| (hit.start, hit.end)).collect();
        found.sort_unstable();
        found.dedup_by(|next, earlier| {
            let joined = next.0 <= earlier.1;
            if joined {
                earlier.1 = earlier.1.max(next.1);
            }
            joined
        });
        found
    }

    /// Where a text that goes on may be cut without cutting a secret, or what tells of one: at most at its last `overhang`
    /// bytes. One that fills all of it is cut.
    pub fn cut(&self, text: &[u8]) -> usize {
        let cut = text.len().saturating_sub(self.overhang);
        let mut hits = self.hits(text);
        hits.sort_unstable_by_key(|hit| (hit.head, hit.end));
        let mut across = None;
        for hit in hits {
            across = match across {
                Some((head, end)) if hit.head < end => Some((head, hit.end.max(end))),
                Some((head, end)) if head < cut && cut < end => break,
                _ => Some((hit.head, hit.end)),
            };
        }
        match across {
            // What touches the end may go on in what is not read yet.
            Some((head, end)) if head < cut && cut < end && end == text.len() && head > 0 => head,
            Some((head, end)) if head < cut && cut < end => end,
            _ => cut,
        }
    }

    /// The places of a text where a secret may be, to be asked for from its start to its end.
    pub fn suspects<'a>(&'a self, text: &'a [u8]) -> Suspects<'a> {
        Suspects {
            redactor: self,
            text,
            next: [Some(0); 3],
            at: 0,
        }
    }

    /// Appends `text` to `out` with every secret masked.
    pub fn append(&self, text: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        for (start, end) in self.find(text) {
            out.extend_from_slice(&text[done..start]);
            out.extend_from_slice(MASK);
            done = end;
        }
        out.extend_from_slice(&text[done..]);
    }

    /// Appends a line for people, which may be in the middle of a private key.
    pub fn append_line(&self, line: &[u8], key: &mut KeyBlock, out: &mut Vec<u8>) {
        if self.shapes.is_some() && key.holds(line) {
            out.extend_from_slice(MASK);
            if line.ends_with(b"\n") {
                out.push(b'\n');
            }
        } else {
            self.append(line, out);
        }
    }

    /// Appends a line of JSON, which stays one: where a pattern may reach beyond a text in it, each text is masked alone.
    pub fn append_json(&self, line: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        self.append(line, out);
        if out[before..] == *line {
            return;
        }
        let reaches = self.patterns.iter().any(|pattern| pattern.is_match(line));
        if (reaches || serde_json::from_slice::<IgnoredAny>(&out[before..]).is_err())
            && let Ok(mut event) = serde_json::from_slice(line)
        {
            out.truncate(before);
            self.mask(&mut event);
            out.extend_from_slice(event.to_string().as_bytes());
            out.push(b'\n');
        }
    }

    fn mask(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                let (mut masked, mut key) = (Vec::new(), KeyBlock::default());
                for line in text.as_bytes().split_inclusive(|byte| *byte == b'\n') {
                    self.append_line(line, &mut key, &mut masked);
                }
                *text = String::from_utf8_lossy(&masked).into_owned();
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            serde_json::Value::Object(fields) => {
                fields.values_mut().for_each(|item| self.mask(item));
            }
            _ => {}
        }
    }
}
/// Looks ahead in a text for each kind of secret, and never twice over the same stretch.
pub(super) struct Suspects<'a> {
    redactor: &'a Redactor,
    text: &'a [u8],
    /// Where the next of each kind is, as far as was looked; `None` when there is none any more.
    next: [Option<usize>; 3],
    /// Up to where every kind was looked for.
    at: usize,
}

impl Suspects<'_> {
    /// The first place at or behind `at` where a secret may be.
    pub fn from(&mut self, at: usize) -> Option<usize> {
        let (redactor, text) = (self.redactor, self.text);
        let first = self.at == 0 && at == 0;
        for (kind, next) in self.next.iter_mut().enumerate() {
            if !first && next.is_none_or(|next| next >= at) {
                continue;
            }
            *next = match kind {
                0 => {
                    let known = redactor.next.as_ref();
                    known.and_then(|finder| shapes::next(finder, text, at))
                }
                1 => {
                    let shapes = redactor.shapes.as_ref();
                    shapes.and_then(|shapes| shapes.next(text, at))
                }
                _ => {
                    let patterns = redactor.patterns.iter();
                    patterns
                        .filter_map(|pattern| Some(pattern.find_at(text, at)?.start()))
                        .min()
                }
            };
        }
        self.at = at.max(1);
        self.next.into_iter().flatten().min()
    }
}

/// As it stands inside a JSON string.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As it stands inside a JSON string of a writer that keeps to ASCII, such as Python's.
fn in_ascii_json(text: &str) -> String {
    let mut out = String::new();
    for letter in in_json(text).chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
