//! Crafted packets through the loaded programs: what each gets, and why.

mod assured;
mod deltas;
mod essentials;
mod flow_state;
mod fragments;
mod icmp_errors;
mod invalid;
mod link_layer;
mod long_sets;
mod parse;
mod policy_change;
mod pre_dnat;
mod reverse_path;
mod robustness;
mod route;
mod stages;
mod tcp_state;
mod workload;
