//! What git says, and what that means.

use std::process::Output;

use super::{GitError, Source};

/// What git said last, without its labels.
pub(super) fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("hint:"))
        .collect();
    let told = lines
        .iter()
        .find(|line| {
            line.starts_with("fatal: ") || line.starts_with("remote: ") || line.starts_with("ssh: ")
        })
        .or(lines.last())
        .copied()
        .unwrap_or("it gave no reason");
    let told = told.trim_start_matches("fatal: ").trim_end_matches('.');
    let plain: String = told.chars().filter(|c| !c.is_control()).take(300).collect();
    format!("{plain}.")
}

/// Why a fetch failed, from git's words.
pub(super) fn refusal(source: &Source, output: &Output) -> GitError {
    let text = String::from_utf8_lossy(&output.stderr);
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let url = source.url.clone();
    let why = said(output);
    if says(&["Host key verification failed", "host key is known for"]) {
        GitError::HostKey(url)
    } else if says(&[
        "couldn't find remote ref",
        "not our ref",
        "unadvertised object",
        "no such remote ref",
    ]) {
        GitError::Unknown {
            url,
            revision: source.revision.clone(),
        }
    } else if says(&["File size limit exceeded", "File too large", "signal 25"]) {
        GitError::Heavy { url }
    } else if says(&[
        "Permission denied (",
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "error: 401",
        "error: 403",
    ]) {
        GitError::Refused { url, why }
    } else if says(&[
        "not found",
        "does not appear to be a git repository",
        "does not exist",
        "error: 404",
        "error: 301",
        "error: 302",
    ]) {
        GitError::NotFound { url, why }
    } else if says(&[
        "Could not resolve",
        "onnection refused",
        "timed out",
        "Failed to connect",
        "Couldn't connect",
        "No route to host",
        "unreachable",
        "onnection reset",
        "onnection closed",
        "SSL",
        "certificate",
    ]) {
        GitError::Down { url, why }
    } else {
        GitError::Failed { url, why }
    }
}
