//! Text of an explanation.

use crate::{cli::output::Text, model::written_at, printable, view::Explanation};

impl Text for Explanation {
    fn text(&self) -> String {
        let place = &self.place;
        let mut lines = vec![format!("{}: {}", self.verdict, self.reason)];
        let file = written_at(&place.file, place.line).unwrap_or_default();
        let rule = format!("{} {}", place.rule, place.action);
        for (name, value) in [
            ("packet", self.packet.as_str()),
            ("endpoint", &self.endpoint),
            ("stage", &place.stage),
            ("tier", &place.tier),
            ("policy", &place.policy),
            ("rule", rule.trim()),
            ("file", &file),
            ("default", self.default.as_deref().unwrap_or_default()),
            ("then", &self.translation),
        ] {
            if !value.is_empty() {
                lines.push(format!("  {name:<9} {value}"));
            }
        }
        lines.push("path".to_owned());
        lines.extend(self.trace.iter().map(|line| format!("  {line}")));
        printable::lines(lines)
    }
}
