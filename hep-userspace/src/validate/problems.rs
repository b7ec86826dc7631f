//! Lists of problems, as long as they are useful: a file of a megabyte can have hundreds of thousands, and
//! whoever fixes it needs the first ones and the number.

use super::{Code, Problem, Severity};
use crate::model::Position;

/// Most errors of a list, most warnings, and most notices.
pub const MAX_PROBLEMS: usize = 500;
/// Most characters of a problem's field, message or advice.
const MAX_TEXT: usize = 1000;

/// Problems as they are found; those beyond [`MAX_PROBLEMS`] are only counted.
#[derive(Clone, Debug)]
pub(super) struct Problems {
    found: Vec<Problem>,
    /// How many more of each severity are taken.
    room: [usize; 3],
    left_out: LeftOut,
}

/// Problems that were only counted.
#[derive(Clone, Debug, Default)]
struct LeftOut {
    /// By severity.
    counts: [usize; 3],
    /// The place of the first.
    first: Option<Position>,
}

/// The place of a severity in counts.
const fn class(severity: Severity) -> usize {
    match severity {
        Severity::Error => 0,
        Severity::Warning => 1,
        Severity::Notice => 2,
    }
}

impl Problems {
    /// None so far.
    pub(super) const fn new() -> Self {
        Self {
            found: Vec::new(),
            room: [MAX_PROBLEMS; 3],
            left_out: LeftOut {
                counts: [0; 3],
                first: None,
            },
        }
    }

    /// None so far, and no more than these still take.
    pub(super) fn within(&self) -> Self {
        Self {
            room: self.room,
            ..Self::new()
        }
    }

    /// Takes a problem that is made only if there is room for it.
    pub(super) fn push_with(
        &mut self,
        severity: Severity,
        position: impl FnOnce() -> Position,
        problem: impl FnOnce() -> Problem,
    ) {
        let class = class(severity);
        if self.room[class] > 0 {
            self.room[class] -= 1;
            self.found.push(shortened(problem()));
            return;
        }
        self.left_out.counts[class] += 1;
        self.left_out.first.get_or_insert_with(position);
    }

    /// Takes a problem.
    pub(super) fn push(&mut self, problem: Problem) {
        let position = problem.position.clone();
        self.push_with(problem.severity, || position, || problem);
    }

    /// Takes what another list holds.
    pub(super) fn add(&mut self, other: &Self) {
        for problem in &other.found {
            self.push(problem.clone());
        }
        for (count, other) in self.left_out.counts.iter_mut().zip(other.left_out.counts) {
            *count += other;
        }
        if let (None, Some(first)) = (&self.left_out.first, &other.left_out.first) {
            self.left_out.first = Some(first.clone());
        }
    }

    /// Those that were taken.
    pub(super) fn found(&self) -> &[Problem] {
        &self.found
    }

    /// How many errors there are, taken or counted.
    pub(super) fn errors(&self) -> usize {
        let is_error = |problem: &&Problem| problem.severity == Severity::Error;
        let counted = self.left_out.counts[class(Severity::Error)];
        self.found.iter().filter(is_error).count() + counted
    }

    /// The problems that were kept, to change their severity or text.
    pub(super) fn found_mut(&mut self) -> &mut [Problem] {
        &mut self.found
    }

    /// Whether each problem that was found was taken.
    pub(super) fn is_whole(&self) -> bool {
        self.left_out.counts == [0; 3]
    }

    /// Whether there is any error, taken or counted.
    pub(super) fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// All by place, and, if some were only counted, one more with their number.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by(|a, b| a.position.cmp(&b.position));
        self.found.extend(self.left_out.problem());
        self.found
    }
}

/// The same problems, by place, as many as a list holds.
#[must_use]
pub fn bounded(problems: Vec<Problem>) -> Vec<Problem> {
    let mut bounded = Problems::new();
    for problem in problems {
        bounded.push(problem);
    }
    bounded.into_sorted()
}

impl LeftOut {
    fn problem(self) -> Option<Problem> {
        let first = self.first?;
        let [errors, warnings, notices] = self.counts;
        let (severity, code) = match (errors, warnings) {
            (0, 0) => (Severity::Notice, Code::MoreNotices),
            (0, _) => (Severity::Warning, Code::MoreWarnings),
            _ => (Severity::Error, Code::MoreErrors),
        };
        let count = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 more {what}")),
            _ => Some(format!("{count} more {what}s")),
        };
        let counts = [
            count(errors, "error"),
            count(warnings, "warning"),
            count(notices, "notice"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        Some(Problem {
            severity,
            code,
            position: Position::whole(first.origin),
            kind: String::new(),
            name: String::new(),
            field: String::new(),
            message: format!("and {}, from here on", counts.join(" and ")),
            got: None,
            advice: "fix those above first".to_owned(),
        })
    }
}

fn shortened(mut problem: Problem) -> Problem {
    for text in [
        &mut problem.field,
        &mut problem.message,
        &mut problem.advice,
    ] {
        shorten(text, MAX_TEXT);
    }
    problem
}

/// Cuts a text that is longer than `characters`.
pub(super) fn shorten(text: &mut String, characters: usize) {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::*;
    use crate::model::Origin;

    fn problem(severity: Severity, line: u32) -> Problem {
        Problem {
            severity,
            code: Code::Enum,
            position: Position::new(&Origin::File(Arc::from(Path::new("a.yaml"))), line, 1),
            kind: String::new(),
            name: String::new(),
            field: String::new(),
            message: "é".repeat(5000),
            got: None,
            advice: String::new(),
        }
    }

    #[test]
    fn a_long_list_ends_with_a_number_and_warnings_push_out_no_error() {
        let warnings = (1..=1500).map(|line| problem(Severity::Warning, line));
        let errors = (1501..=1502).map(|line| problem(Severity::Error, line));
        let bounded = bounded(warnings.chain(errors).collect());
        assert_eq!(bounded.len(), MAX_PROBLEMS + 3);
        let last = bounded.last().expect("there are some").to_string();
        assert_eq!(
            last,
            "a.yaml: warning: and 1000 more warnings, from here on; fix those above first"
        );
        let first = bounded.first().expect("there are some");
        assert_eq!(first.message.chars().count(), MAX_TEXT + 1);
        let errors = bounded.iter().filter(|it| it.severity == Severity::Error);
        assert_eq!(errors.count(), 2);
    }

    #[test]
    fn notices_push_out_no_warning() {
        let notices = (1..=502).map(|line| problem(Severity::Notice, line));
        let warning = problem(Severity::Warning, 503);
        let bounded = bounded(notices.chain([warning]).collect());
        assert_eq!(bounded.len(), MAX_PROBLEMS + 2);
        let last = bounded.last().expect("there are some");
        assert_eq!(
            (last.code, last.severity),
            (Code::MoreNotices, Severity::Notice)
        );
        assert!(last.message.contains("2 more notices"), "{last}");
    }

    #[test]
    fn errors_that_are_only_counted_still_refuse() {
        let mut problems = Problems::new();
        for line in 1..=501 {
            problems.push(problem(Severity::Error, line));
        }
        let more = problems.within();
        assert!(problems.has_errors() && !problems.is_whole());
        assert!(!more.has_errors() && more.is_whole());
        let mut full = more.clone();
        full.push(problem(Severity::Error, 1));
        assert!(full.has_errors() && full.found().is_empty());
        problems.add(&full);
        let last = problems.into_sorted().pop().expect("there are some");
        assert_eq!(
            (last.code, last.severity),
            (Code::MoreErrors, Severity::Error)
        );
        assert!(last.message.contains("2 more errors"), "{last}");
    }
}
