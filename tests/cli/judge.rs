//! `hep explain` and `hep test`.

use hep_tests::{
    hep::{Output, run},
    policy::{Directory, documents, eth0, eth0_default_allow, policy},
};

fn web() -> String {
    policy(
        "web",
        "types: [Ingress], ingress: [{action: Log}, \
         {action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    )
}

fn explain(directory: &Directory, rest: &[&str]) -> Output {
    let path = directory.path().to_string_lossy().into_owned();
    let mut arguments = vec![
        "explain",
        "--policy-dir",
        &path,
        "--node",
        "h1",
        "--interface",
        "eth0",
    ];
    arguments.extend(rest);
    run(&arguments)
}

/// The verdict, its reason and the rule with its place, offline, in both families.
#[test]
fn explain_names_the_rule_that_decides() {
    let directory = Directory::new();
    directory.write("a.yaml", &eth0_default_allow());
    directory.write("b.yaml", &format!("# one line\n{}", web()));
    for (source, destination) in [
        ("198.51.100.7:40000", "192.0.2.10"),
        ("[2001:db8:c::7]:40000", "[2001:db8::10]"),
    ] {
        let ask = |port: u16, direction: &str| {
            let destination = format!("{destination}:{port}");
            explain(
                &directory,
                &[
                    "--direction",
                    direction,
                    "--protocol",
                    "tcp",
                    "--src",
                    source,
                    "--dst",
                    &destination,
                    "-o",
                    "json",
                ],
            )
        };
        let allowed = ask(80, "ingress").exits(0).document("explain");
        assert_eq!(allowed["verdict"], "allow");
        assert_eq!(allowed["reason"], "policy_allow");
        assert_eq!(allowed["tier"], "default");
        assert!(
            allowed["policy"]
                .as_str()
                .is_some_and(|name| name.contains("web")),
            "{allowed:#}"
        );
        assert!(
            allowed["rule"]
                .as_str()
                .is_some_and(|rule| rule.contains("ingress[1]")),
            "{allowed:#}"
        );
        assert!(
            allowed["file"]
                .as_str()
                .is_some_and(|file| file.ends_with("b.yaml")),
            "{allowed:#}"
        );
        assert_eq!(allowed["line"], 2);
        let denied = ask(81, "ingress").document("explain");
        assert_eq!(
            (&denied["verdict"], &denied["reason"]),
            (&"deny".into(), &"tier_default".into())
        );
        let failsafe = ask(22, "ingress").document("explain");
        assert_eq!(failsafe["reason"], "failsafe");
        let profile = ask(81, "egress").document("explain");
        assert_eq!(profile["reason"], "profile_allow");
    }
}

/// EV-049: for a packet that no rule matched, the default that applied.
#[test]
fn explain_names_the_default_that_applies() {
    let directory = Directory::new();
    directory.write("a.yaml", &documents(&[eth0(), web()]));
    let packet = [
        "--protocol",
        "udp",
        "--src",
        "192.0.2.10:1",
        "--dst",
        "198.51.100.7:2",
        "--direction",
        "egress",
    ];
    let said = explain(&directory, &packet);
    assert!(
        said.stdout.contains("deny") && said.stdout.contains("profile"),
        "{said:#?}"
    );
    let broken = explain(&directory, &["--direction", "sideways"]);
    drop(broken.exits(2));
    directory.write("a.yaml", "kind: nonsense");
    drop(explain(&directory, &packet).exits(3));
}

/// `hep test` closes with its counts and fails with the packet, what was expected and got.
#[test]
fn test_counts_and_explains_failures() {
    let directory = Directory::new();
    directory.write("policy.yaml", &documents(&[eth0(), web()]));
    let case = |expect: &str| {
        format!(
            "- id: web\n  node: h1\n  resources: [policy.yaml]\n  interface: eth0\n  \
             interfaces: {{eth0: [192.0.2.10, '2001:db8::10']}}\n  packets:\n  \
             - {{direction: ingress, forwarded: false, src: 198.51.100.7, dst: 192.0.2.10, \
             proto: tcp, sport: 4000, dport: 80, expect: {expect}}}\n  \
             - {{direction: ingress, forwarded: false, src: '2001:db8:c::7', \
             dst: '2001:db8::10', proto: tcp, sport: 4000, dport: 81, expect: deny}}\n"
        )
    };
    for engine in ["reference", "kernel", "both"] {
        let file = directory.write("good-cases.yaml", &case("allow"));
        let said = run(&["test", "--engine", engine, &file.to_string_lossy()]).exits(0);
        assert!(
            said.stdout.trim_end().ends_with("1 passed, 0 failed"),
            "{said:#?}"
        );
        let file = directory.write("bad-cases.yaml", &case("deny"));
        let said = run(&["test", "--engine", engine, &file.to_string_lossy()]).exits(1);
        assert!(
            said.stdout.trim_end().ends_with("0 passed, 1 failed"),
            "{said:#?}"
        );
        assert!(
            said.stdout.contains("198.51.100.7") && said.stdout.contains("policy_allow"),
            "{said:#?}"
        );
    }
    let file = directory.write("broken-cases.yaml", "- {id: web, packet: []}");
    drop(run(&["test", &file.to_string_lossy()]).exits(3));
}
