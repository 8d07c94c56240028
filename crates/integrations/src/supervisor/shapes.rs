//! Secrets known by how they look: what stands behind `password=`, keys of clouds and services, private keys.
//!
//! A regular expression finds the bounded *head* of each; how far the secret goes from there is a rule of its own, so that
//! a long one is masked to its end and a text in JSON stays JSON.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

/// No head is longer.
pub(super) const LONGEST_HEAD: usize = 512;

struct Shape {
    /// Letters without which it cannot be there, as they are commonly written.
    hints: &'static [&'static str],
    head: &'static str,
    rest: Rest,
}

impl Shape {
    pub fn compiled(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(self.head)
            .case_insensitive(true)
            .unicode(false)
            .build()
    }
}

/// How far a secret goes behind its head, and what it has to look like.
#[derive(Clone, Copy)]
enum Rest {
    /// The head is all of it: everything from its group `s` on.
    Head,
    /// To the end of the word or of the quotes, whatever it is; but not what only says that there is something.
    Value,
    /// As `Value`, but only what looks drawn at random: long, with digits.
    Drawn,
    /// To the end of a block of base64.
    Key,
}

const SHAPES: &[Shape] = &[
    Shape {
        hints: &[
            "assw",
            "ASSW",
            "assphrase",
            "ASSPHRASE",
            "pwd",
            "Pwd",
            "PWD",
        ],
        head: r#"(?:password|passwd|passwort|passphrase|pwd)(?:\\{0,3}["'])?[ \t]{0,3}(?:[:=]|=>)[ \t]{0,3}(?:\\{0,3}["'])?"#,
        rest: Rest::Value,
    },
    Shape {
        hints: &["--pass", "--PASS"],
        head: r#"--(?:password|passphrase)[ \t]{1,3}(?:\\{0,3}["'])?"#,
        rest: Rest::Value,
    },
    Shape {
        hints: &[
            "ecret", "ECRET", "oken", "OKEN", "_key", "_KEY", "-key", "-KEY", "Key", "apikey",
            "APIKEY",
        ],
        head: r#"(?:secret|token|(?:api|app|application|access|account|auth|encryption|signing|service)[_-]?key)(?:[_-]?(?:id|key|value))?(?:\\{0,3}["'])?[ \t]{0,3}(?:[:=]|=>)[ \t]{0,3}(?:\\{0,3}["'])?"#,
        rest: Rest::Drawn,
    },
    Shape {
        hints: &["uthorization", "UTHORIZATION"],
        head: r#"authorization(?:\\{0,3}["'])?[ \t]{0,3}[:=][ \t]{0,3}(?:\\{0,3}["'])?(?:bearer|basic|token|apikey|digest|negotiate)[ \t]{1,3}"#,
        rest: Rest::Value,
    },
    Shape {
        hints: &["uthorization", "UTHORIZATION", "earer", "EARER"],
        head: r#"(?:authorization(?:\\{0,3}["'])?[ \t]{0,3}[:=][ \t]{0,3}(?:\\{0,3}["'])?|\bbearer[ \t]{1,3})"#,
        rest: Rest::Drawn,
    },
    Shape {
        hints: &["://"],
        head: r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'\\]{0,100}:(?P<s>[^\s/@"'\\]{1,300})@"#,
        rest: Rest::Head,
    },
    Shape {
        hints: &["AKIA", "ASIA", "AGPA", "AIDA", "AROA", "ANPA"],
        head: r"(?-i)\b(?P<s>(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16})\b",
        rest: Rest::Head,
    },
    Shape {
        hints: &["xox", "xapp-", "hooks.slack.com"],
        head: r"(?-i)(?:\b(?P<s>(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250})|hooks\.slack\.com/(?:services|workflows)/)",
        rest: Rest::Value,
    },
    Shape {
        hints: &[
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
        ],
        head: r"(?-i)\b(?P<s>gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,100})",
        rest: Rest::Head,
    },
    Shape {
        hints: &["ddapp_", "ddpat_", "ddsat_", "slp_", "sk_live_", "AIza"],
        head: r"(?-i)\b(?P<s>dd(?:app|pat|sat)_[A-Za-z0-9_]{30,100}|slp_[A-Za-z0-9_-]{20,100}|sk_live_[A-Za-z0-9]{20,200}|AIza[A-Za-z0-9_-]{35})",
        rest: Rest::Head,
    },
    Shape {
        hints: &["eyJ"],
        head: r"(?-i)\b(?P<s>eyJ)[A-Za-z0-9_-]{8,400}\.eyJ",
        rest: Rest::Value,
    },
    Shape {
        hints: &[BEGIN],
        head: r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
        rest: Rest::Key,
    },
];

const BEGIN: &str = "-----BEGIN ";
const END: &[u8] = b"-----END ";

/// What stands in place of a secret that is left out, or says that there is one.
const NO_SECRETS: &[&str] = &[
    "null",
    "none",
    "nil",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "omit",
    "undefined",
    "unset",
    "set",
    "empty",
    "required",
    "optional",
    "missing",
    "invalid",
    "expired",
    "incorrect",
    "wrong",
    "changed",
    "unchanged",
    "ok",
    "failed",
    "always",
    "on_create",
    "prompt",
    "hidden",
    "redacted",
    "masked",
    "<redacted>",
    "<hidden>",
    "***",
    "value_specified_in_no_log_parameter",
];

