//! What a torture runs in place of `ansible-playbook`: as quick as can be, telling its events as the shipped callback does,
//! and refusing to touch a host twice in one attempt.
//!
//! It is this very program under the name `ansible-playbook` in `<torture>/bin`. What it writes:
//!
//! | file | what |
//! |---|---|
//! | `<torture>/versions/<host>` | the version that host runs |
//! | `<torture>/marks/<attempt>.<host>` | made exclusively, before the host is touched |
//! | `<torture>/violations` | a line for each mark that was there before |
//!
//! Where there is a `<torture>/burst.json`, it says that much instead and touches nothing: the bench wants to know how fast.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::disk;

/// The name this program goes by to be the stand-in.
pub const NAME: &str = "ansible-playbook";
/// Lines a run prints for each host: more than one read of a pipe, so that a kill may fall between.
const LINES: u32 = 400;

/// In one line that a burst prints, near its end.
pub const NEEDLE: &str = "connection refused by 192.0.2.77";

/// How much a deploy says, as fast as it can; other runs only answer.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Burst {
    pub lines: u32,
    /// About the hosts in turn: one of twelve tells what ran before, ten that a task ended, one what runs.
    pub events: u32,
    /// Lines that come one by one, each with the time of its printing in milliseconds.
    pub slow_lines: u32,
}

/// Between two slow lines.
const PAUSE: Duration = Duration::from_millis(20);

impl Burst {
    fn path(torture: &Path) -> PathBuf {
        torture.join("burst.json")
    }

    /// Decides what the runs from now on say.
    pub fn write(self, torture: &Path) -> Result<()> {
        disk::write(&Self::path(torture), &serde_json::to_vec(&self)?, 0o644)
    }

    fn read(torture: &Path) -> Result<Option<Self>> {
        match fs::read(Self::path(torture)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            text => Ok(Some(serde_json::from_slice(&text?)?)),
        }
    }

    /// The lines it prints.
    pub fn printed(self) -> impl Iterator<Item = String> {
        let near_the_end = self.lines - self.lines / 50;
        (1..=self.lines).map(move |line| match line {
            line if line == near_the_end => {
                format!("fatal: [web-{line:07}]: UNREACHABLE! {NEEDLE}")
            }
            line => format!(
                "changed: [web-{line:07}] => item {} of the files that belong to the release",
                line % 97
            ),
        })
    }
}

/// What a run was given, as far as it matters here.
#[derive(Debug)]
pub struct Given {
    pub attempt: String,
    pub kind: String,
    pub rollout: String,
    version: String,
    /// By host: what a roll back brings.
    hosts: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct Variables {
    slipway_attempt_id: String,
    slipway_kind: String,
    slipway_rollout_id: String,
    slipway_version: String,
}

#[derive(Deserialize)]
struct Inventory {
    all: Group,
}

#[derive(Deserialize)]
struct Group {
    hosts: BTreeMap<String, Target>,
}

#[derive(Deserialize)]
struct Target {
    slipway_rollback_to: Option<String>,
}

impl Given {
    /// Reads what Slipway wrote for the run into the attempt's folder.
    pub fn read(inventory: &Path, variables: &Path) -> Result<Self> {
        let inventory: Inventory = serde_json::from_str(&disk::read(inventory)?)?;
        let variables: Variables = serde_json::from_str(&disk::read(variables)?)?;
        Ok(Self {
            attempt: variables.slipway_attempt_id,
            kind: variables.slipway_kind,
            rollout: variables.slipway_rollout_id,
            version: variables.slipway_version,
            hosts: inventory
                .all
                .hosts
                .into_iter()
                .map(|(name, target)| (name, target.slipway_rollback_to))
                .collect(),
        })
    }

    /// All that an undisturbed run prints.
    pub fn transcript(&self) -> String {
        let mut text = self.head();
        for host in self.hosts.keys() {
            text.push_str(&self.lines(host));
        }
        text
    }

    fn head(&self) -> String {
        format!("\nPLAY [torture] {}\n", self.attempt)
    }

