//! Frames at hooks of the link layer.

use super::load::Load;

/// A frame at a hook of the link layer: its bytes, and metadata that the kernel keeps beside them. Metadata
/// that a hook lacks are 0.
pub(crate) trait Frame: Load {
    /// Address of the first byte; those up to [`data_end`](Self::data_end) can be read directly.
    fn data(&self) -> usize;
    /// Address behind the last byte of the linear area.
    fn data_end(&self) -> usize;
    /// The VLAN tag that the kernel took out of the frame; 0: none.
    fn vlan_control(&self) -> u32;
    /// The EtherType, host byte order.
    fn ether_type(&self) -> u16;
    /// The mark.
    fn mark(&self) -> u32;
    /// Changes the mark.
    fn set_mark(&self, mark: u32);
    /// The interface of the hook.
    fn ifindex(&self) -> u32;
    /// The interface the frame was received on; 0: this host made it.
    fn ingress_ifindex(&self) -> u32;
    /// Whose link-layer address the frame has, `PACKET_…` of `linux/if_packet.h`.
    fn pkt_type(&self) -> u32;
}
