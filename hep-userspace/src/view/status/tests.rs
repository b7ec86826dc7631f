use super::*;
use crate::{
    compile::{EndpointDescription, InterfaceDescription},
    daemon::status::{PanicStatus, ReportedProblem},
    datapath::attach::Hook,
};

const HOOKS: attach::Hooks = attach::Hooks {
    ingress: Hook::Tcx,
    egress: Hook::Missing,
    last_missing_unix_ms: Some(5),
};

fn described(generation: u32) -> Description {
    Description {
        generation,
        node: "web-1".to_owned(),
        endpoints: vec![EndpointDescription {
            name: "eth0".to_owned(),
            ..EndpointDescription::default()
        }],
        interfaces: vec![InterfaceDescription {
            name: "eth0".to_owned(),
            ifindex: 3,
            endpoint: "eth0".to_owned(),
            ..InterfaceDescription::default()
        }],
        resources: vec![("Tier".to_owned(), 2)],
        ..Description::default()
    }
}

fn reported(generation: u32) -> Report {
    Report {
        pid: 7,
        node: "web-2".to_owned(),
        ready: true,
        generation,
        degraded: Some("a file has errors".to_owned()),
        problems: vec![ReportedProblem {
            severity: "warning".to_owned(),
            code: "W-RANGE".to_owned(),
            text: "a.yaml:3: warning: x".to_owned(),
            ..ReportedProblem::default()
        }],
        ..Report::default()
    }
}

fn status(description: Description, report: Option<Report>) -> Status {
    let sources = Sources {
        description,
        report,
        decided: Decided {
            panic: Some(PanicStatus { since_unix_ms: 9 }),
            ..Decided::default()
        },
        ..Sources::default()
    };
    Status::new(sources, &[HOOKS])
}

/// Interfaces get their programs after the flip, and the report comes after the maps.
#[test]
fn ready_means_the_generation_in_force() {
    assert!(status(described(4), Some(reported(4))).ready);
    assert!(!status(described(5), Some(reported(4))).ready);
    assert!(!status(described(4), None).ready);
}

#[test]
fn the_kernel_has_the_last_word_on_what_is_in_force() {
    let both = status(described(4), Some(reported(4)));
    assert_eq!((both.node.as_str(), both.generation), ("web-1", 4));
    assert_eq!(both.interfaces[0].hooks.egress, "missing");
    assert_eq!(both.resources["Tier"], 2);
    assert_eq!(both.daemon.map(|daemon| daemon.pid), Some(7));
    assert_eq!(both.problems[0].severity, crate::view::Severity::Warning);
    let none = status(Description::default(), Some(reported(0)));
    assert_eq!((none.node.as_str(), none.generation), ("web-2", 0));
}

#[test]
fn without_a_daemon_decisions_are_there_and_nothing_that_it_reports() {
    let left = status(described(4), None);
    assert_eq!(left.panic, Some(Panic { since_unix_ms: 9 }));
    assert_eq!(left.daemon, None);
    assert_eq!(left.degraded, None);
    assert!(left.problems.is_empty());
}