    fn lines(&self, host: &str) -> String {
        (1..=LINES)
            .map(|line| format!("{} {} {host} {line}\n", self.kind, self.attempt))
            .collect()
    }
}

/// Runs it with the arguments Slipway gives to `ansible-playbook`.
pub fn run() -> Result<()> {
    let mut arguments = std::env::args_os();
    let own = PathBuf::from(arguments.next().context("no name")?);
    let torture = own
        .ancestors()
        .nth(2)
        .context("not in <torture>/bin")?
        .to_owned();
    let mut value = |name: &str| {
        arguments
            .find(|one| one == name)
            .and_then(|_| arguments.next())
    };
    let Some(inventory) = value("--inventory") else {
        println!("{NAME} [core 2.19.0]");
        return Ok(());
    };
    let variables = value("--extra-vars").context("no variables")?;
    let variables = variables.to_str().and_then(|text| text.strip_prefix('@'));
    let given = Given::read(
        inventory.as_ref(),
        variables.context("no variables")?.as_ref(),
    )?;
    let mut events = Events::open()?;
    events.tell(
        "start",
        json!({ "playbook": format!("{}.yml", given.kind) }),
    )?;
    print!("{}", given.head());
    events.tell(
        "play",
        json!({ "play": "torture", "hosts": given.hosts.len() }),
    )?;
    let burst = Burst::read(&torture)?;
    if let Some(burst) = burst {
        say(burst, &given, &mut events)?;
    }
    for (host, back) in given.hosts.iter().filter(|_| burst.is_none()) {
        touch(&torture, &given, host, back.as_deref(), &mut events)?;
    }
    let one = json!({ "ok": 1, "changed": 0, "failed": 0, "unreachable": 0, "skipped": 0 });
    let stats: BTreeMap<_, _> = given.hosts.keys().map(|host| (host, &one)).collect();
    events.tell("stats", json!({ "hosts": stats }))
}

/// A burst, of which nothing but the answers of the hosts is true.
fn say(burst: Burst, given: &Given, events: &mut Events) -> Result<()> {
    let deploys = given.kind == "deploy";
    let mut output = BufWriter::new(std::io::stdout().lock());
    for line in burst.printed().filter(|_| deploys) {
        writeln!(output, "{line}")?;
    }
    output.flush()?;
    for line in (1..=burst.slow_lines).filter(|_| deploys) {
        sleep(PAUSE);
        let now = domain::Timestamp::now().as_millisecond();
        writeln!(output, "slow line {line} at {now}")?;
        output.flush()?;
    }
    let hosts: Vec<&String> = given.hosts.keys().collect();
    for number in (0..burst.events).filter(|_| deploys) {
        let host = hosts[number as usize / 12 % hosts.len()];
        match number % 12 {
            0 => events.tell("before", json!({ "host": host, "version": "0.0.1" }))?,
            11 => events.tell("observed", json!({ "host": host, "version": given.version }))?,
            task => events.tell(
                "host",
                json!({ "host": host, "task": "Unpack the release", "task_id": task.to_string(), "status": "ok", "ms": 12 }),
            )?,
        }
    }
    for (host, back) in &given.hosts {
        let runs = match (given.kind.as_str(), back.as_deref()) {
            ("rollback", Some(back)) => back,
            _ => &given.version,
        };
        if deploys {
            events.tell("before", json!({ "host": host, "version": "0.0.1" }))?;
        }
        events.tell("observed", json!({ "host": host, "version": runs }))?;
    }
    Ok(())
}

fn touch(
    torture: &Path,
    given: &Given,
    host: &str,
    back: Option<&str>,
    events: &mut Events,
) -> Result<()> {
    let mark = torture
        .join("marks")
        .join(format!("{}.{host}", given.attempt));
    if let Err(error) = File::options().write(true).create_new(true).open(&mark) {
        let mut violations = File::options()
            .create(true)
            .append(true)
            .open(torture.join("violations"))?;
        writeln!(violations, "{} of {}: {error}", host, given.attempt)?;
        bail!("{host} was touched by this attempt before");
    }
    let path = torture.join("versions").join(host);
    let runs = fs::read_to_string(&path)?;
    if given.kind == "deploy" {
        events.tell("before", json!({ "host": host, "version": runs }))?;
    }
    print!("{}", given.lines(host));
    // As long as a small task, and never the same, so that kills meet every part of it.
    sleep(Duration::from_millis(10 + rand::random::<u64>() % 150));
    let runs = match (given.kind.as_str(), back) {
        ("deploy", _) => given.version.clone(),
        ("rollback", Some("") | None) => bail!("nobody knows what {host} ran before"),
        ("rollback", Some(back)) => back.to_owned(),
        _ => runs,
    };
    // Whole or not at all: whoever asks may ask between.
    let draft = path.with_extension(&given.attempt);
    fs::write(&draft, &runs)?;
    fs::rename(&draft, &path)?;
    events.tell("observed", json!({ "host": host, "version": runs }))
}

/// The descriptor that Slipway handed over.
struct Events {
    to: File,
    seq: u64,
}

impl Events {
    fn open() -> Result<Self> {
        let number = std::env::var("SLIPWAY_EVENT_FD").context("no descriptor for events")?;
        let to = File::options()
            .append(true)
            .open(format!("/proc/self/fd/{number}"))?;
        Ok(Self { to, seq: 0 })
    }

    fn tell(&mut self, kind: &str, mut event: Value) -> Result<()> {
        self.seq += 1;
        event["seq"] = self.seq.into();
        event["t"] = 0.into();
        event["kind"] = kind.into();
        self.to.write_all(format!("{event}\n").as_bytes())?;
        Ok(())
    }
}
