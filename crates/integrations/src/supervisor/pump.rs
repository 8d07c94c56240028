//! From the child's pipe to a file: whole lines, redacted, bounded.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
};

use memchr::{memchr, memrchr};

use super::{redact::Redactor, shapes::KeyBlock};

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
    /// Bytes that are stored; the rest is read and dropped.
    pub most: u64,
}

impl Pump<'_> {
    /// Copies until the pipe's last writer is gone; `false` if something could not be stored. Goes on reading when it
    /// cannot write, so that a full disk does not stop a playbook half-way through a host.
    pub fn run(&self, mut source: impl Read, sink: File) -> bool {
        let mut store = Store {
            end: sink.metadata().map_or(0, |found| found.len()),
            sink,
            most: self.most,
            broken: self.broken,
            complete: true,
            full: false,
            lost: 0,
        };
        let mut chunk = vec![0; 64 * 1024];
        let mut open = Open::default();
        let mut ready = Vec::new();
        loop {
            let got = match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(got) => &chunk[..got],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    store.complete = false;
                    break;
                }
            };
            // The line that was begun, the whole ones, the one that begins.
            let ended = memchr(b'\n', got).map_or(got.len(), |end| end + 1);
            let (first, rest) = got.split_at(if open.is_begun() { ended } else { 0 });
            let whole = memrchr(b'\n', rest).map_or(0, |end| end + 1);
            let (whole, last) = rest.split_at(whole);
            self.take(first, &mut open, &mut ready, &mut store);
            self.take_whole(whole, &mut open, &mut ready, &mut store);
            store.append(&ready);
            ready.clear();
            self.take(last, &mut open, &mut ready, &mut store);
            store.append(&ready);
            ready.clear();
        }
        if !open.line.is_empty() {
            match self.broken {
                Broken::Split => {
                    open.line.push(b'\n');
                    self.redact(&open.line, &mut open.key, &mut ready);
                    store.append(&ready);
                }
                Broken::Drop => store.complete = false,
            }
        }
        store.complete
    }

    /// Takes in whole lines. Most hold no secret and are stored as they are, many at once.
    fn take_whole(&self, lines: &[u8], open: &mut Open, ready: &mut Vec<u8>, store: &mut Store) {
        let mut suspects = self.redactor.suspects(lines);
        let mut at = 0;
        while at < lines.len() {
            let suspect = if open.key.is_open() {
                Some(at)
            } else {
                suspects.from(at)
            };
            let Some(suspect) = suspect else {
                break;
            };
            let start = memrchr(b'\n', &lines[at..suspect]).map_or(at, |end| at + end + 1);
            let end = memchr(b'\n', &lines[suspect..]).map_or(lines.len(), |end| suspect + end + 1);
            ready.extend_from_slice(&lines[at..start]);
            self.take(&lines[start..end], open, ready, store);
            at = end;
        }
        ready.extend_from_slice(&lines[at..]);
    }

    /// Takes in a line or a part of one.
    fn take(&self, piece: &[u8], open: &mut Open, ready: &mut Vec<u8>, store: &mut Store) {
        if !open.dropping {
            open.line.extend_from_slice(piece);
        }
        if piece.ends_with(b"\n") {
            if !std::mem::take(&mut open.dropping) {
                self.redact(&open.line, &mut open.key, ready);
            }
            open.line.clear();
        } else if open.line.len() > self.longest_line {
            match self.broken {
                Broken::Split => self.split(&mut open.line, ready),
                Broken::Drop => {
                    open.dropping = true;
                    store.complete = false;
                    open.line.clear();
                }
            }
        }
    }

    fn redact(&self, line: &[u8], key: &mut KeyBlock, ready: &mut Vec<u8>) {
        match self.broken {
            Broken::Split => self.redactor.append_line(line, key, ready),
            Broken::Drop => self.redactor.append_json(line, ready),
        }
    }

    /// Moves all of `line` but its end, where a secret may be half read, to `ready` as a line of its own.
    fn split(&self, line: &mut Vec<u8>, ready: &mut Vec<u8>) {
        let cut = self.redactor.cut(line);
        if cut > 0 {
            self.redactor.append(&line[..cut], ready);
            ready.push(b'\n');
            line.drain(..cut);
        }
    }
}

/// The line that is being read.
#[derive(Default)]
struct Open {
    line: Vec<u8>,
    /// The rest of it is left out.
    dropping: bool,
    key: KeyBlock,
}

impl Open {
    const fn is_begun(&self) -> bool {
        self.dropping || !self.line.is_empty()
    }
}

/// A file that only ever ends in a whole line.
struct Store {
    sink: File,
    end: u64,
    most: u64,
    broken: Broken,
    complete: bool,
    /// Nothing more is stored.
    full: bool,
    /// Bytes that could not be stored since something was.
    lost: u64,
}

