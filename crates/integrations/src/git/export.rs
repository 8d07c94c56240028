//! A commit's files, written by us from git's objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

use super::{CommitId, Git, GitError, MOST_BYTES, MOST_FILES, READ_TIME, Source};
use crate::file;

/// What a tree says of a file.
struct Entry {
    path: String,
    kind: Kind,
    object: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Program,
    Link,
}

impl Git {
    /// Writes the files of a commit that was fetched into `into/<commit>` and returns that folder; if it is there, it
    /// is taken as it is. Submodules are left out.
    pub async fn checkout(
        &self,
        source: &Source,
        commit: &CommitId,
        into: &Path,
    ) -> Result<PathBuf, GitError> {
        let folder = into.join(commit.as_str());
        if folder.is_dir() {
            return Ok(folder);
        }
        let repository = self.repository(&source.url);
        let _lock = self.lock(&repository).await?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let entries = self.entries(source, &repository, commit).await?;
        let contents = self.contents(source, &repository, &entries).await?;
        let (into, commit, done) = (into.to_owned(), commit.clone(), folder.clone());
        let disk = |path: &Path, why: io::Error| GitError::Disk {
            path: path.to_owned(),
            why,
        };
        let at = folder.clone();
        spawn_blocking(move || -> Result<(), GitError> {
            file::private_folder(&into).map_err(|why| disk(&into, why))?;
            let draft = tempfile::Builder::new()
                .prefix("checkout-")
                .tempdir_in(&into)
                .map_err(|why| disk(&into, why))?;
            write(draft.path(), &commit, &entries, &contents)?;
            match fs::rename(draft.path(), &done) {
                // It has another name now: there is nothing left to remove.
                Ok(()) => drop(draft.keep()),
                // Another repository with this commit was quicker.
                Err(_) if done.is_dir() => {}
                Err(why) => return Err(disk(&done, why)),
            }
            Ok(())
        })
        .await
        .unwrap_or_else(|error| Err(disk(&at, io::Error::other(error))))?;
        Ok(folder)
    }

    async fn entries(
        &self,
        source: &Source,
        repository: &Path,
        commit: &CommitId,
    ) -> Result<Vec<Entry>, GitError> {
        let url = &source.url;
        let mut command = self.git(repository);
        command.args([
            "ls-tree",
            "-r",
            "-z",
            "--long",
            "--full-tree",
            commit.as_str(),
        ]);
        let listed = self
            .ask(url, &mut command, READ_TIME)
            .await
            .map_err(|error| match error {
                GitError::Failed { .. } => GitError::Unknown {
                    url: url.clone(),
                    revision: source.revision.clone(),
                },
                error => error,
            })?;
        let mut entries = Vec::new();
        let mut bytes = 0_u64;
        for line in listed
            .split(|byte| *byte == 0)
            .filter(|line| !line.is_empty())
        {
            let line = String::from_utf8_lossy(line);
            // "100644 blob <object>    <bytes>\t<path>"
            let (about, path) = line.split_once('\t').unwrap_or((&line, ""));
            let about: Vec<&str> = about.split_ascii_whitespace().collect();
            let &[mode, "blob", object, size] = about.as_slice() else {
                continue;
            };
            if !acceptable(path) {
                return Err(GitError::Path {
                    commit: commit.clone(),
                    path: path.chars().filter(|c| !c.is_control()).take(200).collect(),
                });
            }
            let kind = match mode {
                "120000" => Kind::Link,
                "100755" => Kind::Program,
                _ => Kind::File,
            };
            let size = size.parse().unwrap_or(u64::MAX);
            bytes = bytes.saturating_add(size);
            entries.push(Entry {
                path: path.to_owned(),
                kind,
                object: object.to_owned(),
            });
        }
        if entries.len() > MOST_FILES {
            return Err(GitError::ManyFiles {
                commit: commit.clone(),
                files: entries.len(),
            });
        }
        if bytes > MOST_BYTES {
            return Err(GitError::Large {
                commit: commit.clone(),
                megabytes: bytes.div_ceil(1 << 20),
            });
        }
        Ok(entries)
    }

