//! Flows that grow old at once, so that no test waits for timers, and none is late for one.

use std::time::Duration;

use aya::{
    Pod,
    maps::{HashMap, Map, MapData, MapInfo},
    programs::SchedClassifier,
};
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6},
    tick::{TICK_NS, Tick},
};

/// Moves the last use of all flows in the tables of `program` back by this time and up to two ticks more:
/// reports of their age grow by as much.
///
/// # Panics
///
/// If the kernel refuses.
pub(crate) fn age(program: &SchedClassifier, by: Duration) {
    let by_ns = u64::try_from(by.as_nanos()).expect("an age fits");
    let ticks = u32::try_from(by_ns / TICK_NS + 2).expect("ticks do not wrap");
    let info = program.info().expect("ask for the program");
    let ids = info.map_ids().expect("ask for its maps");
    for id in ids.expect("the kernel tells them") {
        let info = MapInfo::from_id(id).expect("the program holds its maps");
        match info.name_as_str() {
            Some("ASSURED_TCP4" | "ASSURED4") => age_table::<ConnKey4>(id, ticks),
            Some("ASSURED_TCP6" | "ASSURED6" | "UNASSURED") => age_table::<ConnKey6>(id, ticks),
            Some(_) | None => {}
        }
    }
}

fn age_table<K: Pod>(id: u32, ticks: u32) {
    let data = MapData::from_id(id).expect("open the map");
    let mut map = Map::from_map_data(data).expect("a map");
    let mut table: HashMap<_, K, Conn> = (&mut map).try_into().expect("a table of flows");
    let flows: Vec<(K, Conn)> = table
        .iter()
        .map(|flow| flow.expect("read a flow"))
        .collect();
    for (key, mut flow) in flows {
        flow.last_seen = Tick(flow.last_seen.0.wrapping_sub(ticks));
        if !flow.event.is_none() {
            flow.event = Tick(flow.event.0.wrapping_sub(ticks).max(1));
        }
        table.insert(key, flow, 0).expect("write the flow");
    }
}
