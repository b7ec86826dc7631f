//! Defaults that a client sets when it writes (spec DS-080, DS-085, DS-094, DS-096, DS-097).

use serde_json::{Map, Value, json};

use crate::{model::Kind, store::objects::object_of};

/// Label with a policy's tier.
const TIER: &str = "projectcalico.org/tier";
/// The tier of policies that name none.
pub(super) const DEFAULT_TIER: &str = "default";

/// Sets what is not set.
pub(super) fn apply(kind: Kind, resource: &mut Value) {
    let Some(resource) = resource.as_object_mut() else {
        return;
    };
    let spec = object_of(resource, "spec");
    if kind == Kind::Tier {
        spec.entry("order").or_insert_with(|| json!(1_000_000));
        spec.entry("defaultAction").or_insert_with(|| json!("Deny"));
    }
    if kind == Kind::FelixConfiguration {
        felix(spec);
    }
    if kind == Kind::KubeControllersConfiguration {
        spec.entry("healthChecks")
            .or_insert_with(|| json!("Enabled"));
    }
    let is_policy = matches!(
        kind,
        Kind::GlobalNetworkPolicy
            | Kind::StagedGlobalNetworkPolicy
            | Kind::NetworkPolicy
            | Kind::StagedNetworkPolicy
    );
    if is_policy {
        policy(kind, resource);
    }
}

fn policy(kind: Kind, policy: &mut Map<String, Value>) {
    let spec = object_of(policy, "spec");
    if matches!(
        kind,
        Kind::StagedGlobalNetworkPolicy | Kind::StagedNetworkPolicy
    ) {
        spec.entry("stagedAction").or_insert_with(|| json!("Set"));
    }
    let is_empty = |field: Option<&Value>| match field {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if is_empty(spec.get("tier")) {
        spec.insert("tier".to_owned(), json!(DEFAULT_TIER));
    }
    let is_deletion = spec.get("stagedAction") == Some(&json!("Delete"));
    if is_empty(spec.get("types")) {
        spec.remove("types");
        let (ingress, egress) = (
            !is_empty(spec.get("ingress")),
            !is_empty(spec.get("egress")),
        );
        let types = match (ingress, egress) {
            (_, false) => json!(["Ingress"]),
            (false, true) => json!(["Egress"]),
            (true, true) => json!(["Ingress", "Egress"]),
        };
        if !is_deletion {
            spec.insert("types".to_owned(), types);
        }
    }
    let tier = spec["tier"].clone();
    let metadata = object_of(policy, "metadata");
    object_of(metadata, "labels").insert(TIER.to_owned(), tier);
}

fn felix(spec: &mut Map<String, Value>) {
    let legacy = spec.get("bpfConnectTimeLoadBalancingEnabled");
    let (balancing, without) = match legacy.and_then(Value::as_bool) {
        None => ("TCP", "Enabled"),
        Some(true) => ("Enabled", "Disabled"),
        Some(false) => ("Disabled", "Disabled"),
    };
    for (field, value) in [
        ("floatingIPs", "Disabled"),
        ("bpfConnectTimeLoadBalancing", balancing),
        ("bpfHostNetworkedNATWithoutCTLB", without),
        ("nftablesMode", "Auto"),
        ("bpfLogLevel", ""),
    ] {
        spec.entry(field).or_insert_with(|| json!(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-094, DS-096, DS-080.
    #[test]
    fn types_follow_from_the_rules() {
        let types = |spec: Value| {
            let mut policy = json!({"metadata": {"name": "p"}, "spec": spec});
            apply(Kind::StagedGlobalNetworkPolicy, &mut policy);
            assert_eq!(policy["metadata"]["labels"][TIER], "default");
            policy["spec"]["types"].clone()
        };
        let rules = json!([{"action": "Allow"}]);
        assert_eq!(types(json!({})), json!(["Ingress"]));
        assert_eq!(types(json!({"egress": []})), json!(["Ingress"]));
        assert_eq!(types(json!({"egress": rules})), json!(["Egress"]));
        let both = json!({"egress": rules, "ingress": rules});
        assert_eq!(types(both), json!(["Ingress", "Egress"]));
        assert_eq!(types(json!({"stagedAction": "Delete"})), Value::Null);
        assert_eq!(types(json!({"types": ["Egress"]})), json!(["Egress"]));
    }

    /// Spec DS-097, EX-14.
    #[test]
    fn a_felix_configuration_has_what_calico_adds() {
        let mut felix = json!({"spec": {"logSeverityScreen": "Warning"}});
        apply(Kind::FelixConfiguration, &mut felix);
        assert_eq!(
            felix["spec"],
            json!({
                "logSeverityScreen": "Warning", "floatingIPs": "Disabled", "nftablesMode": "Auto",
                "bpfConnectTimeLoadBalancing": "TCP", "bpfHostNetworkedNATWithoutCTLB": "Enabled",
                "bpfLogLevel": "",
            })
        );
        let mut felix = json!({"spec": {"bpfConnectTimeLoadBalancingEnabled": false}});
        apply(Kind::FelixConfiguration, &mut felix);
        assert_eq!(felix["spec"]["bpfHostNetworkedNATWithoutCTLB"], "Disabled");
    }
}
