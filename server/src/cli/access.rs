//! `slipway access`.

use clap::Subcommand;

use super::{Failure, Output, client::Client, table::aligned};
use crate::api::shape::Explanation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say whether somebody may do something, by what, and who could give what is missing; exit code 3 if not
    Explain {
        /// Id, e-mail address or name; the token's own unless given
        #[arg(long)]
        user: Option<String>,
        /// What they would do, such as release
        #[arg(long)]
        action: String,
        /// rollout:ID, service:NAME, environment:NAME, team:NAME, or a kind alone, such as person
        #[arg(long)]
        resource: String,
        #[command(flatten)]
        output: Output,
    },
}

pub async fn run(command: Command, client: &Client) -> Result<(), Failure> {
    let Command::Explain {
        user,
        action,
        resource,
        output,
    } = command;
    let query = [
        ("user", user.as_deref()),
        ("action", Some(action.as_str())),
        ("resource", Some(resource.as_str())),
    ];
    let told: Explanation = client.get(&["access", "explain"], &query).await?;
    if output.json {
        super::write_json(&told)?;
    } else {
        show(&told);
    }
    match told.allowed {
        true => Ok(()),
        false => Err(Failure::new(
            Failure::NOT_ALLOWED,
            format!("{} may not.", told.person),
        )),
    }
}

fn show(told: &Explanation) {
    let answer = if told.allowed { "yes" } else { "no" };
    let mut rows = vec![
        vec!["who".to_owned(), told.person.clone()],
        vec!["does".to_owned(), told.action.clone()],
        vec!["to".to_owned(), told.about.clone()],
        vec!["may".to_owned(), answer.to_owned()],
        vec!["why".to_owned(), told.why.clone()],
    ];
    if !told.givers.is_empty() {
        rows.push(vec!["given by".to_owned(), told.givers.join(", ")]);
    }
    for held in &told.roles {
        let where_ = if held.reaches { "" } else { " (not there)" };
        rows.push(vec!["holds".to_owned(), format!("{}{where_}", held.role)]);
    }
    print!("{}", aligned(&[], &rows));
}
