//! Aligned columns for people.

use std::io::IsTerminal as _;

use domain::text::is_unseen;

/// Columns two spaces apart, each as wide as its widest cell; nothing behind the last.
pub fn aligned(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let lines: Vec<Vec<String>> = (!head.is_empty())
        .then_some(head)
        .into_iter()
        .chain(
            rows.iter()
                .map(|row| row.iter().map(|cell| printable(cell)).collect()),
        )
        .collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Text as it may be printed: colours are kept if they go to a terminal, everything else that would steer one is dropped.
pub fn printable(text: &str) -> String {
    clean(text, std::io::stdout().is_terminal())
}

fn clean(text: &str, colours: bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(colour) = colour(rest) {
            kept.push_str(if colours { colour } else { "" });
            rest = &rest[colour.len()..];
            continue;
        }
        match c {
            '\n' => kept.push(' '),
            '\t' => kept.push(c),
            c if c.is_control() || is_unseen(c) => {}
            c => kept.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    kept
}

/// `ESC [ digits and semicolons m` at the beginning.
fn colour(text: &str) -> Option<&str> {
    let body = text.strip_prefix("\u{1b}[")?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    body[end..].starts_with('m').then(|| &text[..2 + end + 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".to_owned(), "bé".to_owned(), String::new()],
            vec!["long".to_owned(), "c".to_owned(), "d".to_owned()],
        ];
        assert_eq!(
            aligned(&["ONE", "TWO", "THREE"], &rows),
            "ONE   TWO  THREE\na     bé\nlong  c    d\n"
        );
        assert_eq!(aligned(&[], &[]), "");
    }

    #[test]
    fn only_colours_reach_the_terminal() {
        let printable = |text| clean(text, true);
        assert_eq!(clean("\u{1b}[1;31mred\u{1b}[0m", false), "red");
        assert_eq!(
            printable("\u{1b}[1;31mred\u{1b}[0m\ttab"),
            "\u{1b}[1;31mred\u{1b}[0m\ttab"
        );
        assert_eq!(
            printable("\u{1b}]0;title\u{7}x\u{1b}[2Jy\r\u{9b}z"),
            "]0;titlex[2Jyz"
        );
        assert_eq!(printable("\u{1b}["), "[");
    }
}
