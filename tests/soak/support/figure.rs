//! Measured figures of a soak, beside the required ones.

use std::fmt::Display;

/// The figures of one soak.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    what: String,
    got: String,
    /// Empty for a figure without a requirement.
    wanted: String,
    is_met: bool,
}

impl Figures {
    /// Adds a figure without a requirement.
    pub(crate) fn tell(&mut self, what: impl Into<String>, got: impl Display) {
        self.add(what, got, "", true);
    }

    /// A figure that must be just this.
    pub(crate) fn exactly<T: Display + PartialEq>(
        &mut self,
        what: impl Into<String>,
        got: T,
        wanted: T,
    ) {
        let is_met = got == wanted;
        self.add(what, got, wanted, is_met);
    }

    /// A figure that must not be less.
    pub(crate) fn at_least<T: Display + PartialOrd>(
        &mut self,
        what: impl Into<String>,
        got: T,
        limit: T,
    ) {
        let is_met = got >= limit;
        self.add(what, got, format!("≥ {limit}"), is_met);
    }

    /// A figure that must be less.
    pub(crate) fn below<T: Display + PartialOrd>(
        &mut self,
        what: impl Into<String>,
        got: T,
        limit: T,
    ) {
        let is_met = got < limit;
        self.add(what, got, format!("< {limit}"), is_met);
    }

    fn add(
        &mut self,
        what: impl Into<String>,
        got: impl Display,
        wanted: impl Display,
        is_met: bool,
    ) {
        self.0.push(Figure {
            what: what.into(),
            got: got.to_string(),
            wanted: wanted.to_string(),
            is_met,
        });
    }

    /// Whether every figure is as it must be.
    pub(crate) fn are_met(&self) -> bool {
        self.0.iter().all(|figure| figure.is_met)
    }

    /// The figures as a table.
    pub(crate) fn table(&self) -> String {
        let width = |text: fn(&Figure) -> &str, title: &str| {
            let widths = self.0.iter().map(|figure| text(figure).chars().count());
            widths.max().unwrap_or(0).max(title.len())
        };
        let (what, got, wanted) = (
            width(|figure| &figure.what, "figure"),
            width(|figure| &figure.got, "found"),
            width(|figure| &figure.wanted, "wanted"),
        );
        let mut text = format!(
            "{:what$}  {:>got$}  {:>wanted$}\n",
            "figure", "found", "wanted"
        );
        for figure in &self.0 {
            let line = format!(
                "{:what$}  {:>got$}  {:>wanted$}  {}",
                figure.what,
                figure.got,
                figure.wanted,
                if figure.is_met { "" } else { "MISSED" }
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_figure_is_told() {
        let mut figures = Figures::default();
        figures.exactly("lost", 0, 0);
        figures.at_least("rate", 20, 20);
        figures.tell("time", "3 s");
        assert!(figures.are_met());
        figures.at_least("rate", 19, 20);
        assert!(!figures.are_met());
        assert!(
            figures.table().contains("19    ≥ 20  MISSED"),
            "{}",
            figures.table()
        );
    }
}
