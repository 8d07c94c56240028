//! What every route works with, and where the browser's files are.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::extract::FromRef;
use control::{Console, Seal};
use ipnet::IpNet;
use leptos::config::{LeptosOptions, get_config_from_str};
use tokio::sync::watch;
use url::Url;

use crate::{
    auth::Providers,
    config::{Checked, ConfigError},
};

/// What every route works with. Cheap to clone.
#[derive(Clone, FromRef)]
pub struct Site {
    pub console: Console,
    pub providers: Providers,
    pub seal: Seal,
    pub base_url: Url,
    pub leptos: LeptosOptions,
    /// Proxies that say where a request came from.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Turns true when the server is asked to stop, so that streams end.
    pub stop: watch::Receiver<bool>,
}

/// Part of the binary, so that it runs from any folder; `LEPTOS_*` in the environment wins.
const LEPTOS: &str = include_str!("../../Leptos.toml");

/// How the browser's files are named and where they are.
pub fn leptos_options(checked: &Checked) -> Result<LeptosOptions, ConfigError> {
    let mut options = get_config_from_str(LEPTOS).map_err(|why| ConfigError(format!("The LEPTOS_* settings in the environment cannot be used: {why}. Correct or remove them.")))?;
    options.site_addr = checked.listen;
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| exe.parent().map(Path::to_path_buf))
        .unwrap_or_default();
    let root = site_root(
        checked.site_root.as_deref(),
        Path::new(&*options.site_root),
        &beside,
    );
    let files = root.join(&*options.site_pkg_dir);
    if !files.is_dir() {
        tracing::warn!(
            "There are no browser files in {}, so pages will look plain and not move by themselves. Build them with `make front`, or set site_root (SLIPWAY_SITE_ROOT) to where they are.",
            files.display()
        );
    }
    match current_build(&files) {
        Some(build) => options.site_pkg_dir = format!("{}/{build}", options.site_pkg_dir).into(),
        None if files.is_dir() && !files.join("slipway.js").is_file() => tracing::warn!(
            "{} does not name a build that is there, so pages will look plain and not move by themselves. Copy the whole folder again, `current` last, and start Slipway again.",
            files.join("current").display()
        ),
        None => {}
    }
    options.site_root = root.to_string_lossy().into();
    Ok(options)
}

/// The folder of the newest build: `make front` puts each into one of its own, named by what is in it, and its name into
/// the file `current`. `None` where the files lie in `files` itself, as `cargo leptos watch` leaves them.
fn current_build(files: &Path) -> Option<String> {
    let name = std::fs::read_to_string(files.join("current")).ok()?;
    let name = name.trim();
    (is_build(name) && files.join(name).is_dir()).then(|| name.to_owned())
}

/// Whether a folder of this name holds one build, whose files never change: `scripts/front.mjs` gives the names.
pub fn is_build(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The setting; else what Leptos says, seen from the working folder; else the same folder name next to the binary's.
fn site_root(setting: Option<&Path>, leptos: &Path, beside: &Path) -> PathBuf {
    if let Some(setting) = setting {
        return setting.to_path_buf();
    }
    if leptos.is_dir() {
        return leptos.to_path_buf();
    }
    let near = leptos.file_name().map(|name| beside.join("..").join(name));
    near.filter(|near| near.is_dir())
        .unwrap_or_else(|| leptos.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_build_is_the_one_that_current_names() {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path();
        assert_eq!(current_build(files), None);
        for name in ["0123456789abcdef", "pkg"] {
            std::fs::create_dir(files.join(name)).unwrap();
        }
        for (text, build) in [
            ("0123456789abcdef\n", Some("0123456789abcdef")),
            ("fedcba9876543210\n", None),
            ("pkg", None),
            (".", None),
            ("", None),
        ] {
            std::fs::write(files.join("current"), text).unwrap();
            assert_eq!(current_build(files).as_deref(), build, "{text:?}");
        }
    }

    /// cargo-leptos builds by the Cargo metadata, the binary serves by Leptos.toml.
    #[test]
    fn leptos_toml_equals_the_cargo_metadata() {
        let cargo: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
        let built = &cargo["workspace"]["metadata"]["leptos"][0];
        let served: toml::Table = LEPTOS.parse().unwrap();
        let served = served["package"]["metadata"]["leptos"].as_table().unwrap();
        assert!(!served.is_empty());
        for (key, value) in served {
            assert_eq!(Some(value), built.get(key), "{key}");
        }
    }

    #[test]
    fn the_files_are_found_from_any_folder() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join("e2e");
        std::fs::create_dir_all(folder.path().join("site")).unwrap();
        std::fs::create_dir_all(&beside).unwrap();
        let nowhere = Path::new("no/such/site");
        assert_eq!(
            site_root(Some(Path::new("/usr/share/slipway/site")), nowhere, &beside),
            Path::new("/usr/share/slipway/site")
        );
        assert_eq!(site_root(None, folder.path(), &beside), folder.path());
        assert_eq!(site_root(None, nowhere, &beside), beside.join("../site"));
        assert_eq!(site_root(None, nowhere, Path::new("/nowhere")), nowhere);
    }
}
