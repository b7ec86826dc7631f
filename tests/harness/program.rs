//! Programs of other packages that suites and benches run: those that `programs.txt` names, so that
//! the set-up installs what a test needs.

use std::process::Command;

/// A line each: program, Debian package, who needs it; `#` begins a comment.
const LIST: &str = include_str!("../programs.txt");

/// A program of `programs.txt`, found along the `PATH`.
///
/// # Panics
///
/// If the list does not have it: no machine would be sure to.
#[must_use]
pub fn program(name: &str) -> Command {
    assert!(
        is_listed(name),
        "{name} is not in tests/programs.txt, which says what the set-up installs"
    );
    Command::new(name)
}

fn is_listed(name: &str) -> bool {
    let mut lines = LIST.lines().filter(|line| !line.starts_with('#'));
    lines.any(|line| line.split_whitespace().next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::is_listed;

    #[test]
    fn only_listed_programs_are_run() {
        assert!(is_listed("nft"));
        for name in ["nftables", "#", "ft", "tests", "program"] {
            assert!(!is_listed(name), "{name}");
        }
    }
}
