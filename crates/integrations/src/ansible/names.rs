//! Texts that end up in Ansible's or ssh's arguments and files, checked once so that none can be taken for an option,
//! a second line or a template.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::checked::checked;

/// Why a text was refused, as a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(String);

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $check:expr, $problem:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError(format!("“{}” {}", shown(text), $problem)))
                }
            }
        }

        checked!(NameError: $name);
    )*};
}

names! {
    /// A playbook's path inside its project: `playbooks/deploy.yml`.
    PlaybookName = |text| {
        plain(text, 200, "-_./") && inside(text) && (text.ends_with(".yml") || text.ends_with(".yaml"))
    }, "is not the path of a playbook in a project. Give a path of letters, digits, hyphens, underscores and dots that ends with .yml, such as “playbooks/deploy.yml”.";
    /// Whom to sign in, or to become.
    UserName = |text| plain(text, 100, "._-@+$\\"), "is not a user name.";
    /// Host name or IP address, without a port.
    Address = |text| plain(text, 253, ".:-_"), "is not an address. Give a host name or an IP address, without a port.";
    /// A plugin of Ansible that makes one user another: `sudo`, `su`, `community.general.doas`.
    BecomeMethod = |text| plain(text, 100, "._"), "is not a method of becoming another user. Give one of Ansible's, such as “sudo”.";
}

impl PlaybookName {
    /// One of ours.
    pub(super) fn shipped(path: &'static str) -> Self {
        Self(path.to_owned())
    }
}

/// Is not empty, not too long, begins with no hyphen, and is of ASCII letters, digits and `more` only.
pub(super) fn plain(text: &str, longest: usize, more: &str) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// A relative path that stays below where it starts.
pub(super) fn inside(path: &str) -> bool {
    !path.is_empty()
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && !part.starts_with('-'))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_that_could_be_an_option_or_a_second_line() {
        let hostile = [
            "",
            "-x",
            "-oProxyCommand=x",
            "a b",
            "a\nb",
            "a\"b",
            "a'b",
            "a%h",
            "{{ a }}",
            "a,b",
            "ü",
            "a#b",
            "a;b",
        ];
        for text in hostile {
            assert!(text.parse::<PlaybookName>().is_err(), "{text}");
            assert!(format!("{text}.yml").parse::<PlaybookName>().is_err() || text.is_empty());
            assert!(text.parse::<UserName>().is_err(), "{text}");
            assert!(text.parse::<Address>().is_err(), "{text}");
            assert!(text.parse::<BecomeMethod>().is_err(), "{text}");
        }
        for path in [
            "../a.yml",
            "a/../b.yml",
            "/a.yml",
            "a//b.yml",
            "./a.yml",
            "a/-b.yml",
            "a.json",
            "a/",
        ] {
            assert!(path.parse::<PlaybookName>().is_err(), "{path}");
        }
        for path in ["site.yml", "playbooks/deploy-2.0.yaml", ".hidden/a_b.yml"] {
            assert_eq!(path.parse::<PlaybookName>().unwrap().as_str(), path);
        }
        assert!("DOMAIN\\admin".parse::<UserName>().is_ok());
        assert!("fe80::1".parse::<Address>().is_ok());
        assert!("community.general.doas".parse::<BecomeMethod>().is_ok());
        assert!(serde_json::from_str::<UserName>("\"-a\"").is_err());
    }
}
