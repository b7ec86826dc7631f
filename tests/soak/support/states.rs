//! The states of a policy directory that count.

use std::time::Instant;

use crate::{
    figure::Figures,
    reader::{Open, Reader},
};

/// Complete states of a directory, in order.
#[derive(Debug, Default)]
pub(crate) struct States(Vec<Complete>);

/// Ports that the directory opens, and when.
#[derive(Clone, Copy, Debug)]
struct Complete {
    opens: Open,
    since: Instant,
    /// Later ones were in force by then.
    until: Option<Instant>,
}

impl States {
    /// The directory has opened these ports since then.
    pub(crate) fn add(&mut self, opens: Open, since: Instant) {
        self.0.push(Complete {
            opens,
            since,
            until: None,
        });
    }

    /// The last state is in force: no earlier one counts any more.
    pub(crate) fn last_is_in_force(&mut self) {
        let now = Instant::now();
        if let Some((_, earlier)) = self.0.split_last_mut() {
            for state in earlier {
                state.until.get_or_insert(now);
            }
        }
    }

    /// Whether this verdict, first seen at `at`, is that of a state that counted then.
    fn says(&self, opens: Open, at: Instant) -> bool {
        self.0.iter().any(|state| {
            state.opens == opens && state.since <= at && state.until.is_none_or(|until| at <= until)
        })
    }

    /// The verdicts that no state gives.
    pub(crate) fn judge(&self, part: &str, reader: &Reader, figures: &mut Figures) {
        let verdicts = reader.verdicts();
        let strangers: Vec<_> = verdicts
            .iter()
            .filter(|verdict| !self.says(verdict.open, verdict.first))
            .collect();
        for stranger in &strangers {
            println!("{part}: no complete directory says {:016b}", stranger.open);
        }
        for mixture in reader.mixtures() {
            println!("{part}: {mixture}");
        }
        figures.tell(format!("{part}: rounds of verdicts"), reader.rounds());
        figures.tell(format!("{part}: generations"), verdicts.len());
        figures.exactly(
            format!("{part}: verdicts of no complete directory"),
            strangers.len(),
            0,
        );
        figures.exactly(
            format!("{part}: generations with two verdicts"),
            reader.mixtures().len(),
            0,
        );
    }
}
