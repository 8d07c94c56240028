use std::fmt::Write as _;

use domain::id::{EnvironmentId, ServiceId};

use super::*;

fn id(n: u8) -> UserId {
    let text = format!("00000000-0000-7000-8000-0000000000{n:02x}");
    text.parse().unwrap()
}

fn team(n: u8) -> TeamId {
    TeamId(id(n).0)
}

fn subject(grants: Vec<Grant>) -> Subject {
    Subject::new(id(1), "Somebody".to_owned(), vec![], grants)
}

/// What an action is about, in team 9.
fn about(kind: Kind) -> Resource {
    match kind {
        Kind::Grant => granted(Role::Approver, id(2)),
        kind => Resource::new(kind, 1, "it").of_team(team(9)),
    }
}

fn granted(role: Role, holder: UserId) -> Resource {
    Resource::grant(holder, "Somebody", &Grant::new(role, Some(team(9))))
}

/// Every kind an action can be taken on, by somebody who holds every role.
fn kinds(action: Action) -> Vec<Kind> {
    let everything = Role::ALL.iter().map(|role| Grant::new(*role, None));
    let everybody = subject(everything.collect());
    let kinds = Kind::ALL.iter().copied();
    kinds
        .filter(|kind| permit(&everybody, action, about(*kind)).is_ok())
        .collect()
}

#[test]
fn the_policies_fit_their_schema() {
    check().unwrap();
}

