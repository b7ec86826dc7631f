//! Policy from real stores: etcd, and the API server of Kubernetes.

mod etcd;
mod follow;
mod kubernetes;
mod site;
mod verbs;
