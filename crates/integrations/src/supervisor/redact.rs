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
mod tests {
    use super::*;

    fn redacted(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<_> = secrets.iter().map(ToString::to_string).collect();
        let mut out = Vec::new();
        Redactor::new(&secrets, &OutputRules::default())
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

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        for (text, expected) in [
            (
                "Authorization: Bearer abc.DEF-123_~+/=",
                "Authorization: Bearer ***",
            ),
            (
                "authorization: basic dXNlcjpwYXNz, next",
                "authorization: basic ***, next",
            ),
            (
                r#"curl -H "Authorization: token hello" x"#,
                r#"curl -H "Authorization: token ***" x"#,
            ),
            ("sent Bearer 0123456789abcdef0123", "sent Bearer ***"),
            ("password=hunter2", "password=***"),
            ("DB_PASSWORD=hunter2 next", "DB_PASSWORD=*** next"),
            ("password: hunter2", "password: ***"),
            ("Password : 'two words' next", "Password : '***' next"),
            ("mysql --password hunter2 -e x", "mysql --password *** -e x"),
            (
                "postgres://app:s3cret@db:5432/app",
                "postgres://app:***@db:5432/app",
            ),
            (
                "git clone https://user:pa%20ss@host/x",
                "git clone https://user:***@host/x",
            ),
            ("AKIAIOSFODNN7EXAMPLE", "***"),
            (
                "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
                "aws_secret_access_key = ***",
            ),
            ("x xoxb-123456789012-abcdefABCDEF y", "x *** y"),
            (
                "https://hooks.slack.com/services/T0/B0/XyZ ok",
                "https://hooks.slack.com/services/*** ok",
            ),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "***"),
            ("github_pat_11AAAAAAA0aaaaaaaaaaaa_bbbb", "***"),
            (
                "DD_API_KEY=0123456789abcdef0123456789abcdef",
                "DD_API_KEY=***",
            ),
            (
                "api_key: \"0123456789abcdef0123456789abcdef\"",
                "api_key: \"***\"",
            ),
            (
                "app_key=0123456789abcdef0123456789abcdef01234567",
                "app_key=***",
            ),
            (
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end",
                "*** end",
            ),
            (
                "key: -----BEGIN RSA PRIVATE KEY----- MIIE+/= -----END RSA PRIVATE KEY----- end",
                "key: *** end",
            ),
            (
                "Server=db;Pwd=hunter2;Encrypt=no",
                "Server=db;Pwd=***;Encrypt=no",
            ),
            ("Passphrase: hunter2", "Passphrase: ***"),
            ("AccountKey=abcdefgh0123456789==;x", "AccountKey=***;x"),
            ("signingKey: 0123456789abcdef0123", "signingKey: ***"),
            ("password=password=hunter2 end", "password=*** end"),
            // As JSON, and as JSON within JSON.
            (
                r#"{"m":"password=a\"b","n":1}"#,
                r#"{"m":"password=***\"b","n":1}"#,
            ),
            (
                r#"{"password":"a\"b c","n":1}"#,
                r#"{"password":"***","n":1}"#,
            ),
            (
                r#"{"m":"{\"password\": \"a b\", \"n\": 1}"}"#,
                r#"{"m":"{\"password\": \"***\", \"n\": 1}"}"#,
            ),
            (
                r#"{"m":"password: hunter2\nnext"}"#,
                r#"{"m":"password: ***\nnext"}"#,
            ),
            (
                r#"{"m":"'password': 'it is', 'n'"}"#,
                r#"{"m":"'password': '***', 'n'"}"#,
            ),
            (r#"{"m":"password='open"}"#, r#"{"m":"password='***"}"#),
            (
                r#"{"m":"-----BEGIN PRIVATE KEY-----\nMIIE\nabc=\n-----END PRIVATE KEY-----\n"}"#,
                r#"{"m":"***\n"}"#,
            ),
            (
                r#"{"m":"-----BEGIN PRIVATE KEY-----\nMIIEcut"}"#,
                r#"{"m":"***"}"#,
            ),
        ] {
            assert_eq!(redacted(&[], text), expected);
            if text.starts_with('{') {
                serde_json::from_str::<IgnoredAny>(&redacted(&[], text)).unwrap();
            }
        }
    }

