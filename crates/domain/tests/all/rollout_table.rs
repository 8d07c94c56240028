//! Every state of a rollout × every state of its first batch × every event, as one table.

use std::{collections::BTreeMap, fmt::Write as _};

use domain::{
    Timestamp,
    audit::Actor,
    batch::{BakeClock, BatchState, HeldAt},
    rollout::{Change, Decision, Effect, Event, Moment, Rollout, RolloutState},
    strategy::GateRule,
    verdict::Outcome,
};
use uuid::Uuid;

use crate::build::{draft, omar, reason, time, verdict};
use crate::rollout_cases::{NOW, batch_states, events, rollout_states};

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::QueueJob(job) => format!("queue {} {}", job.kind, job.batch),
        Effect::CancelJob(_) => "cancel".to_owned(),
        Effect::MarkHosts { marks, .. } => format!(
            "mark {}",
            marks.first().map_or("nobody", |mark| mark.phase.word())
        ),
        Effect::Notify(notice) => format!("tell {:?}", notice.kind).to_lowercase(),
        Effect::RecordDeployment(deployment) => format!("record {}", deployment.outcome),
    }
}

fn batch_word(state: &BatchState) -> &'static str {
    match state {
        BatchState::Baking {
            clock: BakeClock::Stopped { .. },
            ..
        } => "baking stopped",
        BatchState::Held {
            at: HeldAt::Gate, ..
        } => "held at gate",
        BatchState::Held {
            at: HeldAt::Hosts, ..
        } => "held for hosts",
        other => other.word(),
    }
}

/// One event in one state, told in a line.
fn told(rollout: Rollout, event: Event) -> String {
    let was = rollout.clone();
    let mut minted = 0;
    let mut mint = || {
        minted += 1;
        Uuid::from_u128(9000 + minted)
    };
    let now: Timestamp = time(NOW);
    let mut moment = Moment {
        now,
        mint: &mut mint,
        time_scale: 1,
    };
    let actor = if matches!(
        event,
        Event::JobFinished { .. } | Event::Judged { .. } | Event::Tick
    ) {
        Actor::System
    } else {
        omar()
    };
    match rollout.apply(event, &actor, &mut moment) {
        Err(refused) => {
            assert!(refused.message.ends_with('.'), "{refused}");
            "refused".to_owned()
        }
        Ok(Change {
            rollout,
            effects,
            notes,
        }) => {
            let moved = rollout.state != was.state
                || rollout
                    .batches
                    .iter()
                    .zip(&was.batches)
                    .any(|(now, was)| now.state != was.state);
            if !moved && effects.is_empty() && notes.is_empty() {
                return if rollout == was {
                    "ignored".to_owned()
                } else {
                    "noted".to_owned()
                };
            }
            let stands = |rollout: &Rollout| {
                rollout
                    .batches
                    .iter()
                    .map(|batch| batch_word(&batch.state))
                    .collect::<Vec<_>>()
                    .join(" | ")
            };
            let (now, before) = (stands(&rollout), stands(&was));
            let batches = if now == before {
                String::new()
            } else {
                format!(": {now}")
            };
            let did: Vec<String> = effects
                .iter()
                .map(effect)
                .chain(notes.iter().map(|note| note.action.clone()))
                .collect();
            let anew = if rollout.decision_version > was.decision_version {
                ""
            } else {
                " (nothing new to decide)"
            };
            format!(
                "→ {}{batches}{anew}{}{}",
                rollout.state.word(),
                if did.is_empty() { "" } else { " · " },
                did.join(", ")
            )
        }
    }
}

/// How one event fares in one state of the rollout, whatever the batch does: results with the batch states that lead there.
fn fares(state: &RolloutState, at: usize) -> Vec<(String, Vec<&'static str>)> {
    let mut results: Vec<(String, Vec<&str>)> = vec![];
    for (batch, batch_state) in batch_states() {
        let mut rollout = draft("50/50%", 2, GateRule::Automatic);
        rollout.state = state.clone();
        rollout.released_at = Some(time(0));
        rollout.batches[0].state = batch_state;
        rollout.batches[0].verdict = Some(verdict(Outcome::Pass, time(0)));
        let event = events(&rollout).swap_remove(at).1;
        let result = told(rollout, event);
        match results.iter_mut().find(|(known, _)| *known == result) {
            Some((_, batches)) => batches.push(batch),
            None => results.push((result, vec![batch])),
        }
    }
    results
}

/// Events that are refused or ignored whatever the batch does share a line; otherwise the commonest result comes last.
fn table() -> String {
    let mut table = String::new();
    for state in rollout_states() {
        writeln!(table, "\n{}", state.word().to_uppercase()).unwrap();
        let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let names = events(&draft("50/50%", 2, GateRule::Automatic))
            .into_iter()
            .map(|(name, _)| name);
        for (at, name) in names.enumerate() {
            let mut results = fares(&state, at);
            if let [(result, _)] = results.as_slice() {
                alike.entry(result.clone()).or_default().push(name);
                continue;
            }
            results.sort_by_key(|(_, batches)| batches.len());
            let (commonest, _) = results.pop().unwrap();
            writeln!(table, "  {name}").unwrap();
            for (result, batches) in results {
                writeln!(table, "    {}: {result}", batches.join(", ")).unwrap();
            }
            writeln!(table, "    otherwise: {commonest}").unwrap();
        }
        for (result, names) in alike {
            writeln!(table, "  {}\n    always: {result}", names.join(", ")).unwrap();
        }
    }
    table
}

#[test]
fn every_state_and_event() {
    insta::assert_snapshot!(table());
}

/// The rule of the gate only shows where a bake ends and a person decides.
#[test]
fn every_gate_rule() {
    let mut lines = String::new();
    for gate in GateRule::ALL {
        for outcome in Outcome::ALL {
            let with = |state: BatchState, event: Event| {
                let mut rollout = draft("50/50%", 2, *gate);
                rollout.state = RolloutState::Running;
                rollout.batches[0].state = state;
                rollout.batches[0].verdict = Some(verdict(*outcome, time(0)));
                told(rollout, event).split(" · ").next().unwrap().to_owned()
            };
            let baked = BatchState::Baking {
                since: time(0),
                clock: BakeClock::Running { until: time(NOW) },
            };
            let at_gate = BatchState::Gate {
                since: time(0),
                expires: time(NOW + 1),
            };
            let judged = with(
                baked,
                Event::Judged {
                    batch: 1,
                    verdict: verdict(*outcome, time(NOW)),
                },
            );
            let go = with(
                at_gate,
                Event::Decide {
                    batch: 1,
                    decision: Decision::Go,
                    reason: reason(),
                },
            );
            writeln!(lines, "{gate}, {outcome}: baked {judged}; go {go}").unwrap();
        }
    }
    insta::assert_snapshot!(lines);
}
