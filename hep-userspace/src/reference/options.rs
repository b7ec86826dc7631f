//! Options of a judgement.

/// Inputs besides the resources that change verdicts: options of `hep run`, and why a packet is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Neighbour discovery and multicast listener traffic passes (EV-172).
    pub nd_exempt: bool,
    /// Of these, accept router advertisements.
    pub ra_exempt: bool,
    /// The skb mark bit of forwarded packets that were accepted untracked (EV-080); 0: none.
    pub bypass_mark: u32,
    /// Policy judges ICMP messages of any type but errors and redirects, as if each belonged to a flow or
    /// opened one (EV-171).
    pub any_icmp: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nd_exempt: true,
            ra_exempt: true,
            bypass_mark: 0,
            any_icmp: false,
        }
    }
}
