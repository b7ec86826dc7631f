//! Documents of `-o json`: every command's answer, and every command's errors, match the published schemas.

use hep_tests::{
    hep::{self, SHOWN},
    policy::{Directory, documents, eth0, policy},
};
use serde_json::{Value, json};

use super::on;

/// A directory with a valid policy, and the options of an instance that never was.
fn fixture() -> (Directory, Vec<String>) {
    let directory = Directory::new();
    let rules = policy("web", "types: [Ingress], ingress: [{action: Allow}]");
    directory.write("p.yaml", &documents(&[eth0(), rules]));
    let nowhere = Directory::new();
    let options = ["bpffs", "socket", "state-dir"]
        .map(|option| format!("--{option}={}/{option}", nowhere.path().display()));
    (directory, options.to_vec())
}

/// Runs a command on an instance that never was, with `-o json`.
fn nowhere(command: &[&str]) -> hep::Output {
    let (_directory, options) = fixture();
    let options = options.iter().map(String::as_str);
    let arguments = command.iter().copied().chain(options).chain(["-o", "json"]);
    hep::run(&arguments.collect::<Vec<_>>())
}

/// Answers that need no daemon; the suites with one check every `hep status`, `show`, `diff`, `explain`,
/// `history` and `monitor` that they run.
#[test]
fn answers_match_their_schemas() {
    let (directory, _) = fixture();
    let validated = on(&directory, &["validate", "--node", "h1", "-o", "json"]);
    let validated = validated.exits(0).document("validate");
    assert_eq!(
        (&validated["version"], &validated["valid"]),
        (&json!(1), &json!(true))
    );
    for (labels, exit) in [(&[][..], 0), (&["--no-labels"][..], 1)] {
        let command = [&["selector", "has(a)", "-o", "json"], labels].concat();
        let _answer = hep::run(&command).exits(exit).document("selector");
    }
    let empty = Directory::new();
    let command = [
        "diff",
        "-o",
        "json",
        "--node",
        "h1",
        "--interface",
        "eth0=192.0.2.10",
        "--from",
    ];
    let path = empty.path().to_string_lossy().into_owned();
    let changed = on(&directory, &[&command[..], &[&path]].concat());
    let changed = changed.exits(1).document("diff");
    assert_ne!(changed["rules"], json!([]));
    let _status = nowhere(&["status"]).exits(1).document("status");
    let _removed = nowhere(&["down"]).exits(0).document("down");
    for what in SHOWN {
        let shown = nowhere(&["show", what]).exits(1);
        let shown = shown.document(&format!("show-{what}"));
        assert_eq!(
            (&shown["generation"], &shown["items"]),
            (&json!(0), &json!([]))
        );
    }
}

/// The outcome of a test with a packet that fails has a place for each engine.
#[test]
fn outcomes_of_tests_match_their_schema() {
    let directory = Directory::new();
    directory.write("p.yaml", &documents(&[eth0()]));
    directory.write(
        "cases.yaml",
        "- {node: h1, resources: [p.yaml], interfaces: {eth0: [192.0.2.10]}, interface: eth0,\n\
         packets: [{direction: ingress, src: 192.0.2.1, dst: 192.0.2.10, proto: tcp, dport: 80, \
         expect: allow}]}\n",
    );
    let cases = directory.path().join("cases.yaml");
    let cases = cases.to_string_lossy();
    let said = hep::run(&["test", "--engine", "reference", "-o", "json", &cases]).exits(1);
    let report = said.document("test");
    let failure = &report["files"][0]["cases"][0]["failures"][0];
    assert_eq!(failure["got"][0]["verdict"], "deny");
}

/// One shape for the errors of every command: kind and exit code agree, and the message is there.
#[test]
fn errors_of_every_command_have_one_shape() {
    let (directory, _) = fixture();
    directory.write("q.yaml", "kind: Tier\n");
    let invalid = directory.path().to_string_lossy().into_owned();
    let explain = [
        "explain",
        "--interface=eth0",
        "--direction=ingress",
        "--protocol=tcp",
        "--src=192.0.2.1:40000",
        "--dst=192.0.2.10:80",
    ];
    let of = |more: &[&str]| nowhere(&[&explain[..], more].concat());
    for (said, exit, kind) in [
        (nowhere(&["show", "nonsense"]), 2, "usage"),
        (nowhere(&["try"]), 2, "usage"),
        (
            nowhere(&["try", "--policy-dir", &invalid]),
            4,
            "unreachable",
        ),
        (nowhere(&["confirm"]), 4, "unreachable"),
        (nowhere(&["rollback"]), 4, "unreachable"),
        (nowhere(&["panic"]), 4, "unreachable"),
        (nowhere(&["resume"]), 4, "unreachable"),
        (nowhere(&["monitor"]), 4, "unreachable"),
        (nowhere(&["boot"]), 1, "failed"),
        (nowhere(&["diff", &invalid]), 4, "unreachable"),
        (
            nowhere(&["diff", "--from", &invalid, &invalid]),
            3,
            "invalid",
        ),
        (of(&["--live"]), 4, "unreachable"),
        (of(&["--policy-dir", &invalid]), 3, "invalid"),
        (hep::run(&["selector", "a =", "-o", "json"]), 3, "invalid"),
        (
            hep::run(&["test", "/nowhere.yaml", "-o", "json"]),
            3,
            "invalid",
        ),
    ] {
        let document = said.exits(exit).document("error");
        let error = &document["error"];
        assert_eq!(error["kind"], kind, "{document:#}");
        assert_ne!(error["message"], "", "{document:#}");
    }
}

/// Problems have place, code and advice, whichever command reports them; names from before there was one
/// shape of errors stay.
#[test]
fn errors_name_file_line_and_column() {
    let directory = Directory::new();
    directory.write("p.yaml", &eth0().replace("interfaceName", "interfaceNmae"));
    let path = directory.path().to_string_lossy().into_owned();
    let said = nowhere(&["diff", "--from", &path, &path]).exits(3);
    let document = said.document("error");
    let problems = document["error"]["problems"].as_array().expect("a list");
    let unknown = |problem: &&Value| problem["field"] == "spec.interfaceNmae";
    let problem = problems.iter().find(unknown).expect("it is reported");
    assert_eq!(
        (&problem["line"], &problem["code"]),
        (&json!(1), &json!("E-SYNTAX"))
    );
    assert_ne!(problem["advice"], "");
    assert_eq!(document["errors"], document["error"]["problems"]);
    let _said = said.says(problem["text"].as_str().expect("a text"));
    let selector = hep::run(&["selector", "a =", "-o", "json"]).exits(3);
    let selector = selector.document("error");
    assert_eq!(selector["valid"], false);
    assert_eq!(
        selector["column"],
        selector["error"]["problems"][0]["column"]
    );
}