/// Where a secret is, and where begins what tells that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub head: usize,
    pub start: usize,
    pub end: usize,
}

/// Finds the next of some texts: by the vector instructions of the processor, which the other kinds of match go without.
pub(super) fn quick<T: AsRef<[u8]>>(texts: &[T]) -> Result<AhoCorasick, String> {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(texts)
        .map_err(|error| error.to_string())
}

pub(super) fn next(finder: &AhoCorasick, text: &[u8], at: usize) -> Option<usize> {
    finder
        .find(Input::new(text).range(at..))
        .map(|found| found.start())
}

/// The shapes, ready to look for.
pub(super) struct Shapes {
    /// Finds the next hint quickly, but not those within it.
    next: AhoCorasick,
    hints: AhoCorasick,
    /// For each hint the shape it belongs to.
    of_hint: Vec<usize>,
    /// Each compiled when one of its hints is seen: all of them would take longer than all else before a run begins.
    heads: [OnceLock<Option<Regex>>; SHAPES.len()],
}

impl Shapes {
    pub fn new() -> Result<Self, String> {
        let mut hints: Vec<&str> = Vec::new();
        let mut of_hint = Vec::new();
        for (number, shape) in SHAPES.iter().enumerate() {
            hints.extend(shape.hints);
            of_hint.extend(shape.hints.iter().map(|_| number));
        }
        Ok(Self {
            next: quick(&hints)?,
            hints: AhoCorasick::new(hints).map_err(|error| error.to_string())?,
            of_hint,
            heads: [const { OnceLock::new() }; SHAPES.len()],
        })
    }

    /// Where the next of them may be, at or behind `at`.
    pub fn next(&self, text: &[u8], at: usize) -> Option<usize> {
        next(&self.next, text, at)
    }

    /// Adds where they are.
    pub fn find(&self, text: &[u8], found: &mut Vec<Hit>) {
        let mut wanted = [false; SHAPES.len()];
        for hit in self.hints.find_overlapping_iter(text) {
            wanted[self.of_hint[hit.pattern().as_usize()]] = true;
        }
        let wanted = self.heads.iter().zip(SHAPES).zip(wanted);
        for ((head, shape), _) in wanted.filter(|(_, wanted)| *wanted) {
            let Some(head) = head.get_or_init(|| shape.compiled().ok()) else {
                // None of ours fails (a test compiles each); if one did, nothing that it might have found is let through.
                let end = text.len();
                found.push(Hit {
                    head: 0,
                    start: 0,
                    end,
                });
                continue;
            };
            let rest = shape.rest;
            let mut at = 0;
            // Where the value ends that was looked at last.
            let mut value = 0;
            while let Some(hit) = head.captures_at(text, at) {
                let Some(whole) = hit.get(0) else { break };
                at = whole.end();
                let secret = hit.name("s");
                let start = secret.map_or(whole.end(), |secret| secret.start());
                let end = match rest {
                    Rest::Head => secret.map_or(whole.end(), |secret| secret.end()),
                    // What begins in the middle of a word ends with it: nothing is read twice.
                    Rest::Value | Rest::Drawn if start < value && !is_quoted(text, start) => value,
                    Rest::Value | Rest::Drawn => value_end(text, start),
                    Rest::Key => {
                        let (head, end) = (whole.start(), key_end(text, whole.end()));
                        found.push(Hit {
                            head,
                            start: head,
                            end,
                        });
                        continue;
                    }
                };
                let secret = match rest {
                    Rest::Value => is_value(&text[start..end], text, end),
                    Rest::Drawn => is_drawn(&text[start..end]),
                    Rest::Head | Rest::Key => true,
                };
                value = end;
                if secret {
                    at = at.max(end);
                    let head = whole.start();
                    found.push(Hit { head, start, end });
                }
            }
        }
    }
}

fn is_quoted(text: &[u8], start: usize) -> bool {
    matches!(text[..start].last(), Some(b'"' | b'\''))
}

/// Where the value that starts at `start` ends: at the quote that opened it, or at the end of the word.
fn value_end(text: &[u8], start: usize) -> usize {
    let opened = text[..start]
        .last()
        .filter(|byte| matches!(byte, b'"' | b'\''));
    let slashes = |end: usize| {
        text[..end]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count()
    };
    // A quote within a quoted text has backslashes before it, and so has the one that ends it.
    let depth = opened.map_or(0, |_| slashes(start - 1));
    let mut at = start;
    while let Some(byte) = text.get(at) {
        match (byte, opened) {
            (b'\n' | b'\r', _) => break,
            (b'"' | b'\'', Some(quote)) if byte == quote && slashes(at) <= depth => {
                return at - slashes(at).min(at - start);
            }
            // Never beyond the JSON text it stands in.
            (b'"', _) if slashes(at) == 0 => break,
            (byte, None)
                if byte.is_ascii_whitespace()
                    || matches!(
                        byte,
                        b'"' | b'\'' | b'\\' | b',' | b';' | b'&' | b')' | b'}' | b']'
                    ) =>
            {
                break;
            }
            _ => at += 1,
        }
    }
    // No half of an escape sequence is left behind.
    at - (slashes(at) % 2).min(at - start)
}

