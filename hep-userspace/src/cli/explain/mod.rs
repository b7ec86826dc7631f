//! `hep explain`.

mod answer;
mod route;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use hep_common::Direction;

use super::{
    auto::AutoHostEndpoint,
    exit::Exit,
    host,
    instance::Instance,
    output::{Format, complain, emit},
};
use crate::{
    daemon::{control, identity, local_in::LocalInStatus},
    datapath::links_directory,
    model::{Behaviour, Interface, LinkLayer, NodeName, Snapshot},
    reference::{Options, Packet, PacketSpec, Reference, protocol_number},
    store,
    validate::{self, Scope},
    view::{Explanation, Failure, FailureKind, Live, Question},
};

/// Explain what happens to one packet, and which rule decides
///
/// The packet is judged as the first of a new flow, by the resources in --policy-dir or, with --live,
/// by those in force. Prints the verdict, its reason, the rule with its file and line or the default
/// that applied, and every tier, policy and rule that was passed on the way.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Directory of policy files
    #[arg(
        long,
        value_name = "DIR",
        env = "HEP_POLICY_DIR",
        required_unless_present = "live"
    )]
    policy_dir: Option<PathBuf>,
    /// Judge by the policy in force
    #[arg(long, conflicts_with = "policy_dir")]
    live: bool,
    /// This host's name, as in spec.node of its HostEndpoints [default: the kernel's host name]
    #[arg(long, value_name = "NAME", env = "HEP_NODE")]
    node: Option<NodeName>,
    /// Interface whose hook sees the packet
    #[arg(long, value_name = "NAME")]
    interface: String,
    /// Address of that interface, if this host does not have it; may be given several times
    #[arg(long = "interface-address", value_name = "ADDRESS")]
    interface_addresses: Vec<IpAddr>,
    /// Direction: towards the host or away from it
    #[arg(long, value_enum)]
    direction: DirectionArgument,
    /// Protocol: tcp, udp, sctp, icmp, icmpv6, udplite or a number
    #[arg(long, value_name = "PROTOCOL")]
    protocol: String,
    /// Source: 192.0.2.1, 192.0.2.1:40000, 2001:db8::1 or [2001:db8::1]:40000
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = parse_end)]
    src: End,
    /// Destination, in the same form as the source
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = parse_end)]
    dst: End,
    /// Treat the packet as routed through this host; with --live the kernel's routing decides unless given
    #[arg(long)]
    forwarded: bool,
    /// ICMP type [default: echo request]
    #[arg(long, value_name = "TYPE")]
    icmp_type: Option<u8>,
    /// ICMP code [default: 0]
    #[arg(long, value_name = "CODE", requires = "icmp_type")]
    icmp_code: Option<u8>,
    /// TCP flags, such as "FIN ACK" [default: SYN]
    #[arg(long, value_name = "FLAGS")]
    tcp_flags: Option<String>,
    /// Type of the SCTP packet's only chunk [default: 1, INIT]
    #[arg(long, value_name = "TYPE")]
    sctp_chunk: Option<u8>,
    /// IPv4 time to live or IPv6 hop limit [default: 64]
    #[arg(long, value_name = "NUMBER")]
    hop_limit: Option<u8>,
    /// Accept neighbour discovery without policy, like the option of `hep run`
    #[arg(long, value_name = "BOOL", env = "HEP_IPV6_ND_EXEMPT", default_value_t = true,
          action = clap::ArgAction::Set)]
    ipv6_nd_exempt: bool,
    /// Accept router advertisements without policy, like the option of `hep run`
    #[arg(long, value_name = "BOOL", env = "HEP_IPV6_RA_EXEMPT", default_value_t = true,
          action = clap::ArgAction::Set)]
    ipv6_ra_exempt: bool,
    #[command(flatten)]
    auto: AutoHostEndpoint,
    #[command(flatten)]
    instance: Instance,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DirectionArgument {
    /// Towards the host
    Ingress,
    /// Away from the host
    Egress,
}

impl From<DirectionArgument> for Direction {
    fn from(argument: DirectionArgument) -> Self {
        match argument {
            DirectionArgument::Ingress => Self::Ingress,
            DirectionArgument::Egress => Self::Egress,
        }
    }
}

/// An address with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    address: IpAddr,
    port: Option<u16>,
}

