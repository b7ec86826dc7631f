use std::{collections::HashMap, path::Path};

use super::*;

const HEAD: &str = "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\n";

/// Variables and files that are there.
#[derive(Default)]
struct World {
    variables: HashMap<String, String>,
    files: HashMap<String, String>,
}

impl World {
    fn new(variables: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            variables: variables.iter().map(pair).collect(),
            files: HashMap::new(),
        }
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    fn load(&self, wanted: &Wanted) -> Result<Option<Config>, String> {
        let environment = Environment {
            variable: &|name| self.variables.get(name).cloned(),
            file: &|path: &Path| {
                let text = self.files.get(path.to_str()?)?;
                Some(Ok(text.clone().into_bytes()))
            },
        };
        let kept = load(wanted, &environment).map_err(|error| error.to_string())?;
        Ok(kept.map(|kept| kept.config))
    }

    fn etcd(&self) -> EtcdConfig {
        match self.load(&Wanted::default()) {
            Ok(Some(Config::Etcd(etcd))) => etcd,
            other => panic!("no etcd: {other:?}"),
        }
    }

    fn kubernetes(&self, wanted: &Wanted) -> KubernetesConfig {
        match self.load(wanted) {
            Ok(Some(Config::Kubernetes(kubernetes))) => kubernetes,
            other => panic!("no Kubernetes: {other:?}"),
        }
    }

    fn error(&self) -> String {
        self.load(&Wanted::default()).expect_err("it is wrong")
    }
}

fn calicoctl(spec: &str) -> World {
    World::default().file("/etc/calico/calicoctl.cfg", &format!("{HEAD}spec:\n{spec}"))
}

/// Spec EX-38, DS-003, DS-006, DS-009, DS-010.
#[test]
fn the_file_goes_before_the_environment_and_prefixed_variables_before_plain_ones() {
    let both = calicoctl("  datastoreType: etcdv3\n  etcdEndpoints: http://e1:2379\n");
    let both = World {
        variables: World::new(&[("DATASTORE_TYPE", "kubernetes")]).variables,
        ..both
    };
    assert_eq!(both.etcd().endpoints, ["http://e1:2379"]);
    let world = World::new(&[("ETCD_ENDPOINTS", "http://e2")]);
    assert_eq!(world.etcd().endpoints, ["http://e2"]);
    let world = World::new(&[
        ("CALICO_ETCD_ENDPOINTS", "http://e3,https://e4"),
        ("ETCD_ENDPOINTS", "http://e2"),
    ]);
    assert_eq!(world.etcd().endpoints, ["http://e3", "https://e4"]);
    let nothing = World::default();
    assert_eq!(nothing.load(&Wanted::default()), Ok(None));
    let wanted = Wanted {
        datastore: Some("kubernetes".to_owned()),
        ..Wanted::default()
    };
    assert_eq!(nothing.kubernetes(&wanted), KubernetesConfig::default());
    let discovery = World::new(&[("ETCD_DISCOVERY_SRV", "d")]);
    discovery.kubernetes(&Wanted::default());
    let hidden = World::new(&[
        ("CALICO_ETCD_ENDPOINTS", ""),
        ("ETCD_ENDPOINTS", "http://e2"),
        ("DATASTORE_TYPE", "etcdv3"),
    ]);
    assert_eq!(
        hidden.error(),
        "CALICO_ETCD_ENDPOINTS: no etcd endpoints specified"
    );
}

/// Spec DS-010, DS-012, DS-013, DS-008.
#[test]
fn kubeconfigs_are_listed_once_and_a_context_from_the_command_line_counts() {
    let home = World::new(&[("HOME", "/h"), ("DATASTORE_TYPE", "kubernetes")]);
    let home = home.file("/h/.kube/config", "");
    assert_eq!(
        home.kubernetes(&Wanted::default()).kubeconfig,
        [Path::new("/h/.kube/config")]
    );
    let listed = World::new(&[
        ("HOME", "/h"),
        ("KUBECONFIG", "/a:/b:/a"),
        ("K8S_CURRENT_CONTEXT", "x"),
        ("CALICO_K8SAPITOKEN", "t"),
        ("K8S_API_TOKEN", "u"),
        ("K8S_INSECURE_SKIP_TLS_VERIFY", "T"),
    ]);
    let config = listed.kubernetes(&Wanted::default());
    assert_eq!(config.kubeconfig, [Path::new("/a"), Path::new("/b")]);
    assert_eq!(config.context.as_deref(), Some("x"));
    assert_eq!(config.token.as_deref(), Some("t"));
    assert!(config.skips_verification);
    let wanted = Wanted {
        context: Some("y".to_owned()),
        ..Wanted::default()
    };
    assert_eq!(listed.kubernetes(&wanted).context.as_deref(), Some("y"));
    let file = calicoctl("  kubeconfig: /c\n  k8sCurrentContext: z\n");
    assert_eq!(file.kubernetes(&wanted).context.as_deref(), Some("y"));
}

