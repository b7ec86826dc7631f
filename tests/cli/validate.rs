//! `hep validate` and `hep selector`.

use hep_tests::{
    hep::run,
    policy::{Directory, documents, endpoint, eth0, policy, resource},
};

use crate::on;

/// A directory with one file.
fn directory(text: &str) -> Directory {
    let directory = Directory::new();
    directory.write("p.yaml", text);
    directory
}

/// RS-002, RS-003: YAML of many documents, a sequence, a list kind, and JSON are accepted.
#[test]
fn valid_files_of_every_form_are_accepted() {
    let json = r#"{"apiVersion": "projectcalico.org/v3", "kind": "Tier",
                   "metadata": {"name": "t"}, "spec": {"order": 5}}"#;
    let list = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSetList\nitems:\n\
                - apiVersion: projectcalico.org/v3\n  kind: GlobalNetworkSet\n  \
                metadata: {name: s}\n  spec: {nets: [192.0.2.0/24]}\n";
    let directory = Directory::new();
    directory.write("many.yaml", &documents(&[eth0(), policy("a", "order: 1")]));
    directory.write("sequence.yml", &format!("- {}", policy("b", "order: 2")));
    directory.write("one.json", json);
    directory.write("list.yaml", list);
    directory.write("not-policy.txt", "kind: nonsense");
    let said = on(&directory, &["validate"]).exits(0);
    assert!(said.stdout.contains("5 resources"), "{said:#?}");
}

/// RS-003, RS-004, RS-213: each mistake is reported with its place, its kind and advice.
#[test]
fn every_mistake_is_told_with_its_place_and_remedy() {
    let text = "\
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata:
  name: h1-eth0
spec:
  node: h1
  interfaceName: eth0
  profile: [p]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: web
spec:
  selector: role == host
  ingress:
  - action: allow
    protocol: tcp
    destination:
      ports: ['443:80']
      nets: [10.0.0.1/8]
  - action: Allow
    destination: {ports: [80]}
";
    let directory = directory(text);
    let said = on(&directory, &["validate", "--node", "h1"]).exits(3);
    for (place, what) in [
        ("p.yaml:8:3", "did you mean profiles?"),
        ("p.yaml:15:13", "expected a string in quotes"),
        ("p.yaml:17:13", "write Allow; case matters"),
        ("p.yaml:18:15", "write TCP; case matters"),
        ("p.yaml:20:15", "port range 443:80 is reversed"),
        ("p.yaml:21:14", "write 10.0.0.0/8"),
        ("p.yaml:23:26", "add protocol: TCP, UDP or SCTP"),
    ] {
        let told = said
            .stdout
            .lines()
            .chain(said.stderr.lines())
            .any(|line| line.contains(place) && line.contains(what));
        assert!(told, "{place}: {what}: {said:#?}");
    }
}

/// The JSON form has a problem's place, object, field, severity, code and message.
#[test]
fn problems_as_json_have_stable_fields() {
    let directory = directory(&eth0().replace("interfaceName", "interfaceNmae"));
    let report = on(&directory, &["validate", "-o", "json"]).exits(3);
    let report = report.document("validate");
    assert_eq!(report["valid"], false);
    let problems = report["problems"].as_array().expect("a list of problems");
    let unknown = problems
        .iter()
        .find(|problem| problem["field"] == "spec.interfaceNmae")
        .unwrap_or_else(|| panic!("{problems:#?}"));
    assert_eq!(unknown["line"], 1);
    assert!(unknown["column"].as_u64().is_some_and(|column| column > 1));
    assert_eq!(unknown["kind"], "HostEndpoint");
    assert_eq!(unknown["name"], "h1-eth0");
    assert_eq!(unknown["severity"], "error");
    assert_eq!(unknown["code"], "E-SYNTAX");
    assert!(
        unknown["message"]
            .as_str()
            .is_some_and(|text| text.contains("interfaceName"))
    );
    assert!(
        unknown["file"]
            .as_str()
            .is_some_and(|text| text.ends_with("p.yaml"))
    );
}

/// RS-044, RS-124, RS-213: what a resource names must exist in a directory; of single files it is a
/// warning, which `--strict` makes an error.
#[test]
fn dangling_references_are_errors_in_a_directory_and_warnings_in_files() {
    let text = documents(&[
        endpoint("h1-eth0", "interfaceName: eth0, profiles: [nobody]"),
        policy("p", "tier: nowhere"),
    ]);
    let directory = directory(&text);
    let said = on(&directory, &["validate"])
        .exits(3)
        .says("nobody")
        .says("nowhere");
    assert!(!said.stdout.contains("panicked"));
    let file = directory.path().join("p.yaml");
    let file = file.to_string_lossy();
    let said = run(&["validate", &file]).exits(0);
    assert!(
        (said.stdout.clone() + &said.stderr).contains("warning"),
        "{said:#?}"
    );
    drop(run(&["validate", "--strict", &file]).exits(3));
}

