//! What a browser that was never there before loads for a page, counted by Chromium.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::in_browser;
use crate::demo::browser::Browser;
use crate::demo::stage::Scene;

/// What one page loads, in bytes as they were sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Weight {
    pub path: String,
    pub files: Vec<File>,
}

/// One answer to the browser.
#[derive(Debug, Serialize, Deserialize)]
pub struct File {
    pub path: String,
    /// document, script, fetch, stylesheet and so on, in the browser's words.
    pub kind: String,
    /// `br` where it was compressed with brotli; empty where it was not compressed.
    pub encoding: String,
    pub bytes: u64,
}

impl File {
    fn is_code(&self) -> bool {
        [".wasm", ".js", ".css"]
            .iter()
            .any(|end| self.path.ends_with(end))
    }
}

impl Weight {
    /// WebAssembly, JavaScript and CSS, in bytes.
    pub fn bytes(&self) -> u64 {
        let code = self.files.iter().filter(|file| file.is_code());
        code.map(|file| file.bytes).sum()
    }

    /// The page's address, with `…` for an id.
    pub fn name(&self) -> &str {
        match self.path.strip_prefix("/rollouts/") {
            Some(_) => "/rollouts/…",
            None => &self.path,
        }
    }
}

/// Loads each of `paths` in a browser with an empty cache, signed in as `person`.
pub async fn measure(scene: &Scene, person: &Browser, paths: &[&str]) -> Result<Vec<Weight>> {
    scene.narrator.say(
        "bench",
        &format!("loads {} in Chromium, nothing cached", paths.join(" and ")),
    );
    in_browser(scene, person, "weight.mjs", paths).await
}
