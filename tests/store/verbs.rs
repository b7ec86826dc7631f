//! The verbs, in etcd and in a directory: exit codes, messages, stored values and output.

use std::{fs, path::Path, process::Command};

use hep_tests::{
    hep::{self, Output},
    server::etcd::{EtcdOptions, EtcdServer, EtcdVersion},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const RESOURCES: &str = "/calico/resources/v3/projectcalico.org/";

const POLICY: &str = "\
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: allow-ssh}
spec:
  order: 100
  selector: role == 'web' && env == 'prod'
  ingress:
  - {action: Allow, protocol: TCP, source: {nets: [10.0.0.0/8]}, destination: {ports: [22]}}
";

const ENDPOINT: &str = "\
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: web1-eth0, labels: {role: web}}
spec: {node: web1, interfaceName: eth0}
";

/// A place for files, and the store that `hep` uses.
struct Place {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    fn new(variables: Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, variables }
    }

    fn etcd(server: &EtcdServer) -> Self {
        Self::new(vec![("ETCD_ENDPOINTS", server.endpoints().join(","))])
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn hep(&self, line: &[&str]) -> Output {
        let mut command = Command::new(hep::binary());
        command.current_dir(self.path()).args(line);
        for name in [
            "DATASTORE_TYPE",
            "ETCD_ENDPOINTS",
            "KUBECONFIG",
            "HEP_POLICY_DIR",
        ] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Output::by(&mut command)
    }
}

fn etcd() -> EtcdServer {
    EtcdServer::start(&EtcdOptions::new(EtcdVersion::V3_4))
}

fn stored(server: &EtcdServer, name: &str) -> Value {
    let text = server.get(&format!("{RESOURCES}{name}"));
    serde_json::from_str(&text.expect("it is stored")).expect("it is JSON")
}

/// Spec EX-02, EX-03, EX-11, DS-020, DS-088, DS-090.
#[test]
fn the_first_write_initialises_and_stores_what_calicoctl_would() {
    let server = etcd();
    let place = Place::etcd(&server);
    place.file("p.yaml", POLICY);
    let created = place.hep(&["create", "-f", "p.yaml"]).exits(0);
    assert_eq!(
        created.stdout,
        "Successfully created 1 'GlobalNetworkPolicy' resource(s)\n"
    );
    let mut policy = stored(&server, "globalnetworkpolicies/allow-ssh");
    for generated in ["uid", "creationTimestamp"] {
        assert!(
            policy["metadata"][generated].take().is_string(),
            "{generated}"
        );
    }
    assert_eq!(
        policy,
        json!({
            "kind": "GlobalNetworkPolicy", "apiVersion": "projectcalico.org/v3",
            "metadata": {
                "name": "allow-ssh", "uid": null, "creationTimestamp": null,
                "labels": {"projectcalico.org/tier": "default"},
                "annotations": {"projectcalico.org/metadata": "{\"name\":\"allow-ssh\"}"},
            },
            "spec": {
                "tier": "default", "order": 100, "selector": "role == 'web' && env == 'prod'", "types": ["Ingress"],
                "ingress": [{
                    "action": "Allow", "protocol": "TCP", "source": {"nets": ["10.0.0.0/8"]},
                    "destination": {"ports": [22]},
                }],
            },
        })
    );
    let cluster = stored(&server, "clusterinformations/default");
    assert_eq!(cluster["spec"]["datastoreReady"], true);
    assert_eq!(cluster["spec"].get("calicoVersion"), None);
    assert_eq!(stored(&server, "tiers/kube-admin")["spec"]["order"], 1000);
    let shown = place
        .hep(&["get", "gnp", "allow-ssh", "-o", "yaml"])
        .exits(0);
    assert!(
        shown
            .stdout
            .contains("  labels:\n    projectcalico.org/tier: default\n  name: allow-ssh\n")
    );
    assert!(!shown.stdout.contains("annotations"), "{}", shown.stdout);
    let table = place.hep(&["get", "gnp", "-o", "wide"]).exits(0).stdout;
    assert_eq!(
        table,
        "NAME        TIER      ORDER   SELECTOR                         \n\
         allow-ssh   default   100     role == 'web' && env == 'prod'   \n\n"
    );
}

/// Spec EX-12, EX-13, EX-27, DS-192, DS-205.
#[test]
fn a_stale_revision_is_a_conflict_and_nothing_is_written() {
    let server = etcd();
    let place = Place::etcd(&server);
    place.file("h.yaml", ENDPOINT);
    drop(place.hep(&["apply", "-f", "h.yaml"]).exits(0));
    let key = format!("{RESOURCES}hostendpoints/web1-eth0");
    let former = server.modified(&key);
    place.file(
        "old.yaml",
        &ENDPOINT.replace("{name:", "{resourceVersion: \"1\", name:"),
    );
    let replaced = place.hep(&["replace", "-f", "old.yaml"]).exits(1);
    assert_eq!(replaced.stdout, "");
    assert_eq!(
        replaced.stderr,
        "failed to replace 'HostEndpoint' resource: [update conflict: HostEndpoint(web1-eth0)]\n"
    );
    assert_eq!(server.modified(&key), former);
    let gone = place.hep(&["delete", "hep", "gone"]).exits(1);
    let text = "resource does not exist: HostEndpoint(gone) with error: <nil>";
    assert_eq!(
        gone.stderr,
        format!("Failed to delete 'HostEndpoint' resource: {text}\n\n")
    );
}

/// Spec EX-26, EX-28, DS-203, DS-204, DS-206.
#[test]
fn what_fails_does_not_keep_the_rest_from_being_written() {
    let server = etcd();
    let place = Place::etcd(&server);
    let policy = |name: &str, tier: &str| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: {name}}}\n\
             spec: {{tier: {tier}}}\n"
        )
    };
    let three = [
        policy("a", "default"),
        policy("b", "nope"),
        policy("c", "default"),
    ];
    place.file("three.yaml", &three.join("---\n"));
    let applied = place.hep(&["apply", "-f", "three.yaml"]).exits(1);
    assert_eq!(
        applied.stdout,
        "Partial success: applied the first 2 out of 3 'GlobalNetworkPolicy' resources:\n"
    );
    assert_eq!(
        applied.stderr,
        "hit error(s): [resource does not exist: Tier(nope) with error: <nil>]\n"
    );
    let skipped = place.hep(&["delete", "gnp", "a", "b", "-s"]).exits(0);
    assert_eq!(
        skipped.stdout,
        "Successfully deleted 2 'GlobalNetworkPolicy' resource(s)\n"
    );
}

