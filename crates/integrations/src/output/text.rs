//! Reading one file of a run, whether it still grows or was sealed.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    OutputError, Shelf, disk,
    seal::{Sealed, SealedFile},
};
use crate::{file::open_regular, tail};

/// One file of a run, opened: it stays readable when it is sealed or removed meanwhile. Its calls wait; use it where
/// blocking is allowed, within a runtime.
#[derive(Debug)]
pub struct Text(Source);

#[derive(Debug)]
enum Source {
    /// Nothing was written, or it was removed.
    None,
    Plain(File, PathBuf),
    Sealed(Shelf, SealedFile),
}

impl Text {
    /// Opens the file `name` of the run in `folder`.
    pub fn open(folder: &Path, name: &str, shelf: &Shelf) -> Result<Self, OutputError> {
        let path = folder.join(name);
        match open_regular(&path) {
            Ok(file) => return Ok(Self(Source::Plain(file, path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(disk(path)(error)),
        }
        // Only now: the record is there before the file goes.
        let sealed = Sealed::of(folder)?.and_then(|mut sealed| sealed.take(name));
        Ok(Self(sealed.map_or(Source::None, |file| {
            Source::Sealed(shelf.clone(), file)
        })))
    }

    /// Whether there is such a file.
    pub const fn exists(&self) -> bool {
        !matches!(self.0, Source::None)
    }

    /// Bytes there are so far.
    pub fn length(&self) -> Result<u64, OutputError> {
        match &self.0 {
            Source::None => Ok(0),
            Source::Plain(file, path) => {
                let about = file.metadata().map_err(disk(path))?;
                Ok(about.len())
            }
            Source::Sealed(_, file) => Ok(file.bytes),
        }
    }

    /// Number of lines, of a file that was sealed.
    pub fn sealed_lines(&self) -> Option<u64> {
        match &self.0 {
            Source::Sealed(_, file) => Some(file.lines),
            _ => None,
        }
    }

    /// Number and offset of a line at or not far above line `number`, of a file that was sealed.
    pub fn sealed_line(&self, number: u64) -> Option<(u64, u64)> {
        let Source::Sealed(_, file) = &self.0 else {
            return None;
        };
        let behind = file.frames.partition_point(|frame| frame.0 <= number);
        let frame = file.frames.get(behind.saturating_sub(1));
        Some(frame.map_or((1, 0), |frame| (frame.0, frame.1)))
    }

    /// Bytes from `offset` on, about `most` of them; none at the end.
    pub fn bytes(&mut self, offset: u64, most: usize) -> Result<Vec<u8>, OutputError> {
        match &mut self.0 {
            Source::None => Ok(Vec::new()),
            Source::Plain(file, path) => {
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(offset))
                    .and_then(|_| file.by_ref().take(most as u64).read_to_end(&mut bytes))
                    .map_err(disk(&*path))?;
                Ok(bytes)
            }
            Source::Sealed(shelf, file) => {
                if offset >= file.bytes {
                    return Ok(Vec::new());
                }
                let first = file.frame_at(offset);
                let above = offset - file.frames.get(first).map_or(0, |frame| frame.1);
                let mut text = file.frames(shelf, first, above + most as u64)?;
                text.drain(..usize::try_from(above).unwrap_or(usize::MAX).min(text.len()));
                Ok(text)
            }
        }
    }

    /// Whole lines from `offset` on, where one starts, about `most` bytes of them (one longer line still comes whole), and
    /// the offset to go on from. An unfinished last line waits for the next call.
    pub fn lines(&mut self, offset: u64, most: usize) -> Result<(Vec<u8>, u64), OutputError> {
        if let Source::Plain(file, path) = &mut self.0 {
            return tail::read_open(file, offset, most).map_err(disk(&*path));
        }
        let mut bytes = self.bytes(offset, most)?;
        bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1));
        let next = offset + bytes.len() as u64;
        Ok((bytes, next))
    }
}
