//! HostEndpoint (RS-028 to RS-035).

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use super::{
    Code,
    cursor::Value,
    header::Header,
    names::NameRule,
    object::Object,
    scalars::{address, is_interface_name, port_name, port_number, protocol},
    words::one_of,
};
use crate::model::{EndpointPort, HostEndpoint, InterfaceMatch, Kind, ResourceId};

/// Annotation that Calico marks egress traffic by.
const DSCP: &str = "qos.projectcalico.org/dscp";

/// The interface that no endpoint may name: its traffic never leaves the host (EV-015).
const LOOPBACK: &str = "lo";

/// Decodes a HostEndpoint's `spec`.
pub(super) fn decode(header: Header<'_>, spec: Object<'_>) -> Option<HostEndpoint> {
    if header.metadata.annotations.contains_key(DSCP) {
        header.value.warn(
            Code::Ignored,
            format!("annotation {DSCP} has no effect"),
            "remove it",
        );
    }
    let node = node(&spec);
    let interface = spec.read_or("interfaceName", InterfaceMatch::ByAddress, interface);
    let expected_ips = spec.read_or("expectedIPs", BTreeSet::new(), addresses);
    let profiles = spec.read_or("profiles", Vec::new(), |value| profiles(&header, value));
    let ports = spec.read_or("ports", Vec::new(), ports);
    if interface == Some(InterfaceMatch::ByAddress)
        && expected_ips.as_ref().is_some_and(BTreeSet::is_empty)
    {
        check_addresses(&spec);
    }
    spec.finish();
    if header.value.is_of_remains() {
        return remains(header, node?, interface, expected_ips.unwrap_or_default());
    }
    Some(HostEndpoint {
        metadata: header.metadata,
        node: node?,
        interface: interface?,
        expected_ips: expected_ips?,
        profiles: profiles?,
        ports: ports?,
        generated: false,
        closed: false,
    })
}

/// The remains of an endpoint that is not valid and never was (DS-312): one that denies everything but
/// failsafes, if its node and any of its interfaces can be read. Policies select it by labels, which may be
/// the mistake; so none applies to it, and no profile. Rules still select its addresses by the labels that
/// can be read.
fn remains(
    header: Header<'_>,
    node: Arc<str>,
    interface: Option<InterfaceMatch>,
    expected_ips: BTreeSet<IpAddr>,
) -> Option<HostEndpoint> {
    let interface = interface.unwrap_or(InterfaceMatch::ByAddress);
    if interface == InterfaceMatch::ByAddress && expected_ips.is_empty() {
        return None;
    }
    Some(HostEndpoint {
        metadata: header.metadata,
        node,
        interface,
        expected_ips,
        profiles: Vec::new(),
        ports: Vec::new(),
        generated: false,
        closed: true,
    })
}

fn node(spec: &Object<'_>) -> Option<Arc<str>> {
    let value = spec.required(
        "node",
        "write the host's name, as the daemon has it (hep status shows it)",
    )?;
    match value.text()? {
        "" => value.error(Code::Required, "node missing", "write the host's name"),
        _ => NameRule::Subdomain.read(&value).map(Arc::from),
    }
}

fn addresses(value: &Value<'_>) -> Option<BTreeSet<IpAddr>> {
    let texts = value.texts()?;
    let addresses = texts.iter().filter_map(|(item, text)| address(item, text));
    Some(addresses.collect())
}

/// The profiles by name, each of which has to exist.
fn profiles(header: &Header<'_>, value: &Value<'_>) -> Option<Vec<Arc<str>>> {
    let texts = value.texts()?;
    let names = texts.iter().filter_map(|(item, _)| {
        let name = NameRule::Subdomain.read(item)?;
        header.refer(ResourceId::global(Kind::Profile, name), item);
        Some(Arc::from(name))
    });
    Some(names.collect())
}

/// Reports an endpoint without an interface, unless addresses are written and none of them is valid, which
/// is reported there.
fn check_addresses(spec: &Object<'_>) {
    let has_none = spec.optional("expectedIPs").is_none_or(|value| {
        let items = value.items();
        items.is_some_and(|mut items| items.next().is_none())
    });
    if has_none {
        spec.missing(
            "interfaceName",
            "write interfaceName: eth0, interfaceName: \"*\" for all interfaces, or expectedIPs",
        );
    }
}

fn interface(value: &Value<'_>) -> Option<InterfaceMatch> {
    match value.text()? {
        "" => Some(InterfaceMatch::ByAddress),
        "*" => Some(InterfaceMatch::All),
        LOOPBACK => value.error(
            Code::Name,
            "the loopback interface is never policed",
            "name another interface, or remove the endpoint",
        ),
        name if is_interface_name(name) => Some(InterfaceMatch::Named(Arc::from(name))),
        name if name.contains('*') => value.error(
            Code::Name,
            "is not an interface name",
            "write one name, or \"*\" alone for all interfaces; patterns are not supported",
        ),
        _ => value.error(
            Code::Name,
            "is not an interface name",
            "use 1 to 15 letters, digits, '_', '.' and '-', or \"*\"",
        ),
    }
}

fn ports(value: &Value<'_>) -> Option<Vec<EndpointPort>> {
    let mut ports: Vec<EndpointPort> = Vec::new();
    for item in value.items()? {
        let Some(port) = port(&item) else { continue };
        if ports.contains(&port) {
            item.warn(
                Code::RepeatedMember,
                format!("port {} is already listed", port.name),
                "remove one of the two",
            );
        } else {
            ports.push(port);
        }
    }
    Some(ports)
}

fn port(value: &Value<'_>) -> Option<EndpointPort> {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    let object = value.object()?;
    let name = object
        .required("name", "write the name that rules use, such as http")
        .and_then(|value| match value.text()? {
            "" => value.error(
                Code::Required,
                "is empty",
                "write the name that rules use, such as http",
            ),
            name => port_name(&value, name),
        });
    let protocol = object
        .required("protocol", "write TCP, UDP or SCTP")
        .and_then(|value| match protocol(&value)? {
            protocol if protocol.has_ports() => Some(protocol),
            _ => value.error(
                Code::PortProtocol,
                "is a protocol without ports",
                format!("write {}", one_of(&PROTOCOLS)),
            ),
        });
    let port = object
        .required("port", "write a port from 1 to 65535")
        .and_then(|value| port_number(&value));
    object.finish();
    Some(EndpointPort {
        name: name?,
        protocol: protocol?,
        port: port?,
    })
}
