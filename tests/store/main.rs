//! Policy from real stores: etcd, and the API server of Kubernetes.

mod etcd;
mod follow;
mod site;
mod kubernetes;
