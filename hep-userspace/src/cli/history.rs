//! `hep history`.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{
    Exit, Format, Instance,
    output::{print, print_json, print_text},
    table::{Table, duration},
};
use crate::daemon::{
    state::{self, Entry, StateError},
    status::unix_ms,
};

/// List the policies that were in force and can be rolled back to
///
/// Works without the daemon. Exits with 1 if there are none.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    generation: u32,
    in_force: bool,
    since_unix_ms: u64,
    cause: String,
    outcome: &'static str,
    resources: usize,
    checksum: String,
    directory: String,
    /// Its snapshot is readable and matches the recorded checksum.
    intact: bool,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let directory = &arguments.instance.state_dir;
    let journal = state::read_journal(directory)?;
    let mut rows = Vec::new();
    for entry in journal.entries.iter().rev() {
        let is_in_force = journal.in_force == Some(entry.generation);
        let is_intact = match state::policy(directory, entry) {
            Ok(policy) => policy.checksum() == entry.checksum,
            Err(
                StateError::Io { .. }
                | StateError::Damaged(_)
                | StateError::Busy(_)
                | StateError::Shared(_),
            ) => false,
        };
        rows.push(row(entry, is_in_force, is_intact));
    }
    match format {
        Format::Json => print_json(&rows)?,
        Format::Text if rows.is_empty() => print("no policy was in force yet")?,
        Format::Text => print_text(table(&rows))?,
    }
    Ok(if rows.is_empty() {
        Exit::Negative
    } else {
        Exit::Ok
    })
}

fn row(entry: &Entry, in_force: bool, intact: bool) -> Row {
    Row {
        generation: entry.generation,
        in_force,
        since_unix_ms: entry.since_unix_ms,
        cause: entry.cause.text(),
        outcome: entry.outcome.text(),
        resources: entry.resources,
        checksum: entry.checksum.clone(),
        directory: entry.base.display().to_string(),
        intact,
    }
}

fn table(rows: &[Row]) -> Table {
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
    for row in rows {
        let mark = if row.in_force { "*" } else { " " };
        let ago = duration(now.saturating_sub(row.since_unix_ms) / 1000);
        let outcome = if row.intact {
            row.outcome.to_owned()
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
