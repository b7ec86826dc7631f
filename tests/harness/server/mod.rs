//! Real store servers: etcd of two versions, the API server of Kubernetes, and the certificates of both.
//!
//! Each is a process of the test that started it, on free ports and in directories of its own, and ends with
//! it, also if the test is killed.

pub mod certificates;
pub mod etcd;
pub mod etcdctl;
mod installed;
mod kubeconfig;
pub mod kubectl;
pub mod kubernetes;
mod member;
pub mod place;
mod process;
