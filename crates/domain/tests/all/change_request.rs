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

fn states() -> [S; 6] {
    let (by, at, reason) = ("Ada".to_owned(), time(0), "no".to_owned());
    [
        S::Submitted { at },
        S::Approved { by: by.clone(), at },
        S::Rejected {
            by: by.clone(),
            at,
            reason: reason.clone(),
        },
        S::Withdrawn {
            by: by.clone(),
            at,
            reason,
        },
        S::Implementing {
            by: by.clone(),
            approved_at: at,
            since: at,
        },
        S::Closed {
            by,
            approved_at: at,
            at,
            outcome: "succeeded".to_owned(),
        },
    ]
}

fn events() -> [(&'static str, E); 6] {
    [
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
    let omar = person(UserId(Uuid::from_u128(3)), "Omar");
    let implementing = approved.apply(E::Implement, &omar, time(20)).unwrap();
    assert_eq!(implementing.state.approval(), Some(("Ada", time(9))));
    let close = E::Close {
        outcome: "succeeded".to_owned(),
    };
    let closed = implementing.apply(close, &Actor::System, time(30)).unwrap();
    assert_eq!(closed.state.approval(), Some(("Ada", time(9))));
}