/// Spec DS-001, DS-002, DS-007, DS-014, DS-017.
#[test]
fn wrong_settings_are_named_with_their_place() {
    let etcd = ("ETCD_ENDPOINTS", "http://e");
    for (variables, error) in [
        (
            vec![("DATASTORE_TYPE", "Etcdv3")],
            "DATASTORE_TYPE: unknown datastore type: Etcdv3",
        ),
        (
            vec![etcd, ("K8S_CLIENT_QPS", "")],
            "K8S_CLIENT_QPS: \"\" is not a number",
        ),
        (
            vec![etcd, ("CALICO_USE_POD_CIDR", "yes")],
            "CALICO_USE_POD_CIDR: \"yes\" is not true or false",
        ),
        (
            vec![("DATASTORE_TYPE", "etcdv3")],
            "no etcd endpoints specified",
        ),
        (
            vec![("ETCD_ENDPOINTS", "http://a, http://b")],
            "ETCD_ENDPOINTS: endpoint \" http://b\" must begin with http:// or https://, without spaces",
        ),
        (
            vec![etcd, ("TLS_CIPHER_SUITES", "TLS_NONE")],
            "TLS_CIPHER_SUITES: unsupported cipher suite: TLS_NONE",
        ),
        (
            vec![etcd, ("ETCD_KEY_FILE", "/k")],
            "ETCD_KEY_FILE: etcdCertFile and etcdKeyFile need each other",
        ),
    ] {
        assert_eq!(World::new(&variables).error(), error);
    }
    let both = World::new(&[etcd, ("ETCD_DISCOVERY_SRV", "d")]).error();
    assert!(
        both.contains("etcdEndpoints") && both.contains("etcdDiscoverySrv"),
        "{both}"
    );
    let wanted = Wanted {
        file: Some("/none".into()),
        ..Wanted::default()
    };
    let error = World::default().load(&wanted);
    assert_eq!(error, Err("Error reading config file: /none".to_owned()));
}

/// Spec DS-004.
#[test]
fn a_file_is_decoded_strictly() {
    let path = "/etc/calico/calicoctl.cfg";
    let file = |text: &str| World::default().file(path, text);
    let lower = file(&format!(
        "{HEAD}metadata:\nSpec:\n  DatastoreType: etcdv3\n  etcdEndpoints: http://e\n"
    ));
    assert_eq!(lower.etcd().endpoints, ["http://e"]);
    let json = r#"{"apiVersion":"projectcalico.org/v3","kind":"CalicoAPIConfig","spec":{"etcdEndpoints":"http://e"}}"#;
    assert_eq!(file(json).etcd().endpoints, ["http://e"]);
    let spec = |text: &str| format!("{HEAD}spec:\n{text}");
    for (text, error) in [
        (
            String::new(),
            ":1:1: write apiVersion: projectcalico.org/v3, kind: CalicoAPIConfig and spec",
        ),
        (
            "kind: CalicoAPIConfig\n".to_owned(),
            ":1:1: apiVersion must be projectcalico.org/v3",
        ),
        (format!("{HEAD}x: 1\n"), ":3:1: unknown field \"x\""),
        (
            spec("  etcdEndpoint: x\n"),
            ":4:3: unknown field \"etcdEndpoint\"",
        ),
        (
            spec("  kubeconfig: a\n  KubeConfig: b\n"),
            ":5:3: field kubeconfig is given twice",
        ),
        (spec("  usePodCIDR: maybe\n"), ":4:15: write true or false"),
        (spec("  kubeconfig: [a]\n"), ":4:15: write a single value"),
        (
            spec("  kubeconfig: a\n  kubeconfig: b\n"),
            ":5:3: key kubeconfig is already defined in line 4; keep one of the two",
        ),
    ] {
        assert_eq!(
            file(&text).error(),
            format!("syntax error in {path}{error}"),
            "{text}"
        );
    }
    let unknown = calicoctl("  datastoreType: etcd\n").error();
    assert_eq!(
        unknown,
        format!("{path}:4:18: unknown datastore type: etcd")
    );
}

/// Spec DS-016.
#[test]
fn certificates_are_in_files_or_inline() {
    let pem = "-----BEGIN X-----\n    A\n    -----END X-----\n";
    let with = |lines: &str| calicoctl(&format!("  etcdEndpoints: https://e\n{lines}"));
    let files = with("  etcdCertFile: /c\n  etcdKeyFile: /k\n").etcd();
    let client = Some(("/c".into(), "/k".into()));
    assert_eq!(
        files.tls,
        Some(EtcdTls::Files {
            client,
            authority: None
        })
    );
    let inline = with(&format!(
        "  etcdCert: c\n  etcdKey: k\n  etcdCACert: |\n    {pem}    {pem}"
    ));
    let Some(EtcdTls::Inline { authority, .. }) = inline.etcd().tls else {
        panic!("not inline");
    };
    assert_eq!(
        authority.as_deref(),
        Some("-----BEGIN X-----\nA\n-----END X-----")
    );
    for (lines, error) in [
        (
            "  etcdCert: c\n  etcdKey: k\n  etcdCACertFile: /a\n",
            "7:19: etcdCert cannot be used together with etcdCACertFile",
        ),
        (
            "  etcdCACert: a\n",
            "5:15: etcdCert and etcdKey need each other",
        ),
        (
            "  etcdCACertFile: /a\n  etcdCertFile: /c\n",
            "6:17: etcdCertFile and etcdKeyFile need each other",
        ),
    ] {
        assert_eq!(
            with(lines).error(),
            format!("/etc/calico/calicoctl.cfg:{error}")
        );
    }
    let user = with("  etcdUsername: u\n").etcd();
    assert_eq!(user.credentials, None);
}
