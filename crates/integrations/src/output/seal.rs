//! Sealing: a file becomes an object of frames that can each be read alone, and a record of where they start.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zstd::{bulk::Compressor, zstd_safe::CParameter};

use super::{OutputError, Shelf, disk};
use crate::{file, supervisor::names};

/// The record in a run's folder.
const RECORD: &str = "sealed.json";
/// Keeps room for the record while the objects are made.
const ROOM: &str = "sealed.room";
/// The files of a run that are sealed.
const FILES: [&str; 2] = [names::OUTPUT, names::EVENTS];
/// Text of one frame, in bytes; a longer line is a frame of its own.
const FRAME: usize = 1 << 20;
const LEVEL: i32 = 3;

/// What was sealed of a run, and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// By the name each file had.
    files: BTreeMap<String, SealedFile>,
}

/// One file as it was sealed. An empty one has no object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedFile {
    pub place: String,
    pub key: String,
    /// Of the text.
    pub bytes: u64,
    pub lines: u64,
    /// SHA-256 of the text, in hexadecimal digits.
    pub digest: String,
    /// Of the object.
    pub object_bytes: u64,
    pub frames: Vec<Frame>,
}

/// Where a frame starts: the number of its first line (from 1), its byte in the text, its byte in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frame(pub u64, pub u64, pub u64);

impl Sealed {
    /// What was sealed of the run in `folder`; `None` when nothing was.
    pub(super) fn of(folder: &Path) -> Result<Option<Self>, OutputError> {
        let path = folder.join(RECORD);
        let Some(bytes) = file::read_if_there(&path).map_err(disk(&path))? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|why| disk(&path)(why.into()))
    }

    pub(super) fn take(&mut self, name: &str) -> Option<SealedFile> {
        self.files.remove(name)
    }

    fn object_bytes(&self) -> u64 {
        self.files.values().map(|file| file.object_bytes).sum()
    }
}

impl SealedFile {
    /// The text of the frames from number `first` on, until there are `most` bytes of it, and the byte it starts at.
    pub fn frames(&self, shelf: &Shelf, first: usize, most: u64) -> Result<Vec<u8>, OutputError> {
        let Some(&Frame(_, start, from)) = self.frames.get(first) else {
            return Ok(Vec::new());
        };
        let behind = self.frames[first + 1..]
            .iter()
            .find(|frame| frame.1 - start >= most);
        let (end, to) = behind.map_or((self.bytes, self.object_bytes), |frame| (frame.1, frame.2));
        let compressed = shelf.read(&self.place, &self.key, from..to)?;
        let damaged = || self.damaged();
        let mut text = Vec::with_capacity(usize::try_from(end - start).unwrap_or(0));
        zstd::stream::read::Decoder::new(compressed.as_ref())
            // One byte more than there may be tells that there is more.
            .and_then(|decoder| decoder.take(end - start + 1).read_to_end(&mut text))
            .map_err(|_| damaged())?;
        if text.len() as u64 == end - start {
            Ok(text)
        } else {
            Err(damaged())
        }
    }

    fn damaged(&self) -> OutputError {
        OutputError::Damaged {
            place: self.place.clone(),
            key: self.key.clone(),
        }
    }

    /// Number of the frame that holds byte `offset` of the text.
    pub fn frame_at(&self, offset: u64) -> usize {
        self.frames
            .partition_point(|frame| frame.1 <= offset)
            .saturating_sub(1)
    }
}

/// Seals the files of the run in `folder`, which has ended, and removes them. What was interrupted goes on; what is done is
/// left as it is. Gives the bytes of its objects.
pub fn seal(folder: &Path, shelf: &Shelf) -> Result<u64, OutputError> {
    let plain: Vec<&str> = FILES
        .into_iter()
        .filter(|name| folder.join(name).exists())
        .collect();
    let known = Sealed::of(folder)?;
    if known.is_none() && plain.is_empty() {
        return Ok(0);
    }
    let run = folder.file_name().unwrap_or_default().to_string_lossy();
    if known.is_none() {
        shelf.clear(&run)?;
    }
    let mut sealed = known.unwrap_or_default();
    reserve(folder, &plain)?;
    // What the record names is stored; only its files may still be there.
    for name in &plain {
        if !sealed.files.contains_key(*name) {
            let file = store(&folder.join(name), object(&run, name), shelf)?;
            check(&file, shelf)?;
            sealed.files.insert((*name).to_owned(), file);
        }
    }
    if !plain.is_empty() {
        let path = folder.join(RECORD);
        let bytes = serde_json::to_vec(&sealed).map_err(|why| disk(&path)(why.into()))?;
        file::replace(&path, &bytes).map_err(disk(&path))?;
    }
    for name in plain {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(disk(&path))?;
    }
    Ok(sealed.object_bytes())
}

