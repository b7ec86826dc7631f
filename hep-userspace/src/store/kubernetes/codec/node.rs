//! Nodes: Calico's fields are annotations of the Node of Kubernetes (spec DS-151 to DS-156).

use std::{net::IpAddr, sync::Arc};

use ipnetwork::IpNetwork;
use serde_json::{Map, Value, json};

use super::fields::{Shown, VERSION, fields, text};
use crate::{
    model::{Kind, ResourceId},
    store::objects::object_of,
};

/// The start of the keys of all annotations here.
const PREFIX: &str = "projectcalico.org/";
/// The labels of the Node itself, which an update must not take over (spec DS-153).
const KUBE_LABELS: &str = "projectcalico.org/kube-labels";

/// The form of a text in an annotation; others are left out.
#[derive(Clone, Copy)]
enum Form {
    /// An address of the version, with or without a prefix.
    Address4,
    Address6,
    /// A network of the version, or an address as one.
    Network4,
    Network6,
    Mac,
    /// The number of an autonomous system, with or without a dot.
    Number,
    Text,
}

/// The annotations, each with the field that it is shown in.
const ANNOTATIONS: [(&str, &str, Form); 13] = [
    ("IPv4Address", "/spec/bgp/ipv4Address", Form::Address4),
    ("IPv6Address", "/spec/bgp/ipv6Address", Form::Address6),
    ("ASNumber", "/spec/bgp/asNumber", Form::Number),
    (
        "RouteReflectorClusterID",
        "/spec/bgp/routeReflectorClusterID",
        Form::Network4,
    ),
    (
        "IPv4IPIPTunnelAddr",
        "/spec/bgp/ipv4IPIPTunnelAddr",
        Form::Network4,
    ),
    (
        "IPv4VXLANTunnelAddr",
        "/spec/ipv4VXLANTunnelAddr",
        Form::Network4,
    ),
    ("VXLANTunnelMACAddr", "/spec/vxlanTunnelMACAddr", Form::Mac),
    (
        "IPv6VXLANTunnelAddr",
        "/spec/ipv6VXLANTunnelAddr",
        Form::Network6,
    ),
    (
        "VXLANTunnelMACAddrV6",
        "/spec/vxlanTunnelMACAddrV6",
        Form::Mac,
    ),
    (
        "IPv4WireguardInterfaceAddr",
        "/spec/wireguard/interfaceIPv4Address",
        Form::Network4,
    ),
    (
        "IPv6WireguardInterfaceAddr",
        "/spec/wireguard/interfaceIPv6Address",
        Form::Network6,
    ),
    (
        "WireguardPublicKey",
        "/status/wireguardPublicKey",
        Form::Text,
    ),
    (
        "WireguardPublicKeyV6",
        "/status/wireguardPublicKeyV6",
        Form::Text,
    ),
];

/// Calico's node of a Node of Kubernetes; `None` if it has no name.
pub(in crate::store::kubernetes) fn shown(node: &Value) -> Option<Shown> {
    let name = text(node, "/metadata/name")?;
    let revision = text(node, "/metadata/resourceVersion").unwrap_or_default();
    let mut value = json!({
        "apiVersion": VERSION, "kind": "Node", "metadata": metadata(node),
        "spec": {"orchRefs": [{"nodeName": name, "orchestrator": "k8s"}]}, "status": {},
    });
    for (key, pointer, form) in ANNOTATIONS {
        if let Some(found) = annotation(node, key).and_then(|text| form.value(text)) {
            *entry(&mut value, pointer) = found;
        }
    }
    let addresses = addresses(node, &value);
    if !addresses.is_empty() {
        value["spec"]["addresses"] = addresses.into();
    }
    if let Some(interfaces) = interfaces(node) {
        value["spec"]["interfaces"] = interfaces;
    }
    let networks = node.pointer("/spec/podCIDRs");
    if let Some(networks) = networks.filter(|it| it.as_array().is_some_and(|it| !it.is_empty())) {
        value["status"]["podCIDRs"] = networks.clone();
    }
    Some(Shown {
        id: ResourceId::global(Kind::Node, name),
        value,
        revision: Arc::from(revision),
        fault: None,
    })
}

/// The Node of Kubernetes with the fields of Calico's node; its own labels are left alone.
pub(in crate::store::kubernetes) fn merged(resource: &Value, mut node: Value) -> Value {
    let mut labels = map(resource.pointer("/metadata/labels"));
    let mut annotations = map(resource.pointer("/metadata/annotations"));
    let inherited = annotations.remove(KUBE_LABELS);
    for (key, value) in map(inherited.as_ref().and_then(json_in).as_ref()) {
        if labels.remove(&key).is_some_and(|wanted| wanted != value) {
            log::warn!(
                "the label {key} is the Kubernetes Node's own: its change is ignored; change it with kubectl"
            );
        }
    }
    let stored = object_of(object_of(fields(&mut node), "metadata"), "annotations");
    let mut store = |key: &str, text: Option<String>| {
        let key = format!("{PREFIX}{key}");
        match text {
            Some(text) => stored.insert(key, text.into()),
            None => stored.remove(&key),
        };
    };
    for (key, map) in [("labels", labels), ("annotations", annotations)] {
        store(key, (!map.is_empty()).then(|| Value::from(map).to_string()));
    }
    for (key, pointer, _) in ANNOTATIONS {
        let found = resource.pointer(pointer);
        let number = found
            .and_then(Value::as_u64)
            .map(|number| number.to_string());
        store(
            key,
            number.or_else(|| text(resource, pointer).map(str::to_owned)),
        );
    }
    let interfaces = resource
        .pointer("/spec/interfaces")
        .filter(|it| !it.is_null());
    store("Interfaces", interfaces.map(Value::to_string));
    node
}

