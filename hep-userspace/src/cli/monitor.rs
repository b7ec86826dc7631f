//! `hep monitor`.

use anyhow::Result;
use clap::Args;

use super::{
    exit::Exit,
    instance::Instance,
    output::{Format, Text, complain, emit_line},
};
use crate::{
    daemon::{
        control::AskError,
        feed::{Item, Listener},
    },
    printable::Printable,
    view::{Event, Failure, FailureKind, Lost},
};

/// Stream logged and denied packets, with the rule that decided
///
/// Prints one event for each packet that matched a Log rule and, if the daemon runs with
/// --deny-events, for each denied packet: time, verdict, reason, the deciding rule with its tier,
/// policy, file and line, and the packet. The kernel limits the rate per rule (logActionRateLimit).
/// With -o json each event is one object on one line; an object with the key `lost` counts the events
/// that were dropped because the output was not read fast enough.
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
        Err(error @ AskError::NotRunning(_)) => return Err(unreachable(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    if !listener.monitoring.deny_events {
        complain("only Log rules make events; start the daemon with --deny-events for more");
    }
    let mut left = arguments.count.unwrap_or(u64::MAX);
    for item in listener {
        match item? {
            Item::Event(record) => {
                emit_line(&Event::from(&*record), format)?;
                left -= 1;
            }
            Item::Lost(lost) => emit_line(&Lost::new(lost), format)?,
        }
        if left == 0 {
            return Ok(Exit::Ok);
        }
    }
    Err(unreachable("the daemon has stopped".to_owned()))
}

fn unreachable(message: String) -> anyhow::Error {
    Failure::new(FailureKind::Unreachable, message).into()
}

impl Text for Event {
    /// The time of day in UTC, as in the JSON output, and the event.
    fn text(&self) -> String {
        let milliseconds = self.unix_ms % 86_400_000;
        let (seconds, fraction) = (milliseconds / 1000, milliseconds % 1000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let time = format!("{hours:02}:{minutes:02}:{:02}.{fraction:03}Z", seconds % 60);
        Printable(format!("{time} {}", self.text)).to_string()
    }
}

impl Text for Lost {
    fn text(&self) -> String {
        String::new()
    }

    fn remarks(&self) -> Vec<String> {
        vec![format!("{} events were left out", self.lost)]
    }
}
