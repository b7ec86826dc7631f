//! Other programs: run with their output shown, run behind a progress display, or run for their output.

use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    io::{BufRead, BufReader, IsTerminal, Read},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How many of the last lines of a silent command are shown when it fails.
const LINES_ON_FAILURE: usize = 40;

/// Where programs of the administrator are, which the `PATH` of a root shell may lack.
const SYSTEM_PATHS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The `PATH`, with the administrator's directories at its end.
pub(crate) fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    for directory in SYSTEM_PATHS {
        path.push(":");
        path.push(directory);
    }
    path
}

/// A program, found along [`path`], as are those that it runs.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", path());
    command
}

/// The command as one would type it.
pub(crate) fn display(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Names the command, then runs it with its output in plain sight.
///
/// # Errors
///
/// If it cannot be started or does not end with status 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", display(command));
    run_quietly(command)
}

/// Runs a command that prints nothing.
///
/// # Errors
///
/// If it cannot be started or does not end with status 0.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let text = display(command);
    let status = command.status().with_context(|| format!("run `{text}`"))?;
    if !status.success() {
        bail!("`{text}` ended with {status}");
    }
    Ok(())
}

/// Output of the command without surrounding blanks; `None` if it does not run or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim().to_owned())
}

/// Runs a long command behind a progress display: `step`, the time it has taken, and the last line
/// that it printed. Without a terminal only the beginning and the end are printed.
///
/// # Errors
///
/// If it cannot be started or does not end with status 0; its last lines are printed then.
pub(crate) fn run_with_progress(step: &str, command: &mut Command) -> Result<()> {
    let text = display(command);
    let begun = Instant::now();
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg:.dim}")
            .context("the progress display's template")?,
    );
    bar.set_prefix(step.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    if !std::io::stderr().is_terminal() {
        println!("{step} …");
    }

    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("run `{text}`"))?;
    let (sender, lines) = mpsc::channel();
    let readers = [
        child
            .stdout
            .take()
            .map(|pipe| forward(pipe, sender.clone())),
        child.stderr.take().map(|pipe| forward(pipe, sender)),
    ];
    let mut last = VecDeque::new();
    for line in lines {
        bar.set_message(line.trim().to_owned());
        if last.len() == LINES_ON_FAILURE {
            last.pop_front();
        }
        last.push_back(line);
    }
    for reader in readers.into_iter().flatten() {
        // A reader ends when its pipe does; one that panicked has nothing more to say.
        drop(reader.join());
    }
    let status = child.wait().with_context(|| format!("wait for `{text}`"))?;
    bar.finish_and_clear();
    if !status.success() {
        for line in last {
            eprintln!("{line}");
        }
        bail!("`{text}` ended with {status}");
    }
    println!("{step}: done in {:.0?}", begun.elapsed());
    Ok(())
}

/// Sends each line of a pipe to the one who shows them.
fn forward<R: Read + Send + 'static>(
    pipe: R,
    lines: mpsc::Sender<String>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if lines.send(line).is_err() {
                break;
            }
        }
    })
}
