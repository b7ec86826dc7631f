//! Flows that grow old at once, so that no test waits for timers, and none is late for one.

use std::{thread, time::Duration};

use aya::{
    Pod,
    maps::{HashMap, Map, MapData, MapInfo},
    programs::SchedClassifier,
};
use hep_common::conntrack::{Conn, ConnKey4, ConnKey6};
use hep_userspace::datapath::monotonic_ns;

/// Has all flows of the tables that `program` uses last seen so much earlier.
///
/// # Panics
///
/// If the kernel refuses.
pub(crate) fn age(program: &SchedClassifier, by: Duration) {
    let by_ns = u64::try_from(by.as_nanos()).expect("an age fits");
    wait_for_the_clock(by);
    let info = program.info().expect("ask for the program");
    let ids = info.map_ids().expect("ask for its maps");
    for id in ids.expect("the kernel tells them") {
        let info = MapInfo::from_id(id).expect("the program holds its maps");
        match info.name_as_str() {
            Some("CONNS4" | "HALF4") => age_table::<ConnKey4>(id, by_ns),
            Some("CONNS6" | "HALF6") => age_table::<ConnKey6>(id, by_ns),
            Some(_) | None => {}
        }
    }
}

/// Waits until the machine, which may just have been started, has run for so long: the clock tells
/// no earlier time.
pub fn wait_for_the_clock(by: Duration) {
    let running = Duration::from_nanos(monotonic_ns());
    thread::sleep(by.saturating_sub(running));
}

fn age_table<K: Pod>(id: u32, by_ns: u64) {
    let data = MapData::from_id(id).expect("open the map");
    let mut map = Map::from_map_data(data).expect("a map");
    let mut table: HashMap<_, K, Conn> = (&mut map).try_into().expect("a table of flows");
    let flows: Vec<(K, Conn)> = table
        .iter()
        .map(|flow| flow.expect("read a flow"))
        .collect();
    for (key, mut flow) in flows {
        flow.last_seen_ns = flow.last_seen_ns.saturating_sub(by_ns);
        if flow.reset_ns != 0 {
            flow.reset_ns = flow.reset_ns.saturating_sub(by_ns).max(1);
        }
        table.insert(key, flow, 0).expect("write the flow");
    }
}
