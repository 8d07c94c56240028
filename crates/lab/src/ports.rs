//! Finds out before anything starts whether the ports are free.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use anyhow::{Result, anyhow, bail};

const ATTEMPTS: usize = 50;

/// `wanted` at `address` if it is free, or any free port when `wanted` is 0. `flag` is named in the error.
pub fn free(address: Ipv4Addr, wanted: u16, flag: &str) -> Result<u16> {
    bound(address, wanted).ok_or_else(|| taken(address, wanted, flag))
}

/// One port that is free at every address: `wanted`, or any when that is 0.
pub fn free_everywhere(addresses: &[Ipv4Addr], wanted: u16, flag: &str) -> Result<u16> {
    let Some((first, others)) = addresses.split_first() else {
        bail!("there is no address to listen at")
    };
    if wanted != 0 {
        for address in addresses {
            free(*address, wanted, flag)?;
        }
        return Ok(wanted);
    }
    for _ in 0..ATTEMPTS {
        let port = free(*first, 0, flag)?;
        if others.iter().all(|address| bound(*address, port).is_some()) {
            return Ok(port);
        }
    }
    bail!("no port is free on every host: choose one with {flag}")
}

/// The sentence for a port that cannot be had.
pub fn taken(address: Ipv4Addr, port: u16, flag: &str) -> anyhow::Error {
    anyhow!(
        "port {port} on {} is taken: end what listens there, or choose another with {flag} (0 takes any free one)",
        IpAddr::from(address)
    )
}

fn bound(address: Ipv4Addr, port: u16) -> Option<u16> {
    TcpListener::bind((address, port))
        .and_then(|listener| listener.local_addr())
        .ok()
        .map(|at| at.port())
}
