//! Single packets through the loaded programs.

use hep_common::{Direction, counter::Reason};
use hep_userspace::datapath::{Kernel, KernelError, LoadOptions};

use crate::fixture::{generation, unpinned};

/// An ARP request: nothing that any policy speaks of.
fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 12];
    frame.extend([0x08, 0x06]);
    frame.resize(60, 0);
    frame
}

fn recording() -> Kernel {
    Kernel::open(&LoadOptions {
        record_decisions: true,
        ..unpinned()
    })
    .expect("opens")
}

#[test]
fn a_frame_is_judged_at_both_hooks() {
    let mut kernel = recording();
    kernel.apply(&mut generation("node", 1)).expect("applies");
    for hook in [Direction::Ingress, Direction::Egress] {
        let outcome = kernel.test_run(hook, 1, 0, &arp()).expect("runs");
        assert!(outcome.accepted);
        let decision = outcome.decision.expect("is recorded");
        assert_eq!(Reason::try_from(decision.reason), Ok(Reason::NonIp));
    }
}

#[test]
fn without_recording_there_is_a_verdict_and_no_decision() {
    let kernel = Kernel::open(&unpinned()).expect("opens");
    let outcome = kernel
        .test_run(Direction::Ingress, 1, 0, &arp())
        .expect("runs");
    assert!(outcome.accepted);
    assert_eq!(outcome.decision, None);
}

#[test]
fn frames_that_the_kernel_takes_for_no_packet_are_told_apart() {
    let kernel = recording();
    let run = |ifindex, frame: &[u8]| kernel.test_run(Direction::Ingress, ifindex, 0, frame);
    assert!(matches!(
        run(1, &arp()[..13]),
        Err(KernelError::FrameTooShort(13))
    ));
    assert!(matches!(
        run(i32::MAX as u32, &arp()),
        Err(KernelError::NoInterface(0x7fff_ffff))
    ));
}