/// Where the block of a private key ends whose head ends at `start`: behind its last line, or where the text is no key.
fn key_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = text.get(at) {
        if text[at..].starts_with(END) {
            let behind = &text[at + END.len()..];
            let dashes = behind.windows(5).take(60).position(|five| five == b"-----");
            return dashes.map_or(at, |found| at + END.len() + found + 5);
        }
        if let Some(next) = next_in_list(&text[at..]) {
            at += next;
            continue;
        }
        match byte {
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r' | b't' | b'\\')) => at += 2,
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'+'
            | b'/'
            | b'='
            | b' '
            | b'\t'
            | b':'
            | b','
            | b'-'
            | b'.' => at += 1,
            _ => break,
        }
    }
    at
}

/// Length of what stands between two texts of a JSON list, itself within a text or not: the lines of a key may be told as one.
fn next_in_list(text: &[u8]) -> Option<usize> {
    let quote = |at: usize| {
        // A text within a text within a text, and no deeper: more would be counted again and again where nothing else stands.
        let slashes = text[at..].iter().take(8);
        let slashes = slashes.take_while(|byte| **byte == b'\\').count();
        (text.get(at + slashes) == Some(&b'"')).then_some(at + slashes + 1)
    };
    let space = |mut at: usize| {
        loop {
            at += match text.get(at..) {
                Some([b' ' | b'\n' | b'\r' | b'\t', ..]) => 1,
                Some([b'\\', b'n' | b'r' | b't', ..]) => 2,
                _ => return at,
            };
        }
    };
    let comma = space(quote(0)?);
    (text.get(comma) == Some(&b',')).then_some(())?;
    quote(space(comma + 1))
}

/// Bytes of a value that tell what it is.
const TELLING: usize = 512;

fn is_value(value: &[u8], text: &[u8], end: usize) -> bool {
    if value.len() > TELLING {
        return true;
    }
    let Ok(value) = std::str::from_utf8(value) else {
        return true;
    };
    let value = value.trim();
    // Templates, and prose: `password: must be longer`.
    let named = NO_SECRETS
        .iter()
        .any(|word| word.eq_ignore_ascii_case(value));
    let prose = value.bytes().all(|byte| byte.is_ascii_alphabetic())
        && matches!(text.get(end..end + 2), Some([b' ', next]) if next.is_ascii_alphabetic());
    !(value.is_empty()
        || named
        || prose
        || value.starts_with("{{")
        || value.starts_with('=')
        || value.bytes().all(|byte| byte == b'*'))
}

fn is_drawn(value: &[u8]) -> bool {
    let value = &value[..value.len().min(TELLING)];
    value.len() >= 16
        && value.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2
        && value.iter().any(u8::is_ascii_alphabetic)
        && !value.starts_with(b"{{")
}

/// The line as it is read: Ansible puts colours around each.
fn without_colours(line: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let [b'[', inside @ ..] = rest {
            let ends = inside.iter().position(|byte| (0x40..=0x7e).contains(byte));
            rest = ends.map_or(&[], |end| &inside[end + 1..]);
        }
    }
    plain.extend_from_slice(rest);
    plain
}

/// Follows a private key that is printed over several lines.
#[derive(Default)]
pub(super) struct KeyBlock {
    /// Lines it may still have.
    left: u32,
}

impl KeyBlock {
    /// No key has more lines.
    const LONGEST: u32 = 300;

    pub const fn is_open(&self) -> bool {
        self.left > 0
    }

    /// Whether this line belongs to a key that began above it.
    pub fn holds(&mut self, line: &[u8]) -> bool {
        if self.left > 0 {
            self.left -= 1;
            let plain = without_colours(line);
            let ends = memchr::memmem::find(&plain, END).is_some();
            // A diff puts a sign before each line.
            let text = match plain.trim_ascii() {
                [b'+' | b'-', text @ ..] | text => text.trim_ascii(),
            };
            let header = text.starts_with(b"Proc-Type:") || text.starts_with(b"DEK-Info:");
            let base64 = text.len() <= 100
                && text
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
            if ends || !(header || base64) {
                self.left = 0;
            }
            if ends || header || base64 {
                return true;
            }
        }
        let begin = memchr::memmem::rfind(line, BEGIN.as_bytes());
        let begins = begin.is_some_and(|at| {
            let head = &line[at..(at + 60).min(line.len())];
            memchr::memmem::find(head, b"PRIVATE KEY").is_some()
                && memchr::memmem::find(&line[at..], END).is_none()
        });
        if begins {
            self.left = Self::LONGEST;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_compiles() {
        for shape in SHAPES {
            assert!(shape.compiled().is_ok(), "{}", shape.head);
        }
    }
}
