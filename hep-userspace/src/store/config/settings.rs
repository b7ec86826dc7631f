//! The settings by name, as a file or the environment gives them.

use std::collections::BTreeMap;

use super::{ConfigError, Place};

/// Form of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A text.
    Text,
    /// A truth value.
    Truth,
    /// A number; `Whole` without a fraction.
    Number,
    /// A whole number.
    Whole,
}

/// Makes [`Name`] of the settings' keys and variables.
macro_rules! settings {
    ($($name:ident, $key:literal, $variable:expr, $form:ident;)*) => {
        /// Name of a setting (spec DS-005).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Name {
            $($name,)*
        }

        impl Name {
            pub(super) const ALL: [Self; [$(Self::$name),*].len()] = [$(Self::$name),*];

            /// Its key in a file.
            pub(super) const fn key(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)*
                }
            }

            /// Its variable without the prefix, if it has one.
            pub(super) const fn variable(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => $variable,)*
                }
            }

            /// The form of its value.
            pub(super) const fn form(self) -> Form {
                match self {
                    $(Self::$name => Form::$form,)*
                }
            }
        }
    };
}

settings! {
    DatastoreType, "datastoreType", Some("DATASTORE_TYPE"), Text;
    EtcdEndpoints, "etcdEndpoints", Some("ETCD_ENDPOINTS"), Text;
    EtcdDiscovery, "etcdDiscoverySrv", Some("ETCD_DISCOVERY_SRV"), Text;
    EtcdUsername, "etcdUsername", Some("ETCD_USERNAME"), Text;
    EtcdPassword, "etcdPassword", Some("ETCD_PASSWORD"), Text;
    EtcdKeyFile, "etcdKeyFile", Some("ETCD_KEY_FILE"), Text;
    EtcdCertFile, "etcdCertFile", Some("ETCD_CERT_FILE"), Text;
    EtcdCaFile, "etcdCACertFile", Some("ETCD_CA_CERT_FILE"), Text;
    EtcdKey, "etcdKey", None, Text;
    EtcdCert, "etcdCert", None, Text;
    EtcdCa, "etcdCACert", None, Text;
    Kubeconfig, "kubeconfig", Some("KUBECONFIG"), Text;
    KubeconfigInline, "kubeconfigInline", None, Text;
    Endpoint, "k8sAPIEndpoint", Some("K8S_API_ENDPOINT"), Text;
    KeyFile, "k8sKeyFile", Some("K8S_KEY_FILE"), Text;
    CertFile, "k8sCertFile", Some("K8S_CERT_FILE"), Text;
    CaFile, "k8sCAFile", Some("K8S_CA_FILE"), Text;
    // No plain variable, by a mistake in Calico that users may rely on (spec DS-008).
    Token, "k8sAPIToken", None, Text;
    SkipsVerification, "k8sInsecureSkipTLSVerify", Some("K8S_INSECURE_SKIP_TLS_VERIFY"), Truth;
    Context, "k8sCurrentContext", Some("K8S_CURRENT_CONTEXT"), Text;
    Qps, "k8sClientQPS", Some("K8S_CLIENT_QPS"), Number;
    Burst, "k8sClientBurst", Some("K8S_CLIENT_BURST"), Whole;
    DisableNodePoll, "k8sDisableNodePoll", Some("K8S_DISABLE_NODE_POLL"), Truth;
    UsePodCidr, "usePodCIDR", Some("USE_POD_CIDR"), Truth;
    ApiGroup, "calicoAPIGroup", Some("CALICO_API_GROUP"), Text;
}

impl Name {
    /// The setting that a file's key means, in any case (spec DS-004).
    pub(super) fn of_key(key: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|name| name.key().eq_ignore_ascii_case(key))
    }
}

/// A value and its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) text: String,
    pub(super) place: Place,
}

/// The settings that are given; those that are not are empty texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(BTreeMap<Name, Setting>);

impl Settings {
    /// Sets a value, whose form is checked.
    ///
    /// # Errors
    ///
    /// The value does not have the setting's form.
    pub(super) fn set(&mut self, name: Name, setting: Setting) -> Result<(), ConfigError> {
        let (text, place) = (&setting.text, &setting.place);
        let (is_right, wanted) = match name.form() {
            Form::Text => (true, ""),
            Form::Truth => (truth(text).is_some(), "true or false"),
            Form::Number => (text.parse::<f32>().is_ok(), "a number"),
            Form::Whole => (text.parse::<i64>().is_ok(), "a whole number"),
        };
        if !is_right {
            return Err(ConfigError::setting(
                place,
                format!("{text:?} is not {wanted}"),
            ));
        }
        self.0.insert(name, setting);
        Ok(())
    }

    /// Whether it is given, and not empty.
    pub(super) fn has(&self, name: Name) -> bool {
        !self.text(name).is_empty()
    }

    /// Its text; empty if it is not given.
    pub(super) fn text(&self, name: Name) -> &str {
        self.0.get(&name).map_or("", |setting| &setting.text)
    }

    /// Its text, if it is not empty.
    pub(super) fn given(&self, name: Name) -> Option<String> {
        let text = self.text(name);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Its origin.
    pub(super) fn place(&self, name: Name) -> Place {
        let setting = self.0.get(&name);
        setting.map(|it| it.place.clone()).unwrap_or_default()
    }

    /// Whether a truth value is true.
    pub(super) fn is_true(&self, name: Name) -> bool {
        truth(self.text(name)) == Some(true)
    }
}

/// A truth value as Go's `strconv.ParseBool` reads it.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
