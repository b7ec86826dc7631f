//! The source or destination side of a rule (RS-094 to RS-107).

use std::{collections::HashSet, sync::Arc};

use ipnetwork::IpNetwork;

use super::{
    Code,
    cursor::Value,
    names::NameRule,
    namespaced::{NAMESPACE, SERVICE_ACCOUNT},
    object::Object,
    scalars::{is_mapped, parse_selector, port_match, rule_net, selector},
    unjudged,
};
use crate::{
    model::{EntityRule, PortMatch},
    selector::Selector,
};

/// Most items in `nets` and `notNets` in Calico's schema (RS-302).
const MAX_NETS: usize = 256;
/// Most items in `ports` and `notPorts` in Calico's schema (RS-302).
const MAX_PORTS: usize = 50;

/// A list of ports that is not empty.
pub(super) struct PortList<'n> {
    pub(super) value: Value<'n>,
    /// It holds a port or range, not only names.
    pub(super) numeric: bool,
}

/// A side with what the checks across a rule need.
#[derive(Default)]
pub(super) struct Side<'n> {
    /// The side, unless it has problems.
    pub(super) rule: Option<EntityRule>,
    /// All networks of `nets` and `notNets`.
    pub(super) nets: Vec<(Value<'n>, IpNetwork)>,
    pub(super) port_lists: Vec<PortList<'n>>,
    /// Whether it has conditions that cannot be judged (RS-104, RS-105, DS-316).
    pub(super) is_unjudged: bool,
}

/// Decodes a side; an absent one matches everything.
pub(super) fn side(value: Option<Value<'_>>) -> Side<'_> {
    let mut side = Side::default();
    match value {
        None => side.rule = Some(EntityRule::default()),
        Some(value) => {
            if let Some(object) = value.object() {
                side.rule = decode(&object, &mut side);
                side.is_unjudged |= object.finish_conditions();
            }
        }
    }
    side
}

fn decode<'n>(object: &Object<'n>, side: &mut Side<'n>) -> Option<EntityRule> {
    let nets = nets(object, "nets", side);
    let not_nets = self::nets(object, "notNets", side);
    let ports = ports(object, "ports", side);
    let not_ports = self::ports(object, "notPorts", side);
    let selector = optional_selector(object, "selector");
    let not_selector = optional_selector(object, "notSelector");
    let namespaces = object.read("namespaceSelector", |value| namespaces(value, side));
    refuse_services(object, side);
    let accounts = object.read("serviceAccounts", |value| accounts(value, side));
    Some(EntityRule {
        nets: nets?,
        not_nets: not_nets?,
        selector: both(both(namespaces?.flatten(), accounts?.flatten()), selector?),
        not_selector: not_selector?,
        ports: ports?,
        not_ports: not_ports?,
    })
}

/// A selector of what both select; an absent one selects everything.
fn both(one: Option<Arc<Selector>>, other: Option<Arc<Selector>>) -> Option<Arc<Selector>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Arc::new(one.and(&other))),
        (one, other) => one.or(other),
    }
}

/// RS-104, DS-315: about the service accounts of workloads; `Some(None)` if it cannot be judged.
fn accounts(value: &Value<'_>, side: &mut Side<'_>) -> Option<Option<Arc<Selector>>> {
    let (mut names, mut selector) = (Some(None), Some(None));
    if let Some(accounts) = value.object() {
        names = accounts.read("names", |value| value.distinct_texts(usize::MAX));
        selector = accounts.read("selector", self::selector);
        accounts.finish();
    }
    if !value.knows_workloads() {
        side.is_unjudged = true;
        unjudged::report(
            value,
            "a host has no service accounts, and without this condition the rule would match more",
            "select addresses by nets or selector instead",
        );
        return Some(None);
    }
    let marker = SERVICE_ACCOUNT.marker;
    let names = names?.unwrap_or_default();
    let names = names.iter().map(|(_, name)| (*name).to_owned());
    let named = Selector::one_of(marker, names.collect());
    let selector = selector?.map(|about| Arc::new(about.moved(SERVICE_ACCOUNT.prefix, marker)));
    Some(both(named.map(Arc::new), selector))
}

