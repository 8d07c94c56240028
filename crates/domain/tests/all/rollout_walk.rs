//! Whatever is done to a rollout in whatever order, it keeps the promises of `Stage::check`.

use domain::{
    budget::{Beyond, FailureBudget, FailureLimit},
    job::{JobEnd, JobKind},
    rollout::{BakeWhilePaused, Decision, Event},
    strategy::GateRule,
    text::Version,
    verdict::Outcome,
};
use proptest::prelude::*;

use crate::{
    build::{NEW, OLD, reason, time, verdict, version},
    stage::{Luck, Stage},
};

/// One thing that happens, drawn blindly; what does not fit the moment is refused or ignored.
#[derive(Debug, Clone)]
enum Happening {
    Asked(Event),
    Judged {
        batch: u32,
        outcome: Outcome,
    },
    /// One of the open jobs ends.
    Ended {
        which: usize,
        end: JobEnd,
        luck: Vec<Luck>,
    },
    Passed {
        seconds: i64,
    },
    /// One of the hosts that did not take the change is taken out.
    Excluded {
        which: usize,
    },
}

fn asked() -> impl Strategy<Value = Event> {
    let reason = reason();
    let batch = 1..4_u32;
    prop_oneof![
        1 => Just(Event::Submit),
        1 => Just(Event::Schedule),
        1 => Just(Event::Approve),
        1 => Just(Event::DryRun),
        1 => Just(Event::Reject { reason: reason.clone() }),
        1 => Just(Event::Withdraw { reason: reason.clone() }),
        4 => Just(Event::Release),
        4 => (batch.clone(), prop_oneof![4 => Just(Decision::Go), 1 => Just(Decision::NoGo)]).prop_map({
            let reason = reason.clone();
            move |(batch, decision)| Event::Decide { batch, decision, reason: reason.clone() }
        }),
        6 => batch.clone().prop_map(|batch| Event::Retry { batch }),
        2 => batch.clone().prop_map(|batch| Event::Ask { batch, failed: 0 }),
        2 => (batch, 0..1000_u64).prop_map({
            let reason = reason.clone();
            move |(batch, seconds)| Event::ExtendBake { batch, seconds, reason: reason.clone() }
        }),
        1 => prop_oneof![Just(BakeWhilePaused::Stops), Just(BakeWhilePaused::Runs)].prop_map({
            let reason = reason.clone();
            move |bake| Event::Pause { reason: reason.clone(), bake }
        }),
        3 => Just(Event::Resume),
        1 => Just(Event::Abort { reason: reason.clone() }),
        2 => Just(Event::RollBack { reason: reason.clone() }),
        1 => Just(Event::Recover { evidence: reason }),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let end = prop_oneof![
        8 => Just(JobEnd::Completed),
        1 => Just(JobEnd::Cancelled),
        1 => Just(JobEnd::TimedOut),
        1 => Just(JobEnd::Lost { message: "the supervisor vanished".to_owned() }),
        1 => Just(JobEnd::CouldNotStart { message: "no playbook".to_owned() }),
    ];
    let luck = prop_oneof![12 => Just(Luck::Well), 1 => proptest::sample::select(&Luck::ALL[..])];
    let outcome =
        prop_oneof![12 => Just(Outcome::Pass), 1 => proptest::sample::select(Outcome::ALL)];
    prop_oneof![
        3 => asked().prop_map(Happening::Asked),
        4 => (1..4_u32, outcome).prop_map(|(batch, outcome)| Happening::Judged { batch, outcome }),
        6 => (0..3_usize, end, proptest::collection::vec(luck, 6)).prop_map(|(which, end, luck)| Happening::Ended { which, end, luck }),
        4 => (0..700_i64).prop_map(|seconds| Happening::Passed { seconds }),
        2 => (0..6_usize).prop_map(|which| Happening::Excluded { which }),
    ]
}

fn walk(stage: &mut Stage, steps: Vec<Happening>) {
    for step in steps {
        match step {
            Happening::Asked(event) => {
                if let Err(refused) = stage.try_send(event) {
                    assert!(
                        refused.message.ends_with('.') && refused.message.len() > 20,
                        "{refused}"
                    );
                }
            }
            Happening::Judged { batch, outcome } => stage.send(Event::Judged {
                batch,
                verdict: verdict(outcome, time(stage.now)),
            }),
            Happening::Ended { which, end, luck } => {
                if let Some(job) = stage.open.get(which % stage.open.len().max(1)).cloned() {
                    let first = stage.host(1);
                    let at =
                        |host: domain::id::HostId| (host.0.as_u128() - first.0.as_u128()) as usize;
                    stage.finish_with(&job, end, |host| luck[at(host) % luck.len()]);
                }
            }
            Happening::Excluded { which } => {
                let takes = |phase| JobKind::Deploy.takes(phase);
                let left = stage.rows.iter().filter(|(_, row)| takes(row.phase));
                let left: Vec<_> = left.map(|(host, _)| *host).collect();
                if let Some(host) = left.get(which)
                    && let Err(refused) = stage.exclude(&[*host])
                {
                    assert!(refused.message.ends_with('.'), "{refused}");
                }
            }
            Happening::Passed { seconds } => {
                stage.now += seconds;
                stage.send(Event::Tick);
            }
        }
    }
}

fn stage(gate: GateRule, already: &[bool]) -> Stage {
    let mut stage = Stage::draft("33/33/34%", 6, gate);
    for (row, already) in stage.rows.values_mut().zip(already) {
        let runs: Version = version(if *already { NEW } else { OLD });
        (row.runs, row.ran) = (runs.clone(), runs);
    }
    stage
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_road_breaks_a_promise(
        gate in proptest::sample::select(GateRule::ALL),
        already in proptest::collection::vec(proptest::bool::weighted(0.15), 6),
        head_start in proptest::bool::weighted(0.8),
        may_fail in 0..3_u32,
        beyond in proptest::sample::select(Beyond::ALL),
        steps in proptest::collection::vec(happening(), 1..80),
    ) {
        let mut stage = stage(gate, &already);
        stage.rollout.plan.strategy.failures = FailureBudget { limit: FailureLimit::Hosts(may_fail), beyond };
        if head_start {
            stage.send(Event::Schedule);
            stage.send(Event::Release);
        }
        walk(&mut stage, steps);
    }

    /// With nobody interfering and every host willing, an automatic rollout always arrives.
    #[test]
    fn good_luck_always_arrives(split in proptest::sample::select(vec!["100%", "50/50%", "33/33/34%", "1/2/3 hosts"]), already in proptest::collection::vec(any::<bool>(), 6)) {
        let mut stage = Stage::released(split, 6, GateRule::Automatic);
        for (row, already) in stage.rows.values_mut().zip(already) {
            if already {
                (row.runs, row.ran) = (version(NEW), version(NEW));
            }
        }
        for batch in 1..=stage.rollout.batches.len() {
            stage.carry(u32::try_from(batch).unwrap(), Outcome::Pass);
        }
        prop_assert_eq!(stage.rollout.state.word(), "succeeded");
    }
}
