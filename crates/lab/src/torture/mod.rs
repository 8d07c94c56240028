//! `slipway-lab torture`: kills the console and its supervisors in the middle of everything, again and again, and proves
//! from what is left that nothing ran twice and nothing was lost.

mod boundaries;
mod check;
mod killer;
pub mod playbook;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use view::rollout::{RolloutList, RolloutView};

use crate::demo::browser::Browser;
use crate::demo::journey::{Journey, PRODUCTION};
use crate::demo::rollout::is_over;
use crate::demo::slipway::Restart;
use crate::demo::stage::{Scene, Setup, staged};
use crate::record::Artifact;
use boundaries::Boundaries;
use check::{Findings, Report};
use killer::{Killer, Kills, Uptime};

const DEVELOPMENT: &str = "dev";
/// 10 s here, the shortest that telemetry of one point a second can be judged in.
const BAKE: &str = "26h";
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A rollout that has not ended by then is stuck.
const PATIENCE: Duration = Duration::from_secs(180);

/// The command line of the torture.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many processes to kill.
    #[arg(long, default_value_t = 3000)]
    kills: u32,
    /// Run the shipped playbooks over SSH instead of a stand-in that only says what it would have done.
    #[arg(long)]
    real: bool,
    /// Kill at system calls that change what is stored or started, by strace, instead of at any moment.
    #[arg(long)]
    boundaries: bool,
    /// End after so many seconds, whatever was killed by then.
    #[arg(long)]
    seconds: Option<u64>,
    /// Draws when to kill what, unless at boundaries.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the report as one JSON document.
    #[arg(long)]
    json: bool,
    /// Everything the torture writes goes here.
    #[arg(long, default_value = ".torture")]
    dir: PathBuf,
}

/// Tortures, prints what was found, and fails if anything ran twice, was lost or came late.
pub async fn run(arguments: Arguments) -> Result<()> {
    let dir = std::path::absolute(&arguments.dir)?;
    let real = PathBuf::from(".venv/bin");
    let programs = if arguments.real {
        real
    } else {
        stand_in(&dir, &real)?
    };
    let setup = Setup {
        dir: dir.clone(),
        dev: 2,
        production: 2,
        console_port: 0,
        slipway: match arguments.boundaries {
            true => Some(boundaries::program(&dir)?),
            false => None,
        },
        ansible_playbook: programs.join(playbook::NAME),
        project: None,
        database: None,
        at_once: None,
        site: "target/site".into(),
        keep_data: false,
        keep_up: Some(Restart {
            after: Duration::from_millis(50),
            quietly: true,
        }),
    };
    let report = staged(setup, async |scene| torture(&arguments, &dir, scene).await).await?;
    let Some(report) = report else { return Ok(()) };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    report.verdict()
}

/// A folder of programs in which `ansible-playbook` is the stand-in; an inventory is read by the real Ansible.
pub fn stand_in(dir: &Path, real: &Path) -> Result<PathBuf> {
    let bin = dir.join("bin");
    for folder in ["bin", "marks", "versions"] {
        let folder = dir.join(folder);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
    }
    let _ = fs::remove_file(dir.join("violations"));
    symlink(std::env::current_exe()?, bin.join(playbook::NAME))?;
    let inventory = "ansible-inventory";
    symlink(
        std::path::absolute(real.join(inventory))?,
        bin.join(inventory),
    )?;
    Ok(bin)
}

/// Whether this program was started as the stand-in for `ansible-playbook`.
pub fn is_playbook() -> bool {
    let own = std::env::args_os().next().map(PathBuf::from);
    own.is_some_and(|own| own.file_name().is_some_and(|name| name == playbook::NAME))
}

async fn torture(arguments: &Arguments, dir: &Path, scene: &Scene) -> Result<Report> {
    let started = Instant::now();
    let journey = Journey::begin(scene).await?;
    journey.import().await?;
    journey.onboard().await?;
    for environment in [DEVELOPMENT, PRODUCTION] {
        crate::demo::baseline::known(&scene.record, environment).await?;
    }
    if !arguments.real {
        for host in &scene.record.hosts {
            let version = &scene.record.artifacts.baseline.version;
            fs::write(dir.join("versions").join(&host.name), version)?;
        }
    }
    let uptime = Mutex::new(Uptime::default());
    let mut killer = Killer::new(dir, if arguments.real { 6000 } else { 250 }, arguments.seed);
    if arguments.boundaries {
        boundaries::begin(dir)?;
        killer.kill_console();
    }
    let mut findings = Findings::default();
    let over = |kills: Kills| {
        kills.sum() >= arguments.kills
            || arguments
                .seconds
                .is_some_and(|most| started.elapsed().as_secs() >= most)
    };
    let rounds = async {
        let mut round = 0_u32;
        while !over(killer.kills) {
            round += 1;
            // Asked for in peace, so that a round always has something to kill.
            let both = [
                begin(&journey, &scene.record.artifacts.good, DEVELOPMENT).await?,
                begin(&journey, &scene.record.artifacts.good, PRODUCTION).await?,
            ];
            let before = killer.kills;
            let ends = tokio::select! {
                () = async {
                    match arguments.boundaries {
                        true => killer.at_boundaries(arguments.kills).await,
                        false => killer.rage(arguments.kills).await,
                    }
                } => None,
                ends = both_to_their_end(&journey, &both, round) => Some(ends?),
            };
            // Enough was killed: what is left may end undisturbed.
            let ends = match ends {
                Some(ends) => ends,
                None => both_to_their_end(&journey, &both, round).await?,
            };
            for end in &ends {
                findings
                    .look_at(dir, end, &journey, &uptime, arguments.real)
                    .await?;
            }
            scene.narrator.say(
                "torture",
                &format!(
                    "round {round}: {} kills of the console, {} of supervisors ({} in all); {}",
                    killer.kills.console - before.console,
                    killer.kills.supervisor - before.supervisor,
                    killer.kills.sum(),
                    ends.map(|end| end.row.state).join(" and "),
                ),
            );
        }
        anyhow::Ok(round)
    };
    let rounds = tokio::select! {
        rounds = rounds => rounds?,
        broken = Uptime::watch(&scene.console, &uptime) => bail!("the console could not be watched: {broken:?}"),
    };
    let double = fs::read_to_string(dir.join("violations")).unwrap_or_default();
    let mut double_launches: Vec<_> = double.lines().map(str::to_owned).collect();
    double_launches.append(&mut findings.refused_by_hosts);
    let at_console = match arguments.boundaries {
        true => boundaries::of_console(dir)?,
        false => Boundaries::new(),
    };
    Ok(Report {
        kills: killer.kills,
        rounds,
        double_launches,
        findings,
        at_console,
        at_supervisor: std::mem::take(&mut killer.boundaries),
        seconds: started.elapsed().as_secs(),
    })
}

