//! etcd as a store: Calico's resources below `/calico/`, a key each (spec DS-027 to DS-081).

mod client;
mod connect;
mod keys;
mod upstream;
mod value;

pub use client::EtcdClient;
pub use upstream::EtcdUpstream;
