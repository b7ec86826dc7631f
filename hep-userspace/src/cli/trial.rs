//! `hep try`.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines, Stdin},
    signal::unix::{SignalKind, signal},
    time::{Instant, interval, sleep},
};

use super::{
    exit::Exit,
    instance::Instance,
    order,
    output::{Format, Text, complain, emit},
    runtime, validate,
};
use crate::{
    daemon::{
        control::{self, Answer, AskError, Done, Request},
        status::Report,
    },
    model::NodeName,
    printable::Printable,
    view::TrialOutcome,
};

/// Interval at which the daemon's status is polled.
const POLL: Duration = Duration::from_millis(200);
/// How long after the trial's end this process waits for a daemon before it rolls back itself.
const GRACE: Duration = Duration::from_millis(300);

/// Apply a policy that rolls back automatically unless confirmed
///
/// Enter or SIGUSR1 confirms it, as `hep confirm` does from anywhere; q and Enter, Ctrl-C (SIGINT) or
/// `hep rollback` rolls it back at once. The daemon keeps the time: the previous policy comes back
/// also if this command, the SSH session or the daemon dies, or the host restarts. Exits with 0 if
/// the policy was confirmed and with 6 if it was rolled back; refuses (5) a policy that cuts an
/// administrator's SSH session.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Directory with the policy to try
    #[arg(long, value_name = "DIR")]
    policy_dir: PathBuf,
    /// Time until it is rolled back unless confirmed: 90, 90s, 5m or 1h, up to 24h
    #[arg(
        long,
        value_parser = parse_duration,
        default_value = "60s",
        value_name = "TIME",
        env = "HEP_TRY_TIMEOUT"
    )]
    timeout: Duration,
    /// Return as soon as it is in force, without waiting for the outcome
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    force: order::Force,
    #[command(flatten)]
    instance: Instance,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let advice = || "write 90, 90s, 5m or 1h, from 1s to 24h".to_owned();
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(advice()),
    };
    let number: u64 = number.parse().map_err(|_no_number| advice())?;
    let seconds = number.saturating_mul(factor);
    if (1..=24 * 3600).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(advice())
    }
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let instance = &arguments.instance;
    let node = match control::ask(&instance.socket) {
        Ok(report) => NodeName::from(report.node),
        Err(AskError::NotRunning(_)) => return Err(order::unreachable(instance)),
        Err(error) => return Err(error.into()),
    };
    let policy_dir = std::path::absolute(&arguments.policy_dir).context("--policy-dir")?;
    validate::check(&policy_dir, &node)?;
    let runtime = runtime::of_command()?;
    let outcome = runtime.block_on(attend(arguments, policy_dir, format));
    // Do not wait for a thread that still reads the terminal.
    runtime.shutdown_background();
    outcome
}

/// The operator's decision about the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Confirm,
    Revert,
}

async fn attend(arguments: &Arguments, policy_dir: PathBuf, format: Format) -> Result<Exit> {
    // Installed before the trial begins, since by default both signals end this process.
    let mut accept = signal(SignalKind::user_defined1()).context("SIGUSR1")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let instance = &arguments.instance;
    let request = Request::Try {
        policy_dir,
        timeout_ms: u64::try_from(arguments.timeout.as_millis()).unwrap_or(u64::MAX),
        caller: arguments.force.caller(),
    };
    let done = match control::command(&instance.socket, &request) {
        Ok(answer) => {
            if matches!(answer, Answer::Refused(_)) {
                complain("nothing was changed");
            }
            order::done(answer)?
        }
        Err(AskError::NotRunning(_)) => match order::trial(instance)? {
            Some(trial) => return watch_over(arguments, trial.generation, format).await,
            None => return Err(order::unreachable(instance)),
        },
        Err(error) => return Err(error.into()),
    };
    if arguments.detach {
        emit(&TrialOutcome::begun(done), format)?;
        return Ok(Exit::Ok);
    }
    order::warnings(&done.warnings).iter().for_each(complain);
    let mut watch = Watch::new(arguments, Some(done.generation));
    watch.greet(&done);
    let mut lines = watch
        .is_terminal
        .then(|| BufReader::new(tokio::io::stdin()).lines());
    let mut poll = interval(POLL);
    loop {
        let wish = tokio::select! {
            _ = accept.recv() => Some(Wish::Confirm),
            _ = interrupt.recv() => Some(Wish::Revert),
            wish = typed(lines.as_mut()) => wish,
            _ = poll.tick() => None,
        };
        if let Some(wish) = wish {
            watch.order(wish)?;
        }
        if let Some(confirmed) = watch.look()? {
            return watch.end(confirmed, format);
        }
    }
}

/// Handles a daemon that died before it reported the trial's start: waits until the previous policy is
/// back, and rolls back in this process if no daemon does.
async fn watch_over(
    arguments: &Arguments,
    generation: Option<u32>,
    format: Format,
) -> Result<Exit> {
    let mut watch = Watch::new(arguments, generation);
    if generation.is_none() {
        // The trial is over: without a number it cannot be confirmed.
        watch.end = Instant::now();
    }
    loop {
        if let Some(confirmed) = watch.look()? {
            return watch.end(confirmed, format);
        }
        sleep(POLL).await;
    }
}

