//! The console as a process of its own, as anybody would run it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use url::Url;

use super::Narrator;
use crate::processes;

const UP_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How the console is started again when it ends.
#[derive(Clone, Copy)]
pub struct Restart {
    pub after: Duration,
    /// Say nothing about it.
    pub quietly: bool,
}

/// A running `slipway serve`. It bears the lab's mark, so that it ends with the lab, and so do the playbooks under it.
pub struct Slipway {
    launch: Launch,
    child: Child,
}

/// How the console is started.
struct Launch {
    program: PathBuf,
    config: PathBuf,
    lab: PathBuf,
    log: PathBuf,
}

impl Launch {
    /// Starts the console; what it says is added to the log, and `slipway.pid` beside the log holds its process id.
    fn start(&self) -> Result<Child> {
        let log = || format!("{} could not be written", self.log.display());
        let output = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(log)?;
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(&self.config)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        // Settings of the shell this was started from would win over the file.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text == "DATABASE_URL" || text.starts_with("SLIPWAY_") || text.starts_with("LEPTOS_")
            {
                command.env_remove(&name);
            }
        }
        command.env(processes::MARK, &self.lab);
        let child = command
            .spawn()
            .with_context(|| format!("{} could not be started", self.program.display()))?;
        if let Some(id) = child.id() {
            fs::write(self.log.with_extension("pid"), id.to_string()).with_context(log)?;
        }
        Ok(child)
    }
}

impl Slipway {
    /// Starts `program` with `config` as a part of the lab in `lab`, with a new `log`.
    pub fn start(program: &Path, config: &Path, lab: &Path, log: &Path) -> Result<Self> {
        File::create(log).with_context(|| format!("{} could not be made", log.display()))?;
        let launch = Launch {
            program: program.to_owned(),
            config: config.to_owned(),
            lab: lab.to_owned(),
            log: log.to_owned(),
        };
        let child = launch.start()?;
        Ok(Self { launch, child })
    }

    /// Starts the console again whenever it ends, as a service manager does. Returns when it cannot be started.
    pub async fn keep_up(&mut self, narrator: Narrator, restart: Restart) -> String {
        loop {
            let ended = self.ended().await;
            if !restart.quietly {
                narrator.say("lab", &format!("{ended}; it is started again"));
            }
            tokio::time::sleep(restart.after).await;
            match self.launch.start() {
                Ok(child) => self.child = child,
                Err(error) => return format!("{error:#}"),
            }
        }
    }

    /// Returns once the console answers at `address`.
    pub async fn until_ready(&mut self, address: &Url) -> Result<()> {
        let ready = address.join("/readyz")?;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()?;
        let answers = async {
            loop {
                match client.get(ready.clone()).send().await {
                    Ok(answer) if answer.status().is_success() => return,
                    _ => tokio::time::sleep(ASK_EVERY).await,
                }
            }
        };
        tokio::select! {
            () = answers => Ok(()),
            sentence = self.ended() => bail!("{sentence}"),
            () = tokio::time::sleep(UP_WITHIN) => bail!("Slipway did not answer at {ready} within {} s", UP_WITHIN.as_secs()),
        }
    }

    /// Returns when the console has ended by itself, with a sentence about it.
    pub async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("Slipway ended by itself with {status}"),
            Err(error) => format!("Slipway is lost: {error}"),
        }
    }

    pub fn log(&self) -> &Path {
        &self.launch.log
    }
}

/// The last `count` lines of a text file; nothing when it cannot be read.
pub fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut last = VecDeque::with_capacity(count);
    for line in text.lines() {
        if last.len() == count {
            last.pop_front();
        }
        last.push_back(line.to_owned());
    }
    last.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fs::write(&log, "one\ntwo\nthree\n").unwrap();
        assert_eq!(last_lines(&log, 2), ["two", "three"]);
        assert_eq!(last_lines(&log, 9).len(), 3);
        assert!(last_lines(&dir.path().join("none"), 2).is_empty());
    }

    #[tokio::test]
    async fn a_console_that_ends_at_once_is_told_with_its_status() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut slipway =
            Slipway::start(Path::new("/bin/false"), Path::new("none"), dir.path(), &log).unwrap();
        let why = slipway
            .until_ready(&"http://127.0.0.1:9".parse().unwrap())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            why.contains("ended by itself") && why.contains('1'),
            "{why}"
        );
    }
}