    #[test]
    fn a_private_key_is_masked_in_colours_in_a_diff_and_in_an_event() {
        let shipped = Redactor::new(&[], &OutputRules::default()).unwrap();
        let key = [
            "-----BEGIN PRIVATE KEY-----",
            "MIIEabc+/=",
            "c2VjcmV0",
            "-----END PRIVATE KEY-----",
        ];
        for (before, after) in [
            ("", ""),
            ("    ", ""),
            ("+", ""),
            ("-", ""),
            ("\u{1b}[0;31m-    ", "\u{1b}[0m"),
            ("\u{1b}[32m+", "\u{1b}[m"),
        ] {
            let (mut out, mut block) = (Vec::new(), KeyBlock::default());
            for line in key.iter().chain(&["ok: [web-1]"]) {
                let line = format!("{before}{line}{after}\n");
                shipped.append_line(line.as_bytes(), &mut block, &mut out);
            }
            let out = String::from_utf8(out).unwrap();
            assert!(!out.contains("MIIE") && !out.contains("c2Vj"), "{out}");
            assert!(out.contains("ok: [web-1]"), "{out}");
        }
        let rules = OutputRules {
            patterns: vec!["[a-z]{1,9}-needle".to_owned()],
            ..OutputRules::default()
        };
        let own = Redactor::new(&[], &rules).unwrap();
        let event = serde_json::json!({ "m": format!("a-needle\n{}\nend", key.join("\n")) });
        let mut out = Vec::new();
        own.append_json(format!("{event}\n").as_bytes(), &mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("MIIE") && !out.contains("c2Vj"), "{out}");
        assert!(out.contains("end"), "{out}");
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "TASK [datadog_agent : Ask for the password] ****",
            "ok: [web-1] => (item=token)",
            "Enter password:",
            "password: required",
            "password: {{ vault_password }}",
            "update_password: on_create",
            "password: must be longer than eight letters",
            "the password is wrong; the token: expired",
            "\"no_log\": true, \"password\": null",
            "secret: some-name",
            "token_count=12 tokens: 7",
            "api_key: see the vault",
            "Authorization: required",
            "the bearer of good news and bearer authentication",
            "primary_key: id, foreign_key: user_id",
            "ssh-keygen -t ed25519; known key: 7",
            "see https://docs.example.com:8443/a@b and http://127.0.0.1:80",
            "user@host: ok",
            "-----BEGIN CERTIFICATE-----",
            "https://hooks.slack.com/",
            "commit 0123456789abcdef0123456789abcdef01234567",
            "sha256:0123456789abcdef0123456789abcdef",
            "keyboard, monkey, turkey: 12345678901234567890",
            "{\"seq\":1,\"t\":1700000000000,\"kind\":\"task\",\"task\":\"Rotate keys\",\"task_id\":\"0242-ac11\"}",
            "if password == \"\": pass",
        ] {
            assert_eq!(redacted(&[], text), text);
        }
    }

    #[test]
    fn shapes_are_left_alone_only_when_that_is_said() {
        let rules = OutputRules {
            well_known: false,
            ..OutputRules::default()
        };
        let mut out = Vec::new();
        Redactor::new(&["known".to_owned()], &rules)
            .unwrap()
            .append(b"password=hunter2 known", &mut out);
        assert_eq!(out, b"password=hunter2 ***");
    }

    #[test]
    fn patterns_of_the_installation_mask_and_json_stays_json() {
        let rules = OutputRules {
            patterns: vec![
                "acme-[0-9]{4,8}".to_owned(),
                r#"(?i)cut.{0,20}end"#.to_owned(),
                "17".to_owned(),
            ],
            ..OutputRules::default()
        };
        rules.check().unwrap();
        let redactor = Redactor::new(&[], &rules).unwrap();
        for (line, expected) in [
            ("{\"m\":\"acme-12345\"}\n", "{\"m\":\"***\"}\n"),
            (
                "{\"m\":\"cut\",\"n\":\"end\"}\n",
                "{\"m\":\"cut\",\"n\":\"end\"}\n",
            ),
            (
                "{\"m\":\"Cut \\\"it\\\" end\",\"t\":1700}\n",
                "{\"m\":\"***\",\"t\":1700}\n",
            ),
        ] {
            let mut out = Vec::new();
            redactor.append_json(line.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_named() {
        for (text, why) in [
            ("a[", "no regular expression"),
            ("a.*", "without end"),
            ("a{1,2000}", "without end"),
            ("a{0,3}", "nothing at all"),
            (r"\d{3}\w", ""),
            ("^acme$", ""),
        ] {
            let rules = OutputRules {
                patterns: vec![text.to_owned()],
                ..OutputRules::default()
            };
            let told = rules
                .check()
                .map_or_else(|error| error.to_string(), |()| String::new());
            assert!(
                told.contains(why) && told.is_empty() == why.is_empty(),
                "{text}: {told}"
            );
            assert!(
                told.is_empty() || told.contains(text) && !told.contains('\n'),
                "{told}"
            );
        }
    }
}
