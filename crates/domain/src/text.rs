//! Texts that people type, parsed once into types that cannot be wrong afterwards.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Which field was refused and why, as a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }

    /// The same complaint about another form field.
    pub fn for_field(self, field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            ..self
        }
    }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident($field:literal) = $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = FieldError;
            fn from_str(text: &str) -> Result<Self, FieldError> {
                let check: fn(&str) -> Result<(), String> = $check;
                let text = text.trim();
                check(text).map_err(|message| FieldError::new($field, message))?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = FieldError;
            fn try_from(text: String) -> Result<Self, FieldError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    )*};
}

/// Whether a character has neither a picture nor a width of its own.
pub fn is_unseen(c: char) -> bool {
    turns(c)
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}'
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether it changes the direction in which the others are read.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

texts! {
    /// Short lower-case name used in addresses, metric tags and paths: `checkout`, `eu-west`. 1–40 characters.
    Slug("slug") = |text| {
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let inner = text.chars().all(|c| lower(c) || c == '-');
        if !text.is_empty() && text.len() <= 40 && inner && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.ends_with(lower) {
            Ok(())
        } else {
            Err(format!("“{}” cannot be used as a short name. Start with a letter and use up to 40 lower-case letters, digits and hyphens, such as “checkout”.", shown(text)))
        }
    };
    /// What people call a thing. 1–80 characters, one line.
    Name("name") = |text| one_line(text, 80, "a name");
    /// Why somebody did something; kept for ever. 3–1,000 characters.
    Reason("reason") = |text| {
        let seen = text.chars().filter(|c| !c.is_whitespace() && !is_unseen(*c)).count();
        if text.chars().any(|c| (c.is_control() && !c.is_whitespace()) || turns(c)) {
            Err("The reason holds characters that cannot be seen, such as a terminal's colours or a change of the direction of reading. Type it, or paste it as plain text.".to_owned())
        } else if seen >= 3 && text.chars().count() <= 1000 {
            Ok(())
        } else {
            Err("Give a reason of 3 to 1,000 characters: it is kept with the decision and read by whoever audits it.".to_owned())
        }
    };
    /// The version of a release as the service reports it: `1.4.2`, `2026.11.1-rc1`. 1–60 characters.
    Version("version") = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
        if !text.is_empty() && text.len() <= 60 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) && !text.contains("..") {
            Ok(())
        } else {
            Err(format!("“{}” is not a version. Use up to 60 letters, digits, dots, hyphens, plus signs and underscores, such as “1.4.2”.", shown(text)))
        }
    };
    /// Name of a host as the inventory writes it. 1–253 characters.
    HostName("host") = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        // Ansible takes the first two for groups, and the last for the machine it runs on.
        if ["all", "ungrouped", "localhost"].contains(&text.to_ascii_lowercase().as_str()) {
            Err(format!("A host cannot be called “{text}”, because Ansible means something else by it. Give it a name of its own, and its address as ansible_host."))
        } else if !text.is_empty() && text.len() <= 253 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
            Ok(())
        } else {
            Err(format!("“{}” is not a host name. Use letters, digits, dots, hyphens and underscores.", shown(text)))
        }
    };
    /// An inventory group, or `all`. 1–100 characters.
    GroupName("host_group") = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !text.is_empty() && text.len() <= 100 && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && text.chars().all(plain) {
            Ok(())
        } else {
            Err(format!("“{}” is not an inventory group. Use letters, digits, underscores, hyphens and dots, such as “web_servers”.", shown(text)))
        }
    };
    /// A tag of Ansible's tasks. 1–100 characters.
    Tag("tags") = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if !text.is_empty() && text.len() <= 100 && !text.starts_with('-') && text.chars().all(plain) {
            Ok(())
        } else {
            Err(format!("“{}” is not a tag. Use letters, digits, hyphens, underscores, dots and colons.", shown(text)))
        }
    };
    /// Name of a variable as playbooks write it. 1–64 characters.
    VariableName("name") = crate::variable::name::check;
    /// SHA-256 in lower-case hexadecimal, 64 characters.
    Sha256("sha256") = |text| {
        if text.len() == 64 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)) {
            Ok(())
        } else {
            Err("The checksum must be the artefact's SHA-256 in 64 lower-case hexadecimal digits; `sha256sum FILE` prints it.".to_owned())
        }
    };
}

