//! What only the run may read: files of their own, gone when it has ended, and the texts that are masked in what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use domain::text::HostName;
use secrecy::{ExposeSecret, SecretString};

use super::command::CommandError;
use crate::{
    file,
    supervisor::{RecordError, Spec, names},
};

/// Ansible's own variables that a secret may set. Others say how ssh is called.
const ANSIBLES_OWN: [&str; 2] = ["ansible_password", "ansible_become_password"];

/// The folder of an attempt's secrets; made with the first of them, removed again unless it is kept.
pub(super) struct Private {
    folder: PathBuf,
    kept: bool,
}

impl Private {
    /// In the folder of an attempt.
    const FOLDER: &str = "private";

    /// Empty, whatever an earlier try left.
    pub fn new(attempt: &Path) -> Result<Self, CommandError> {
        let folder = attempt.join(Self::FOLDER);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(RecordError::write(&folder, error).into())
            }
            _ => Ok(Self {
                folder,
                kept: false,
            }),
        }
    }

    pub fn store(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, CommandError> {
        file::private_folder(&self.folder)
            .map_err(|error| RecordError::write(&self.folder, error))?;
        let path = self.folder.join(name);
        file::put(&path, bytes).map_err(|error| RecordError::write(&path, error))?;
        Ok(path)
    }

    /// Leaves the folder, if there is anything in it, to whoever gets its name.
    pub fn keep(mut self) -> Option<PathBuf> {
        self.kept = true;
        self.folder.exists().then(|| self.folder.clone())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if !self.kept {
            // Most often nothing was written.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Secret variables of hosts, by host and name.
pub(super) type HostSecrets<'a> = BTreeMap<&'a HostName, BTreeMap<&'a str, &'a SecretString>>;

/// Refuses a name that Ansible would take for something else than a variable of the playbook.
pub(super) fn check_name(name: &str) -> Result<(), CommandError> {
    let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let taken = (name.starts_with("ansible_") && !ANSIBLES_OWN.contains(&name))
        || name.starts_with("slipway_");
    if identifier && !taken {
        Ok(())
    } else {
        Err(CommandError::SecretName(name.chars().take(60).collect()))
    }
}

/// An inventory of nothing but secrets. `!unsafe` keeps Ansible from looking for templates in them.
pub(super) fn inventory(secrets: &HostSecrets<'_>) -> String {
    let mut text = String::from("all:\n  hosts:\n");
    for (host, secrets) in secrets.iter().filter(|(_, secrets)| !secrets.is_empty()) {
        let _ = writeln!(text, "    {}:", in_yaml(host.as_str()));
        for (name, secret) in secrets {
            let value = in_yaml(secret.expose_secret());
            let _ = writeln!(text, "      {name}: !unsafe {value}");
        }
    }
    text
}

/// A double-quoted scalar in ASCII, which holds whatever text.
fn in_yaml(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        let _ = match letter {
            '"' | '\\' => write!(out, "\\{letter}"),
            ' '..='~' => write!(out, "{letter}"),
            letter => write!(out, "\\U{:08X}", u32::from(letter)),
        };
    }
    out.push('"');
    out
}

/// The ways in which these stand in what Ansible prints: as they are, and quoted for YAML, Python and a shell.
pub(super) fn spellings<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let spelt: BTreeSet<String> = secrets
        .into_iter()
        .flat_map(|secret| ["'", "''", "\\'", "'\"'\"'"].map(|quote| secret.replace('\'', quote)))
        .collect();
    spelt.into_iter().collect()
}

/// How Ansible is to print results. YAML reads better, but folds texts at their spaces and spells rare letters in its
/// own way, and then a secret would not be found.
pub(super) fn result_format<'a>(secrets: impl IntoIterator<Item = &'a str>) -> &'static str {
    let mut letters = secrets.into_iter().flat_map(str::chars);
    if letters.all(|letter| letter.is_ascii_graphic()) {
        "yaml"
    } else {
        "json"
    }
}

/// Removes a file or a folder, if it is there.
fn gone(path: &Path) -> Result<(), RecordError> {
    file::remove(path).map_err(|error| RecordError::write(path, error))
}

/// Folder of an attempt with a project's files, if it has a copy of its own.
pub const PROJECT: &str = "project";

/// Removes what the supervisor of an attempt would have removed, when there is none any more: for a run that was lost,
/// never began, or could not even be written.
pub fn forget(attempt: &Path) -> Result<(), RecordError> {
    let path = attempt.join(names::SPEC);
    gone(&attempt.join(Private::FOLDER))?;
    gone(&attempt.join(PROJECT))?;
    gone(&file::draft_of(&path))?;
    let failed = |error: &dyn ToString| RecordError::write(&path, error.to_string());
    let Some(bytes) =
        file::read_if_there(&path).map_err(|error| RecordError::read(&path, error))?
    else {
        return Ok(());
    };
    // It was not written whole: it does not wait for the disk, and the power may fail.
    let Ok(mut spec) = serde_json::from_slice::<Spec>(&bytes) else {
        return gone(&path);
    };
    for path in &spec.scratch {
        gone(path)?;
    }
    spec.redact.clear();
    let bytes = serde_json::to_vec(&spec).map_err(|error| failed(&error))?;
    file::replace(&path, &bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_to_a_run_that_was_never_written_is_removed_too() {
        let folder = tempfile::tempdir().unwrap();
        let attempt = folder.path();
        let private = attempt.join("private");
        fs::create_dir(&private).unwrap();
        fs::write(private.join("key"), "secret").unwrap();
        fs::write(attempt.join("spec.json.new"), "secret").unwrap();
        forget(attempt).unwrap();
        assert_eq!(fs::read_dir(attempt).unwrap().count(), 0);
        forget(attempt).unwrap();
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for good in [
            "db_password",
            "_x",
            "A1",
            "ansible_password",
            "ansible_become_password",
        ] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1a",
            "a-b",
            "a: b",
            "a\nb",
            "ansible_ssh_common_args",
            "ansible_connection",
            "slipway_version",
            "ü",
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_text_is_one_line_of_ascii() {
        let all: String = (0..0x2_0000).filter_map(char::from_u32).collect();
        let written = in_yaml(&all);
        assert!(written.chars().all(|c| (' '..='~').contains(&c)));
        assert_eq!(in_yaml("a\"\\\n🔑"), r#""a\"\\\U0000000A\U0001F511""#);
    }

    #[test]
    fn a_quote_is_known_in_every_quoting() {
        assert_eq!(spellings(["plain", "plain"]), ["plain"]);
        assert_eq!(spellings(["it's"]).len(), 4);
    }

    #[test]
    fn what_yaml_would_change_is_printed_as_json() {
        assert_eq!(result_format(["t0ken", "a\"b\\c'd"]), "yaml");
        for odd in ["two words", "two\nlines", "öffne"] {
            assert_eq!(result_format(["t0ken", odd]), "json");
        }
    }
}
