//! A lab's folder: claimed by one lab at a time; giving it back ends every process of the lab.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::processes;

/// The claim on a folder.
pub struct Folder {
    dir: PathBuf,
    /// Closing it gives up the lock.
    _lock: File,
}

impl Folder {
    /// Makes and locks the folder, and ends what a killed lab may have left running.
    pub fn claim(dir: &Path) -> Result<Self> {
        let wanted = std::path::absolute(dir)?;
        must_be_plain(&wanted)?;
        let made = fs::create_dir_all(&wanted).and_then(|()| wanted.canonicalize());
        let dir = made.with_context(|| format!("{} could not be made", wanted.display()))?;
        must_be_plain(&dir)?;
        let path = dir.join("lock");
        let lock =
            File::create(&path).with_context(|| format!("{} could not be made", path.display()))?;
        if lock.try_lock().is_err() {
            bail!(
                "a lab already runs in {}: stop it, or choose another --dir",
                dir.display()
            );
        }
        let folder = Self { dir, _lock: lock };
        folder.end_processes()?;
        Ok(folder)
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Removes what is installed on the hosts.
    pub fn remove_software(&self) -> Result<()> {
        let hosts = self.dir.join("hosts");
        for host in fs::read_dir(&hosts).into_iter().flatten().flatten() {
            let installed = host.path().join("opt");
            if installed.exists() {
                fs::remove_dir_all(&installed)
                    .with_context(|| format!("{} could not be removed", installed.display()))?;
            }
        }
        Ok(())
    }

    /// Ends every process of the lab in this folder.
    pub fn end_processes(&self) -> Result<()> {
        let left = processes::end_lab(&self.dir);
        if !left.is_empty() {
            bail!(
                "processes of the lab in {} do not end: {left:?}",
                self.dir.display()
            );
        }
        Ok(())
    }
}

/// The path stands in configuration files of sshd, in a shell script and in command lines.
fn must_be_plain(dir: &Path) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter);
    if !dir.to_str().is_some_and(|text| text.chars().all(plain)) {
        bail!(
            "{} has a space or special character in it, which sshd's files cannot hold: choose another --dir",
            dir.display()
        );
    }
    Ok(())
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = self.end_processes() {
            tracing::error!("{error:#}");
        }
    }
}
