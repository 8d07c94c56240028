//! Addresses, revisions and commits, checked so that none can be an option, a command or a password in the open.

use std::{path::Path, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::checked::checked;

/// Why a text was refused, as a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GitNameError(String);

/// Where a repository is: `https://…`, `ssh://…` or `user@host:path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GitUrl(String);

/// A branch, a tag, another ref, or a full commit id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision(String);

/// 40 or 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

checked!(GitNameError: GitUrl Revision CommitId);

impl GitUrl {
    /// A repository on this machine; only a [`Git`](super::Git) that reads such takes it.
    pub fn of_folder(path: &Path) -> Result<Self, GitNameError> {
        Url::from_file_path(path)
            .map(|url| Self(url.into()))
            .map_err(|()| GitNameError(format!("{} is not an absolute path.", path.display())))
    }

    pub(super) fn of_https(&self) -> Option<Url> {
        Url::parse(&self.0)
            .ok()
            .filter(|url| url.scheme() == "https")
    }

    pub(super) fn is_folder(&self) -> bool {
        self.0.starts_with("file:")
    }
}

impl FromStr for GitUrl {
    type Err = GitNameError;

    fn from_str(text: &str) -> Result<Self, GitNameError> {
        let text = text.trim();
        let refused = |why: &str| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
            Err(GitNameError(format!("“{shown}” {why}")))
        };
        const FORMS: &str = "is not the address of a repository. Give one like https://git.example.com/ops/playbooks.git, ssh://git@git.example.com/ops/playbooks.git or git@git.example.com:ops/playbooks.git.";
        let odd = |c: char| c.is_control() || c.is_whitespace() || "\\\"'`<>|".contains(c);
        if text.is_empty() || text.len() > 1000 || text.starts_with('-') || text.contains(odd) {
            return refused(FORMS);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let Ok(url) = Url::parse(text) else {
                return refused(FORMS);
            };
            let named = url.host_str().is_some_and(host);
            let somewhere =
                url.path().len() > 1 && url.query().is_none() && url.fragment().is_none();
            if !matches!(scheme, "https" | "ssh") || !named || !somewhere {
                return refused(FORMS);
            }
            let authority = rest.split('/').next().unwrap_or_default();
            let user_good = match (scheme, authority.rsplit_once('@')) {
                (_, None) => true,
                ("ssh", Some((name, _))) => user(name),
                // It would be shown with the address.
                (_, Some(_)) => {
                    return Err(GitNameError(
                        "The address of a repository holds no user and no password. Give the token apart from it.".to_owned(),
                    ));
                }
            };
            return if user_good {
                Ok(Self(text.to_owned()))
            } else {
                refused(FORMS)
            };
        }
        let Some((before, path)) = text.split_once(':') else {
            return refused(FORMS);
        };
        let (name, address) = before.split_once('@').unwrap_or(("git", before));
        if user(name) && host(address) && !path.is_empty() && !path.starts_with([':', '-']) {
            Ok(Self(text.to_owned()))
        } else {
            refused(FORMS)
        }
    }
}

fn host(text: &str) -> bool {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        }
    }
}

fn user(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
}

impl FromStr for Revision {
    type Err = GitNameError;

    /// The rules of `git check-ref-format --allow-onelevel`, and ASCII only.
    fn from_str(text: &str) -> Result<Self, GitNameError> {
        let text = text.trim();
        let part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.ends_with('.')
                && !part.ends_with(".lock")
        };
        let good = text.len() <= 250
            && !text.starts_with(['-', '+'])
            && text != "@"
            && !text.contains("..")
            && !text.contains("@{")
            && text
                .chars()
                .all(|c| c.is_ascii_graphic() && !"~^:?*[\\".contains(c))
            && text.split('/').all(part);
        if good {
            Ok(Self(text.to_owned()))
        } else {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
            Err(GitNameError(format!(
                "“{shown}” is not the name of a branch or a tag, nor the id of a commit. Give one such as “main”, “v1.4.2” or 40 hexadecimal digits."
            )))
        }
    }
}

impl Revision {
    /// The commit, if it is named by its full id.
    pub(super) fn commit(&self) -> Option<CommitId> {
        self.0.parse().ok()
    }
}

impl FromStr for CommitId {
    type Err = GitNameError;

    fn from_str(text: &str) -> Result<Self, GitNameError> {
        let hex = text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        if hex && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(GitNameError(
                "A commit is named by its full id of 40 or 64 lower-case hexadecimal digits."
                    .to_owned(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_repositories_pass() {
        for good in [
            "https://git.example.com/a/b.git",
            "https://git.example.com:8443/a",
            "ssh://git@git.example.com:2222/a/b.git",
            "ssh://[::1]/a",
            "git@git.example.com:a/b.git",
            "git.example.com:~user/b.git",
        ] {
            assert_eq!(good.parse::<GitUrl>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-oProxyCommand=x",
            "--upload-pack=touch x",
            "ext::sh -c touch",
            "ext::sh",
            "fd::3",
            "file:///etc",
            "/srv/git/a",
            "../a",
            "http://git.example.com/a",
            "git://git.example.com/a",
            "https://git.example.com",
            "https:///a",
            "https://git.example.com/a?x=1",
            "https://git.example.com/a b",
            "https://git.example.com/a\nb",
            "ssh://-oProxyCommand=x/a",
            "ssh://%2doProxyCommand=x/a",
            "ssh://-l@git.example.com/a",
            "-x@git.example.com:a",
            "git@-x:a",
            "git@git.example.com:-a",
            "git@git.example.com:",
            "ssh://git:pass@git.example.com/a",
        ] {
            assert!(bad.parse::<GitUrl>().is_err(), "{bad}");
        }
        for secret in [
            "https://u:p@git.example.com/a",
            "https://token@git.example.com/a",
        ] {
            let said = secret.parse::<GitUrl>().unwrap_err().to_string();
            assert!(said.contains("apart") && !said.contains("token@"), "{said}");
        }
    }

    #[test]
    fn only_revisions_pass() {
        for good in [
            "main",
            "v1.2.3",
            "feature/a-b_c",
            "refs/heads/main",
            "HEAD",
            "a+b",
            "user@host",
        ] {
            assert_eq!(good.parse::<Revision>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "--upload-pack=touch x",
            "-x",
            "+main",
            "a..b",
            "a:b",
            "a^",
            "a~1",
            "a b",
            "a\nb",
            "a@{1}",
            "@",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a*",
            "a?",
            "a[",
            "a\\b",
            "ü",
        ] {
            assert!(bad.parse::<Revision>().is_err(), "{bad}");
        }
        assert!(
            "0".repeat(40)
                .parse::<Revision>()
                .unwrap()
                .commit()
                .is_some()
        );
        assert!("0".repeat(39).parse::<CommitId>().is_err());
        assert!("A".repeat(40).parse::<CommitId>().is_err());
    }
}
