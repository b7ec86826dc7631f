//! Rules for interfaces that appear while a generation is in force: compiled for every endpoint of this
//! node, so that policy applies to them without a load (spec EV-018).

use std::{collections::BTreeMap, sync::Arc};

use hep_common::{
    endpoint::{
        self, FLAG_ACCEPTS_LOCAL, FLAG_FORCED_V6, FLAG_MEMBER, FLAG_NO_ETHERNET,
        FLAG_ROUTES_LOCALNET, FLAG_UNKNOWN_LINK, FLAG_WORKLOAD, LINK_HEADER_SHIFT, Lists,
        OWN_VLAN_SHIFT,
    },
    settings::Settings,
    tick::Tick,
};

use super::binding::{Binding, Bound, bind};
use crate::{
    compile::lists::table::ListTable,
    model::{Interface, LinkLayer, Snapshot},
};

/// Link-layer header of IP over InfiniBand: 20 bytes of address, the EtherType, and two that are unused.
const INFINIBAND_BYTES: u32 = 24;

/// Which interfaces a generation polices, and what each gets; by default none.
#[derive(Clone, Debug, Default)]
pub struct Newcomers {
    /// The endpoints of this node and the configuration: all that binding needs.
    binding: Option<Snapshot>,
    node: String,
    /// By name of the endpoint, and whether the interface is a workload's.
    lists: BTreeMap<(String, bool), Owner>,
    behaviour: u32,
    bypass_mark: u32,
    surely_alive: [u32; 2],
}

/// The properties that the interfaces of an endpoint share.
#[derive(Clone, Copy, Debug)]
struct Owner {
    /// The endpoint's place among those of this node.
    number: u32,
    /// By direction, then family.
    lists: [[Lists; 2]; 2],
}

impl Newcomers {
    pub(crate) fn new(
        snapshot: &Snapshot,
        node: &str,
        binding: &Binding<'_>,
        lists: &ListTable,
        settings: &Settings,
    ) -> Self {
        let of_endpoints = lists
            .of_endpoints
            .iter()
            .map(|((place, is_workload), lists)| {
                let name = binding.local[*place].metadata.name.to_string();
                let number = u32::try_from(*place).expect("fewer endpoints than bytes of memory");
                let lists = *lists;
                ((name, *is_workload), Owner { number, lists })
            });
        Self {
            lists: of_endpoints.collect(),
            binding: Some(Snapshot {
                endpoints: (binding.local.iter())
                    .map(|endpoint| Arc::new((*endpoint).clone()))
                    .collect(),
                profiles: Vec::new(),
                policies: Vec::new(),
                tiers: Vec::new(),
                sets: Vec::new(),
                workloads: Vec::new(),
                felix: snapshot.felix.clone(),
            }),
            node: node.to_owned(),
            behaviour: settings.flags,
            bypass_mark: settings.bypass_mark,
            surely_alive: [
                settings.timeouts.udp_ns,
                settings.timeouts.tcp_established_ns,
            ]
            .map(Tick::whole_in),
        }
    }

    /// The entry of an interface, and the name of the endpoint that owns it; `None` if none does.
    #[must_use]
    pub fn policed(
        &self,
        interface: &Interface,
        counters: u32,
    ) -> Option<(endpoint::Interface, &str)> {
        let snapshot = self.binding.as_ref()?;
        let interfaces = std::slice::from_ref(interface);
        let binding = bind(snapshot, &self.node, interfaces);
        let bound = binding.bound.first()?;
        let name = &bound.endpoint.metadata.name;
        let mut endpoints = snapshot.endpoints.iter();
        let owner = endpoints.find(|endpoint| endpoint.metadata.name == *name)?;
        Some((self.entry(bound, counters)?, &owner.metadata.name))
    }

    /// The entry of a bound interface whose counters these are.
    pub(crate) fn entry(&self, bound: &Bound<'_>, counters: u32) -> Option<endpoint::Interface> {
        let key = (bound.endpoint.metadata.name.to_string(), bound.workload);
        let Owner { number, lists } = *self.lists.get(&key)?;
        let interface = bound.interface;
        let flags = [
            (bound.workload, FLAG_WORKLOAD),
            (interface.is_member, FLAG_MEMBER),
            (interface.conf.accepts_local, FLAG_ACCEPTS_LOCAL),
            (interface.conf.routes_localnet, FLAG_ROUTES_LOCALNET),
            (interface.conf.is_forced_v6, FLAG_FORCED_V6),
        ];
        let flags = flags.iter().filter(|(is_set, _)| *is_set);
        Some(endpoint::Interface {
            ifindex: interface.ifindex,
            endpoint: number,
            flags: flags.fold(link_flags(interface), |flags, (_, flag)| flags | flag),
            counters,
            lists,
            behaviour: self.behaviour,
            bypass_mark: self.bypass_mark,
            surely_alive: self.surely_alive,
        })
    }
}

/// The flags for an interface's link layer.
fn link_flags(interface: &Interface) -> u32 {
    let own_vlan = u32::from(interface.own_vlan.unwrap_or_default()) << OWN_VLAN_SHIFT;
    let link_layer = match interface.link_layer {
        LinkLayer::Ethernet => 0,
        LinkLayer::None => FLAG_NO_ETHERNET,
        LinkLayer::Infiniband => FLAG_NO_ETHERNET | INFINIBAND_BYTES << LINK_HEADER_SHIFT,
        LinkLayer::Unknown => FLAG_NO_ETHERNET | FLAG_UNKNOWN_LINK,
    };
    own_vlan | link_layer
}
