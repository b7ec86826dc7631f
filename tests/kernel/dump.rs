//! Output of bpftool, as an operator sees it.

use hep_tests::program::program;
use hep_userspace::datapath::version_directory;
use serde_json::Value;

use crate::fixture::{Fixture, generation};

fn bpftool(arguments: &[&str]) -> Value {
    let output = program("bpftool")
        .arg("--json")
        .args(arguments)
        .output()
        .expect("bpftool runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The first value of the table in force, as bpftool prints it.
fn first_value(fixture: &Fixture, map: &str) -> Value {
    let pin = version_directory(&fixture.pins()).join(map);
    let outer = bpftool(&["map", "dump", "pinned", pin.to_str().expect("UTF-8")]);
    // The first generation is in the second slot; the first one holds a spare.
    let slots = outer.as_array().expect("slots");
    let id = slots.last().expect("a slot in use")["value"].as_array();
    let id = id.expect("bytes of a slot");
    let id: Vec<u8> = id
        .iter()
        .map(|byte| byte.as_str().expect("text").trim_start_matches("0x"))
        .map(|byte| u8::from_str_radix(byte, 16).expect("number"))
        .collect();
    let id = u32::from_ne_bytes(id.try_into().expect("four bytes"));
    let dump = bpftool(&["map", "dump", "id", &id.to_string()]);
    dump[0]["formatted"]["value"].clone()
}

#[test]
fn tables_are_dumped_with_named_fields() {
    let fixture = Fixture::new();
    let mut kernel = fixture.open().expect("opens");
    kernel.apply(&mut generation("node", 1)).expect("applies");

    assert_eq!(first_value(&fixture, "IFACES")["ifindex"], 1);
    let ranges = first_value(&fixture, "RANGES4");
    assert_eq!(ranges["ranges"][0]["class"], 1, "{ranges}");
}
