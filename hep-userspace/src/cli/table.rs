//! Aligned columns.

use std::fmt;

use crate::printable::Printable;

/// Rows of text below a head; numbers are right-aligned.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Creates a table with these columns; a column whose head starts with `>` is right-aligned.
    pub(super) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; an empty cell shows as `-`.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        let cells = cells.iter().map(|cell| Printable(cell).to_string());
        self.rows.push(cells.collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<(&str, bool)> = self
            .head
            .iter()
            .map(|head| match head.strip_prefix('>') {
                Some(head) => (head, true),
                None => (*head, false),
            })
            .collect();
        let head: Vec<String> = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
        let lines: Vec<Vec<&str>> = std::iter::once(&head)
            .chain(&self.rows)
            .map(|row| row.iter().map(|cell| shown(cell)).collect())
            .collect();
        let widths: Vec<usize> = (0..columns.len())
            .map(|column| {
                let widths = lines.iter().filter_map(|line| line.get(column));
                widths.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            let mut text = String::new();
            for ((cell, width), (_, is_right)) in line.iter().zip(&widths).zip(&columns) {
                let padding = " ".repeat(width - cell.chars().count());
                if *is_right {
                    text.push_str(&padding);
                    text.push_str(cell);
                } else {
                    text.push_str(cell);
                    text.push_str(&padding);
                }
                text.push_str("  ");
            }
            f.write_str(text.trim_end())?;
        }
        Ok(())
    }
}

fn shown(cell: &str) -> &str {
    if cell.is_empty() { "-" } else { cell }
}

/// Formats a duration in at most two units: `5 s`, `2 min 5 s`, `3 h 2 min`, `4 d 3 h`.
pub(super) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let mut table = Table::new(&["NAME", ">PACKETS", "MATCHES"]);
        table.row(vec!["allow-ssh".into(), "7".into(), "tcp".into()]);
        table.row(vec!["é".into(), "1234567".into(), String::new()]);
        assert_eq!(
            table.to_string(),
            "NAME       PACKETS  MATCHES\n\
             allow-ssh        7  tcp\n\
             é          1234567  -"
        );
    }

    #[test]
    fn a_cell_is_one_line_without_controls() {
        let mut table = Table::new(&["NAME"]);
        table.row(vec!["a\nb\u{1b}[2J".into()]);
        assert_eq!(table.to_string(), "NAME\na\\nb\\u{1b}[2J");
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(duration(5), "5 s");
        assert_eq!(duration(125), "2 min 5 s");
        assert_eq!(duration(3 * 3600 + 120), "3 h 2 min");
        assert_eq!(duration(4 * 86_400 + 3 * 3600 + 5), "4 d 3 h");
    }
}
