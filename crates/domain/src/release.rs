//! What is rolled out: a version, and the artefact that carries it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::{FieldError, Sha256, Version, shown};

/// Where an artefact is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ArtifactSource {
    /// File name inside the configured artefact folder.
    File(String),
    /// `https://` address each host downloads from.
    Url(String),
}

impl FromStr for ArtifactSource {
    type Err = FieldError;
    fn from_str(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
        let address = |c: char| {
            c.is_ascii_graphic()
                && !matches!(c, '{' | '}' | '"' | '\'' | '<' | '>' | '\\' | '@' | '`')
        };
        if let Some(rest) = text.strip_prefix("https://") {
            if text.len() <= 500
                && rest.starts_with(|c: char| c.is_ascii_alphanumeric())
                && rest.chars().all(address)
            {
                return Ok(Self::Url(text.to_owned()));
            }
        } else if !text.is_empty()
            && text.len() <= 200
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(plain)
        {
            return Ok(Self::File(text.to_owned()));
        }
        Err(FieldError::new(
            "artifact",
            format!(
                "“{}” is not an artefact. Give the name of a file in the artefact folder, such as “checkout-1.4.2.tar.gz”, or an https:// address without user name.",
                shown(text)
            ),
        ))
    }
}

impl ArtifactSource {
    /// Where the artefact is, and the query behind it. That may be a signature, which is as good as a password.
    fn query(&self) -> Option<(&str, &str)> {
        match self {
            Self::File(_) => None,
            Self::Url(url) => url.split_once('?'),
        }
    }

    /// What must not be repeated.
    pub fn secret(&self) -> Option<&str> {
        self.query().map(|(_, secret)| secret)
    }

    /// As people see it: without what is secret.
    pub fn shown(&self) -> String {
        self.query()
            .map_or_else(|| self.to_string(), |(place, _)| format!("{place}?***"))
    }
}

impl TryFrom<String> for ArtifactSource {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        text.parse()
    }
}

impl fmt::Display for ArtifactSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(text) | Self::Url(text) => f.write_str(text),
        }
    }
}

impl From<ArtifactSource> for String {
    fn from(source: ArtifactSource) -> Self {
        source.to_string()
    }
}

/// An exact artefact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub source: ArtifactSource,
    pub sha256: Sha256,
}

/// A version and the exact artefact that carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Release {
    pub version: Version,
    /// `None` where the playbooks bring the version by themselves, as from a package repository.
    pub artifact: Option<Artifact>,
    /// Commit the artefact was built from, when known.
    pub commit: Option<String>,
}

/// A release as it is written, flat.
#[derive(Clone, Serialize, Deserialize)]
struct Written {
    version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact: Option<ArtifactSource>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256>,
    commit: Option<String>,
}

impl From<Release> for Written {
    fn from(release: Release) -> Self {
        let (artifact, sha256) = release
            .artifact
            .map(|artifact| (artifact.source, artifact.sha256))
            .unzip();
        Self {
            version: release.version,
            artifact,
            sha256,
            commit: release.commit,
        }
    }
}

impl TryFrom<Written> for Release {
    type Error = FieldError;

    fn try_from(written: Written) -> Result<Self, FieldError> {
        let artifact = match (written.artifact, written.sha256) {
            (Some(source), Some(sha256)) => Some(Artifact { source, sha256 }),
            (None, None) => None,
            _ => {
                let message = "An artefact and its SHA-256 belong together.";
                return Err(FieldError::new("sha256", message));
            }
        };
        Ok(Self {
            version: written.version,
            artifact,
            commit: written.commit,
        })
    }
}
