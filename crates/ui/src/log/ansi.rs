//! Colours out of terminal text. Everything else a terminal would obey is taken out: a log is only read.

use std::{iter::Peekable, str::Chars};

/// A stretch of text in one colour and weight.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    pub text: String,
    /// 0–15, as terminals number them.
    pub colour: Option<u8>,
    pub bold: bool,
}

impl Span {
    /// Class of the style sheet; `None` for plain text.
    pub fn class(&self) -> Option<String> {
        match (self.colour, self.bold) {
            (None, false) => None,
            (None, true) => Some("ansi-bold".to_owned()),
            (Some(colour), false) => Some(format!("ansi-{colour}")),
            (Some(colour), true) => Some(format!("ansi-{colour} ansi-bold")),
        }
    }
}

/// Cuts a line where its colour changes.
///
/// Control sequences are dropped, as are strings meant for the terminal (titles, links) when they end in the line; a
/// string that does not end gives up its text, so that nothing can hide in it. Letters that reverse the reading
/// direction are shown as �.
pub fn spans(line: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut now = Span::default();
    let mut rest = line.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '\u{1b}' => escape(&mut rest, &mut spans, &mut now),
            '\u{9b}' => control_sequence(&mut rest, &mut spans, &mut now),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\t' => now.text.push('\t'),
            '\u{200e}'
            | '\u{200f}'
            | '\u{061c}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => now.text.push('\u{fffd}'),
            letter if letter.is_control() => {}
            letter => now.text.push(letter),
        }
    }
    flush(&mut spans, &mut now);
    spans
}

fn flush(spans: &mut Vec<Span>, now: &mut Span) {
    if !now.text.is_empty() {
        spans.push(Span {
            text: std::mem::take(&mut now.text),
            ..*now
        });
    }
}

