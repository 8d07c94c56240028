//! Files that are either whole or absent, and readable by us alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, io::Errno};

/// Puts `bytes` at `path` (mode 0600) by rename, so that a reader and a crash see the old content or the new.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    write(&draft, bytes)?.sync_all()?;
    publish(&draft, path)
}

/// As [`replace`], for what is worth nothing after a power cut, which may take it or leave it empty: waiting for the disk
/// takes longer than writing.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    write(&draft, bytes)?;
    fs::rename(draft, path)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Gives a finished draft its name and makes the name durable.
pub(crate) fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    fs::rename(draft, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Where `path` is written before it gets its name.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// A folder (mode 0700) with its parents; fine if it exists.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Copies a folder with all below it; links stay links. What is there already is replaced.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    remove(to)?;
    private_folder(to)?;
    let mut open = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = open.pop() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
            if kind.is_dir() {
                private_folder(&to)?;
                open.push((entry.path(), to));
            } else if kind.is_symlink() {
                symlink(fs::read_link(entry.path())?, to)?;
            } else {
                fs::copy(entry.path(), to)?;
            }
        }
    }
    Ok(())
}

/// Opens a file that a playbook of this user could have put something else in the place of: neither follows a link nor
/// waits for the other end of a pipe.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let displaced = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "something else was put in its place",
        )
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == Errno::LOOP.raw_os_error() => displaced(),
            _ => error,
        })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(displaced())
    }
}

/// Whether a file cannot be read because something else was put in its place: looking again would not help.
pub fn is_displaced(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

/// Bytes that this user may still write on the disk of a folder; none where it takes no more files.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    // Some file systems do not count files.
    if disk.f_files > 0 && disk.f_favail == 0 {
        return Ok(0);
    }
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether a file begins with these bytes.
pub(crate) fn begins_with(path: &Path, bytes: &[u8]) -> bool {
    let read = || {
        let mut begin = vec![0; bytes.len()];
        open_regular(path)?.read_exact(&mut begin)?;
        io::Result::Ok(begin)
    };
    read().is_ok_and(|begin| begin == bytes)
}

/// The content, or `None` when there is no such file.
pub fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_every_file_and_link() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("roles/x")).unwrap();
        fs::write(from.join("roles/x/main.yml"), "a").unwrap();
        symlink("roles", from.join("same")).unwrap();
        symlink("..", from.join("roles/up")).unwrap();
        fs::create_dir_all(to.join("left")).unwrap();
        copy_tree(&from, &to).unwrap();
        assert_eq!(fs::read(to.join("roles/up/same/x/main.yml")).unwrap(), b"a");
        assert!(to.join("same").is_symlink() && !to.join("left").exists());
        fs::write(to.join("roles/x/main.yml"), "b").unwrap();
        assert_eq!(fs::read(from.join("roles/x/main.yml")).unwrap(), b"a");
    }

    #[test]
    fn only_a_file_is_read_in_the_place_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "text").unwrap();
        assert!(open_regular(&at("file")).is_ok());
        symlink(at("file"), at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        for name in ["link", "pipe", "."] {
            let error = open_regular(&at(name)).unwrap_err();
            assert!(is_displaced(&error), "{name}: {error}");
        }
        let error = open_regular(&at("nothing")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
