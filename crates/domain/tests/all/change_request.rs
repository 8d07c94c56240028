use std::fmt::Write as _;

use domain::{
    audit::Actor,
    change_request::{ChangeRequest, ChangeRequestEvent as E, ChangeRequestState as S},
    id::{ChangeRequestId, RolloutId, UserId},
};
use uuid::Uuid;

use crate::build::{reason, time};

const MARIA: UserId = UserId(Uuid::from_u128(1));

fn person(id: UserId, name: &str) -> Actor {
    Actor::Person {
        id,
        name: name.to_owned(),
    }
}

fn request(state: S) -> ChangeRequest {
    ChangeRequest {
        id: ChangeRequestId(Uuid::from_u128(5)),
        rollout: RolloutId(Uuid::from_u128(6)),
        digest: "ab".repeat(32).parse().unwrap(),
        reason: reason(),
        requested_by: MARIA,
        requested_by_name: "Maria".to_owned(),
        state,
    }
}

fn states() -> [S; 7] {
    let (by, at, reason) = ("Ada".to_owned(), time(0), "no".to_owned());
    [
        S::Draft,
        S::Submitted { at },
        S::Approved { by: by.clone(), at },
        S::Rejected {
            by: by.clone(),
            at,
            reason: reason.clone(),
        },
        S::Withdrawn { by, at, reason },
        S::Implementing { since: at },
        S::Closed {
            at,
            outcome: "succeeded".to_owned(),
        },
    ]
}

fn events() -> [(&'static str, E); 7] {
    [
        ("submit", E::Submit),
        (
            "approve",
            E::Approve {
                digest: "ab".repeat(32).parse().unwrap(),
            },
        ),
        (
            "approve another plan",
            E::Approve {
                digest: "cd".repeat(32).parse().unwrap(),
            },
        ),
        ("reject", E::Reject { reason: reason() }),
        ("withdraw", E::Withdraw { reason: reason() }),
        ("implement", E::Implement),
        (
            "close",
            E::Close {
                outcome: "succeeded".to_owned(),
            },
        ),
    ]
}

#[test]
fn every_state_and_event() {
    let actors = [
        ("requester", person(MARIA, "Maria")),
        ("other", person(UserId(Uuid::from_u128(2)), "Ada")),
    ];
    let mut table = String::new();
    for state in states() {
        for (name, event) in events() {
            let [own, other] = actors.clone().map(|(_, actor)| {
                match request(state.clone()).apply(event.clone(), &actor, time(9)) {
                    Ok(next) => format!("→ {}", next.state.word()),
                    Err(refused) => refused.to_string(),
                }
            });
            let result = if own == other {
                own
            } else {
                format!("{other} (requester: {own})")
            };
            writeln!(table, "{} · {name}: {result}", state.word()).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn who_decided_and_when_is_kept() {
    let ada = person(UserId(Uuid::from_u128(2)), "Ada");
    let approved = request(S::Submitted { at: time(0) })
        .apply(
            E::Approve {
                digest: "ab".repeat(32).parse().unwrap(),
            },
            &ada,
            time(9),
        )
        .unwrap();
    assert_eq!(
        approved.state,
        S::Approved {
            by: "Ada".to_owned(),
            at: time(9)
        }
    );
}
