//! The systemd units.

use std::{fs, path::Path};

use hep_tests::{
    hep::{Output, binary},
    program::program,
};

/// systemd finds nothing wrong with the units, with the binary of this build in its place.
#[test]
fn systemd_accepts_the_units() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hep-userspace/systemd");
    let scratch = tempfile::tempdir().expect("make a directory");
    let mut verify = program("systemd-analyze");
    // Whether manuals are installed says nothing about the units.
    verify.args(["verify", "--man=no"]);
    for unit in ["hep.service", "hep-boot.service"] {
        let text = fs::read_to_string(source.join(unit)).expect("the unit is there");
        let command = binary().to_string_lossy().into_owned();
        let copy = scratch.path().join(unit);
        fs::write(&copy, text.replace("/usr/local/sbin/hep", &command)).expect("can be written");
        verify.arg(copy);
    }
    let said = Output::by(&mut verify).exits(0);
    // What it ignores, it only tells.
    assert!(!said.stderr.contains("hep"), "{said:#?}");
}
