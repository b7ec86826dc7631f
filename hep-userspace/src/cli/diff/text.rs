//! Prints a difference as text in the form of a unified diff.

use std::fmt;

use crate::{
    cli::{output::Text, show::place},
    printable::Printable,
    view::{
        Change, Cut, Difference, FieldChange, Flows, Hunk, ListChange, ResourceChange, Rule,
        SetChange,
    },
};

/// Most values of one field that are printed; JSON has them all.
const SHOWN: usize = 10;

impl Text for Difference {
    fn text(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        Unified(self).to_string()
    }
}

/// A difference in the form of a unified diff.
struct Unified<'a>(&'a Difference);

impl fmt::Display for Unified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            version: _,
            from,
            to,
            resources,
            interfaces,
            rules,
            sets,
            flows,
        } = self.0;
        write!(f, "--- {}\n+++ {}", Printable(from), Printable(to))?;
        for change in resources {
            resource(f, change)?;
        }
        for change in interfaces {
            let owner = |name: &Option<String>| match name {
                Some(name) => format!("HostEndpoint {name}"),
                None => "not policed".to_owned(),
            };
            let (before, after) = (owner(&change.before), owner(&change.after));
            line(f, "\n", format_args!("interface {}", change.name))?;
            line(f, "- ", before)?;
            line(f, "+ ", after)?;
        }
        for change in rules {
            list(f, change)?;
        }
        for change in sets {
            set(f, change)?;
        }
        match flows {
            Some(flows) => cut_flows(f, flows),
            None => Ok(()),
        }
    }
}

/// Writes a line break, `before` (a sign or a blank line) and the text, with foreign text escaped.
fn line(f: &mut fmt::Formatter<'_>, before: &str, text: impl fmt::Display) -> fmt::Result {
    write!(f, "\n{before}{}", Printable(text))
}

fn resource(f: &mut fmt::Formatter<'_>, change: &ResourceChange) -> fmt::Result {
    let word = match change.change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed | Change::Same => "changed",
    };
    let place = place(&change.file, change.line);
    let text = format!("{word} {}/{} ({place})", change.kind, change.name);
    line(f, "\n", text)?;
    for FieldChange {
        field,
        before,
        after,
    } in &change.fields
    {
        values(f, '-', &format!("{field}: "), before)?;
        values(f, '+', &format!("{field}: "), after)?;
    }
    Ok(())
}

fn values(f: &mut fmt::Formatter<'_>, sign: char, name: &str, values: &[String]) -> fmt::Result {
    for value in values.iter().take(SHOWN) {
        line(f, &format!("{sign} "), format_args!("{name}{value}"))?;
    }
    match values.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => line(
            f,
            &format!("{sign} "),
            format_args!("{name}… and {more} more"),
        ),
    }
}

fn list(f: &mut fmt::Formatter<'_>, change: &ListChange) -> fmt::Result {
    let families: Vec<String> = change
        .families
        .iter()
        .map(|family| format!("IPv{family}"))
        .collect();
    let text = format!(
        "{} {}, {}, {}",
        change.interfaces.join(","),
        change.direction,
        families.join(" and "),
        change.kind.text()
    );
    line(f, "\n", text)?;
    for Hunk {
        before,
        after,
        lines,
    } in &change.hunks
    {
        write!(
            f,
            "\n@@ -{},{} +{},{} @@",
            before.0, before.1, after.0, after.1
        )?;
        for listed in lines {
            let sign = match listed.change {
                Change::Same | Change::Changed => ' ',
                Change::Removed => '-',
                Change::Added => '+',
            };
            line(f, &format!("{sign} "), rule_line(&listed.rule))?;
        }
    }
    Ok(())
}

/// Formats a rule: `Allow normal default/GlobalNetworkPolicy/web ingress[0]: TCP, to ports 80 (web.yaml:12)`.
fn rule_line(rule: &Rule) -> String {
    let mut words = vec![
        rule.shown_action(),
        rule.stage.clone(),
        rule.owner(),
        rule.rule.clone(),
    ];
    words.retain(|word| !word.is_empty());
    let mut line = format!("{}: {}", words.join(" "), rule.matches);
    let place = place(&rule.file, rule.line);
    if !place.is_empty() {
        line.push_str(&format!(" ({place})"));
    }
    line
}

fn set(f: &mut fmt::Formatter<'_>, change: &SetChange) -> fmt::Result {
    line(
        f,
        "\n",
        format_args!("addresses of selector {}", change.selector),
    )?;
    values(f, '-', "", &change.removed)?;
    values(f, '+', "", &change.added)
}

fn cut_flows(f: &mut fmt::Formatter<'_>, flows: &Flows) -> fmt::Result {
    let known = flows.known;
    match flows.cut.len() {
        0 => write!(f, "\n\nof {known} known flows none would be cut")?,
        cut => write!(f, "\n\nof {known} known flows {cut} would be cut:")?,
    }
    for Cut {
        packet,
        reason,
        place,
        ..
    } in &flows.cut
    {
        line(f, "- ", format_args!("{packet}: {reason}, {place}"))?;
    }
    Ok(())
}
