//! Which playbooks will run, and whether they are still the ones that were approved.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use domain::text::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};

use crate::Error;

/// What of an automation project decides what happens on a host.
const PARTS: &[&str] = &["ansible.cfg", "datadog", "playbooks", "plugins", "roles"];

/// Digest over path and content of every file that decides what happens on a host.
pub(crate) fn digest(project: &Path) -> Result<Sha256, Error> {
    digest_of(project, PARTS)
}

/// The same of a project that is nothing but playbooks and what they use.
pub(crate) fn digest_whole(project: &Path) -> Result<Sha256, Error> {
    digest_of(project, &[""])
}

fn digest_of(project: &Path, parts: &[&str]) -> Result<Sha256, Error> {
    let unreadable = |error: io::Error| {
        Error::Unavailable(format!(
            "The playbooks in {} cannot be read: {error}. Check the setting `ansible.project_dir`.",
            project.display()
        ))
    };
    let mut found = Found::default();
    for part in parts {
        found.collect(&project.join(part)).map_err(unreadable)?;
    }
    found.files.sort();
    let mut hasher = Hasher::new();
    for (file, leads_to) in found.files {
        let name = file
            .strip_prefix(project)
            .unwrap_or(&file)
            .to_string_lossy()
            .into_owned();
        let content = match leads_to {
            Some(target) => target.into_os_string().into_encoded_bytes(),
            None => fs::read(&file).map_err(unreadable)?,
        };
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update((content.len() as u64).to_be_bytes());
        hasher.update(&content);
    }
    hex(hasher)
}

/// SHA-256 of one file.
pub(crate) fn file_digest(path: &Path) -> Result<Sha256, Error> {
    let unreadable = |error: io::Error| {
        Error::Unavailable(format!("{} cannot be read: {error}.", path.display()))
    };
    let mut hasher = Hasher::new();
    io::copy(&mut fs::File::open(path).map_err(unreadable)?, &mut hasher).map_err(unreadable)?;
    hex(hasher)
}

fn hex(hasher: Hasher) -> Result<Sha256, Error> {
    let text: String = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(text.parse()?)
}

/// Files, and folders that a link leads to, with where it leads.
#[derive(Default)]
struct Found {
    files: Vec<(PathBuf, Option<PathBuf>)>,
    /// Folders that were entered, by their real path: links may lead round in circles, and to one place in many ways.
    entered: BTreeSet<PathBuf>,
}

impl Found {
    fn collect(&mut self, path: &Path) -> io::Result<()> {
        if !path.is_dir() {
            self.files.push((path.to_owned(), None));
            return Ok(());
        }
        if path.is_symlink() {
            self.files
                .push((path.to_owned(), Some(fs::read_link(path)?)));
        }
        if !self.entered.insert(path.canonicalize()?) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            entries.push(entry?.path());
        }
        // By which of several ways a folder is entered must not depend on the disk.
        entries.sort();
        for entry in entries {
            let compiled = entry.file_name().is_some_and(|name| name == "__pycache__")
                || entry
                    .extension()
                    .is_some_and(|extension| extension == "pyc");
            if !compiled {
                self.collect(&entry)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("roles/x")).unwrap();
        fs::write(at("roles/x/main.yml"), "a").unwrap();
        for name in ["a", "b", "c"] {
            symlink(".", at(name)).unwrap();
        }
        symlink("../..", at("roles/x/up")).unwrap();
        symlink("roles", at("same")).unwrap();
        let first = digest_whole(folder.path()).unwrap();
        assert_eq!(digest_whole(folder.path()).unwrap(), first);
        fs::write(at("roles/x/main.yml"), "b").unwrap();
        let second = digest_whole(folder.path()).unwrap();
        assert_ne!(second, first, "what a folder holds counts");
        fs::remove_file(at("same")).unwrap();
        symlink("roles/x", at("same")).unwrap();
        assert_ne!(
            digest_whole(folder.path()).unwrap(),
            second,
            "and where a link leads"
        );
    }
}
