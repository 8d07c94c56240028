//! Reading a file that grows by whole lines, from where one stopped.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// One complete line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Byte offset of its first character in the file.
    pub offset: u64,
    /// Without the line end; bytes that are not UTF-8 become `�`.
    pub text: String,
}

/// The complete lines from byte `offset` on, about `max_bytes` at a time (one longer line still comes whole), and the
/// offset to go on from. A file that is not there yet has no lines; an unfinished last line waits for the next call.
pub fn read_lines(path: &Path, offset: u64, max_bytes: usize) -> io::Result<(Vec<Line>, u64)> {
    let (bytes, _) = read_whole(path, offset, max_bytes)?;
    let mut lines = Vec::new();
    let mut next = offset;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        lines.push(Line {
            offset: next,
            text: text(line.strip_suffix(b"\n").unwrap_or(line)),
        });
        next += line.len() as u64;
    }
    Ok((lines, next))
}

/// A line as text: without the carriage return at its end; bytes that are not UTF-8 become `�`.
pub fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// As [`read_lines`], but as the bytes of the file, which end with a line.
fn read_whole(path: &Path, offset: u64, max_bytes: usize) -> io::Result<(Vec<u8>, u64)> {
    match crate::file::open_regular(path) {
        Ok(mut file) => read_open(&mut file, offset, max_bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((Vec::new(), offset)),
        Err(error) => Err(error),
    }
}

/// As [`read_whole`], of a file that is open.
pub(crate) fn read_open(
    file: &mut File,
    offset: u64,
    max_bytes: usize,
) -> io::Result<(Vec<u8>, u64)> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    let mut want = max_bytes.max(1) as u64;
    loop {
        let got = file.by_ref().take(want).read_to_end(&mut bytes)?;
        if got == 0 || bytes.contains(&b'\n') {
            break;
        }
        want = bytes.len() as u64;
    }

    // What comes after the last line end is not whole yet.
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    bytes.truncate(end.map_or(0, |end| end + 1));
    let next = offset + bytes.len() as u64;
    Ok((bytes, next))
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write};

    use super::*;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn reads_whole_lines_only_and_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(read_lines(&path, 0, 100).unwrap(), (vec![], 0));

        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        file.write_all(b"one\r\ntwo\nthr").unwrap();
        let (lines, next) = read_lines(&path, 0, 100).unwrap();
        assert_eq!((texts(&lines), next), (vec!["one", "two"], 9));
        assert_eq!(read_lines(&path, next, 100).unwrap(), (vec![], 9));

        file.write_all(b"ee\n\xff\n").unwrap();
        let (lines, next) = read_lines(&path, next, 100).unwrap();
        assert_eq!(
            (texts(&lines), lines[1].offset, next),
            (vec!["three", "\u{fffd}"], 15, 17)
        );
    }

    #[test]
    fn reads_in_pieces_and_never_sticks_at_a_long_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, format!("a\nb\n{}\nc\n", "x".repeat(1000))).unwrap();
        let (mut all, mut offset, mut rounds) = (Vec::new(), 0, 0);
        loop {
            let (lines, next) = read_lines(&path, offset, 3).unwrap();
            if lines.is_empty() {
                break;
            }
            all.extend(lines.into_iter().map(|line| line.text.len()));
            offset = next;
            rounds += 1;
        }
        assert_eq!(all, [1, 1, 1000, 1]);
        assert!(rounds > 1);
        assert_eq!(offset, std::fs::metadata(&path).unwrap().len());
    }
}
