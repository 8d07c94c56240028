//! The binary `slipway`: the console with its reconcilers, and the command line that talks to it.

mod address;
mod api;
mod auth;
mod cli;
mod clock;
mod config;
mod export;
mod lock;
mod observe;
mod origin;
mod router;
mod serve;
mod site;
mod stream;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod testing;
mod theme;

use std::process::ExitCode;

/// A page is thousands of small strings: with this allocator a third less time goes into one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
