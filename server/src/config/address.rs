//! Addresses that people and programs are sent to.

use std::net::SocketAddr;

use url::{Host, Url};

use super::ConfigError;

/// [`safe_url`] of a setting.
pub(super) fn safe(setting: &str, text: &str) -> Result<Url, ConfigError> {
    safe_url(text).map_err(|wrong| ConfigError::of(setting, wrong))
}

/// An address that nobody on the way can read along: plain http is for this machine only. Else what is wrong with it,
/// to be said after the name of the setting.
pub fn safe_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| {
        format!("must be an address such as https://slipway.example.com, but is “{text}” ({why}).")
    })?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback(&url) => Ok(url),
        "http" => Err(format!(
            "must begin with https://, because “{text}” is not on this machine and plain http can be read on the way."
        )),
        _ => Err(format!("must begin with https://, but is “{text}”.")),
    }
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// How browsers reach the console.
pub(super) fn base_url(text: Option<&str>, listen: SocketAddr) -> Result<Url, ConfigError> {
    let Some(text) = text else {
        if listen.ip().is_loopback() {
            return safe("base_url", &format!("http://{listen}"));
        }
        return Err(ConfigError::of(
            "base_url",
            format!(
                "is missing, and Slipway listens on {listen}, which is not an address a browser would use. Set it to how browsers reach the console, such as https://slipway.example.com."
            ),
        ));
    };
    let url = safe("base_url", text)?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::of(
            "base_url",
            format!(
                "must end after the host and port, because Slipway is not served under a path, but is “{text}”."
            ),
        ));
    }
    Ok(url)
}