/// Requests a rollout to one environment in one batch and has it approved; gives its page. A request whose answer was lost
/// has been made, and so has an approval.
async fn begin(journey: &Journey<'_>, artifact: &Artifact, environment: &str) -> Result<String> {
    patiently(async || {
        let open = [
            ("query[environment]", environment),
            ("query[state]", "open"),
        ];
        let made: RolloutList = journey.lena.read("rollout/list", &open).await?;
        let page = match made.page.items.first() {
            Some(row) => format!("/rollouts/{}", row.id),
            None => journey.request(artifact, environment, "100%", BAKE).await?,
        };
        let id = page.rsplit('/').next().unwrap_or_default();
        let view: RolloutView = journey.lena.read("rollout/show", &[("id", id)]).await?;
        if view.row.state == "awaiting_approval" {
            journey.press(&journey.ada, &page, "approve").await?;
        }
        Ok(page)
    })
    .await
}

/// Does it until it succeeds: the console may still be on its way up from the last kill.
async fn patiently<T>(work: impl AsyncFn() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match work().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(LOOK_EVERY).await,
            done => return done,
        }
    }
}

async fn both_to_their_end(
    journey: &Journey<'_>,
    pages: &[String; 2],
    round: u32,
) -> Result<[RolloutView; 2]> {
    let (one, two) = tokio::try_join!(
        to_its_end(journey, &pages[0], round),
        to_its_end(journey, &pages[1], round + 1)
    )?;
    Ok([one, two])
}

/// Does for a rollout what a person would, until it has ended. In some rounds it may bake to its end; in the others
/// it is rolled back as soon as it bakes, which makes more jobs.
async fn to_its_end(journey: &Journey<'_>, page: &str, round: u32) -> Result<RolloutView> {
    let deadline = Instant::now() + PATIENCE;
    let id = page.rsplit('/').next().unwrap_or_default();
    let (mut last, mut failures) = (None, 0);
    loop {
        if Instant::now() > deadline {
            bail!("the rollout {page} is stuck: {last:?}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
        // The console may be down; then it is asked again.
        let Ok(view) = journey
            .lena
            .read::<RolloutView>("rollout/show", &[("id", id)])
            .await
        else {
            continue;
        };
        let state = view.row.state.as_str();
        let batch = view.batches.first().context("a rollout without batches")?;
        let decided = match (state, batch.state.as_str()) {
            ("scheduled", _) => press(journey, page, "release", &[]).await,
            ("running", "held") if batch.actions.retry.allowed() => {
                press(journey, page, "retry", &[]).await
            }
            ("running", "held" | "gate") => back(journey, page).await,
            ("running", "baking") if !round.is_multiple_of(8) => back(journey, page).await,
            ("paused", _) => press(journey, page, "resume", &[]).await,
            ("rollback_failed", _) => {
                failures += 1;
                match failures {
                    1..=3 => back(journey, page).await,
                    _ => {
                        press(
                            journey,
                            page,
                            "recover",
                            &[("reason", "Nobody knows what ran before.")],
                        )
                        .await
                    }
                }
            }
            _ if is_over(state) => return Ok(view),
            _ => Ok(()),
        };
        // A decision may have been taken although its answer was lost: the next look tells.
        last = Some((
            view.sentence,
            decided.err().map(|error| format!("{error:#}")),
        ));
    }
}

async fn press(
    journey: &Journey<'_>,
    page: &str,
    action: &str,
    values: &[(&str, &str)],
) -> Result<()> {
    let omar: &Browser = &journey.omar;
    omar.fill(page, &format!("/api/rollout/{action}"), values)
        .await?;
    Ok(())
}

async fn back(journey: &Journey<'_>, page: &str) -> Result<()> {
    press(
        journey,
        page,
        "roll_back",
        &[("reason", "The torture has seen enough.")],
    )
    .await
}
