//! FelixConfiguration fields without a meaning on a single host: they are accepted, and checked.

use super::*;

fn felix(field: &str, value: &str) -> String {
    document(
        "FelixConfiguration",
        "default",
        &format!("{field}: {value}"),
    )
}

/// RS-162, RS-163, RS-164, RS-168, RS-171, RS-173, RS-175, RS-176, RS-179, RS-180, RS-181, RS-185,
/// RS-204, RS-205, RS-207, RS-208, RS-209, RS-210, RS-211.
#[test]
fn fields_without_effect_take_what_calico_takes_and_refuse_the_rest() {
    for (field, good, bad) in [
        ("bpfConntrackLogLevel", "Debug", "Loud"),
        ("bpfConntrackMode", "BPFProgram", "Kernel"),
        ("bpfPolicyDebugEnabled", "false", "some"),
        ("bpfMapSizeConntrackScaling", "disabled", "Triple"),
        ("bpfMapSizeRoute", "1", "0"),
        ("bpfMapSizeNATFrontend", "1", "0"),
        ("bpfMapSizeNATBackend", "1", "0"),
        ("bpfMapSizeNATAffinity", "1", "0"),
        ("bpfDisableUnprivileged", "true", "1"),
        ("bpfJITHardening", "Strict", "Lax"),
        ("bpfIPFragmentReassemblyEnabled", "false", "0"),
        ("bpfHostConntrackBypass", "true", "maybe"),
        ("bpfRedirectToPeer", "Enabled", "Sometimes"),
        ("bpfExportBufferSizeMB", "1", "x"),
        ("bpfProfiling", "Disabled", "Perhaps"),
        ("bpfDisableGROForIfaces", "eth0", "[eth0]"),
        ("bpfForceTrackPacketsFromIfaces", "[docker+]", "docker+"),
        ("bpfForceTrackPacketsFromIfaces", "[]", "['*']"),
        ("natOutgoingAddress", "192.0.2.1", "192.0.2.1/32"),
        ("natOutgoingAddress", "''", "'2001:db8::1'"),
        ("deviceRouteSourceAddressIPv6", "'2001:db8::1'", "192.0.2.1"),
        ("natPortRange", "'32768:65535'", "https"),
        ("kubeNodePortRanges", "[80, '1:7']", "[http]"),
        (
            "kubeNodePortRanges",
            "[1, 2, 3, 4, 5, 6, 7]",
            "[1, 2, 3, 4, 5, 6, 7, 8]",
        ),
        (
            "externalNodesList",
            "[192.0.2.0/24, 192.0.2.1]",
            "['2001:db8::1']",
        ),
        ("openstackRegion", "region-1", "Region"),
        ("iptablesNATOutgoingInterfaceFilter", "eth+", "eth@1"),
        ("routeTableRange", "{min: 8, max: 8}", "{min: 8, max: 7}"),
        (
            "routeTableRange",
            "{min: 1, max: 250}",
            "{min: 1, max: 251}",
        ),
        (
            "routeTableRanges",
            "[{min: 1, max: 65535}]",
            "[{min: 1, max: 65536}]",
        ),
        (
            "bpfConntrackTimeouts",
            "{creationGracePeriod: 10s}",
            "{creationGracePeriod: soon}",
        ),
        (
            "prometheusMetricsClientAuth",
            "RequireAnyClientCert",
            "Anyone",
        ),
        ("prometheusGoMetricsEnabled", "false", "never"),
        ("prometheusProcessMetricsEnabled", "false", "never"),
        ("prometheusWireGuardMetricsEnabled", "false", "never"),
        ("flowLogsFlushInterval", "15s", "15"),
        ("flowLogsLocalReporter", "Enabled", "On"),
        ("flowLogsGoldmaneServer", "'goldmane:7443'", "[a]"),
        ("flowLogsPolicyEvaluationMode", "None", "Once"),
        ("flowLogsCollectorDebugTrace", "true", "loud"),
    ] {
        accept(&felix(field, good));
        let loaded = load_one(&felix(field, bad), Scope::Directory);
        assert!(loaded.snapshot.is_none(), "{field}: {bad} was accepted");
    }
    let both = "routeTableRange: {min: 1, max: 2}, routeTableRanges: [{min: 1, max: 2}]";
    let both = document("FelixConfiguration", "default", both);
    assert!(load_one(&both, Scope::Directory).snapshot.is_none());
}
