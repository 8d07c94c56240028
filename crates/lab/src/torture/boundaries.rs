//! A console that is killed, and whose supervisors are, at the system calls by which they store or start something.
//!
//! strace does it: it kills a process when one of its threads enters its n-th call of a kind. Each start of the console
//! draws a kind and an n, so in time every boundary is met.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::disk;

/// The calls of one kind, and how far into them kills are drawn.
const KINDS: [(&str, u32); 7] = [
    ("rename,renameat,renameat2", 6),
    ("fsync,fdatasync", 60),
    ("pwrite64", 400),
    ("write,writev", 120),
    ("flock,fcntl", 120),
    ("unlink,unlinkat,ftruncate,mkdir,mkdirat", 12),
    ("clone,clone3,vfork,execve", 12),
];

/// A program in `dir` that starts the console, and once [`begin`] was called, kills it sooner or later.
pub fn program(dir: &Path) -> Result<PathBuf> {
    let slipway = std::env::current_exe()?.with_file_name("slipway");
    let path = dir.join("slipway-to-be-killed");
    fs::create_dir_all(dir)?;
    let _ = fs::remove_file(go(dir));
    let choices: String = KINDS
        .iter()
        .enumerate()
        .map(|(number, (calls, most))| format!("  {number}) calls={calls}; most={most} ;;\n"))
        .collect();
    // -DDD: strace is no parent of the console, which ends as if nobody watched; -f: supervisors are watched as well.
    let script = format!(
        "#!/bin/bash\n\
         [ -f '{go}' ] || exec '{slipway}' \"$@\"\n\
         case $((RANDOM % {kinds})) in\n{choices}esac\n\
         exec strace -DDD -f -qq -o /dev/null -e trace=$calls \
         -e inject=$calls:signal=KILL:when=$((RANDOM % most + 1)) '{slipway}' \"$@\"\n",
        go = go(dir).display(),
        slipway = slipway.display(),
        kinds = KINDS.len(),
    );
    disk::write(&path, script.as_bytes(), 0o755)?;
    Ok(path)
}

/// From its next start on, the console is killed.
pub fn begin(dir: &Path) -> Result<()> {
    Ok(fs::write(go(dir), "")?)
}

fn go(dir: &Path) -> PathBuf {
    dir.join("kill")
}