/// Spec EX-06, DS-078, DS-079, DS-218.
#[test]
fn policies_of_older_versions_get_their_own_names() {
    let server = etcd();
    let place = Place::etcd(&server);
    let key = format!("{RESOURCES}globalnetworkpolicies/default.legacy");
    server.put(
        &key,
        r#"{"kind":"GlobalNetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"default.legacy","uid":"00000000-0000-4000-8000-000000000003","creationTimestamp":"2024-03-01T08:00:00Z","annotations":{"projectcalico.org/metadata":"{\"name\":\"legacy\"}"}},"spec":{"tier":"default","selector":"all()","types":["Ingress"]}}"#,
    );
    server.put(
        &format!("{RESOURCES}tiers/default"),
        r#"{"kind":"Tier","apiVersion":"projectcalico.org/v3","metadata":{"name":"default"},"spec":{},"status":{}}"#,
    );
    let patch = [
        "patch",
        "gnp",
        "default.legacy",
        "-p",
        r#"{"spec":{"order":20}}"#,
    ];
    drop(place.hep(&patch).exits(1).says("migrate-policy-names"));
    let migrated = place
        .hep(&["datastore", "migrate", "migrate-policy-names"])
        .exits(0);
    assert_eq!(
        migrated.stdout,
        "Policy name migration complete, migrated 1 policies.\n"
    );
    assert_eq!(server.get(&key), None);
    let policy = stored(&server, "globalnetworkpolicies/legacy");
    assert_eq!(policy["metadata"]["name"], "legacy");
    drop(
        place
            .hep(&["patch", "gnp", "legacy", "-p", r#"{"spec":{"order":20}}"#])
            .exits(0),
    );
}

/// Spec DS-216, DS-217.
#[test]
fn exported_content_is_the_same_in_another_store() {
    let server = etcd();
    let place = Place::etcd(&server);
    place.file("all.yaml", &format!("{POLICY}---\n{ENDPOINT}"));
    drop(place.hep(&["apply", "-f", "all.yaml"]).exits(0));
    drop(
        place
            .hep(&["datastore", "migrate", "export"])
            .exits(1)
            .says("not locked"),
    );
    drop(place.hep(&["datastore", "migrate", "lock"]).exits(0));
    let exported = place
        .hep(&["datastore", "migrate", "export"])
        .exits(0)
        .stdout;
    place.file("export.yaml", &exported);
    let other = etcd();
    let target = Place::etcd(&other);
    target.file("export.yaml", &exported);
    let import = ["datastore", "migrate", "import", "-f", "export.yaml"];
    drop(target.hep(&import).exits(0).says("Imported"));
    drop(target.hep(&import).exits(1).says("not empty"));
    let shown = |place: &Place| {
        place
            .hep(&["get", "gnp", "allow-ssh", "-o", "json", "--export"])
            .exits(0)
            .stdout
    };
    assert_eq!(shown(&target), shown(&place));
    assert_eq!(
        stored(&other, "clusterinformations/default")["spec"]["datastoreReady"],
        false
    );
}

/// Spec DS-191, DS-199; a directory as a store.
#[test]
fn a_directory_keeps_every_byte_that_is_not_written() {
    let place = Place::new(Vec::new());
    fs::create_dir(place.path().join("d")).expect("a directory");
    place.file(
        "d/web.yaml",
        &format!("# web\n{ENDPOINT}--- # ssh\n# ours\n{POLICY}"),
    );
    let here = |line: &[&str]| place.hep(&[line, &["--policy-dir", "d"]].concat());
    drop(here(&["label", "hep", "web1-eth0", "role=db", "--overwrite"]).exits(0));
    let text = fs::read_to_string(place.path().join("d/web.yaml")).expect("it is there");
    let (first, second) = text.split_once("--- # ssh\n").expect("two documents");
    assert_eq!(second, format!("# ours\n{POLICY}"));
    assert!(
        first.starts_with("# web\n") && first.contains("role: db"),
        "{first}"
    );
    place.file("set.yaml", "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: s}\nspec: {nets: [192.0.2.1]}\n");
    drop(here(&["apply", "-f", "set.yaml"]).exits(0));
    assert!(place.path().join("d/globalnetworkset-s.yaml").exists());
    place.file(
        "bad.yaml",
        &POLICY
            .replace("allow-ssh", "other")
            .replace("order: 100", "order: 100\n  tier: nope"),
    );
    drop(here(&["apply", "-f", "bad.yaml"]).exits(1).says("nope"));
    assert_eq!(
        here(&["get", "gnp"]).exits(0).stdout,
        "NAME        TIER      \nallow-ssh   default   \n\n"
    );
    drop(here(&["delete", "gnp", "allow-ssh"]).exits(0));
    assert_eq!(
        fs::read_to_string(place.path().join("d/web.yaml")).expect("it is there"),
        first
    );
}

/// Spec DS-172, DS-176, DS-181, DS-187, DS-201.
#[test]
fn wrong_words_are_refused_with_the_exit_code_of_calicoctl() {
    let place = Place::new(Vec::new());
    fs::create_dir(place.path().join("d")).expect("a directory");
    place.file("empty.yaml", "");
    let here = |line: &[&str]| place.hep(&[line, &["--policy-dir", "d"]].concat());
    drop(
        here(&["get", "hostendpointz"])
            .exits(1)
            .says("resource type 'hostendpointz' is not supported"),
    );
    drop(here(&["get", "hep", "-o", "xml"]).exits(1).says("xml"));
    drop(
        here(&["get", "hep", "-n", "x"])
            .exits(1)
            .says("HostEndpoint is not namespaced"),
    );
    drop(here(&["create"]).exits(1));
    drop(here(&["apply", "--nosuch"]).exits(1));
    drop(
        here(&["apply", "-f", "empty.yaml"])
            .exits(1)
            .says("no resources specified in file empty.yaml"),
    );
    drop(
        here(&["apply", "-f", "empty.yaml", "--skip-empty"])
            .exits(0)
            .says("No resources specified"),
    );
    let missing = place.hep(&["get", "hep", "--config", "none.cfg"]).exits(1);
    assert_eq!(missing.stdout, "Error reading config file: none.cfg\n");
}
