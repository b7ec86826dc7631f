//! Input that means harm, or none at all: an error, in bounded time, and no panic.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::validate::MAX_PROBLEMS;

/// CPU time of this thread, which other load on the machine does not change.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("not negative")
}

#[test]
fn hostile_files_are_errors_in_bounded_time() {
    let start = cpu_time();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let refs = vec![format!("*a{}", level - 1); 8].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    let deep_selector = format!("selector: \"{}has(a){}\"", "(".repeat(500), ")".repeat(500));
    for text in [
        "[".repeat(1 << 20).into_bytes(),
        bomb.into_bytes(),
        b"\xff\xfe\x00a".to_vec(),
        policy(&deep_selector).into_bytes(),
        "a: &a [*a]".into(),
        "x".into(),
        "{}".into(),
        "- 1".into(),
        "kind: [a]\nmetadata: 1\n".into(),
        "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: [x]\nspec: 1\n".into(),
        // What would take long if it were compared with each other, or each with all.
        format!("# {}\nx", "\u{85}".repeat(1 << 20)).into_bytes(),
        format!(
            "{0}/v1: {0}\napiVersion: {0}/v3\nkind: {0}\n",
            "k".repeat(1 << 20)
        )
        .into_bytes(),
        many_ports(100_000).into_bytes(),
    ] {
        let loaded = load(&[file("x.yaml", text)], &node(), Scope::Directory);
        assert!(loaded.snapshot.is_none());
        assert!(!loaded.problems.is_empty());
    }
    assert!(cpu_time() - start < Duration::from_secs(20));
}

/// However many mistakes a directory has, and however long its names, the report is short.
#[test]
fn problems_are_bounded_in_number_and_length() {
    let many = "- {}\n".repeat(20_000);
    let named = format!(
        "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {{name: {}}}\nspec:\n{}",
        "n".repeat(1 << 18),
        (0..2000)
            .map(|key| format!("  {}{key}: 1\n", "k".repeat(100)))
            .collect::<String>()
    );
    let files = [
        file("a.yaml", many.clone()),
        file("b.yaml", named),
        file("c.yaml", many),
    ];
    let mut loader = crate::validate::Loader::default();
    for _again in 0..2 {
        let start = cpu_time();
        let loaded = loader.load(&files, &node(), Scope::Directory);
        assert!(cpu_time() - start < Duration::from_secs(20));
        assert!(loaded.snapshot.is_none());
        assert_eq!(loaded.problems.len(), MAX_PROBLEMS + 1);
        let last = loaded.problems.last().expect("there are some");
        assert!(last.message.contains("more errors"), "{last}");
        let length: usize = loaded.problems.iter().map(|it| it.to_string().len()).sum();
        assert!(length < 2 << 20, "{length}");
    }
    // What was only counted is told once there is room.
    let loaded = loader.load(&files[1..2], &node(), Scope::Directory);
    let first = loaded.problems.first().expect("there are some").to_string();
    assert!(
        first.starts_with("b.yaml:") && first.len() < 4000,
        "{first}"
    );
}

/// A rule with this many ranges of ports, all different, and a mistake.
fn many_ports(count: usize) -> String {
    let ranges = (0..count).map(|at| format!("'{}:{}'", 1 + at / 1000, 60_000 + at % 1000));
    let ranges: Vec<String> = ranges.collect();
    rule(&format!(
        "action: allow, protocol: TCP, source: {{ports: [{}]}}",
        ranges.join(", ")
    ))
}

#[test]
fn values_in_messages_are_short_and_on_one_line() {
    let error = refuse(
        &endpoint(&format!(
            "node: \"a\\nb{}\", interfaceName: eth0",
            "x".repeat(10_000)
        )),
        "E-NAME",
        "spec.node",
    );
    let text = error.to_string();
    assert!(text.len() < 500 && !text.contains('\n'), "{text}");
}

/// Seeds that mutations start from.
const SEED: &str = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: a, labels: {a: b}}\nspec:\n  order: 1\n  types: [Ingress]\n  ingress:\n  - action: Allow\n    protocol: TCP\n    icmp: {type: 1}\n    source: {nets: [10.0.0.0/8], ports: [1, '2:3', x], selector: has(a)}\n---\napiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {name: e}\nspec: {node: n, interfaceName: '*', expectedIPs: [1.2.3.4], ports: [{name: x, protocol: TCP, port: 1}]}\n---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: {interfaceExclude: '/a/', bpfConntrackTimeouts: {udpTimeout: 1s}, failsafeInboundHostPorts: [{port: 1}]}\n";

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(load(&[file("x.yaml", bytes)], &node(), Scope::Directory));
    }

    #[test]
    fn mutations_of_good_files_never_panic(
        edits in prop::collection::vec((0..SEED.len(), 0..12_usize, "[\\[\\]{}:,'\"*&!0-9a-z \n.-]{0,6}"), 1..6)
    ) {
        let mut text = SEED.as_bytes().to_vec();
        for (at, cut, insert) in edits {
            let at = at.min(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, insert.into_bytes());
        }
        drop(load(&[file("x.yaml", text)], &node(), Scope::Directory));
    }
}