    /// What these hold, by object.
    async fn contents(
        &self,
        source: &Source,
        repository: &Path,
        entries: &[Entry],
    ) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        let objects: BTreeSet<&str> = entries.iter().map(|entry| entry.object.as_str()).collect();
        let mut asked = String::new();
        for object in &objects {
            asked.push_str(object);
            asked.push('\n');
        }
        let mut command = self.git(repository);
        command.args(["cat-file", "--batch", "--buffer"]);
        let most = MOST_BYTES + 200 * MOST_FILES as u64;
        let answer = self
            .run_with(&source.url, &mut command, asked.as_bytes(), READ_TIME, most)
            .await?;
        read_batch(&answer.stdout)
            .filter(|contents| contents.len() == objects.len())
            .ok_or_else(|| GitError::Failed {
                url: source.url.clone(),
                why: "some of its files are missing or broken.".to_owned(),
            })
    }
}

/// "<object> blob <bytes>", a newline, the content, a newline; and again.
fn read_batch(mut rest: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut contents = BTreeMap::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let about = std::str::from_utf8(&rest[..end]).ok()?;
        let about: Vec<&str> = about.split(' ').collect();
        let &[object, "blob", bytes] = about.as_slice() else {
            return None;
        };
        let bytes: usize = bytes.parse().ok()?;
        rest = &rest[end + 1..];
        let content = rest.get(..bytes)?;
        contents.insert(object.to_owned(), content.to_vec());
        rest = rest.get(bytes + 1..)?;
    }
    Some(contents)
}

/// Below the folder, in text, and not what git itself would read.
fn acceptable(path: &str) -> bool {
    !path.contains([char::REPLACEMENT_CHARACTER, '\0'])
        && path.len() < 1000
        && path.split('/').all(|part| {
            !matches!(part, "" | "." | "..")
                && part.len() < 256
                && !part.eq_ignore_ascii_case(".git")
        })
}

fn write(
    folder: &Path,
    commit: &CommitId,
    entries: &[Entry],
    contents: &BTreeMap<String, Vec<u8>>,
) -> Result<(), GitError> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |why| GitError::Disk { path, why }
    };
    let root = folder.canonicalize().map_err(disk(folder))?;
    let empty = Vec::new();
    let mut links = Vec::new();
    for entry in entries {
        let path = root.join(&entry.path);
        let content = contents.get(&entry.object).unwrap_or(&empty);
        if let Some(parent) = path.parent() {
            file::private_folder(parent).map_err(disk(parent))?;
        }
        match entry.kind {
            // Only when all files are there, so that none is written through one.
            Kind::Link => links.push((entry, path, content)),
            Kind::File | Kind::Program => {
                let mode = if entry.kind == Kind::Program {
                    0o700
                } else {
                    0o600
                };
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(mode)
                    .open(&path)
                    .and_then(|mut file| file.write_all(content))
                    .map_err(disk(&path))?;
            }
        }
    }
    let refused = |entry: &Entry| GitError::Link {
        commit: commit.clone(),
        path: entry.path.clone(),
    };
    for (entry, path, target) in &links {
        let target = std::str::from_utf8(target).map_err(|_| refused(entry))?;
        symlink(target, path).map_err(|_| refused(entry))?;
    }
    // Where a link leads may depend on others.
    for (entry, path, target) in &links {
        let leads_inside = !target.starts_with(b"/")
            && path
                .canonicalize()
                .is_ok_and(|found| found.starts_with(&root));
        if !leads_inside {
            return Err(refused(entry));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_none_are_refused() {
        for good in ["a", "a/b.yml", ".gitignore", "a b", "ü", "-a"] {
            assert!(acceptable(good), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/../b",
            "..",
            ".git/config",
            "a/.GIT/hooks/x",
            "a//b",
            "\u{fffd}",
        ] {
            assert!(!acceptable(bad), "{bad}");
        }
    }

    #[test]
    fn a_batch_is_read_to_its_last_byte() {
        let read = read_batch(b"a1 blob 3\nx\ny\nb2 blob 0\n\n").unwrap();
        assert_eq!(read["a1"], b"x\ny");
        assert_eq!(read["b2"], b"");
        for broken in [
            &b"a1 missing\n"[..],
            b"a1 blob 9\nx\n",
            b"a1 blob 1\nx",
            b"a1",
        ] {
            assert!(read_batch(broken).is_none());
        }
    }
}
