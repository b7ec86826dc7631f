//! Commands about a daemon, where none runs and nothing is in force.

use hep_tests::{
    hep::{SHOWN, run},
    policy::Directory,
};

/// The options of an instance that does not exist.
fn nobody(directory: &Directory) -> Vec<String> {
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    vec![
        "--bpffs".into(),
        format!("/sys/fs/bpf/heptest-nobody-{}", std::process::id()),
        "--socket".into(),
        path("hep.sock"),
        "--state-dir".into(),
        path("state"),
    ]
}

/// `hep status` reports that nothing is in force and that no daemon runs, and exits with 1.
#[test]
fn status_without_a_daemon_is_an_answer() {
    let directory = Directory::new();
    let options = nobody(&directory);
    let mut arguments: Vec<&str> = vec!["status"];
    arguments.extend(options.iter().map(String::as_str));
    drop(run(&arguments).exits(1).says("not running"));
    arguments.extend(["-o", "json"]);
    let status = run(&arguments).exits(1).document("status");
    assert_eq!(status["generation"], 0);
    assert!(status["daemon"].is_null());
}

/// `hep show` of every aspect exits with 1 and prints why.
#[test]
fn show_without_anything_in_force_is_an_answer() {
    let directory = Directory::new();
    let options = nobody(&directory);
    for what in SHOWN {
        let mut arguments = vec!["show", what];
        arguments.extend(options.iter().map(String::as_str));
        drop(run(&arguments).exits(1).says("no policy is in force"));
    }
    drop(run(&["show", "nonsense"]).exits(2));
}

/// `hep down` of what is not there is done.
#[test]
fn down_without_anything_is_done() {
    let directory = Directory::new();
    let options = nobody(&directory);
    let mut arguments: Vec<&str> = vec!["down"];
    arguments.extend(options.iter().map(String::as_str));
    drop(run(&arguments).exits(0));
}

/// Usage errors exit with 2; help and version with 0.
#[test]
fn usage_is_told() {
    drop(run(&[]).exits(2));
    drop(run(&["run"]).exits(2).says("--policy-dir"));
    drop(
        run(&[
            "run",
            "--policy-dir",
            "/tmp",
            "--on-policy-change",
            "sometimes",
        ])
        .exits(2),
    );
    drop(run(&["--version"]).exits(0).says("hep"));
    drop(run(&["help", "run"]).exits(0).says("--policy-dir"));
    let directory = Directory::new();
    let missing = directory.path().join("missing");
    let missing = missing.to_string_lossy();
    let mut arguments = vec!["run", "--node", "h1", "--policy-dir", &missing];
    let options = nobody(&directory);
    arguments.extend(options.iter().map(String::as_str));
    let said = run(&arguments);
    assert!([1, 3].contains(&said.code), "{said:#?}");
}
