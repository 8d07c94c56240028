//! Builds the releases of the demo service: the same daemon each time, good or bad by its `release.json`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::disk;
use crate::record::{Artifact, Artifacts};
use crate::secrets::hex;

pub const SERVICE: &str = "checkout";
/// Its folder on every host.
pub const INSTALL_ROOT: &str = "/opt/checkout";

const DAEMON: &[u8] = include_bytes!("../assets/checkout.py");
/// 2026-01-01: the same bytes, and so the same digest, wherever and whenever they are built.
const BUILT_AT: u32 = 1_767_225_600;

/// Builds the three releases into `dir`.
pub fn build(dir: &Path) -> Result<Artifacts> {
    Ok(Artifacts {
        baseline: release(dir, "1.4.1", 0.004, 42.0)?,
        good: release(dir, "1.4.2", 0.0035, 41.0)?,
        bad: release(dir, "1.5.0", 0.12, 126.0)?,
    })
}

/// `error_share` of the requests fail; the others take about `latency_ms`.
fn release(dir: &Path, version: &str, error_share: f64, latency_ms: f64) -> Result<Artifact> {
    let description = json!({
        "service": SERVICE,
        "version": version,
        "error_share": error_share,
        "latency_ms": latency_ms,
    });
    let archive = archive(&[
        ("bin/checkout", 0o755, DAEMON),
        ("release.json", 0o644, description.to_string().as_bytes()),
    ])
    .with_context(|| format!("the artefact of {SERVICE} {version} could not be built"))?;
    let file = dir.join(format!("{SERVICE}-{version}.tar.gz"));
    disk::write(&file, &archive, 0o644)?;
    Ok(Artifact {
        version: version.to_owned(),
        file,
        sha256: hex(&Sha256::digest(&archive)),
    })
}

fn archive(files: &[(&str, u32, &[u8])]) -> std::io::Result<Vec<u8>> {
    let gzip = GzBuilder::new()
        .mtime(BUILT_AT)
        .write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for (path, mode, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_mtime(u64::from(BUILT_AT));
        header.set_size(content.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, path, *content)?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

/// Unpacks a release built here into `folder`, which may exist.
pub fn unpack(artifact: &Artifact, folder: &Path) -> Result<()> {
    let unpacked = std::fs::File::open(&artifact.file)
        .and_then(|file| tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(folder));
    unpacked.with_context(|| {
        format!(
            "{} could not be unpacked into {}",
            artifact.file.display(),
            folder.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_same_release_has_the_same_digest_and_versions_differ() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (build(one.path()).unwrap(), build(two.path()).unwrap());
        assert_eq!(first.good.sha256, second.good.sha256);
        assert_ne!(first.good.sha256, first.bad.sha256);
        assert_ne!(first.good.sha256, first.baseline.sha256);
    }

    #[test]
    fn an_unpacked_release_has_an_executable_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let built = build(dir.path()).unwrap();
        let root = dir.path().join("root");
        unpack(&built.baseline, &root).unwrap();
        let daemon = std::fs::metadata(root.join("bin/checkout")).unwrap();
        assert_eq!(daemon.permissions().mode() & 0o777, 0o755);
        assert!(
            std::fs::read_to_string(root.join("release.json"))
                .unwrap()
                .contains("1.4.1")
        );
    }
}
