//! Outcomes of the resources of a file, and their summary (spec DS-202 to DS-206).

use std::collections::BTreeSet;

use super::common::{End, say, say_error};
use crate::{cli::exit::Exit, model::Kind, store::objects::ClientError};

/// A verb's words in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// `create`
    pub(super) verb: &'static str,
    /// `created`
    pub(super) past: &'static str,
    /// Begins the line of errors if others succeeded.
    pub(super) errors: &'static str,
}

/// Outcomes so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    kinds: BTreeSet<Kind>,
    done: usize,
    errors: Vec<String>,
}

impl Tally {
    /// Counts one.
    pub(super) fn add(&mut self, kind: Kind, outcome: Result<(), ClientError>) {
        self.kinds.insert(kind);
        match outcome {
            Ok(()) => self.done += 1,
            Err(error) => self.errors.push(error.to_string()),
        }
    }

    /// Prints the summary.
    pub(super) fn report(&self, words: Words) -> Result<Exit, End> {
        let Words { verb, past, errors } = words;
        let quoted = self.quoted();
        let total = self.done + self.errors.len();
        let list = self.errors.join(" ");
        if self.errors.is_empty() {
            say(format_args!(
                "Successfully {past} {total}{quoted} resource(s)"
            ))?;
            return Ok(Exit::Ok);
        }
        if self.done > self.errors.len() {
            say(format_args!(
                "Partial success: {past} the first {} out of {total}{quoted} resources:",
                self.done
            ))?;
        }
        match (self.done, total) {
            (0, 1) => say_error(format_args!("failed to {verb}{quoted} resource: [{list}]")),
            (0, _) => say_error(format_args!(
                "failed to {verb} any{quoted} resources: [{list}]"
            )),
            _ => say_error(format_args!("{errors}: [{list}]")),
        }
        Ok(Exit::Negative)
    }

    /// Prints the summary of a deletion.
    pub(super) fn report_deletion(&self) -> Result<Exit, End> {
        let quoted = self.quoted();
        if self.done > 0 || self.errors.is_empty() {
            say(format_args!(
                "Successfully deleted {}{quoted} resource(s)",
                self.done
            ))?;
        }
        for error in &self.errors {
            say_error(format_args!("Failed to delete{quoted} resource: {error}"));
        }
        if self.errors.is_empty() {
            return Ok(Exit::Ok);
        }
        say_error("");
        Ok(Exit::Negative)
    }

    fn quoted(&self) -> String {
        match self.kinds.iter().next() {
            Some(kind) if self.kinds.len() == 1 => format!(" '{kind}'"),
            _ => String::new(),
        }
    }
}
