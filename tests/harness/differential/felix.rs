//! Random FelixConfiguration.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::{addresses::Net, chance, pick, policies::PORTS, some};

/// The `default` object, or none.
pub(super) fn felix(rng: &mut Rng) -> Option<Value> {
    if chance(rng, 20) {
        return None;
    }
    let mut spec = Map::new();
    for list in ["failsafeInboundHostPorts", "failsafeOutboundHostPorts"] {
        if chance(rng, 80) {
            spec.insert(list.to_owned(), some(rng, 3, failsafe).into());
        }
    }
    if chance(rng, 30) {
        let action = pick(rng, &["Drop", "Accept", "Return"]);
        spec.insert("defaultEndpointToHostAction".to_owned(), json!(action));
    }
    if chance(rng, 15) {
        spec.insert("interfacePrefix".to_owned(), json!("cali,wl"));
    }
    if chance(rng, 15) {
        let exclude = pick(rng, &["eth2", "/^eth[12]$/", "wl0", "lo"]);
        spec.insert("interfaceExclude".to_owned(), json!(exclude));
    }
    if chance(rng, 15) {
        let pattern = pick(rng, &["eth0", "^eth", "th1$"]);
        spec.insert("bpfDataIfacePattern".to_owned(), json!(pattern));
    }
    if chance(rng, 20) {
        spec.insert("disableConntrackInvalidCheck".to_owned(), true.into());
    }
    if chance(rng, 3) {
        spec.insert("ipv6Support".to_owned(), false.into());
    }
    Some(json!({
        "apiVersion": "projectcalico.org/v3",
        "kind": "FelixConfiguration",
        "metadata": { "name": "default" },
        "spec": spec,
    }))
}

fn failsafe(rng: &mut Rng) -> Value {
    let mut entry = json!({
        "protocol": pick(rng, &["TCP", "UDP", "SCTP"]),
        "port": pick(rng, &PORTS),
    });
    if chance(rng, 40) {
        let ipv6 = rng.bool();
        entry["net"] = Net::random(rng, ipv6).to_string().into();
    }
    entry
}
