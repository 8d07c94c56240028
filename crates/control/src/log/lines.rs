//! Lines of one output: where they start, ranges of them, those that hold something.

use integrations::{
    output::{OutputError, Text},
    tail,
};
use memchr::{memchr, memchr_iter, memrchr};
use regex::bytes::Regex;
use view::job::{LogFound, LogLine};

/// A line number every this many lines is remembered with its offset.
const STRIDE: u64 = 500;
/// Bytes read at once, for a range and for everything else.
const RANGE: usize = 256 << 10;
const CHUNK: usize = 4 << 20;
/// Bytes of a line that are shown.
const SHOWN: usize = 16 << 10;
/// Bytes after which a range ends, however few its lines are.
const WEIGHT: usize = 4 << 20;

/// Offsets of every [`STRIDE`]th line of one growing file, so that a range far down is found without reading all above it.
#[derive(Debug, Default)]
pub(super) struct LineIndex {
    /// `starts[k]` is the offset of line `(k + 1) * STRIDE + 1`, for all whose line has been seen to start.
    starts: Vec<u64>,
    /// Complete lines counted so far, and where the next one starts.
    lines: u64,
    offset: u64,
}

impl LineIndex {
    fn extend(&mut self, text: &mut Text) -> Result<(), OutputError> {
        // Somebody took the file away, or put another one in its place.
        if text.length()? < self.offset {
            *self = Self::default();
        }
        let mut at = self.offset;
        loop {
            let bytes = text.bytes(at, CHUNK)?;
            if bytes.is_empty() {
                return Ok(());
            }
            for end in memchr_iter(b'\n', &bytes) {
                self.lines += 1;
                self.offset = at + end as u64 + 1;
                if self.lines.is_multiple_of(STRIDE) {
                    self.starts.push(self.offset);
                }
            }
            at += bytes.len() as u64;
        }
    }

    /// Number and offset of a line at or above line `from`, at most a stride above it.
    fn before(&self, from: u64) -> (u64, u64) {
        let stride = (from - 1) / STRIDE;
        let known = stride.min(self.starts.len() as u64);
        let offset = match known {
            0 => 0,
            _ => self.starts.get(known as usize - 1).copied().unwrap_or(0),
        };
        (known * STRIDE + 1, offset)
    }
}

/// The lines of one output. A sealed one knows where they start by itself; of one that grows, an index learns it.
pub(super) struct Lines<'a> {
    text: &'a mut Text,
    index: &'a LineIndex,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a mut Text, index: &'a mut LineIndex) -> Result<Self, OutputError> {
        if text.sealed_lines().is_none() {
            index.extend(text)?;
        }
        Ok(Self { text, index })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.text.sealed_lines().unwrap_or(self.index.lines)
    }

    fn before(&self, from: u64) -> (u64, u64) {
        let sealed = self.text.sealed_line(from);
        sealed.unwrap_or_else(|| self.index.before(from))
    }

    /// At most `limit` lines from line `from` on, and no more once they have [`WEIGHT`] bytes.
    pub fn range(&mut self, from: u64, limit: usize) -> Result<Vec<LogLine>, OutputError> {
        let mut found = Vec::new();
        if from > self.count() {
            return Ok(found);
        }
        let (mut number, mut offset) = self.before(from);
        let mut weight = 0;
        loop {
            let (lines, next) = self.text.lines(offset, RANGE)?;
            if lines.is_empty() {
                return Ok(found);
            }
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                if number >= from {
                    found.push(line_of(number, line));
                    weight += line.len();
                    if found.len() == limit || weight >= WEIGHT {
                        return Ok(found);
                    }
                }
                number += 1;
            }
            offset = next;
        }
    }

    /// Lines that match, from line `from` on, until `most` were found or about `bytes` were read. `^` of the pattern has to
    /// stand for the start of a line.
    pub fn find(
        &mut self,
        pattern: &Regex,
        from: u64,
        most: usize,
        bytes: u64,
    ) -> Result<LogFound, OutputError> {
        let mut found = LogFound::default();
        let (mut number, start) = self.before(from);
        let mut offset = start;
        loop {
            if offset - start >= bytes {
                found.next = (number <= self.count()).then_some(number);
                return Ok(found);
            }
            let (lines, next) = self.text.lines(offset, CHUNK)?;
            if lines.is_empty() {
                return Ok(found);
            }
            // `number` is the number of the line that starts at `at`.
            let mut at = 0;
            while let Some(hit) = pattern.find_at(&lines, at) {
                let begin = memrchr(b'\n', &lines[at..hit.start()]).map_or(at, |end| at + end + 1);
                number += memchr_iter(b'\n', &lines[at..begin]).count() as u64;
                let end = memchr(b'\n', &lines[begin..]).map_or(lines.len(), |end| begin + end + 1);
                if number >= from {
                    if found.lines.len() == most {
                        found.next = Some(number);
                        return Ok(found);
                    }
                    found.lines.push(line_of(number, &lines[begin..end]));
                }
                number += 1;
                at = end;
            }
            number += memchr_iter(b'\n', &lines[at..]).count() as u64;
            offset = next;
        }
    }
}

