//! Single reads and writes in the API server, in both groups.

use hep_tests::server::{
    kubectl::ApiGroup,
    kubernetes::{Account, ApiServer},
};
use hep_userspace::{
    model::{Kind, ResourceId},
    store::{
        config::KubernetesConfig,
        kubernetes::KubernetesClient,
        objects::{Client as _, ClientError, Object},
    },
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::kubernetes_support::{config, resource, runtime};

/// One valid object of each kind, and another spec for it.
fn objects() -> [(Kind, &'static str, Value, Value); 8] {
    let policy = json!({"tier": "default", "order": 10, "selector": "all()", "types": ["Ingress"]});
    let staged = json!({"tier": "default", "stagedAction": "Set", "types": ["Egress"]});
    let endpoint = |name: &str| json!({"node": "web1", "interfaceName": name});
    let controllers = |period: &str| json!({"controllers": {"node": {"leakGracePeriod": period}}});
    [
        (Kind::Tier, "x", json!({"order": 5}), json!({"order": 6})),
        (
            Kind::GlobalNetworkPolicy,
            "x",
            policy,
            json!({"tier": "default", "types": ["Egress"]}),
        ),
        (
            Kind::StagedGlobalNetworkPolicy,
            "x",
            staged,
            json!({"tier": "default"}),
        ),
        (
            Kind::GlobalNetworkSet,
            "x",
            json!({"nets": ["192.0.2.0/24"]}),
            json!({"nets": []}),
        ),
        (Kind::HostEndpoint, "x", endpoint("eth0"), endpoint("eth1")),
        (
            Kind::FelixConfiguration,
            "default",
            json!({"logSeverityScreen": "Info"}),
            json!({}),
        ),
        (
            Kind::KubeControllersConfiguration,
            "default",
            controllers("15m"),
            controllers("5m"),
        ),
        (
            Kind::ClusterInformation,
            "default",
            json!({"datastoreReady": true}),
            json!({"datastoreReady": false}),
        ),
    ]
}

/// A client of each group, each of a server of its own.
fn each(test: impl Fn(&ApiServer, &Runtime, &KubernetesClient)) {
    for group in ApiGroup::ALL {
        let server = ApiServer::start();
        server.install_kinds(group);
        let runtime = runtime();
        let client = runtime.block_on(KubernetesClient::connect(&config(&server)));
        let client = client.expect("the server is there");
        assert_eq!(client.group().version(), group.version());
        test(&server, &runtime, &client);
    }
}

fn missing<T>(found: Result<T, ClientError>) -> bool {
    matches!(found, Err(ClientError::DoesNotExist { .. }))
}

/// DS-105, DS-114, DS-136 to DS-141: what is written is read, and only what is as the writer saw it is
/// replaced or deleted.
#[test]
fn each_kind_is_created_read_replaced_and_deleted_in_both_groups() {
    each(|_server, runtime, client| {
        runtime.block_on(async {
            for (kind, name, spec, other) in objects() {
                let id = ResourceId::global(kind, name);
                let made = client.create(&resource(kind, name, spec.clone())).await;
                let made = made.expect("it is new");
                assert_eq!(made.value["metadata"]["labels"]["mine"], "yes", "{kind}");
                let again = client.create(&resource(kind, name, spec)).await;
                assert!(
                    matches!(again, Err(ClientError::AlreadyExists { .. })),
                    "{kind}"
                );
                assert_eq!(client.get(&id, None).await.as_ref(), Ok(&made));
                let listed = client.list(kind, None).await.expect("it is served");
                assert!(listed.objects.contains(&made), "{kind}");
                replace_and_delete(client, &made, other).await;
            }
        });
    });
}

async fn replace_and_delete(client: &KubernetesClient, made: &Object, spec: Value) {
    let id = &made.id;
    let conflict = Err(ClientError::Conflict(id.clone()));
    let mut value = made.value.clone();
    value["spec"] = spec;
    let replaced = client.update(&value).await.expect("it is as it was seen");
    assert_ne!(replaced.revision, made.revision);
    assert_eq!(client.update(&value).await, conflict);
    let stale = client.delete(id, Some(&made.revision), None).await;
    assert_eq!(stale, conflict);
    let foreign = "88888888-4444-43cc-8422-aaaa6666eeee";
    assert_eq!(client.delete(id, None, Some(foreign)).await, conflict);
    let uid = replaced.metadata("uid");
    let deleted = client.delete(id, Some(&replaced.revision), uid).await;
    assert_eq!(deleted, Ok(replaced.clone()));
    assert!(missing(client.delete(id, None, None).await));
    assert!(missing(client.update(&value).await));
    assert!(missing(client.get(id, None).await));
}

/// DS-122, DS-307: an update keeps finalizers of the custom resource and fields that this build does not
/// know.
#[test]
fn an_update_keeps_finalizers_and_unknown_fields() {
    each(|server, runtime, client| {
        let version = client.group().version();
        server.apply(&format!(
            "apiVersion: {version}\nkind: GlobalNetworkSet\nmetadata: {{name: s, finalizers: [example.com/f], \
             labels: {{a: b}}}}\nspec: {{nets: [], newer: {{x: 1}}}}\n"
        ));
        let id = ResourceId::global(Kind::GlobalNetworkSet, "s");
        runtime.block_on(async {
            // Twice: only after the first is the metadata in an annotation.
            for order in ["1", "2"] {
                let mut value = client.get(&id, None).await.expect("it is there").value;
                value["metadata"]["labels"]["order"] = order.into();
                client.update(&value).await.expect("it can be replaced");
            }
        });
        let plural = format!("globalnetworksets.{}", client.group().name());
        let stored = server.get(&plural, "s").expect("it is there");
        assert_eq!(stored["metadata"]["finalizers"], json!(["example.com/f"]));
        assert_eq!(stored["spec"]["newer"], json!({"x": 1}));
        let shown = runtime
            .block_on(client.get(&id, None))
            .expect("it is there");
        let labels = json!({"a": "b", "order": "2"});
        assert_eq!(shown.value["metadata"]["labels"], labels);
    });
}

/// DS-142: lists are read in pages of 500, and lose nothing between them.
#[test]
fn a_list_is_read_in_pages() {
    each(|server, runtime, client| {
        let version = client.group().version();
        let sets = (0..1203).map(|number| {
            format!(
                "---\napiVersion: {version}\nkind: GlobalNetworkSet\nmetadata: {{name: s{number}}}\nspec: {{}}\n"
            )
        });
        server.apply(&sets.collect::<String>());
        let listed = runtime.block_on(client.list(Kind::GlobalNetworkSet, None));
        let listed = listed.expect("it is served");
        assert_eq!(listed.objects.len(), 1203);
        assert!(!listed.revision.is_empty());
    });
}

/// DS-151 to DS-160: nodes and profiles are what Kubernetes' own objects make them.
#[test]
fn nodes_and_profiles_are_computed() {
    each(|server, runtime, client| {
        server.apply(
            "apiVersion: v1\nkind: Node\nmetadata: {name: web1, labels: {rack: r7}, annotations: \
             {projectcalico.org/IPv4Address: 192.0.2.10/24}}\n---\n\
             apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ci, namespace: default}\n",
        );
        runtime.block_on(async {
            let id = ResourceId::global(Kind::Node, "web1");
            let node = client.get(&id, None).await.expect("it is there");
            assert_eq!(node.value["spec"]["bgp"]["ipv4Address"], "192.0.2.10/24");
            let mut value = node.value.clone();
            value["metadata"]["labels"]["zone"] = "z1".into();
            let changed = client.update(&value).await.expect("it can be changed");
            assert_eq!(
                changed.value["metadata"]["labels"],
                json!({"rack": "r7", "zone": "z1"})
            );
            let text = "operation Create is not supported on Node(web1)";
            let refused = client
                .create(&node.value)
                .await
                .expect_err("nodes are not made here");
            assert_eq!(refused.to_string(), text);
            let profiles = client
                .list(Kind::Profile, None)
                .await
                .expect("they are there");
            let names = profiles.objects.iter().map(|it| &*it.id.name);
            let names = names.collect::<Vec<_>>();
            assert!(
                names.contains(&"kns.default") && names.contains(&"ksa.default.ci"),
                "{names:?}"
            );
            let (namespaces, accounts) = profiles.revision.split_once('/').expect("two revisions");
            assert!(!namespaces.is_empty() && !accounts.is_empty());
            let refused = client
                .update(&resource(Kind::Profile, "kns.default", json!({})))
                .await;
            assert!(matches!(refused, Err(ClientError::NotSupported { .. })));
        });
    });
}

/// DS-106, DS-140, DS-144: what is missing is named as what it is.
#[test]
fn missing_definitions_and_permissions_are_no_missing_objects() {
    let server = ApiServer::start();
    let runtime = runtime();
    let neither = runtime.block_on(KubernetesClient::connect(&config(&server)));
    let neither = neither.err().expect("there is no group").to_string();
    assert!(neither.contains("CRDs are not installed"), "{neither}");
    let forced = KubernetesConfig {
        api_group: Some("projectcalico.org/V3".to_owned()),
        ..config(&server)
    };
    let client = runtime.block_on(KubernetesClient::connect(&forced));
    let client = client.expect("nothing is asked for");
    let listed = runtime.block_on(client.list(Kind::Tier, None));
    assert_eq!(listed, Err(ClientError::NotServed(Kind::Tier)));
    server.install_kinds(ApiGroup::V3);
    let agent = KubernetesConfig {
        kubeconfig: vec![server.kubeconfig(Account::Agent)],
        ..forced
    };
    let client = runtime.block_on(KubernetesClient::connect(&agent));
    let client = client.expect("nothing is asked for");
    let listed = runtime.block_on(client.list(Kind::Tier, None));
    assert!(
        matches!(listed, Err(ClientError::Unauthorized(_))),
        "{listed:?}"
    );
}

/// DS-254: a token that is not accepted is read again before anything is reported.
#[test]
fn a_token_that_was_replaced_is_read_again() {
    let server = ApiServer::start();
    server.install_kinds(ApiGroup::Crd);
    let token = server.scratch("token");
    std::fs::write(&token, "expired").expect("write a token");
    let text = std::fs::read_to_string(server.kubeconfig(Account::Administrator));
    let text = text.expect("read a kubeconfig").replace(
        &format!("token: '{}'", Account::Administrator.token()),
        &format!("tokenFile: '{}'", token.display()),
    );
    let path = server.scratch("rotating.kubeconfig");
    std::fs::write(&path, text).expect("write a kubeconfig");
    let config = KubernetesConfig {
        kubeconfig: vec![path],
        api_group: Some("crd.projectcalico.org/v1".to_owned()),
        ..KubernetesConfig::default()
    };
    let runtime = runtime();
    let client = runtime.block_on(KubernetesClient::connect(&config));
    let client = client.expect("nothing is asked for");
    let list = || runtime.block_on(client.list(Kind::Tier, None));
    assert!(matches!(list(), Err(ClientError::Unauthorized(_))));
    std::fs::write(&token, Account::Administrator.token()).expect("write a token");
    assert!(list().is_ok());
}
