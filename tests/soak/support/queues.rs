//! Packets that the kernel's queues dropped, so that they are not counted against the firewall.

use hep_tests::{namespace::Namespace, topology::Topology};

/// Packets that the topology's queues dropped since they were made: backlogs of interfaces, and buffers of
/// sockets.
pub(crate) fn dropped(topology: &Topology) -> u64 {
    let interfaces = [
        (&topology.host, "eth0"),
        (&topology.host, "eth1"),
        (&topology.outside, "eth0"),
        (&topology.inside, "eth0"),
    ];
    let backlogs = interfaces
        .iter()
        .map(|(namespace, interface)| rx_dropped(namespace, interface));
    let buffers = [&topology.host, &topology.outside, &topology.inside];
    backlogs.sum::<u64>() + buffers.map(full_buffers).iter().sum::<u64>()
}

/// Frames that found the backlog of an interface full.
fn rx_dropped(namespace: &Namespace, interface: &str) -> u64 {
    let text = namespace.command("ip", &["-s", "-j", "link", "show", "dev", interface]);
    let links: serde_json::Value = serde_json::from_str(&text).expect("ip prints JSON");
    let dropped = &links[0]["stats64"]["rx"]["dropped"];
    dropped.as_u64().expect("interfaces count what they drop")
}

/// Datagrams that found the buffer of a socket full.
fn full_buffers(namespace: &Namespace) -> u64 {
    let read = |path: &str| {
        namespace.run(|| std::fs::read_to_string(path).expect("the kernel counts datagrams"))
    };
    value(&read("/proc/thread-self/net/snmp"), "Udp:", "RcvbufErrors")
        + read("/proc/thread-self/net/snmp6")
            .lines()
            .find_map(|line| line.strip_prefix("Udp6RcvbufErrors"))
            .and_then(|number| number.trim().parse::<u64>().ok())
            .unwrap_or(0)
}

/// The column `name` of a pair of lines that begin with `line`: names, then values.
fn value(text: &str, line: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter(|text| text.starts_with(line));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    names
        .split_whitespace()
        .zip(values.split_whitespace())
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_counter_is_found_by_the_name_above_it() {
        let text = "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams RcvbufErrors\nUdp: 7 3\n";
        assert_eq!(value(text, "Udp:", "RcvbufErrors"), 3);
        assert_eq!(value(text, "Udp:", "SndbufErrors"), 0);
    }
}
