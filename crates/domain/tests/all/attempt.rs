use std::fmt::Write as _;

use domain::attempt::{AttemptEvent as E, AttemptState};

const EVENTS: [E; 10] = [
    E::Claimed,
    E::Begun,
    E::NeverBegan,
    E::CancelAsked,
    E::ExitedWell,
    E::ExitedBadly,
    E::DeadlinePassed,
    E::Stopped,
    E::Lost,
    E::ResolvedBy,
];

#[test]
fn every_state_and_event() {
    let mut table = String::new();
    for state in AttemptState::ALL {
        let taken: Vec<String> = EVENTS
            .iter()
            .filter_map(|event| Some(format!("{event:?} → {}", state.apply(*event).ok()?)))
            .collect();
        writeln!(
            table,
            "{state}: {}",
            if taken.is_empty() {
                "refuses everything".to_owned()
            } else {
                taken.join(", ")
            }
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn an_attempt_that_began_is_never_queued_again() {
    for state in AttemptState::ALL
        .iter()
        .filter(|state| !matches!(state, AttemptState::Queued | AttemptState::Starting))
    {
        for event in EVENTS {
            assert_ne!(
                state.apply(event).ok(),
                Some(AttemptState::Queued),
                "{state} {event:?}"
            );
        }
    }
}

#[test]
fn an_attempt_that_ended_only_ever_gets_resolved() {
    for state in AttemptState::ALL.iter().filter(|state| state.ended()) {
        for event in EVENTS {
            if let Ok(next) = state.apply(event) {
                assert_eq!(
                    (*state, next),
                    (AttemptState::Unknown, AttemptState::Resolved)
                );
            }
        }
    }
}

#[test]
fn a_refusal_is_a_sentence() {
    let refused = AttemptState::Succeeded.apply(E::Begun).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "An attempt that is succeeded cannot take “Begun”."
    );
}
