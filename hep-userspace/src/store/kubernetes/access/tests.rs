use std::fs;

use super::*;

/// A kubeconfig with a context, a cluster and a user of one name.
fn kubeconfig(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {name}\n\
         clusters: [{{name: {name}, cluster: {{server: 'https://{name}.example:6443', certificate-authority: ca.pem}}}}]\n\
         users: [{{name: {name}, user: {{token: {name}-token}}}}]\n\
         contexts: [{{name: {name}, context: {{cluster: {name}, user: {name}}}}}]\n"
    )
}

fn resolved(settings: &KubernetesConfig) -> Result<Option<Kubeconfig>, Failure> {
    overlaid(merged(&settings.kubeconfig)?, settings)
}

fn cluster(settings: &KubernetesConfig) -> Cluster {
    let kubeconfig = resolved(settings)
        .expect("it is usable")
        .expect("it names a server");
    kubeconfig.clusters[0]
        .cluster
        .clone()
        .expect("there is one")
}

/// A directory of this test, removed with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hep-access-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("it can be made");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("it can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("it can be removed");
    }
}

/// Spec DS-012.
#[test]
fn one_kubeconfig_must_exist_and_several_are_merged() {
    let folder = Folder::new("merge");
    let [a, b] = ["a", "b"].map(|name| folder.write(name, &kubeconfig(name)));
    let gone = folder.0.join("gone");
    let of = |kubeconfig: &[&PathBuf]| KubernetesConfig {
        kubeconfig: kubeconfig.iter().map(|path| (*path).clone()).collect(),
        ..KubernetesConfig::default()
    };
    assert!(matches!(resolved(&of(&[&gone])), Err(Failure::Config(_))));
    assert!(matches!(resolved(&of(&[&gone, &gone.join("x")])), Ok(None)));
    let server = |settings: &KubernetesConfig| cluster(settings).server.expect("it has one");
    assert_eq!(server(&of(&[&gone, &b, &a, &b])), "https://b.example:6443");
    // Paths in a file are relative to its directory.
    let authority = cluster(&of(&[&a])).certificate_authority;
    assert_eq!(
        authority,
        Some(folder.0.join("ca.pem").to_string_lossy().into_owned())
    );
    let other = KubernetesConfig {
        context: Some("a".to_owned()),
        ..of(&[&b, &a])
    };
    assert_eq!(server(&other), "https://a.example:6443");
    let unknown = KubernetesConfig {
        context: Some("c".to_owned()),
        ..of(&[&b, &a])
    };
    assert!(
        matches!(resolved(&unknown), Err(Failure::Config(text)) if text.ends_with("not found: c"))
    );
}

/// Spec DS-011.
#[test]
fn settings_are_laid_over_a_kubeconfig() {
    let folder = Folder::new("overlay");
    let settings = KubernetesConfig {
        kubeconfig: vec![folder.write("a", &kubeconfig("a"))],
        endpoint: Some("192.0.2.1:6443".to_owned()),
        certificate: Some("/c.pem".into()),
        key: Some("/k.pem".into()),
        authority: Some("/ca.pem".into()),
        token: Some("t".to_owned()),
        ..KubernetesConfig::default()
    };
    let cluster = cluster(&settings);
    assert_eq!(cluster.server.as_deref(), Some("https://192.0.2.1:6443"));
    assert_eq!(cluster.certificate_authority.as_deref(), Some("/ca.pem"));
    let kubeconfig = resolved(&settings)
        .expect("it is usable")
        .expect("it names a server");
    let user = kubeconfig.auth_infos[0]
        .auth_info
        .clone()
        .expect("there is one");
    assert_eq!(user.client_certificate.as_deref(), Some("/c.pem"));
    assert_eq!(user.client_key.as_deref(), Some("/k.pem"));
    let text = serde_json::to_value(&user).expect("it is JSON");
    assert_eq!(text["token"], "t");
}

/// Spec DS-011.
#[tokio::test]
async fn an_inline_kubeconfig_ignores_everything_else() {
    let settings = KubernetesConfig {
        inline: Some(kubeconfig("x").replace(", certificate-authority: ca.pem", "")),
        kubeconfig: vec!["/nowhere/at/all".into()],
        endpoint: Some("https://other.example".to_owned()),
        context: Some("other".to_owned()),
        ..KubernetesConfig::default()
    };
    let config = access(&settings).await.expect("it is usable");
    assert_eq!(config.cluster_url.to_string(), "https://x.example:6443/");
}

/// Spec DS-010.
#[tokio::test]
async fn nothing_at_all_is_no_configuration() {
    let found = access(&KubernetesConfig::default()).await;
    let Err(Failure::Config(text)) = found else {
        panic!("{found:?}");
    };
    assert!(text.starts_with("invalid configuration: no configuration has been provided, "));
}
