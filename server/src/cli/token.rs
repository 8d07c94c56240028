//! `slipway token`: works on the database itself, so it is run where Slipway runs.

use std::sync::Arc;

use clap::Subcommand;
use control::{Console, NewToken};
use domain::text::{Name, Slug};
use policy::Role;
use view::error::ApiError;

use super::Failure;
use crate::{clock::SystemClock, config::Config, lock};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and print it, once
    Create {
        /// What it is for; shown wherever it acts
        #[arg(long)]
        name: Name,
        /// viewer, operator, approver, or one of them and member for a team: member:payments; may be repeated
        #[arg(long = "role", required = true, value_parser = grant)]
        roles: Vec<(Role, Option<Slug>)>,
        /// Days until it expires
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=366))]
        days: u32,
    },
}

fn grant(text: &str) -> Result<(Role, Option<Slug>), String> {
    let (word, team) = text
        .split_once(':')
        .map_or((text, None), |(word, team)| (word, Some(team)));
    let role = Role::ALL
        .iter()
        .copied()
        .find(|role| role.word() == word)
        .ok_or_else(|| {
            let known: Vec<_> = Role::ALL.iter().map(|role| role.word()).collect();
            format!("“{word}” is no role; choose one of {}", known.join(", "))
        })?;
    let team = team
        .map(str::parse)
        .transpose()
        .map_err(|error: domain::text::FieldError| error.to_string())?;
    if role.needs_team() && team.is_none() {
        return Err(format!("a {role} belongs to a team; write {role}:TEAM"));
    }
    Ok((role, team))
}

pub async fn run(command: Command, config: Config) -> Result<(), Failure> {
    let Command::Create { name, roles, days } = command;
    let settings = config.settings()?;
    // A running Slipway holds the lock and has prepared the database; else nobody may start while this does it.
    let lock = match lock::lock(&settings.data_dir) {
        Ok(lock) => Some(lock),
        Err(lock::LockError::Taken { .. }) => None,
        Err(why) => return Err(Failure::new(Failure::USAGE, why.to_string())),
    };
    let clock = Arc::new(SystemClock);
    let opened = match lock {
        Some(_) => Console::open(settings, clock).await,
        None => Console::open_beside(settings, clock).await,
    };
    let console = opened.map_err(|why| Failure::new(Failure::FAILED, why.to_string()))?;
    let token = console
        .create_token(NewToken { name, roles, days })
        .await
        .map_err(|why| {
            let wrong = matches!(why, ApiError::Invalid { .. } | ApiError::NotFound { .. });
            let code = if wrong {
                Failure::USAGE
            } else {
                Failure::FAILED
            };
            Failure::new(code, why.message())
        })?;
    eprintln!(
        "Keep this token as you keep a password: it is not shown again. Days until it ends: {days}."
    );
    println!("{token}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_line() {
        use clap::Parser as _;
        let named = |name| {
            crate::cli::Cli::try_parse_from([
                "slipway", "token", "create", "--role", "viewer", "--name", name,
            ])
        };
        assert!(named("payments bot").is_ok());
        for bad in ["", "\u{1b}[2Jroot", "two\nlines"] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn roles_are_read_with_their_team() {
        assert_eq!(grant("operator"), Ok((Role::Operator, None)));
        assert_eq!(
            grant("member:payments"),
            Ok((Role::Member, Some("payments".parse().unwrap())))
        );
        for bad in [
            "",
            "root",
            "member",
            "owner",
            "operator:",
            "operator:A B",
            ":payments",
        ] {
            assert!(grant(bad).is_err(), "{bad}");
        }
    }
}
