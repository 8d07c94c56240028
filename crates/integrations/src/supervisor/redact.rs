//! Finding secrets in lines.

use aho_corasick::{AhoCorasick, BuildError};

use super::Spec;

const MASK: &[u8] = b"***";

/// Replaces secrets by `***`.
pub(super) struct Redactor {
    finder: Option<AhoCorasick>,
    longest: usize,
}

impl Redactor {
    pub fn new(secrets: &[String]) -> Result<Self, BuildError> {
        let mut patterns: Vec<String> = secrets
            .iter()
            // Output is judged line by line, so each line of a key file is a secret of its own.
            .flat_map(|secret| secret.lines())
            .filter(|line| line.trim().len() >= Spec::SHORTEST_REDACTION)
            .flat_map(|line| [line.to_owned(), in_json(line), in_ascii_json(line)])
            .collect();
        patterns.sort_unstable();
        patterns.dedup();
        let longest = patterns.iter().map(String::len).max().unwrap_or(0);
        let finder = if patterns.is_empty() {
            None
        } else {
            Some(AhoCorasick::new(&patterns)?)
        };
        Ok(Self { finder, longest })
    }

    /// A secret that is not in the text whole can only begin in its last `overhang` bytes.
    pub fn overhang(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// Where secrets are, as ranges in order that neither touch nor overlap.
    pub fn find(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let Some(finder) = &self.finder else {
            return Vec::new();
        };
        let mut found: Vec<_> = finder
            .find_overlapping_iter(text)
            .map(|hit| (hit.start(), hit.end()))
            .collect();
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
mod tests {
    use super::*;

    fn redacted(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<_> = secrets.iter().map(ToString::to_string).collect();
        let mut out = Vec::new();
        Redactor::new(&secrets)
            .unwrap()
            .append(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn masks_secrets_however_they_are_written() {
        for (secrets, text, expected) in [
            (&["hunter2!"][..], "a hunter2! b hunter2!", "a *** b ***"),
            (&["abcdef", "defghi"], "xabcdefghix", "x***x"),
            (&["pass", "password"], "password", "***"),
            (&["say \"hi\""], r#"{"m":"say \"hi\""}"#, r#"{"m":"***"}"#),
            (
                &["schlüssel🔑"],
                r#"{"m":"schl\u00fcssel\ud83d\udd11"}"#,
                r#"{"m":"***"}"#,
            ),
            (&["BEGIN\nline-one\nline-two"], "x line-two y", "x *** y"),
            (&["a", ""], "a banana", "a banana"),
            (&[], "plain", "plain"),
        ] {
            assert_eq!(redacted(secrets, text), expected, "{secrets:?} in {text}");
        }
    }
}
