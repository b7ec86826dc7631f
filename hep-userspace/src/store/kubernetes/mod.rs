//! Resources in the Kubernetes API, as custom resources of either group of Calico.

mod access;
mod client;
mod codec;
mod connection;
mod failure;
mod group;
mod list;
mod request;
mod throttle;
mod upstream;

pub use client::KubernetesClient;
pub use group::ApiGroup;
pub use upstream::KubernetesUpstream;
