//! The parts of the bench, each on a lab of its own. Every one says whether the bench goes on.

use std::path::{Path, PathBuf};

use anyhow::Result;
use testkit::Database;

use super::report::Report;
use super::{
    Arguments, BAKE, EMPTY, Part, decision, execution, load, output, peers, project, queue, weight,
};
use crate::demo::baseline;
use crate::demo::journey::{Journey, PRODUCTION};
use crate::demo::rollout::{End, SPLIT};
use crate::demo::stage::{Scene, Setup, staged};
use crate::torture;

/// Decisions, without a lab.
pub fn of_decisions(arguments: &Arguments, report: &mut Report) -> Result<bool> {
    if arguments.measures(Part::Decisions) {
        for grants in decision::GRANTS {
            report.decisions(decision::measure(grants)?);
        }
    }
    Ok(true)
}

/// Pages, and playbooks on real hosts.
pub async fn of_playbooks(arguments: &Arguments, report: &mut Report) -> Result<bool> {
    let (pages, execution) = (
        arguments.measures(Part::Pages),
        arguments.measures(Part::Execution),
    );
    if !pages && !execution {
        return Ok(true);
    }
    let setup = Setup {
        project: Some(project::write(arguments.dir.join("project"))?),
        production: arguments.hosts,
        ..arguments.setup("playbooks")
    };
    let done = staged(setup, async |scene| {
        let journey = ready(scene).await?;
        if pages {
            baseline::known(&scene.record, PRODUCTION).await?;
            let page = journey
                .request(&scene.record.artifacts.good, PRODUCTION, SPLIT, BAKE)
                .await?;
            journey.press(&journey.ada, &page, "approve").await?;
            journey.press(&journey.omar, &page, "release").await?;
            journey.follow(&page, End::Succeeded).await?;
            report.weight(weight::measure(scene, &journey.lena, &["/rollouts", &page]).await?);
            report.load(
                load::measure(scene, &journey.lena, &page, EMPTY).await?,
                EMPTY,
            );
        }
        if execution {
            let pairs = usize::from(arguments.pairs);
            report.execution(execution::measure(scene, &journey, pairs).await?);
        }
        Ok(())
    });
    Ok(done.await?.is_some())
}

/// Jobs, events and output on SQLite. The playbook is a stand-in that does nothing, or says a great deal.
pub async fn of_sqlite(arguments: &Arguments, report: &mut Report) -> Result<bool> {
    let (jobs, said) = (
        arguments.measures(Part::Queue),
        arguments.measures(Part::Output),
    );
    if !jobs && !said {
        return Ok(true);
    }
    let (setup, dir) = with_stand_in(arguments, "sqlite")?;
    let done = staged(setup, async |scene| {
        let journey = ready(scene).await?;
        if said {
            report.output(output::measure(scene, &journey, &dir).await?);
        }
        if jobs {
            let url = format!("sqlite://{}", scene.data.join("slipway.db").display());
            let rollouts = usize::from(arguments.rollouts);
            report.queue(queue::measure(scene, &journey, "SQLite", &url, rollouts).await?);
            for name in ["huey", "prefect"] {
                scene.narrator.say("bench", &format!("{name} on SQLite"));
                let place = dir.join(name);
                let peer = peers::measure(name, &place.to_string_lossy(), &place).await?;
                report.peer(peer, name);
            }
        }
        Ok(())
    });
    Ok(done.await?.is_some())
}

/// Jobs on PostgreSQL, which keeps what was committed as it does in earnest.
pub async fn of_postgres(arguments: &Arguments, report: &mut Report) -> Result<bool> {
    if !arguments.measures(Part::Queue) {
        return Ok(true);
    }
    let (setup, dir) = with_stand_in(arguments, "postgres")?;
    let (ours, theirs) = (
        Database::lasting_postgres().await,
        Database::lasting_postgres().await,
    );
    let setup = Setup {
        database: Some(ours.clone()),
        ..setup
    };
    let done = staged(setup, async |scene| {
        let journey = ready(scene).await?;
        let rollouts = usize::from(arguments.rollouts);
        report.queue(queue::measure(scene, &journey, "PostgreSQL", &ours, rollouts).await?);
        scene.narrator.say("bench", "procrastinate on PostgreSQL");
        let place = dir.join("procrastinate");
        let peer = peers::measure("procrastinate", &theirs, &place).await?;
        report.peer(peer, "procrastinate");
        Ok(())
    });
    Ok(done.await?.is_some())
}

/// Everybody is signed in; the hosts and the service are known.
async fn ready(scene: &Scene) -> Result<Journey<'_>> {
    let journey = Journey::begin(scene).await?;
    journey.import().await?;
    journey.onboard().await?;
    Ok(journey)
}

/// A lab whose `ansible-playbook` says nothing yet, and the folder that decides what it says.
fn with_stand_in(arguments: &Arguments, name: &str) -> Result<(Setup, PathBuf)> {
    let setup = arguments.setup(name);
    let dir = std::path::absolute(&setup.dir)?;
    let programs = torture::stand_in(&dir, Path::new(".venv/bin"))?;
    torture::playbook::Burst::default().write(&dir)?;
    let setup = Setup {
        ansible_playbook: programs.join(torture::playbook::NAME),
        at_once: Some(queue::AT_ONCE),
        ..setup
    };
    Ok((setup, dir))
}
