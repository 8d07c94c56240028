use std::fmt::Write as _;

use domain::id::{TeamId, UserId};

use super::*;

fn id(n: u8) -> UserId {
    let text = format!("00000000-0000-7000-8000-0000000000{n:02x}");
    text.parse().unwrap()
}

fn team(n: u8) -> TeamId {
    TeamId(id(n).0)
}

fn subject(role: Role, of: Option<TeamId>) -> Subject {
    Subject {
        user: id(1),
        name: "Somebody".to_owned(),
        grants: vec![Grant { role, team: of }],
    }
}

#[test]
fn role_by_action() {
    let mut table = String::new();
    for action in Action::ALL {
        let words: Vec<&str> = Role::ALL
            .iter()
            .map(|role| {
                let own = permit(
                    &subject(*role, Some(team(9))),
                    *action,
                    Resource::new("rollout", 1, "r")
                        .of_team(team(9))
                        .requested_by(id(2)),
                );
                let other = permit(
                    &subject(*role, Some(team(9))),
                    *action,
                    Resource::new("rollout", 1, "r")
                        .of_team(team(8))
                        .requested_by(id(2)),
                );
                let all = permit(
                    &subject(*role, None),
                    *action,
                    Resource::new("rollout", 1, "r")
                        .of_team(team(8))
                        .requested_by(id(2)),
                );
                match (own.is_ok(), other.is_ok(), all.is_ok()) {
                    (false, false, false) => "no",
                    (true, false, true) => "yes, in scope",
                    _ => "LEAK",
                }
            })
            .collect();
        writeln!(
            table,
            "{action:?}: viewer {}; member {}; operator {}; approver {}",
            words[0], words[1], words[2], words[3]
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn nobody_approves_their_own_request_whatever_they_hold() {
    let mut who = subject(Role::Approver, None);
    who.grants.extend(Role::ALL.iter().map(|role| Grant {
        role: *role,
        team: None,
    }));
    for action in [Action::Approve, Action::Reject] {
        let own = permit(
            &who,
            action,
            Resource::new("rollout", 1, "r").requested_by(id(1)),
        );
        assert_eq!(own.unwrap_err(), Denied::OwnRequest);
        assert!(
            permit(
                &who,
                action,
                Resource::new("rollout", 1, "r").requested_by(id(2))
            )
            .is_ok()
        );
    }
}

#[test]
fn a_scope_is_all_teams_only_with_a_grant_for_all() {
    assert_eq!(
        scope(&subject(Role::Member, Some(team(9))))
            .unwrap()
            .teams(),
        &Teams::Of(vec![team(9)])
    );
    assert_eq!(
        scope(&subject(Role::Viewer, None)).unwrap().teams(),
        &Teams::All
    );
    let nobody = Subject {
        user: id(1),
        name: String::new(),
        grants: vec![],
    };
    assert_eq!(scope(&nobody).unwrap_err(), Denied::NoRole);
}
