//! `hep monitor`.

use anyhow::Result;
use clap::Args;

use super::{
    Exit, Format, Instance,
    output::{complain, print, print_json_line},
};
use crate::daemon::{
    control::AskError,
    events::Record,
    feed::{Item, Listener},
};

/// Stream logged and denied packets, with the rule that decided
///
/// Prints one event for each packet that matched a Log rule and, if the daemon runs with
/// --deny-events, for each denied packet: time, verdict, reason, the deciding rule with its tier,
/// policy, file and line, and the packet. The kernel limits the rate per rule (logActionRateLimit).
/// With -o json each event is one object on one line; an object with the single key `lost` counts
/// the events that were dropped because the output was not read fast enough.
///
/// Runs until interrupted; exits with 4 if no daemon runs, or when it stops.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Stop after this many events
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    instance: Instance,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let listener = match Listener::open(&arguments.instance.socket) {
        Ok(listener) => listener,
        Err(error @ AskError::NotRunning(_)) => {
            complain(error);
            return Ok(Exit::Unreachable);
        }
        Err(error) => return Err(error.into()),
    };
    if !listener.monitoring.deny_events {
        complain("only Log rules make events; start the daemon with --deny-events for more");
    }
    let mut left = arguments.count.unwrap_or(u64::MAX);
    for item in listener {
        match (item?, format) {
            (Item::Event(record), format) => {
                match format {
                    Format::Json => print_json_line(&record)?,
                    Format::Text => print(text(&record))?,
                }
                left -= 1;
            }
            (lost @ Item::Lost(_), Format::Json) => print_json_line(&lost)?,
            (Item::Lost(lost), Format::Text) => {
                complain(format_args!("{lost} events were left out"))
            }
        }
        if left == 0 {
            return Ok(Exit::Ok);
        }
    }
    complain("the daemon has stopped");
    Ok(Exit::Unreachable)
}

/// The time of day in UTC, as in the JSON output, and the event.
fn text(record: &Record) -> String {
    let milliseconds = record.unix_ms % 86_400_000;
    let (seconds, fraction) = (milliseconds / 1000, milliseconds % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{fraction:03}Z {record}",
        seconds % 60
    )
}