fn one_line(text: &str, most: usize, what: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length == 0 {
        Err(format!("Give {what}."))
    } else if length > most {
        Err(format!(
            "{} is too long: {length} characters, at most {most}.",
            sentence_case(what)
        ))
    } else if text.chars().any(char::is_control) {
        Err(format!(
            "{} must be one line without control characters.",
            sentence_case(what)
        ))
    } else {
        Ok(())
    }
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

impl Sha256 {
    /// The checksum of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(
            sha2::Sha256::digest(bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }
}

/// “a, b, c and 12 more”: the first `most` of these, in their order.
pub fn listed<T: fmt::Display>(things: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut things = things.into_iter();
    let shown: Vec<String> = things
        .by_ref()
        .take(most)
        .map(|thing| thing.to_string())
        .collect();
    match things.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// “a, b or c”; empty where there is none.
pub fn one_of<T: AsRef<str>>(things: &[T]) -> String {
    let mut text = String::new();
    for (at, thing) in things.iter().enumerate() {
        text.push_str(match at {
            0 => "",
            last if last + 1 == things.len() => " or ",
            _ => ", ",
        });
        text.push_str(thing.as_ref());
    }
    text
}

/// What of a refused text is quoted back: short, and without control characters.
pub fn shown(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if text.chars().count() > 60 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_safe_in_paths_and_tags() {
        for good in ["a", "checkout", "eu-west-1", "a1"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "1a",
            "A",
            "a/b",
            "a b",
            "../x",
            "ä",
            "a\n",
            &"a".repeat(41),
        ] {
            let parsed = bad.parse::<Slug>();
            assert!(
                parsed.is_err() || bad.trim() == parsed.unwrap().as_str(),
                "{bad}"
            );
        }
        assert!("a/b".parse::<Slug>().is_err());
    }

    #[test]
    fn a_reason_can_be_read() {
        let why = |text: &str| {
            text.parse::<Reason>()
                .map(|_| ())
                .map_err(|why| why.message)
        };
        for good in [
            "fix",
            "Because\nof\tthis.",
            "דחוף מאוד",
            "👩‍🚒 fire",
            &"a".repeat(1000),
        ] {
            assert_eq!(why(good), Ok(()), "{good}");
        }
        for short in [
            "",
            "  x ",
            "\u{200b}\u{200b}\u{200b}\u{200b}",
            "\u{2800}\u{2800}\u{2800}",
            &"a".repeat(1001),
        ] {
            assert!(why(short).unwrap_err().contains("3 to 1,000"), "{short:?}");
        }
        for unseen in [
            "\u{1b}[31mfailed\u{1b}[0m",
            "\u{202e}live reason\u{202c}",
            "a\0b\0c",
        ] {
            assert!(
                why(unseen).unwrap_err().contains("cannot be seen"),
                "{unseen:?}"
            );
        }
    }

    #[test]
    fn versions_cannot_leave_their_folder() {
        for bad in ["", "..", "1..2", "/1", "-rf", "1/2", "$(id)", "{{ x }}"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        assert!("2026.11.1-rc1+5".parse::<Version>().is_ok());
    }

    #[test]
    fn a_host_is_not_called_what_ansible_calls_something_else() {
        for bad in [
            "all",
            "ungrouped",
            "localhost",
            "Localhost",
            "",
            "-x",
            "a b",
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
        assert!("localhost-1".parse::<HostName>().is_ok());
    }

    #[test]
    fn a_long_list_says_how_much_it_leaves_out() {
        assert_eq!(listed(["a"; 0], 2), "");
        assert_eq!(listed(["a", "b"], 2), "a, b");
        assert_eq!(listed(["a", "b", "c", "d"], 2), "a, b and 2 more");
    }

    #[test]
    fn reading_a_stored_text_checks_it_again() {
        assert!(serde_json::from_str::<Slug>("\"Not A Slug\"").is_err());
    }
}