fn escape(rest: &mut Peekable<Chars<'_>>, spans: &mut Vec<Span>, now: &mut Span) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            control_sequence(rest, spans, now);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='/') => {
            while rest.next_if(|letter| matches!(letter, ' '..='/')).is_some() {}
            rest.next_if(|letter| matches!(letter, '0'..='~'));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

/// Reads what follows `ESC [`: parameters, intermediates, one final letter. Only `m` means anything here.
fn control_sequence(rest: &mut Peekable<Chars<'_>>, spans: &mut Vec<Span>, now: &mut Span) {
    let mut parameters = String::new();
    while let Some(letter) = rest.next_if(|letter| matches!(letter, '0'..='?')) {
        parameters.push(letter);
    }
    let mut plain = true;
    while rest.next_if(|letter| matches!(letter, ' '..='/')).is_some() {
        plain = false;
    }
    if rest.next_if(|letter| matches!(letter, '@'..='~')) == Some('m') && plain {
        let (colour, bold) = graphics(&parameters, (now.colour, now.bold));
        if (colour, bold) != (now.colour, now.bold) {
            flush(spans, now);
            (now.colour, now.bold) = (colour, bold);
        }
    }
}

/// Applies the numbers of an SGR sequence to a colour and a weight.
fn graphics(parameters: &str, (mut colour, mut bold): (Option<u8>, bool)) -> (Option<u8>, bool) {
    // A colon separates parts of one parameter (`38:5:1`); read like the semicolon it stands for.
    let mut numbers = parameters.split([';', ':']).map(|part| {
        if part.is_empty() {
            Some(0)
        } else {
            part.parse::<u16>().ok()
        }
    });
    while let Some(number) = numbers.next() {
        match number {
            Some(0) => (colour, bold) = (None, false),
            Some(1) => bold = true,
            Some(22) => bold = false,
            Some(n @ 30..=37) => colour = Some((n - 30) as u8),
            Some(39) => colour = None,
            Some(n @ 90..=97) => colour = Some((n - 90 + 8) as u8),
            // 256 and true colours take further numbers, which must not be read as commands.
            Some(n @ (38 | 48 | 58)) => {
                let picked = match numbers.next().flatten() {
                    Some(5) => numbers.next().flatten(),
                    Some(2) => numbers.by_ref().take(3).last().and(None),
                    _ => None,
                };
                if n == 38 {
                    colour = picked
                        .filter(|picked| *picked < 16)
                        .map(|picked| picked as u8);
                }
            }
            _ => {}
        }
    }
    (colour, bold)
}

/// Drops a string meant for the terminal, up to its end (BEL, ST); without an end it stays, as text.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    while let Some(letter) = ahead.next() {
        match letter {
            '\u{7}' | '\u{9c}' => {
                *rest = ahead;
                return;
            }
            '\u{1b}' if ahead.peek() == Some(&'\\') => {
                ahead.next();
                *rest = ahead;
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> String {
        spans(line).into_iter().map(|span| span.text).collect()
    }

    fn span(text: &str, colour: Option<u8>, bold: bool) -> Span {
        Span {
            text: text.to_owned(),
            colour,
            bold,
        }
    }

    #[test]
    fn colours_of_ansible() {
        assert_eq!(
            spans("\x1b[0;32mok: [web-1]\x1b[0m"),
            [span("ok: [web-1]", Some(2), false)]
        );
        assert_eq!(
            spans("a \x1b[1;31mfatal\x1b[0m b"),
            [
                span("a ", None, false),
                span("fatal", Some(1), true),
                span(" b", None, false)
            ]
        );
        assert_eq!(
            spans("\x1b[91mx\x1b[39my\x1b[m"),
            [span("x", Some(9), false), span("y", None, false)]
        );
        assert_eq!(spans("plain"), [span("plain", None, false)]);
        assert_eq!(spans(""), []);
    }

    #[test]
    fn other_colours_do_not_leak_into_commands() {
        assert_eq!(spans("\x1b[38;5;1mx"), [span("x", Some(1), false)]);
        assert_eq!(spans("\x1b[38;5;200mx"), [span("x", None, false)]);
        assert_eq!(spans("\x1b[38;2;1;31;1mx"), [span("x", None, false)]);
        assert_eq!(spans("\x1b[48;5;31mx"), [span("x", None, false)]);
        assert_eq!(spans("\x1b[38:5:2mx"), [span("x", Some(2), false)]);
        assert_eq!(spans("\x1b[38mx"), [span("x", None, false)]);
        assert_eq!(spans("\x1b[99999999999;31mx"), [span("x", Some(1), false)]);
    }

    #[test]
    fn what_a_terminal_would_obey_is_gone() {
        for (hostile, left) in [
            ("\x1b[2J\x1b[Hx", "x"),
            ("\x1b]0;title\x07x", "x"),
            (
                "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
                "click",
            ),
            ("\u{9d}52;c;AAAA\u{9c}x", "x"),
            ("\u{9b}31mx", "x"),
            ("\x1bPq#0\x1b\\x", "x"),
            ("\x1b(Bx", "x"),
            ("\x1bcx", "x"),
            ("a\rb\x08c\x00d\x7f", "abcd"),
            ("a\tb", "a\tb"),
            ("\x1b[?25lx\x1b[?25h", "x"),
            ("\x1b[>4;1mx", "x"),
        ] {
            assert_eq!(text(hostile), left, "{hostile:?}");
        }
    }

    #[test]
    fn nothing_can_hide() {
        assert_eq!(text("\x1b]0;rm -rf /"), "0;rm -rf /");
        assert_eq!(text("safe \u{202e}gpj.exe"), "safe \u{fffd}gpj.exe");
        assert_eq!(
            text("<script>alert(1)</script>"),
            "<script>alert(1)</script>"
        );
    }

    #[test]
    fn cut_off_sequences_end_quietly() {
        for cut in [
            "\x1b", "\x1b[", "\x1b[3", "\x1b[31;", "\x1b(", "\u{9b}", "\x1b[ ",
        ] {
            assert_eq!(text(&format!("x{cut}")), "x", "{cut:?}");
        }
        assert_eq!(text("\x1b[31\u{e4}m"), "äm");
    }

    #[test]
    fn private_sequences_do_not_colour() {
        assert_eq!(spans("\x1b[?31mx"), [span("x", None, false)]);
    }
}
