//! `hep history`.

use anyhow::Result;
use clap::Args;

use super::{
    exit::Exit,
    instance::Instance,
    output::{Format, Text, emit},
    table::{Table, duration},
};
use crate::{
    daemon::clock::unix_ms,
    view::{Entry, History},
};

/// List the policies that were in force and can be rolled back to
///
/// Works without the daemon. Exits with 1 if there are none.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let history = History::read(&arguments.instance.state_dir)?;
    emit(&history, format)?;
    Ok(if history.items.is_empty() {
        Exit::Negative
    } else {
        Exit::Ok
    })
}

impl Text for History {
    fn text(&self) -> String {
        if self.items.is_empty() {
            return "no policy was in force yet".to_owned();
        }
        table(&self.items).to_string()
    }
}

fn table(entries: &[Entry]) -> Table {
    let now = unix_ms();
    let mut table = Table::new(&[
        "",
        ">GENERATION",
        "SINCE",
        "CAUSE",
        "OUTCOME",
        ">RESOURCES",
        "CHECKSUM",
        "DIRECTORY",
    ]);
    for row in entries {
        let mark = if row.in_force { "*" } else { " " };
        let ago = duration(now.saturating_sub(row.since_unix_ms) / 1000);
        let outcome = if row.intact {
            row.outcome.clone()
        } else {
            format!("{}, damaged", row.outcome)
        };
        table.row(vec![
            mark.to_owned(),
            row.generation.to_string(),
            format!("{ago} ago"),
            row.cause.clone(),
            outcome,
            row.resources.to_string(),
            row.checksum.chars().take(12).collect(),
            row.directory.clone(),
        ]);
    }
    table
}