fn line_of(number: u64, line: &[u8]) -> LogLine {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut text = tail::text(&line[..line.len().min(SHOWN)]);
    if line.len() > SHOWN {
        let rest = line.len() - SHOWN;
        text.push_str(&format!(
            " … and {rest} bytes more; download the output to read them"
        ));
    }
    LogLine { number, text }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Write as _,
        path::{Path, PathBuf},
    };

    use integrations::{
        output::{Shelf, seal},
        supervisor::names,
    };
    use tokio::task::spawn_blocking;

    use super::*;
    use crate::log::FAILURE;

    /// Works with a run's folder where blocking is allowed.
    async fn on_a_run(work: impl FnOnce(&Path, &Shelf) + Send + 'static) {
        spawn_blocking(move || {
            let folder = tempfile::tempdir().unwrap();
            let run = folder.path().join("runs/one");
            std::fs::create_dir_all(&run).unwrap();
            let shelf = Shelf::new(folder.path().join("outputs"), None).unwrap();
            work(&run, &shelf);
        })
        .await
        .unwrap();
    }

    fn output(run: &Path) -> (PathBuf, File) {
        let path = run.join(names::OUTPUT);
        let file = File::create(&path).unwrap();
        (path, file)
    }

    #[tokio::test]
    async fn what_is_searched_for_is_found_with_its_number_sealed_or_not() {
        on_a_run(|run, shelf| {
            let (_, mut file) = output(run);
            for number in 1..=3000 {
                match number {
                    700 => writeln!(file, "\u{1b}[0;31mfatal: [web-1]: FAILED!\u{1b}[0m").unwrap(),
                    _ if number % 1000 == 0 => writeln!(file, "Needle {number}\r").unwrap(),
                    _ => writeln!(file, "hay {number} fatal: no needl needl").unwrap(),
                }
            }
            write!(file, "needle unfinished").unwrap();
            for sealed in [false, true] {
                if sealed {
                    seal(run, shelf).unwrap();
                }
                let mut text = Text::open(run, names::OUTPUT, shelf).unwrap();
                let mut index = LineIndex::default();
                let mut lines = Lines::new(&mut text, &mut index).unwrap();
                assert_eq!(lines.count(), 3000);
                let mut find = |pattern: &str, from, most, bytes| {
                    let pattern = Regex::new(pattern).unwrap();
                    let found = lines.find(&pattern, from, most, bytes).unwrap();
                    let numbers: Vec<u64> = found.lines.iter().map(|line| line.number).collect();
                    (numbers, found.next, found.lines)
                };
                let (numbers, next, lines) = find("(?i)needle", 1, 10, u64::MAX);
                assert_eq!((numbers, next), (vec![1000, 2000, 3000], None));
                assert_eq!(lines[0].text, "Needle 1000");
                assert_eq!(find("(?i)needle", 1001, 10, u64::MAX).0, [2000, 3000]);
                assert_eq!(find("(?i)needle", 1, 2, u64::MAX).1, Some(3000));
                assert_eq!(find("(?i)n", 2999, 10, u64::MAX).0, [2999, 3000]);
                assert_eq!(find("nowhere", 1, 2, u64::MAX), (vec![], None, vec![]));
                let (numbers, next, _) = find("(?i)needle", 1, 10, 1);
                assert_eq!((numbers.len(), next), (3, None), "one chunk holds them all");
                let pattern = FAILURE.as_ref().unwrap().as_str().to_owned();
                assert_eq!(find(&pattern, 1, 1, u64::MAX).0, [700]);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_that_was_taken_away_has_no_lines_any_more() {
        on_a_run(|run, shelf| {
            let (path, mut file) = output(run);
            write!(file, "one\ntwo\n").unwrap();
            let mut index = LineIndex::default();
            let mut count = || {
                let mut text = Text::open(run, names::OUTPUT, shelf).unwrap();
                Lines::new(&mut text, &mut index).unwrap().count()
            };
            assert_eq!(count(), 2);
            std::fs::write(&path, "one\n").unwrap();
            assert_eq!(count(), 1);
            std::fs::remove_file(&path).unwrap();
            assert_eq!(count(), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn a_range_of_very_long_lines_ends_early_and_goes_on_where_it_ended() {
        on_a_run(|run, shelf| {
            let (_, mut file) = output(run);
            for _ in 0..100 {
                writeln!(file, "{}", "x".repeat(100_000)).unwrap();
            }
            let mut index = LineIndex::default();
            let mut text = Text::open(run, names::OUTPUT, shelf).unwrap();
            let mut lines = Lines::new(&mut text, &mut index).unwrap();
            let (mut from, mut ranges) = (1, 0);
            while from <= lines.count() {
                let range = lines.range(from, 1000).unwrap();
                assert_eq!(range[0].number, from);
                let weight: usize = range.iter().map(|line| line.text.len()).sum();
                assert!(weight < WEIGHT + 200_000, "{weight}");
                from += range.len() as u64;
                ranges += 1;
            }
            assert_eq!((from, ranges), (101, 3));
        })
        .await;
    }

    #[tokio::test]
    async fn any_range_of_a_growing_file_is_found() {
        on_a_run(|run, shelf| {
            let mut index = LineIndex::default();
            let mut range = |from, limit| {
                let mut text = Text::open(run, names::OUTPUT, shelf).unwrap();
                Lines::new(&mut text, &mut index)
                    .unwrap()
                    .range(from, limit)
                    .unwrap()
            };
            assert!(range(1, 10).is_empty());
            let (_, mut file) = output(run);
            let mut written = 0_u64;
            let mut check = |file: &mut File, round: u64, written: &mut u64| {
                for _ in 0..round {
                    *written += 1;
                    writeln!(file, "line {written}").unwrap();
                }
                // What is unfinished becomes the beginning of the next line.
                write!(file, "unfinished").unwrap();
                let all = *written;
                for from in [1, 499, 500, 501, 502, 1000, 1001, all, all + 1] {
                    let lines = range(from, 3);
                    let expected: Vec<u64> = (from..=all).take(3).collect();
                    let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
                    assert_eq!(numbers, expected, "from {from} of {all}");
                    for line in lines {
                        let end = format!("line {}", line.number);
                        assert!(line.text.ends_with(&end), "{}: {}", line.number, line.text);
                    }
                }
            };
            for round in [1_u64, 499, 1, 700, 2300] {
                check(&mut file, round, &mut written);
            }
        })
        .await;
    }
}