/// RS-005, RS-137, RS-108: duplicates, unknown and unsupported kinds and clauses.
#[test]
fn what_cannot_be_honoured_is_refused() {
    for (name, text, what) in [
        ("twice", documents(&[eth0(), eth0()]), "h1-eth0"),
        (
            "unknown kind",
            resource("HostEndpont", "x", "", ""),
            "did you mean HostEndpoint?",
        ),
        (
            "a kind of nobody's",
            resource("Whatever", "x", "", ""),
            "is not a known kind",
        ),
        (
            "http",
            documents(&[
                eth0(),
                policy(
                    "x",
                    "ingress: [{action: Allow, protocol: TCP, http: {methods: [GET]}}]",
                ),
            ]),
            "http",
        ),
        (
            "built-in tier",
            resource("Tier", "default", "", "order: 5"),
            "default",
        ),
        (
            "duplicate key",
            eth0().replace("node: h1", "node: h1, node: h1"),
            "node",
        ),
        ("lo", endpoint("x", "interfaceName: lo"), "lo"),
    ] {
        let said = on(&directory(&text), &["validate", "--node", "h1"]).exits(3);
        assert!(
            (said.stdout.clone() + &said.stderr).contains(what),
            "{name}: {said:#?}"
        );
    }
}

/// Files that are no policy at all end in an error each, in bounded time.
#[test]
fn hostile_files_are_refused_each_with_an_error() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (previous, next) in ('a'..'m').zip('b'..='m') {
        let aliases = vec![format!("*{previous}"); 9].join(", ");
        bomb.push_str(&format!("{next}: &{next} [{aliases}]\n"));
    }
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("deep.yaml", "[".repeat(100_000).into_bytes()),
        ("deep-map.yaml", "{a: ".repeat(50_000).into_bytes()),
        ("bomb.yaml", bomb.into_bytes()),
        ("utf8.yaml", vec![b'a', b':', b' ', 0xff, 0xfe, b'\n']),
        ("binary.yaml", (0..=255).cycle().take(4096).collect()),
        ("nul.json", b"{\"a\": \"\0\"}".to_vec()),
        (
            "cut.json",
            b"{\"apiVersion\": \"projectcalico.org/v3\",".to_vec(),
        ),
        ("scalar.yaml", b"just text\n".to_vec()),
    ];
    for (name, bytes) in cases {
        let directory = Directory::new();
        std::fs::write(directory.path().join(name), bytes).expect("write a fixture");
        let start = std::time::Instant::now();
        let said = on(&directory, &["validate"]).exits(3);
        assert!(
            (said.stdout.clone() + &said.stderr).contains(name),
            "{said:#?}"
        );
        assert!(
            start.elapsed().as_secs() < 20,
            "{name}: {:?}",
            start.elapsed()
        );
    }
}

/// A directory called like a file, a file that cannot be read, a link to nowhere and a file of
/// 100 MB are errors, not crashes.
#[test]
fn directory_entries_that_are_no_files_are_told() {
    let directory = Directory::new();
    std::fs::create_dir(directory.path().join("x.yaml")).expect("make a directory");
    std::fs::write(directory.path().join("x.yaml/inner.yaml"), eth0()).expect("write");
    let said = on(&directory, &["validate"]);
    assert!([0, 3].contains(&said.code), "{said:#?}");

    let directory = Directory::new();
    std::os::unix::fs::symlink("nowhere", directory.path().join("gone.yaml")).expect("link");
    drop(on(&directory, &["validate"]).exits(3).says("gone.yaml"));

    let directory = Directory::new();
    let large = std::fs::File::create(directory.path().join("large.yaml")).expect("create");
    large.set_len(100_000_000).expect("make it large");
    drop(on(&directory, &["validate"]).exits(3).says("large.yaml"));

    drop(run(&["validate", "/nonexistent/x.yaml"]).exits(3));
}

/// 0 match, 1 no match, 3 invalid; without labels the canonical form (SL-…: the library's tests).
#[test]
fn selectors_answer_by_exit_code() {
    drop(run(&["selector", "a == 'b'", "--label", "a=b"]).exits(0));
    drop(run(&["selector", "a == 'b'", "--label", "a=c"]).exits(1));
    drop(run(&["selector", "!has(a)", "--no-labels"]).exits(0));
    drop(run(&["selector", "a == 'b"]).exits(3).says("not closed"));
    drop(run(&["selector", "a == 'b' &&"]).exits(3).says("column"));
    let canonical = run(&["selector", " a=='b'&&has( c )", "-o", "json"])
        .exits(0)
        .document("selector");
    assert_eq!(canonical["canonical"], "(a == \"b\" && has(c))");
    drop(run(&["selector"]).exits(2));
    drop(run(&["selectors"]).exits(2));
}