/// Sees that there is room for the record before anything is sent away for it.
fn reserve(folder: &Path, plain: &[&str]) -> Result<(), OutputError> {
    // A frame takes 40 bytes of the record.
    let frames = plain
        .iter()
        .filter_map(|name| folder.join(name).metadata().ok());
    let frames: u64 = frames.map(|about| about.len() / FRAME as u64 + 1).sum();
    let path = folder.join(ROOM);
    let room = vec![0; usize::try_from(4096 + 64 * frames).unwrap_or(usize::MAX)];
    fs::write(&path, room)
        .and_then(|()| fs::remove_file(&path))
        .map_err(disk(&path))
}

/// Removes the run in `folder` with its objects. The objects first: without the record nobody would know of them.
pub fn remove(folder: &Path, shelf: &Shelf) -> Result<(), OutputError> {
    let run = folder.file_name().unwrap_or_default().to_string_lossy();
    let sealed = Sealed::of(folder)?.unwrap_or_default();
    for file in sealed.files.values().filter(|file| !file.key.is_empty()) {
        shelf.remove(&file.place, &file.key)?;
    }
    // What was sent away by a sealing that did not get so far as to say so.
    for name in FILES
        .iter()
        .filter(|name| !sealed.files.contains_key(**name))
    {
        shelf.remove(shelf.place(), &object(&run, name))?;
    }
    shelf.clear(&run)?;
    match fs::remove_dir_all(folder) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(disk(folder)(why)),
        _ => Ok(()),
    }
}

/// Key of the object that a file of a run becomes.
fn object(run: &str, name: &str) -> String {
    format!("{run}/{name}.zst")
}

/// Writes a file as an object of frames.
fn store(path: &Path, key: String, shelf: &Shelf) -> Result<SealedFile, OutputError> {
    let mut file = file::open_regular(path).map_err(disk(path))?;
    let mut sealed = SealedFile::default();
    let mut compressor = Compressor::new(LEVEL).map_err(disk(path))?;
    // What was changed in the store afterwards is seen when it is read.
    compressor
        .set_parameter(CParameter::ChecksumFlag(true))
        .map_err(disk(path))?;
    let mut digest = Sha256::new();
    let mut rest = Vec::new();
    let mut next = || -> Result<Option<Vec<u8>>, OutputError> {
        let Some(text) = next_frame(&mut file, &mut rest).map_err(disk(path))? else {
            return Ok(None);
        };
        digest.update(&text);
        let frame = Frame(sealed.lines + 1, sealed.bytes, sealed.object_bytes);
        sealed.frames.push(frame);
        sealed.lines += memchr::memchr_iter(b'\n', &text).count() as u64;
        sealed.bytes += text.len() as u64;
        let compressed = compressor.compress(&text).map_err(disk(path))?;
        sealed.object_bytes += compressed.len() as u64;
        Ok(Some(compressed))
    };
    let Some(first) = next()? else {
        return Ok(sealed);
    };
    let mut first = Some(first);
    shelf.write(&key, || match first.take() {
        Some(first) => Ok(Some(first)),
        None => next(),
    })?;
    sealed.digest = hex(&digest.finalize());
    sealed.place = shelf.place().to_owned();
    sealed.key = key;
    Ok(sealed)
}

/// Whole lines of about a frame; what follows the last of them stays in `rest`, unless nothing follows.
fn next_frame(file: &mut File, rest: &mut Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    loop {
        let had = rest.len();
        let want = FRAME.saturating_sub(had).max(64 * 1024) as u64;
        let got = file.by_ref().take(want).read_to_end(rest)?;
        let cut = match memchr::memrchr(b'\n', rest) {
            _ if got == 0 => rest.len(),
            Some(end) if rest.len() >= FRAME => end + 1,
            _ => continue,
        };
        let behind = rest.split_off(cut);
        let frame = std::mem::replace(rest, behind);
        return Ok((!frame.is_empty()).then_some(frame));
    }
}

/// Reads an object back, by the road that readers take, and compares it with what was sealed.
fn check(sealed: &SealedFile, shelf: &Shelf) -> Result<(), OutputError> {
    if sealed.frames.is_empty() {
        return Ok(());
    }
    let (mut digest, mut lines) = (Sha256::new(), 1);
    for (number, frame) in sealed.frames.iter().enumerate() {
        let text = sealed.frames(shelf, number, 1)?;
        digest.update(&text);
        if frame.0 != lines {
            break;
        }
        lines += memchr::memchr_iter(b'\n', &text).count() as u64;
    }
    if hex(&digest.finalize()) == sealed.digest && lines == sealed.lines + 1 {
        Ok(())
    } else {
        Err(sealed.damaged())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
