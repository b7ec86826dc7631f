//! When `hep status` reports that everything is in force.

use std::sync::atomic::{AtomicBool, Ordering};

use hep_tests::{
    daemon::Daemon,
    policy::{endpoint, eth0},
    topology::Topology,
};

/// A generation that polices many interfaces more is not ready before the last of them has its
/// programs.
#[test]
fn ready_means_that_every_interface_has_its_programs() {
    let topology = Topology::new();
    let pairs: Vec<String> = (0..40)
        .map(|number| format!("link add more{number} type veth peer name far{number}"))
        .collect();
    topology.host.ip(&pairs.join("\n"));
    let mut daemon = Daemon::start(&topology.host, &[eth0()]);
    let binary = daemon.command(&["status", "-o", "json"]);
    let (program, arguments) = (binary.get_program(), binary.get_args());
    let arguments: Vec<_> = arguments.collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                let output = std::process::Command::new(program)
                    .args(&arguments)
                    .output()
                    .expect("run hep status");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let is_ready = text.contains("\"ready\": true");
                assert!(!is_ready || !text.contains("\"missing\""), "{text}");
                seen += 1;
            }
            seen
        });
        for _round in 0..3 {
            daemon.replace(&[eth0(), endpoint("h1-all", "interfaceName: '*'")]);
            daemon.replace(&[eth0()]);
        }
        done.store(true, Ordering::Relaxed);
        assert!(looking.join().expect("what it saw was right") > 0);
    });
}