impl Store {
    fn append(&mut self, lines: &[u8]) {
        if lines.is_empty() || self.full {
            return;
        }
        let left = usize::try_from(self.most.saturating_sub(self.end)).unwrap_or(usize::MAX);
        if lines.len() <= left {
            return self.write(lines);
        }
        let fits = memrchr(b'\n', &lines[..left]).map_or(0, |end| end + 1);
        let mut last = lines[..fits].to_vec();
        match self.broken {
            Broken::Split => last.extend_from_slice(
                format!(
                    "[Slipway] The output is longer than {} MB; from here on it is not stored. The playbook goes on.\n",
                    self.most >> 20
                )
                .as_bytes(),
            ),
            Broken::Drop => self.complete = false,
        }
        self.write(&last);
        self.full = true;
    }

    fn write(&mut self, lines: &[u8]) {
        let told = match (self.lost, self.broken) {
            (0, _) | (_, Broken::Drop) => Ok(()),
            (lost, Broken::Split) => self.write_all(format!("[Slipway] {lost} bytes of output are missing here: they could not be stored, as on a full disk.\n").as_bytes()),
        };
        match told.and_then(|()| self.write_all(lines)) {
            Ok(()) => self.lost = 0,
            Err(_) => {
                self.complete = false;
                self.lost += lines.len() as u64;
            }
        }
    }

    fn write_all(&mut self, lines: &[u8]) -> std::io::Result<()> {
        match self.sink.write_all(lines) {
            Ok(()) => self.end += lines.len() as u64,
            Err(why) => {
                // What was half written goes; a sink that cannot be cut (a device) has nothing to cut.
                let _ = self.sink.set_len(self.end);
                return Err(why);
            }
        }
        Ok(())
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
    use crate::supervisor::OutputRules;

    /// Gives out its pieces one by one, as a pipe may.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    /// Known secrets alone.
    fn redactor(secrets: &[String]) -> Redactor {
        let rules = OutputRules {
            well_known: false,
            ..OutputRules::default()
        };
        Redactor::new(secrets, &rules).unwrap()
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
        let redactor = redactor(&secrets);
        let pump = Pump {
            redactor: &redactor,
            broken,
            longest_line,
            most: u64::MAX,
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
        let redactor = redactor(&[]);
        let pump = Pump {
            redactor: &redactor,
            broken: Broken::Split,
            longest_line: 20,
            most: u64::MAX,
        };
        let pieces = Pieces([b"one\n".to_vec(), b"two\n".to_vec()].into());
        assert!(!pump.run(pieces, sink));
    }

    /// Everything that is shipped.
    fn pumped_as_shipped(longest_line: usize, most: u64, pieces: &[&[u8]]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink");
        let sink = File::create(&path).unwrap();
        let redactor = Redactor::new(&[], &OutputRules::default()).unwrap();
        let pump = Pump {
            redactor: &redactor,
            broken: Broken::Split,
            longest_line,
            most,
        };
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        assert!(pump.run(Pieces(pieces), sink));
        String::from_utf8(fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn what_looks_like_a_secret_is_masked_at_every_place_of_a_split_line() {
        for before in (0..2400).step_by(37) {
            let (head, tail) = ("a".repeat(before), "b".repeat(2400 - before));
            let text = format!("{head} password=hunter2-hunter2-hunter2 {tail}");
            for size in [1, 61, 4096] {
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
                let stored = pumped_as_shipped(1500, u64::MAX, &pieces);
                let joined: String = stored.split('\n').collect();
                assert_eq!(
                    joined,
                    format!("{head} password=*** {tail}"),
                    "{before} {size}"
                );
            }
        }
    }

    #[test]
    fn a_private_key_is_masked_over_its_lines_and_nothing_behind_it() {
        let text = b"cat key\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n  ZXktdjEAAAAA=\n-----END OPENSSH PRIVATE KEY-----\ndone\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nok: [web-1]\nMIIE\n";
        for size in [1, 7, 4096] {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            let stored = pumped_as_shipped(1500, u64::MAX, &pieces);
            assert_eq!(
                stored, "cat key\n***\n***\n***\n***\ndone\n***\n***\nok: [web-1]\nMIIE\n",
                "{size}"
            );
        }
    }

    #[test]
    fn what_is_more_than_the_limit_is_read_and_not_stored() {
        let line = b"0123456789abcde\n".repeat(100);
        let stored = pumped_as_shipped(1500, 100, &[&line, &line, b"end\n"]);
        let (kept, note) = stored.split_at(96);
        assert_eq!(kept.as_bytes(), &line[..96]);
        assert!(
            note.starts_with("[Slipway] ") && note.lines().count() == 1,
            "{note}"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let redactor = redactor(&[]);
        let pump = Pump {
            redactor: &redactor,
            broken: Broken::Drop,
            longest_line: 1500,
            most: 100,
        };
        let sink = File::create(&path).unwrap();
        let whole = pump.run(Pieces([line.clone()].into()), sink);
        assert!(!whole, "events that are missing are reported");
        assert_eq!(fs::read(path).unwrap(), &line[..96]);
        let exact = pumped_as_shipped(1500, 32, &[&line[..32]]);
        assert_eq!(exact.as_bytes(), &line[..32]);
    }
}
