//! `supervise` is what `slipway supervise` does, with a clock that stands still; `launch <folder>` starts a supervisor and
//! ends, as a server that dies.

use std::{env, path::Path, process::ExitCode};

use integrations::supervisor::{self, Launcher};
use jiff::Timestamp;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "supervise"] => {
            supervisor::supervise(|| Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
        }
        [_, "launch", folder] => Launcher::new("/proc/self/exe".into())
            .launch(Path::new(folder), || ())
            .map_err(|error| error.to_string()),
        _ => Err("say supervise, or launch and a folder".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