/// The golden file: role × action × resource.
#[test]
fn role_by_action_by_resource() {
    let mut table = String::new();
    for action in Action::ALL {
        let kinds = kinds(*action);
        if kinds.is_empty() {
            writeln!(table, "{action}: only Slipway itself").unwrap();
        }
        for kind in kinds {
            let may = Role::ALL.iter().filter(|role| {
                let may =
                    |grant, resource| permit(&subject(vec![grant]), *action, resource).is_ok();
                let own = may(Grant::new(**role, Some(team(9))), about(kind));
                let other = may(Grant::new(**role, Some(team(8))), about(kind));
                let everywhere = may(Grant::new(**role, None), about(kind));
                assert!(!other, "{role} of another team: {action} {kind}");
                assert_eq!(own, everywhere, "{role}: {action} {kind}");
                own
            });
            let may: Vec<&str> = may.map(|role| role.word()).collect();
            writeln!(table, "{action} {kind}: {}", may.join(", ")).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_grant_reaches_what_lies_in_its_place() {
    let (service, other_service) = (ServiceId(id(20).0), ServiceId(id(21).0));
    let (environment, other_environment) = (EnvironmentId(id(30).0), EnvironmentId(id(31).0));
    let here = Place {
        team: Some(team(9)),
        service: Some(service),
        environment: Some(environment),
    };
    let nowhere = Place::default();
    let table = [
        (nowhere, true),
        (
            Place {
                team: Some(team(9)),
                ..nowhere
            },
            true,
        ),
        (
            Place {
                team: Some(team(8)),
                ..nowhere
            },
            false,
        ),
        (
            Place {
                service: Some(service),
                ..nowhere
            },
            true,
        ),
        (
            Place {
                service: Some(other_service),
                ..nowhere
            },
            false,
        ),
        (
            Place {
                environment: Some(environment),
                ..nowhere
            },
            true,
        ),
        (
            Place {
                environment: Some(other_environment),
                ..nowhere
            },
            false,
        ),
        (here, true),
        (
            Place {
                environment: Some(other_environment),
                ..here
            },
            false,
        ),
        (
            Place {
                service: Some(other_service),
                ..here
            },
            false,
        ),
        (
            Place {
                team: Some(team(8)),
                ..here
            },
            false,
        ),
    ];
    for (place, reaches) in table {
        let who = subject(vec![Grant {
            role: Role::Sre,
            place,
        }]);
        let mut rollout = about(Kind::Rollout);
        rollout.place = here;
        let permit = permit(&who, Action::Release, rollout);
        assert_eq!(permit.is_ok(), reaches, "{place:?}");
        // What belongs to no team, service or environment takes a grant for all of them.
        let project = Resource::new(Kind::Project, 1, "p");
        let who = subject(vec![Grant {
            role: Role::Operator,
            place,
        }]);
        let may = super::permit(&who, Action::ManageProjects, project).is_ok();
        assert_eq!(may, place == nowhere, "{place:?}");
    }
}

#[test]
fn nobody_approves_their_own_request_whatever_they_hold_and_whoever_they_are() {
    let everything = Role::ALL.iter().map(|role| Grant::new(*role, None));
    let mut who = subject(everything.collect());
    who.selves = vec![id(3)];
    let by = |user| about(Kind::Rollout).requested_by(user);
    for action in [Action::Approve, Action::Reject] {
        for own in [id(1), id(3)] {
            let denied = permit(&who, action, by(own)).unwrap_err();
            assert!(matches!(denied, Denied::Forbidden { .. }), "{denied:?}");
            assert_eq!(
                denied.to_string(),
                "You requested this change, so somebody else has to decide on it."
            );
        }
        assert!(permit(&who, action, by(id(2))).is_ok());
    }
}

#[test]
fn owners_grant_no_more_than_their_team_and_nobody_grants_to_themselves() {
    let owner = subject(vec![Grant::new(Role::Owner, Some(team(9)))]);
    let may = |who: &Subject, resource| permit(who, Action::Grant, resource).is_ok();
    for (role, allowed) in [
        (Role::Viewer, true),
        (Role::Member, true),
        (Role::Approver, true),
        (Role::Owner, false),
        (Role::Sre, false),
        (Role::SecurityApprover, false),
        (Role::Admin, false),
    ] {
        assert_eq!(may(&owner, granted(role, id(2))), allowed, "{role}");
        let everywhere = Resource::grant(id(2), "Somebody", &Grant::new(role, None));
        assert!(!may(&owner, everywhere), "{role} everywhere");
    }
    let mut admin = subject(vec![Grant::new(Role::Admin, None)]);
    admin.selves = vec![id(3)];
    assert!(may(&admin, granted(Role::Admin, id(2))));
    assert!(!may(&admin, granted(Role::Viewer, id(1))));
    assert!(!may(&admin, granted(Role::Viewer, id(3))));
}

#[test]
fn a_permit_says_what_allowed_it() {
    let who = subject(vec![
        Grant::new(Role::Viewer, None),
        Grant::new(Role::Owner, Some(team(9))),
    ]);
    let permit = permit(&who, Action::Pause, about(Kind::Rollout)).unwrap();
    assert_eq!(
        permit.allowed_by(),
        "role owner of the owning team: members-make-safe"
    );
}

#[test]
fn a_refusal_names_the_roles_that_would_do() {
    for (action, kind, says) in [
        (
            Action::RequestRollout,
            Kind::Service,
            "Takes the role member, owner, SRE or operator for the owning team.",
        ),
        (
            Action::Release,
            Kind::Rollout,
            "Takes the role SRE or operator.",
        ),
        (
            Action::Approve,
            Kind::Rollout,
            "Takes the role approver or security approver.",
        ),
        (
            Action::ManageInventory,
            Kind::Environment,
            "Takes the role operator.",
        ),
    ] {
        let denied = permit(&subject(vec![]), action, about(kind)).unwrap_err();
        assert_eq!(denied.beside(), says);
    }
}

#[test]
fn what_the_policies_do_not_speak_of_is_not_allowed() {
    let everything = Role::ALL.iter().map(|role| Grant::new(*role, None));
    let who = subject(everything.collect());
    for (action, kind) in [
        (Action::Approve, Kind::Service),
        (Action::ManageInventory, Kind::Rollout),
        (Action::RunJob, Kind::Worker),
        (Action::SignIn, Kind::Person),
    ] {
        assert!(
            permit(&who, action, about(kind)).is_err(),
            "{action} {kind}"
        );
    }
}

#[test]
fn a_scope_is_all_teams_only_with_a_grant_for_all() {
    let of = |grants| scope(&subject(grants)).unwrap().teams().clone();
    assert_eq!(
        of(vec![Grant::new(Role::Member, Some(team(9)))]),
        Teams::Of(vec![team(9)])
    );
    assert_eq!(of(vec![Grant::new(Role::Viewer, None)]), Teams::All);
    assert_eq!(scope(&subject(vec![])).unwrap_err(), Denied::NoRole);
}

#[test]
fn a_grant_that_was_stored_before_places_keeps_its_team() {
    let id = "00000000-0000-7000-8000-000000000009";
    let read = |text: &str| serde_json::from_str::<Grant>(text);
    let old = read(&format!(r#"{{"role":"operator","team":"{id}"}}"#)).unwrap();
    assert_eq!(old, Grant::new(Role::Operator, Some(team(9))));
    let everywhere = read(r#"{"role":"viewer","team":null}"#).unwrap();
    assert_eq!(everywhere, Grant::new(Role::Viewer, None));
    let written = serde_json::to_string(&old).unwrap();
    assert_eq!(read(&written).unwrap(), old);
    for unknown in [
        r#"{"role":"operator","service":"x"}"#,
        r#"{"role":"operator","place":{"squad":"x"}}"#,
    ] {
        assert!(read(unknown).is_err(), "{unknown}");
    }
}
