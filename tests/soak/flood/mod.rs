//! No eviction: established connections outlive floods of new flows, and full tables deny nothing.

mod attack;
mod counted;
mod kinds;

use clap::ValueEnum as _;

use self::kinds::Kind;
use crate::figure::Figures;

/// Options of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Spoofed SYNs at an allowed port
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000_000)]
    syns: u64,
    /// UDP flows of one packet each
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    datagrams: u64,
    /// UDP flows of one packet each that a server answers
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    answered: u64,
    /// Established connections that stay idle meanwhile
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    connections: usize,
    /// Capacity of each flow table in the part about full tables
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    room: u32,
    /// Kinds of flood, one after the other, each from anywhere and from one host
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::value_variants().to_vec())]
    kinds: Vec<Kind>,
    /// Packets per second of each kind; kinds that a process answers are sent as fast as possible
    #[arg(long, value_name = "NUMBER", default_value_t = 150_000)]
    rate: u32,
    /// Duration of each kind
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    seconds: f64,
    /// Packets per second of the mixed flood that follows
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000)]
    slow_rate: u32,
    /// Duration of the mixed flood from either source
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    slow_seconds: f64,
    /// Capacity of each flow table during these; by default from the host's memory
    #[arg(long, value_name = "NUMBER")]
    flows: Option<u32>,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            syns: 100_000,
            datagrams: 100_000,
            answered: 50_000,
            connections: 100,
            room: 10,
            rate: 40_000,
            seconds: 0.25,
            slow_rate: 20_000,
            slow_seconds: 0.25,
            flows: Some(1000),
            ..self
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    attack::run(plan, figures);
    counted::run(plan, figures);
}
