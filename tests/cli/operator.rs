//! Commands for operators where there is nothing to operate on, and arguments that make no sense.

use hep_tests::{hep, policy::Directory};

/// Options that name an instance which never was.
fn nowhere(directory: &Directory) -> Vec<String> {
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let options = [
        ("--bpffs", path("bpffs")),
        ("--socket", path("socket")),
        ("--state-dir", path("state")),
    ];
    let words = options.map(|(option, value)| [option.to_owned(), value]);
    words.concat()
}

fn run(directory: &Directory, command: &[&str]) -> hep::Output {
    let options = nowhere(directory);
    let options = options.iter().map(String::as_str);
    let arguments: Vec<&str> = command.iter().copied().chain(options).collect();
    hep::run(&arguments)
}

/// Usage errors are reported with advice (exit 2).
#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    let directory = Directory::new();
    for (command, said) in [
        (&["try"][..], "--policy-dir"),
        (
            &["try", "--policy-dir", "x", "--timeout", "0"],
            "from 1s to 24h",
        ),
        (
            &["try", "--policy-dir", "x", "--timeout", "2d"],
            "90, 90s, 5m or 1h",
        ),
        (&["rollback", "0"], "0 is not in"),
        (&["rollback", "first"], "invalid digit"),
        (&["confirm", "12"], "unexpected argument"),
        (
            &["run", "--policy-dir", "x", "--keep-generations", "0"],
            "from 1 to 1000",
        ),
    ] {
        let _said = run(&directory, command).exits(2).says(said);
    }
}

/// Without a daemon, and without one ever having run, commands report that (exit 4).
#[test]
fn without_an_instance_commands_say_that_no_daemon_runs() {
    let directory = Directory::new();
    let policy = directory.path().to_string_lossy().into_owned();
    for command in [
        &["try", "--policy-dir", &policy][..],
        &["confirm"],
        &["rollback"],
        &["panic"],
        &["resume"],
    ] {
        let _said = run(&directory, command).exits(4).says("no daemon listens");
    }
    let _said = run(&directory, &["boot"]).exits(1).says("holds no policy");
    let _said = run(&directory, &["history"])
        .exits(1)
        .says("no policy was in force");
    let history = run(&directory, &["history", "-o", "json"]).exits(1);
    let history = history.document("history");
    assert_eq!(history["items"], serde_json::json!([]));
}
