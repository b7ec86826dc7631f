//! Policy from real stores: etcd, and the API server of Kubernetes.

mod etcd;
mod follow;
mod kubernetes;
mod kubernetes_follow;
mod kubernetes_objects;
mod kubernetes_support;
mod site;
mod verbs;
