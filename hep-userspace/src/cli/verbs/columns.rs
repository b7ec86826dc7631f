//! Tables of resources (spec DS-212, DS-213).

use serde_json::Value;

use crate::model::Kind;

/// Longest text of a list in a column.
const LONGEST: usize = 80;

/// Headings of a kind: those of the narrow table, and those of the wide one.
fn headings(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        Kind::HostEndpoint => (
            &["NAME", "NODE"],
            &["NAME", "NODE", "INTERFACE", "IPS", "PROFILES"],
        ),
        Kind::GlobalNetworkPolicy | Kind::StagedGlobalNetworkPolicy => {
            (&["NAME", "TIER"], &["NAME", "TIER", "ORDER", "SELECTOR"])
        }
        Kind::NetworkPolicy | Kind::StagedNetworkPolicy => (
            &["NAMESPACE", "NAME", "TIER"],
            &["NAMESPACE", "NAME", "TIER", "ORDER", "SELECTOR"],
        ),
        Kind::Profile => (&["NAME"], &["NAME", "LABELS"]),
        Kind::Tier => (&["NAME", "ORDER"], &["NAME", "ORDER"]),
        Kind::GlobalNetworkSet => (&["NAME"], &["NAME", "NETS"]),
        Kind::NetworkSet => (&["NAMESPACE", "NAME"], &["NAMESPACE", "NAME", "NETS"]),
        Kind::Node => (&["NAME"], &["NAME", "ASN", "IPV4", "IPV6"]),
        Kind::ClusterInformation => {
            const ALL: &[&str] = &[
                "NAME",
                "CLUSTERGUID",
                "CLUSTERTYPE",
                "CALICOVERSION",
                "DATASTOREREADY",
            ];
            (ALL, ALL)
        }
        Kind::WorkloadEndpoint | Kind::StagedKubernetesNetworkPolicy | Kind::LiveMigration => {
            (&["NAMESPACE", "NAME"], &["NAMESPACE", "NAME"])
        }
        Kind::FelixConfiguration
        | Kind::KubeControllersConfiguration
        | Kind::IPPool
        | Kind::IPReservation
        | Kind::BGPConfiguration
        | Kind::BGPFilter
        | Kind::BGPPeer
        | Kind::IPAMBlock
        | Kind::IPAMConfig
        | Kind::IPAMConfiguration
        | Kind::IPAMHandle
        | Kind::CalicoNodeStatus
        | Kind::BlockAffinity
        | Kind::RemoteClusterConfiguration => (&["NAME"], &["NAME"]),
    }
}

/// The table of some resources of a kind: narrow, wide, or with these columns.
///
/// # Errors
///
/// The column that the kind does not have.
pub(super) fn table(kind: Kind, items: &[Value], columns: &Columns) -> Result<String, String> {
    let (narrow, wide) = headings(kind);
    let named: Vec<&str>;
    let headings: &[&str] = match columns {
        Columns::Narrow => narrow,
        Columns::Wide => wide,
        Columns::Named(names) => {
            let known = |name: &&String| wide.contains(&name.as_str());
            if let Some(other) = names.iter().find(|name| !known(name)) {
                return Err(format!("unknown output column {other:?} of {kind}"));
            }
            named = names.iter().map(String::as_str).collect();
            &named
        }
    };
    let row = |item| headings.iter().map(|heading| cell(item, heading)).collect();
    let mut rows: Vec<Vec<String>> = vec![headings.iter().map(ToString::to_string).collect()];
    rows.extend(items.iter().map(row));
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            (cells.max().unwrap_or(0) + 3).max(5)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:width$}"));
        }
        text.push('\n');
    }
    text.push('\n');
    Ok(text)
}

/// Columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// The most important ones.
    Narrow,
    /// All.
    Wide,
    /// These.
    Named(Vec<String>),
}

/// The number of a node's autonomous system, if neither it nor a BGPConfiguration says another.
const DEFAULT_ASN: &str = "(64512)";

/// The text in a column.
fn cell(item: &Value, heading: &str) -> String {
    let at = |pointer: &str| item.pointer(pointer);
    let text = |pointer: &str| plain(at(pointer));
    match heading {
        "NAME" => text("/metadata/name"),
        "NAMESPACE" => text("/metadata/namespace"),
        "NODE" => text("/spec/node"),
        "INTERFACE" => text("/spec/interfaceName"),
        "IPS" => list(at("/spec/expectedIPs")),
        "PROFILES" => list(at("/spec/profiles")),
        "TIER" => text("/spec/tier"),
        "ORDER" => number(at("/spec/order")),
        "SELECTOR" => text("/spec/selector"),
        "LABELS" => pairs(at("/spec/labelsToApply")),
        "NETS" => list(at("/spec/nets")),
        "ASN" => match at("/spec/bgp/asNumber") {
            // Calico's default number, of a node that takes part in BGP.
            None | Some(Value::Null) => {
                let is_member = at("/spec/bgp").is_some_and(Value::is_object);
                let default = if is_member { DEFAULT_ASN } else { "" };
                default.to_owned()
            }
            asn => plain(asn),
        },
        "IPV4" => text("/spec/bgp/ipv4Address"),
        "IPV6" => text("/spec/bgp/ipv6Address"),
        "CLUSTERGUID" => text("/spec/clusterGUID"),
        "CLUSTERTYPE" => text("/spec/clusterType"),
        "CALICOVERSION" => text("/spec/calicoVersion"),
        "DATASTOREREADY" => match at("/spec/datastoreReady") {
            None | Some(Value::Null) => "<nil>".to_owned(),
            ready => plain(ready),
        },
        _ => String::new(),
    }
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// A number in Go's general format: `1e+06`.
fn number(value: Option<&Value>) -> String {
    let Some(number) = value.and_then(Value::as_f64) else {
        return "<nil>".to_owned();
    };
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) && !(6..).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn list(value: Option<&Value>) -> String {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    let items: Vec<String> = items.map(|item| plain(Some(item))).collect();
    short(&items.join(","))
}

fn pairs(value: Option<&Value>) -> String {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> = fields
        .map(|(key, value)| format!("{key}={}", plain(Some(value))))
        .collect();
    // Calico cuts lists alone (spec DS-213).
    pairs.join(",")
}

/// The text, cut if it is long.
fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST - 3).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Spec DS-212, DS-213.
    #[test]
    fn columns_are_as_wide_as_their_longest_text() {
        let tiers = [
            json!({"metadata": {"name": "security"}, "spec": {"order": 50}}),
            json!({"metadata": {"name": "t"}, "spec": {"order": 1_000_000}}),
            json!({"metadata": {"name": "n"}, "spec": {}}),
        ];
        let text = "NAME       ORDER   \nsecurity   50      \nt          1e+06   \nn          <nil>   \n\n";
        assert_eq!(
            table(Kind::Tier, &tiers, &Columns::Narrow).as_deref(),
            Ok(text)
        );
        let named = Columns::Named(vec!["ORDER".to_owned(), "COLOUR".to_owned()]);
        assert!(table(Kind::Tier, &tiers, &named).is_err());
        assert_eq!(number(Some(&json!(1.5))), "1.5");
        assert_eq!(number(Some(&json!(1_234_567))), "1.234567e+06");
        assert_eq!(short(&"x".repeat(90)).len(), 80);
    }
}
