//! Keys and passwords, drawn once per lab folder, so that a restarted lab is still known to its Slipway.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::disk;

/// All hex, so that none needs escaping in a header, a form or a URL.
#[derive(Serialize, Deserialize)]
pub struct Secrets {
    pub datadog_api_key: String,
    pub datadog_app_key: String,
    pub oidc_client_secret: String,
    pub oidc_cookie_key: String,
}

/// The secrets of the lab in `dir`, made when there are none.
pub fn load_or_create(dir: &Path) -> Result<Secrets> {
    let path = dir.join("secrets.json");
    if path.exists() {
        return serde_json::from_str(&disk::read(&path)?)
            .with_context(|| format!("{} is damaged: delete it and start again", path.display()));
    }
    let secrets = Secrets {
        datadog_api_key: random_hex::<16>(),
        datadog_app_key: random_hex::<20>(),
        oidc_client_secret: random_hex::<24>(),
        oidc_cookie_key: random_hex::<24>(),
    };
    disk::write(&path, &serde_json::to_vec_pretty(&secrets)?, 0o600)?;
    Ok(secrets)
}

fn random_hex<const BYTES: usize>() -> String {
    hex(&std::array::from_fn::<u8, BYTES, _>(|_| rand::random()))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
