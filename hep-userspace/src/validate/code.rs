//! Codes of problems: names that programs can rely on, each with its meaning.

use std::fmt;

use serde::{Serialize, Serializer};

use super::severity::Severity;

/// Makes [`Code`] of the codes' names and meanings.
macro_rules! codes {
    ($($code:ident, $name:literal, $meaning:literal;)*) => {
        /// Kind of a problem (RS-213).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(
                #[doc = concat!("`", $name, "`: ", $meaning, ".")]
                $code,
            )*
        }

        impl Code {
            /// All of them: errors, warnings, notices.
            pub const ALL: [Self; [$(Self::$code),*].len()] = [$(Self::$code),*];

            /// The stable name: `E-…` of an error, `W-…` of a warning, `N-…` of a notice.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// Its meaning, in a line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$code => $meaning,)*
                }
            }
        }
    };
}

codes! {
    Syntax, "E-SYNTAX", "YAML or JSON syntax, an unknown key, or a value of the wrong type";
    Kind, "E-KIND", "an unknown `apiVersion` or `kind`";
    Duplicate, "E-DUP", "two resources of one kind and name, or an item twice in a list";
    Name, "E-NAME", "a name that is not valid";
    Label, "E-LABEL", "a label or an annotation that is not valid";
    Required, "E-REQUIRED", "something required is missing";
    Enum, "E-ENUM", "none of the words that are allowed";
    Range, "E-RANGE", "a number or a length out of range, or a limit of the tables that is exceeded";
    Selector, "E-SELECTOR", "a selector that cannot be read, is too long, or has `global()` where it may not be";
    Cidr, "E-CIDR", "an address or network that is not valid";
    Family, "E-FAMILY", "address families that do not go together";
    PortProtocol, "E-PORTPROTO", "ports without a protocol that has them";
    IcmpProtocol, "E-ICMPPROTO", "ICMP conditions without ICMP, or a code without a type";
    PolicyFlags, "E-POLICYFLAGS", "`doNotTrack`, `preDNAT` and `applyOnForward` that exclude each other or the rest";
    Tier, "E-TIER", "a tier that is not defined, or a built-in one that is altered";
    Reference, "E-REF", "a profile that is not defined";
    Unsupported, "E-UNSUPPORTED", "a condition that a host alone cannot judge";
    Unreadable, "E-READ", "a file or directory that cannot be read";
    MoreErrors, "E-MORE", "the number of further errors, which are left out";
    Ignored, "W-IGNORED", "a field or resource without effect here";
    Schema, "W-SCHEMA", "more than the schema of Calico 3.33 allows";
    RepeatedMember, "W-REPEATED", "a member or port that is there already";
    MappedAddress, "W-MAPPED", "an IPv4 address in IPv6 form, which no packet has";
    NeverMatches, "W-FAMILY", "a condition that never matches, or never excludes anything";
    Inert, "W-INERT", "rules of a direction that `types` lacks";
    NoSpec, "W-NOSPEC", "no `spec`, so that every field has its default";
    KeptMetadata, "W-METADATA", "labels that are in the annotation of a stored object alone";
    Failsafe, "W-FAILSAFE", "failsafe ports that open less than they seem to, or nothing";
    SshFailsafe, "W-SSH-FAILSAFE", "an SSH server of this host listens on a port without failsafe";
    NoIpv6, "W-IPV6", "IPv6 is not policed at all";
    Timer, "W-TIMER", "a timer that deletes flows at once";
    NoEndpointHere, "W-NODE", "every HostEndpoint is for another host";
    Pending, "W-PENDING", "a reference of an object of a store to what is not there yet";
    Unjudged, "W-UNJUDGED", "a condition of an object of a store that this host cannot judge, and that narrows its rule";
    EmptySelector, "W-EMPTY", "a selector of a rule that selects no address";
    NamedPort, "W-NAMEDPORT", "a named port that no HostEndpoint has in this way";
    NoAddress, "W-NOADDRESS", "a HostEndpoint without `expectedIPs` that a rule selects";
    Closed, "W-CLOSED", "a HostEndpoint whose traffic nothing allows in some direction";
    OneWay, "W-UNTRACKED", "an untracked Allow without a counterpart in the other direction";
    OpenMetrics, "W-METRICS", "metrics that everybody who reaches the host can read";
    Unbound, "W-UNBOUND", "a HostEndpoint that owns no interface";
    BridgeMember, "W-MEMBER", "a HostEndpoint that names a member of a bridge, bond or team";
    FreeVlan, "W-VLAN", "a VLAN of a policed interface that no HostEndpoint owns";
    MoreWarnings, "W-MORE", "the number of further warnings, which are left out";
    Skipped, "N-SKIPPED", "a resource of a kind that means nothing to a host";
    OtherGroup, "N-OTHER", "an object that is none of Calico's, skipped";
    Cases, "N-CASES", "cases of `hep test` among the policies, skipped";
    RepeatedItem, "N-REPEATED", "an item that is there already, and counts once";
    Namespace, "N-NAMESPACE", "a policy about namespaces or service accounts, which hosts do not have";
    UnsupportedElsewhere, "N-UNSUPPORTED", "a condition that this host cannot judge, in a policy that selects nothing of it";
    UnknownField, "N-UNKNOWN", "a field of an object of a store that is not known here";
    Unselected, "N-UNSELECTED", "a policy that selects no HostEndpoint";
    Unused, "N-UNUSED", "fields of a FelixConfiguration without effect here";
    MoreNotices, "N-MORE", "the number of further notices, which are left out";
}

impl Code {
    /// The severity that its name begins with; [`Scope::Files`](super::Scope::Files) makes a warning of a
    /// reference to what is not there.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self.name().as_bytes() {
            [b'E', ..] => Severity::Error,
            [b'W', ..] => Severity::Warning,
            _ => Severity::Notice,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The page of all codes, in Markdown.
#[must_use]
pub fn code_page() -> String {
    let mut page = "# Codes of problems\n\n\
         `hep validate -o json` and `hep status -o json` name the kind of each problem by one of these codes.\n\
         This page is the output of `hep validate --list-codes`.\n"
        .to_owned();
    for (severity, heading) in [
        (Severity::Error, "Errors: the load is refused"),
        (
            Severity::Warning,
            "Warnings: accepted, but probably not meant",
        ),
        (Severity::Notice, "Notices: nothing needs to change"),
    ] {
        page += &format!("\n## {heading}\n\n| code | meaning |\n| --- | --- |\n");
        for code in Code::ALL
            .into_iter()
            .filter(|code| code.severity() == severity)
        {
            page += &format!("| {code} | {} |\n", code.meaning());
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_the_page_of_them_is_current() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        let page = include_str!("../../CODES.md");
        assert_eq!(
            page,
            code_page(),
            "run: hep validate --list-codes > hep-userspace/CODES.md"
        );
    }
}