/// Reads one line: an empty one confirms, `q` rolls back. Never ready without a terminal.
async fn typed(lines: Option<&mut Lines<BufReader<Stdin>>>) -> Option<Wish> {
    let line = match lines {
        Some(lines) => lines.next_line().await,
        None => std::future::pending().await,
    };
    match line {
        Ok(Some(line)) => match line.trim() {
            "" => Some(Wish::Confirm),
            "q" | "Q" => Some(Wish::Revert),
            _ => None,
        },
        // The terminal is gone, and nobody can confirm from it any more.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

/// The trial, as seen from the terminal.
struct Watch<'a> {
    instance: &'a Instance,
    /// Generation on trial; `None` if the daemon died before it had assigned one.
    generation: Option<u32>,
    /// Latest end of the trial by this process's clock.
    end: Instant,
    is_terminal: bool,
    shown: Option<u64>,
    told_of_absence: bool,
}

impl<'a> Watch<'a> {
    fn new(arguments: &'a Arguments, generation: Option<u32>) -> Self {
        Self {
            instance: &arguments.instance,
            generation,
            end: Instant::now() + arguments.timeout,
            is_terminal: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            shown: None,
            told_of_absence: false,
        }
    }

    fn greet(&self, done: &Done) {
        eprintln!("{}", Printable(&done.text));
        if self.is_terminal {
            eprintln!("Enter keeps it; q and Enter, or Ctrl-C, go back at once");
        }
    }

    fn order(&mut self, wish: Wish) -> Result<()> {
        // A trial without a number is over already.
        let Some(generation) = self.generation else {
            return Ok(());
        };
        let request = match wish {
            Wish::Confirm => Request::Confirm {
                generation: Some(generation),
                force: false,
            },
            Wish::Revert => Request::Reject { generation },
        };
        match control::command(&self.instance.socket, &request) {
            Ok(Answer::Done(_)) => {}
            Ok(Answer::Refused(reasons)) => {
                self.clear();
                reasons.iter().for_each(complain);
            }
            Ok(Answer::Failed(reason)) => {
                self.clear();
                complain(reason);
            }
            Ok(Answer::Invalid(_) | Answer::Status(_) | Answer::Monitoring(_)) => {}
            Err(AskError::NotRunning(_)) => self.tell_of_absence(),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Whether the trial is over, and if so, whether the policy was confirmed.
    fn look(&mut self) -> Result<Option<bool>> {
        match control::ask(&self.instance.socket) {
            Ok(report) => Ok(self.read(&report)),
            Err(AskError::NotRunning(_)) => {
                self.tell_of_absence();
                if Instant::now() > self.end + GRACE {
                    // A daemon that starts meanwhile holds the lock, and rolls back itself.
                    let instance = self.instance;
                    let outcome = std::thread::scope(|scope| {
                        // It creates a runtime of its own, which must not be nested in this thread's.
                        let thread =
                            scope.spawn(|| order::without_daemon(instance, Request::Status));
                        thread.join()
                    });
                    if let Ok(Ok(Some(Answer::Status(report)))) = outcome {
                        return Ok(self.read(&report));
                    }
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self, report: &Report) -> Option<bool> {
        let decided = &report.decided;
        let Some(generation) = self.generation else {
            return decided.trial.is_none().then_some(false);
        };
        if let Some(ended) = &decided.last_trial
            && ended.generation == generation
        {
            return Some(ended.confirmed);
        }
        if let Some(trial) = &decided.trial
            && trial.generation == generation
        {
            self.show(trial.left_ms.div_ceil(1000));
        }
        None
    }

    fn show(&mut self, seconds: u64) {
        if self.is_terminal && self.shown != Some(seconds) {
            // Failing to write to a terminal that is gone must not end the trial.
            drop(write!(std::io::stderr(), "\r\x1b[K{seconds} s left "));
            self.shown = Some(seconds);
        }
    }

    fn clear(&self) {
        if self.shown.is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }

    fn tell_of_absence(&mut self) {
        if !self.told_of_absence {
            self.clear();
            complain("no daemon runs; the policy before comes back when it is started");
            self.told_of_absence = true;
        }
    }

    fn end(&self, confirmed: bool, format: Format) -> Result<Exit> {
        self.clear();
        emit(&TrialOutcome::ended(self.generation, confirmed), format)?;
        Ok(if confirmed {
            Exit::Ok
        } else {
            Exit::RolledBack
        })
    }
}

impl Text for TrialOutcome {
    fn text(&self) -> String {
        Printable(&self.text).to_string()
    }

    fn remarks(&self) -> Vec<String> {
        order::warnings(&self.warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (text, seconds) in [("90", 90), ("1s", 1), ("5m", 300), ("24h", 86_400)] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "s",
            "0",
            "25h",
            "1d",
            "-5",
            "1.5m",
            "99999999999999999999h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
