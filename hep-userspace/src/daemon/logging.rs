//! Log lines on standard error.

use std::io::{self, Write as _};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::printable::Printable;

/// Writes `level: message` lines, or, if standard error is the systemd journal, lines with its priority.
struct Lines {
    is_journal: bool,
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level() && is_ours(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (number, name) = match record.level() {
            Level::Error => (3, "error"),
            Level::Warn => (4, "warning"),
            Level::Info => (6, "info"),
            Level::Debug => (7, "debug"),
            Level::Trace => (7, "trace"),
        };
        // Always one line, whatever names and paths it holds: a second line would be a second record.
        let message = Printable(record.args());
        let mut stderr = io::stderr().lock();
        // If standard error is closed, the failure cannot be reported.
        drop(if self.is_journal {
            writeln!(stderr, "<{number}>{message}")
        } else {
            writeln!(stderr, "{name}: {message}")
        });
    }

    fn flush(&self) {}
}

/// Whether to log a message: libraries only from level `warn`.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.level() <= Level::Warn || metadata.target().starts_with("hep")
}

/// Starts logging at level `info`.
pub fn start() {
    let is_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    // Fails only if logging was started before.
    if log::set_boxed_logger(Box::new(Lines { is_journal })).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Sets the level that `logSeverityScreen` names (spec RS-199).
pub fn set_severity(severity: &str) {
    log::set_max_level(match severity {
        "trace" => LevelFilter::Trace,
        "debug" => LevelFilter::Debug,
        "warning" => LevelFilter::Warn,
        "error" | "fatal" => LevelFilter::Error,
        _ => LevelFilter::Info,
    });
}