fn metadata(node: &Value) -> Value {
    let mut metadata = Map::new();
    for field in ["name", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = node.pointer("/metadata").and_then(|it| it.get(field)) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let own = map(node.pointer("/metadata/labels"));
    let kept = |key: &str| {
        let text = annotation(node, key).map(Value::from);
        let map = map(text.as_ref().and_then(json_in).as_ref());
        // What is no map of strings is no labels at all.
        if map.values().all(Value::is_string) {
            map
        } else {
            Map::new()
        }
    };
    let mut annotations = kept("annotations");
    annotations.insert(
        KUBE_LABELS.to_owned(),
        Value::from(own.clone()).to_string().into(),
    );
    let mut labels = kept("labels");
    labels.extend(own);
    if !labels.is_empty() {
        metadata.insert("labels".to_owned(), labels.into());
    }
    metadata.insert("annotations".to_owned(), annotations.into());
    metadata.into()
}

/// The addresses: those of annotations, then those of the Node's status.
fn addresses(node: &Value, value: &Value) -> Vec<Value> {
    let calico = ["/spec/bgp/ipv4Address", "/spec/bgp/ipv6Address"];
    let calico = calico
        .into_iter()
        .filter_map(|pointer| text(value, pointer));
    let calico = calico.map(|address| json!({"address": address, "type": "CalicoNodeIP"}));
    let own = node.pointer("/status/addresses").and_then(Value::as_array);
    let own = own.into_iter().flatten().filter_map(|it| {
        let class =
            text(it, "/type").filter(|class| ["InternalIP", "ExternalIP"].contains(class))?;
        Some(json!({"address": text(it, "/address")?, "type": class}))
    });
    calico.chain(own).collect()
}

/// The interfaces in the annotation, without addresses that are none.
fn interfaces(node: &Value) -> Option<Value> {
    let mut interfaces: Value = serde_json::from_str(annotation(node, "Interfaces")?).ok()?;
    for interface in interfaces.as_array_mut()? {
        if let Some(addresses) = interface.get_mut("addresses").and_then(Value::as_array_mut) {
            let is_address =
                |it: &Value| it.as_str().is_some_and(|it| it.parse::<IpAddr>().is_ok());
            addresses.retain(is_address);
        }
    }
    Some(interfaces)
}

impl Form {
    /// The value of a text of this form.
    fn value(self, text: &str) -> Option<Value> {
        let network = || text.parse::<IpNetwork>().ok();
        let is_address = |is_v4: bool| network().is_some_and(|it| it.is_ipv4() == is_v4);
        let is_network = |is_v4: bool| {
            network().is_some_and(|it| it.is_ipv4() == is_v4 && it.network() == it.ip())
        };
        let is_valid = match self {
            Self::Address4 => is_address(true),
            Self::Address6 => is_address(false),
            Self::Network4 => is_network(true),
            Self::Network6 => is_network(false),
            Self::Mac => {
                let bytes = text.split([':', '-']);
                let is_byte = |it: &str| it.len() == 2 && u8::from_str_radix(it, 16).is_ok();
                bytes.clone().count() >= 6 && bytes.clone().all(is_byte)
            }
            Self::Number => return number(text).map(Value::from),
            Self::Text => !text.is_empty(),
        };
        is_valid.then(|| text.into())
    }
}

/// The number of an autonomous system: one number, or two of 16 bits with a dot.
fn number(text: &str) -> Option<u32> {
    match text.split_once('.') {
        None => text.parse().ok(),
        Some((high, low)) => {
            let [high, low]: [u16; 2] = [high.parse().ok()?, low.parse().ok()?];
            Some(u32::from(high) << 16 | u32::from(low))
        }
    }
}

fn annotation<'v>(node: &'v Value, key: &str) -> Option<&'v str> {
    let annotations = node.pointer("/metadata/annotations")?;
    let text = annotations.get(format!("{PREFIX}{key}"))?.as_str()?;
    (!text.is_empty()).then_some(text)
}

/// The value at a pointer, whose objects are made.
fn entry<'v>(value: &'v mut Value, pointer: &str) -> &'v mut Value {
    let mut found = value;
    for segment in pointer.split('/').skip(1) {
        found = fields(found).entry(segment).or_insert(Value::Null);
    }
    found
}

fn map(value: Option<&Value>) -> Map<String, Value> {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// The JSON in a text.
fn json_in(text: &Value) -> Option<Value> {
    serde_json::from_str(text.as_str()?).ok()
}

#[cfg(test)]
mod tests;
