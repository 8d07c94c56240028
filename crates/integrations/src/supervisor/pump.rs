//! From the child's pipe to a file: whole lines, redacted, bounded.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
};

use super::redact::Redactor;

/// What becomes of a line that is too long or is not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Stored in pieces, each a line: for people.
    Split,
    /// Left out and reported as missing: half an event is none.
    Drop,
}

pub(super) struct Pump<'a> {
    pub redactor: &'a Redactor,
    pub broken: Broken,
    /// In bytes; at least twice as long as the longest secret to be of any use.
    pub longest_line: usize,
}

impl Pump<'_> {
    /// Copies until the pipe's last writer is gone; `false` if something could not be stored. Goes on reading when it
    /// cannot write, so that a full disk does not stop a playbook half-way through a host.
    pub fn run(&self, mut source: impl Read, sink: File) -> bool {
        let mut store = Store {
            end: sink.metadata().map_or(0, |found| found.len()),
            sink,
            complete: true,
        };
        let mut chunk = vec![0; 64 * 1024];
        let mut line = Vec::new();
        let mut ready = Vec::new();
        let mut dropping = false;
        loop {
            let got = match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    store.complete = false;
                    break;
                }
            };
            for piece in chunk[..got].split_inclusive(|byte| *byte == b'\n') {
                if !dropping {
                    line.extend_from_slice(piece);
                }
                if piece.ends_with(b"\n") {
                    if !std::mem::take(&mut dropping) {
                        self.redactor.append(&line, &mut ready);
                    }
                    line.clear();
                } else if line.len() > self.longest_line {
                    match self.broken {
                        Broken::Split => self.split(&mut line, &mut ready),
                        Broken::Drop => {
                            dropping = true;
                            store.complete = false;
                            line.clear();
                        }
                    }
                }
            }
            store.append(&ready);
            ready.clear();
        }
        if !line.is_empty() {
            match self.broken {
                Broken::Split => {
                    self.redactor.append(&line, &mut ready);
                    ready.push(b'\n');
                    store.append(&ready);
                }
                Broken::Drop => store.complete = false,
            }
        }
        store.complete
    }

    /// Moves all of `line` but its end, where a secret may be half read, to `ready` as a line of its own.
    fn split(&self, line: &mut Vec<u8>, ready: &mut Vec<u8>) {
        let sure = line.len().saturating_sub(self.redactor.overhang());
        let across = self
            .redactor
            .find(line)
            .into_iter()
            .find(|(start, end)| *start < sure && sure < *end);
        let cut = across.map_or(sure, |(_, end)| end);
        if cut > 0 {
            self.redactor.append(&line[..cut], ready);
            ready.push(b'\n');
            line.drain(..cut);
        }
    }
}

/// A file that only ever ends in a whole line.
struct Store {
    sink: File,
    end: u64,
    complete: bool,
}

impl Store {
    fn append(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        match self.sink.write_all(lines) {
            Ok(()) => self.end += lines.len() as u64,
            Err(_) => {
                self.complete = false;
                // What was half written goes; a sink that cannot be cut (a device) has nothing to cut.
                let _ = self.sink.set_len(self.end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        fs::{self, OpenOptions},
        io,
    };

    use super::*;

    /// Gives out its pieces one by one, as a pipe may.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn pumped(
        secrets: &[&str],
        broken: Broken,
        longest_line: usize,
        pieces: &[&[u8]],
    ) -> (Vec<u8>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink");
        let sink = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        let secrets: Vec<_> = secrets.iter().map(ToString::to_string).collect();
        let redactor = Redactor::new(&secrets).unwrap();
        let pump = Pump {
            redactor: &redactor,
            broken,
            longest_line,
        };
        let complete = pump.run(
            Pieces(pieces.iter().map(|piece| piece.to_vec()).collect()),
            sink,
        );
        (fs::read(path).unwrap(), complete)
    }

    #[test]
    fn a_secret_cut_by_the_pipe_is_masked() {
        let (stored, complete) = pumped(
            &["hunter2!"],
            Broken::Split,
            100,
            &[b"key hun", b"ter2", b"! end\nnext"],
        );
        assert_eq!(
            (stored.as_slice(), complete),
            (&b"key *** end\nnext\n"[..], true)
        );
    }

    #[test]
    fn a_secret_at_every_place_of_a_split_line_is_masked() {
        for before in 0..60 {
            let text = format!("{}hunter2!{}", "a".repeat(before), "b".repeat(60 - before));
            for size in [1, 3, 7, 64] {
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
                let (stored, complete) = pumped(&["hunter2!"], Broken::Split, 20, &pieces);
                let joined: String = String::from_utf8(stored).unwrap().split('\n').collect();
                assert_eq!(joined, text.replace("hunter2!", "***"));
                assert!(complete);
            }
        }
    }

    #[test]
    fn an_event_is_stored_whole_or_not_at_all() {
        let long = [b'x'; 50];
        let (stored, complete) = pumped(
            &[],
            Broken::Drop,
            20,
            &[b"{1}\n{2", b"}\n", &long, b"yy\n{3}\n"],
        );
        assert_eq!(
            (stored.as_slice(), complete),
            (&b"{1}\n{2}\n{3}\n"[..], false)
        );
        let (stored, complete) = pumped(&[], Broken::Drop, 20, &[b"{1}\n{2"]);
        assert_eq!((stored.as_slice(), complete), (&b"{1}\n"[..], false));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let (stored, complete) =
            pumped(&["secret"], Broken::Split, 20, &[b"\xff\xfe secret \x00\n"]);
        assert_eq!(
            (stored.as_slice(), complete),
            (&b"\xff\xfe *** \x00\n"[..], true)
        );
    }

    #[test]
    fn a_full_disk_is_reported_and_survived() {
        let sink = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let redactor = Redactor::new(&[]).unwrap();
        let pump = Pump {
            redactor: &redactor,
            broken: Broken::Split,
            longest_line: 20,
        };
        let pieces = Pieces([b"one\n".to_vec(), b"two\n".to_vec()].into());
        assert!(!pump.run(pieces, sink));
    }
}
