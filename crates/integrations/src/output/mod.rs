//! What a run printed and reported, wherever it lies: in its folder, as files that grow; or sealed, as objects of
//! compressed frames in a [`Shelf`].
//!
//! A file is sealed in this order, so that whatever is interrupted is simply done again: the object is written, read back
//! and compared; `sealed.json` in the run's folder is put in its place by rename; the file is removed. Readers take the
//! file where it is there and what `sealed.json` names where it is not, so an object that no record names is never
//! believed.

mod http;
mod seal;
mod shelf;
mod text;

use std::{io, path::PathBuf};

pub use seal::{remove, seal};
pub use shelf::{S3, Shelf};
pub use text::Text;

/// Why output cannot be read, sealed or removed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("{}: {why}. Look at the folder and its disk.", path.display())]
    Disk { path: PathBuf, why: io::Error },
    #[error(
        "The sealed outputs in {place} cannot be reached: {why}. {} Everything else goes on meanwhile.",
        advice(place)
    )]
    Store { place: String, why: String },
    #[error(
        "This output was sealed into {place}, and [outputs.s3] now names another place. Name that one again to read it."
    )]
    Elsewhere { place: String },
    #[error(
        "The sealed output {key} in {place} is not what was stored there. See that [outputs.s3], where it is set, names the right store, or bring it back from a backup."
    )]
    Damaged { place: String, key: String },
}

impl OutputError {
    /// Whether every other output in the same place would fail as well.
    pub const fn is_of_store(&self) -> bool {
        matches!(self, Self::Store { .. })
    }
}

fn advice(place: &str) -> &'static str {
    if place.contains("://") {
        "See that the store runs and takes the keys in [outputs.s3]."
    } else {
        "Look at the folder and its disk."
    }
}

/// Says which file it is about.
fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OutputError {
    let path = path.into();
    move |why| OutputError::Disk { path, why }
}
