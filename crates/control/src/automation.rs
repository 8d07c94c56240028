//! Which playbooks will run, and whether they are still the ones that were approved.

use std::{
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
    let mut files = Vec::new();
    for part in parts {
        collect(&project.join(part), &mut files).map_err(unreadable)?;
    }
    files.sort();
    let mut hasher = Hasher::new();
    for file in files {
        let name = file
            .strip_prefix(project)
            .unwrap_or(&file)
            .to_string_lossy()
            .into_owned();
        let content = fs::read(&file).map_err(unreadable)?;
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

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?.path();
            let compiled = entry.file_name().is_some_and(|name| name == "__pycache__")
                || entry
                    .extension()
                    .is_some_and(|extension| extension == "pyc");
            if !compiled {
                collect(&entry, files)?;
            }
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}
