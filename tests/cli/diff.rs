//! `hep diff` between two directories.

use hep_tests::{
    hep::{Output, run},
    policy::{Directory, endpoint, eth0, network_set, policy, tier},
};

fn diff(from: &Directory, to: &Directory, rest: &[&str]) -> Output {
    let path = |directory: &Directory| directory.path().to_string_lossy().into_owned();
    let (from, to) = (path(from), path(to));
    let mut arguments = vec![
        "diff",
        "--node",
        "h1",
        "--from",
        &from,
        &to,
        "--interface",
        "eth0=192.0.2.10,2001:db8::10",
        "--interface",
        "eth1",
    ];
    arguments.extend(rest);
    run(&arguments)
}

fn web(rules: &str) -> String {
    policy("web", &format!("types: [Ingress], ingress: [{rules}]"))
}

const ALLOW_80: &str = "{action: Allow, protocol: TCP, destination: {ports: [80]}}";

/// Exit codes as `kubectl diff`: 0 without a difference, 1 with one, more than 1 for errors.
#[test]
fn exit_codes_tell_whether_something_differs() {
    let (from, to) = (Directory::new(), Directory::new());
    from.write("a.yaml", &eth0());
    from.write("b.yaml", &web(ALLOW_80));
    to.write(
        "all.yaml",
        &format!("{}---\n# moved\n{}", web(ALLOW_80), eth0()),
    );
    let same = diff(&from, &to, &[]).exits(0);
    assert_eq!(same.stdout, "");
    to.write("more.yaml", &tier("t", "order: 1"));
    let more = diff(&from, &to, &[]).exits(1);
    assert!(more.stdout.contains("added Tier/t"), "{more:#?}");
    to.write("more.yaml", &tier("t", "order: first"));
    drop(diff(&from, &to, &[]).exits(3).says("more.yaml:1"));
    let missing = run(&["diff", "--from", "/nonexistent", "/nonexistent"]);
    assert_eq!(missing.code, 3, "{missing:#?}");
    drop(run(&["diff"]).exits(2));
    drop(diff(&from, &to, &["--live"]).exits(2));
    let nobody = [
        "--bpffs",
        "/sys/fs/bpf/heptest-nobody",
        "--state-dir",
        "/nonexistent",
    ];
    let mut arguments = vec!["diff", "/nonexistent"];
    arguments.extend(nobody);
    drop(run(&arguments).exits(4));
}

/// A rule before another changes nothing but itself, and is reported once for both families and for all
/// interfaces of the same kind, with its place.
#[test]
fn rules_are_told_as_a_unified_diff() {
    let (from, to) = (Directory::new(), Directory::new());
    for directory in [&from, &to] {
        directory.write("a.yaml", &eth0());
        directory.write("c.yaml", &endpoint("h1-eth1", "interfaceName: eth1"));
    }
    from.write("b.yaml", &web(ALLOW_80));
    to.write(
        "b.yaml",
        &web(&format!("{{action: Deny, protocol: UDP}}, {ALLOW_80}")),
    );
    let said = diff(&from, &to, &[]).exits(1);
    let place = to.path().join("b.yaml");
    let place = place.display();
    for lines in [
        format!(
            "changed GlobalNetworkPolicy/web ({place}:1)\n\
             + spec.ingress[0]: {{action: Deny, protocol: UDP}}\n"
        ),
        format!(
            "+ Deny normal default/GlobalNetworkPolicy/web ingress[0]: UDP ({place}:1)\n  \
             Allow normal default/GlobalNetworkPolicy/web ingress[1]: TCP, to ports 80 ({place}:1)\n"
        ),
        "\n\neth0,eth1 ingress, IPv4 and IPv6, of this host\n@@ -".to_owned(),
    ] {
        assert!(said.stdout.contains(&lines), "{lines}\n{}", said.stdout);
    }
    let hunks = said.stdout.matches("@@ -").count();
    assert_eq!(hunks, 1, "{}", said.stdout);
}

/// An address that joins a set changes no rule, only the addresses of the rule's selector; an interface
/// that loses its endpoint is reported.
#[test]
fn members_of_sets_and_owners_of_interfaces_are_told() {
    let (from, to) = (Directory::new(), Directory::new());
    let rule = "{action: Allow, source: {selector: 'set == \"a\"'}}";
    let set = |nets: &[&str]| {
        let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
        network_set("a", "set: a", &nets)
    };
    for directory in [&from, &to] {
        directory.write("a.yaml", &eth0());
        directory.write("b.yaml", &web(rule));
    }
    from.write("c.yaml", &set(&["192.0.2.0/24"]));
    to.write("c.yaml", &set(&["2001:db8::/32", "192.0.2.0/24"]));
    let json = diff(&from, &to, &["-o", "json"]).exits(1).document("diff");
    assert_eq!(json["rules"], serde_json::json!([]));
    assert_eq!(
        json["sets"],
        serde_json::json!([{
            "selector": "set == \"a\"", "removed": [], "added": ["2001:db8::/32"]
        }])
    );
    to.remove("a.yaml");
    let said = diff(&from, &to, &[]).exits(1);
    assert!(
        said.stdout
            .contains("interface eth0\n- HostEndpoint h1-eth0\n+ not policed"),
        "{}",
        said.stdout
    );
}