/// A selector, `Some(None)` if it is absent or empty, `None` if it has a problem.
fn optional_selector(object: &Object<'_>, key: &'static str) -> Option<Option<Arc<Selector>>> {
    match object.optional(key) {
        Some(value) if value.scalar().is_none_or(|scalar| !scalar.text.is_empty()) => {
            selector(&value).map(Some)
        }
        _ => Some(None),
    }
}

fn nets<'n>(object: &Object<'n>, key: &'static str, side: &mut Side<'n>) -> Option<Vec<IpNetwork>> {
    let Some(list) = object.optional(key) else {
        return Some(Vec::new());
    };
    list.warn_if_longer(MAX_NETS);
    let items = list.texts()?;
    let mut nets = Vec::with_capacity(items.len());
    for (item, _) in &items {
        let Some(net) = rule_net(item) else { continue };
        if key == "notNets" && net.prefix() == 0 {
            item.error::<()>(
                Code::Cidr,
                "excludes every address, so the rule would match nothing",
                "write the networks to exclude",
            );
        }
        nets.push(net);
        // One that no packet has is of neither family (RS-304).
        if !is_mapped(net) {
            side.nets.push((item.clone(), net));
        }
    }
    (nets.len() == items.len()).then_some(nets)
}

fn ports<'n>(
    object: &Object<'n>,
    key: &'static str,
    side: &mut Side<'n>,
) -> Option<Vec<PortMatch>> {
    let Some(value) = object.optional(key) else {
        return Some(Vec::new());
    };
    value.warn_if_longer(MAX_PORTS);
    let items: Vec<Value<'_>> = value.items()?.collect();
    let mut ports: Vec<PortMatch> = Vec::with_capacity(items.len());
    let mut known = HashSet::with_capacity(items.len());
    let mut is_whole = true;
    for item in &items {
        match port_match(item) {
            Some(port) if !known.insert(port.clone()) => item.notice_repeat(),
            Some(port) => ports.push(port),
            None => is_whole = false,
        }
    }
    if !items.is_empty() {
        let numeric = ports.iter().any(|port| matches!(port, PortMatch::Range(_)));
        side.port_lists.push(PortList { value, numeric });
    }
    is_whole.then_some(ports)
}

/// RS-102, RS-103: about the labels that Calico keeps of namespaces; `Some(None)` if empty, or if it cannot
/// be judged.
fn namespaces(value: &Value<'_>, side: &mut Side<'_>) -> Option<Option<Arc<Selector>>> {
    let selector = namespace_selector(value)?;
    match &selector {
        Some(about)
            if value.is_stored() && !value.knows_workloads() && !about.matches_unlabelled() =>
        {
            side.is_unjudged = true;
            unjudged::report(value, "", "");
            Some(None)
        }
        Some(_) | None => Some(selector),
    }
}

/// The selector about the labels that Calico keeps of namespaces.
fn namespace_selector(value: &Value<'_>) -> Option<Option<Arc<Selector>>> {
    let text = value.text()?;
    if text.is_empty() {
        return Some(None);
    }
    let selector = parse_selector(value, text)?;
    if selector.uses_global() && selector.canonical() != "global()" {
        return value.error(
            Code::Selector,
            "global() cannot be combined with anything else",
            "write global() alone",
        );
    }
    Some(Some(Arc::new(
        selector.moved(NAMESPACE.prefix, NAMESPACE.marker),
    )))
}

/// RS-098, RS-100, RS-105.
fn refuse_services(object: &Object<'_>, side: &mut Side<'_>) {
    let Some(value) = object.optional("services") else {
        return;
    };
    if let Some(services) = value.object() {
        if let Some(name) = services.required("name", "write the service's name") {
            NameRule::Subdomain.read(&name);
        }
        if let Some(namespace) = services.required("namespace", "write the service's namespace") {
            NameRule::Subdomain.read(&namespace);
        }
        services.finish();
    }
    side.is_unjudged = true;
    unjudged::report(
        &value,
        "a host has no Kubernetes services, and without this condition the rule would match more",
        "write the service's nets and ports instead",
    );
}