fn parse_end(text: &str) -> Result<End, String> {
    if let Ok(address) = text.parse() {
        return Ok(End {
            address,
            port: None,
        });
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(Ok(address)) = bare.map(str::parse) {
        return Ok(End {
            address: IpAddr::V6(address),
            port: None,
        });
    }
    text.parse()
        .map(|end: SocketAddr| End {
            address: end.ip(),
            port: Some(end.port()),
        })
        .map_err(|_not_an_end| "write 192.0.2.1:80 or [2001:db8::1]:80".to_owned())
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let live = match &arguments.policy_dir {
        Some(_) => None,
        None => Some(live(&arguments.instance)?),
    };
    let node = match (&arguments.node, &live) {
        (Some(node), _) => node.clone(),
        (None, Some(live)) => live.description.node.as_str().into(),
        (None, None) => identity::host_name(),
    };
    let snapshot = load(arguments, live.as_ref(), &node)?;
    let interfaces = interfaces(arguments)?;
    let mut packet = packet(arguments)?;
    if let Some(live) = &live
        && !arguments.forwarded
    {
        let here = interfaces.iter().find(|here| here.name == packet.interface);
        if let Some(here) = here {
            packet.forwarded = route::is_forwarded(&packet, here, &live.maps.local()?)?;
        }
    }
    let (snapshot, options) = match &live {
        Some(live) => (live.complete(&snapshot), live.options()),
        None => {
            let options = Options {
                behaviour: Behaviour {
                    nd_exempt: arguments.ipv6_nd_exempt,
                    ra_exempt: arguments.ipv6_ra_exempt,
                    ..Behaviour::default()
                },
                any_icmp: false,
            };
            let snapshot = arguments.auto.complete(&snapshot, &node, &interfaces);
            (snapshot.into_owned(), options)
        }
    };
    let reference = Reference::new(&snapshot, &node, &interfaces, options);
    let judgement = reference.judge(&packet);
    let may_be_translated = live.is_some()
        && packet.forwarded
        && packet.direction == Direction::Ingress
        && judgement.allows();
    let explanation = Explanation::from(Question {
        packet: &packet,
        node: &node,
        role: reference.role(&packet.interface),
        judgement,
        translation: if may_be_translated {
            local_in(&arguments.instance).of_forwarded()
        } else {
            String::new()
        },
    });
    emit(&explanation, format)?;
    Ok(Exit::Ok)
}

/// The policy in force.
///
/// # Errors
///
/// [`Failure`] if it cannot be read.
pub(super) fn live(instance: &Instance) -> Result<Live, Failure> {
    let live = Live::read(instance.places()).map_err(|error| {
        let message = format!("{:#}", anyhow::Error::new(error));
        Failure::new(FailureKind::Unreachable, message)
    })?;
    if live.is_panic() {
        complain("panic: only failsafes and established flows pass until `hep resume`");
    }
    Ok(live)
}

/// Whether packets that the kernel translates into this host are judged again.
fn local_in(instance: &Instance) -> LocalInStatus {
    match control::ask(&instance.socket) {
        Ok(report) => report.local_in,
        Err(_not_running) => LocalInStatus::left_in(&links_directory(&instance.bpffs)),
    }
}

/// Reads and validates the policy to judge by.
fn load(arguments: &Arguments, live: Option<&Live>, node: &NodeName) -> Result<Snapshot> {
    let (files, name) = match live {
        Some(live) => (live.files.clone(), &arguments.instance.state_dir),
        None => {
            let directory = arguments.policy_dir.as_ref();
            let directory = directory.context("--policy-dir or --live")?;
            (store::directory::read(directory)?, directory)
        }
    };
    let loaded = validate::load(&files, &host::node(node.clone()), Scope::Directory);
    let snapshot = loaded.snapshot.ok_or_else(|| {
        let message = format!("{} is not a valid policy:", name.display());
        Failure::invalid(message, &loaded.problems)
    })?;
    Ok(snapshot)
}

/// The host's interfaces, and the packet's own if the host has none of that name.
fn interfaces(arguments: &Arguments) -> Result<Vec<Interface>> {
    let mut interfaces = host::interfaces()?;
    let given = &arguments.interface_addresses;
    let name = arguments.interface.as_str();
    let known = interfaces
        .iter_mut()
        .find(|interface| &*interface.name == name);
    match known {
        Some(interface) => {
            if !given.is_empty() {
                interface.addresses.clone_from(given);
            }
        }
        None => interfaces.push(Interface {
            name: Arc::from(name),
            ifindex: u32::MAX,
            addresses: given.clone(),
            link_layer: LinkLayer::Ethernet,
            is_loopback: name == "lo",
            is_member: false,
            vlan_of: None,
            ..Interface::default()
        }),
    }
    Ok(interfaces)
}

fn packet(arguments: &Arguments) -> Result<Packet> {
    let make = || {
        let spec = PacketSpec {
            forwarded: arguments.forwarded,
            source_port: arguments.src.port,
            destination_port: arguments.dst.port,
            icmp_type: arguments.icmp_type,
            icmp_code: arguments.icmp_code,
            tcp_flags: arguments.tcp_flags.clone(),
            sctp_chunk: arguments.sctp_chunk,
            hop_limit: arguments.hop_limit,
            ..PacketSpec::new(
                (arguments.direction.into(), &arguments.interface),
                protocol_number(&arguments.protocol)?,
                arguments.src.address,
                arguments.dst.address,
            )
        };
        spec.packet()
    };
    make().context("--src, --dst and --protocol")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_addresses_with_or_without_a_port() {
        let end = |text| parse_end(text).map(|end| (end.address.to_string(), end.port));
        assert_eq!(end("192.0.2.1"), Ok(("192.0.2.1".to_owned(), None)));
        assert_eq!(end("192.0.2.1:80"), Ok(("192.0.2.1".to_owned(), Some(80))));
        assert_eq!(end("2001:db8::1"), Ok(("2001:db8::1".to_owned(), None)));
        assert_eq!(end("[2001:db8::1]"), Ok(("2001:db8::1".to_owned(), None)));
        assert_eq!(
            end("[2001:db8::1]:80"),
            Ok(("2001:db8::1".to_owned(), Some(80)))
        );
        assert!(end("192.0.2.1:").is_err());
        assert!(end("192.0.2.1:65536").is_err());
        assert!(end("host:80").is_err());
    }
}
