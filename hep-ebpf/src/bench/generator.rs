//! Traffic for the benches: frames of many flows, in turn.

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_REDIRECT},
    btf_maps::Array,
    helpers::bpf_redirect,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// Length of a flow's entry in words: the first 64 bytes of its frames hold all headers.
const WORDS: usize = 8;
/// Most flows whose frames one run sends.
const MAX_FLOWS: usize = 1 << 20;

/// The first bytes of the frames of each flow.
#[btf_map]
static FLOWS: Array<[u64; WORDS], MAX_FLOWS> = Array::new();

/// The generator's job: index of the interface to send by, number of flows, the flow whose turn it is.
#[btf_map]
static COURSE: Array<[u32; 3], 1> = Array::new();

/// Rewrites the current frame for the flow whose turn it is, and sends it.
///
/// For a test run with live frames: these are recycled, and their last receiver may have written to them, so
/// every header is written anew.
#[xdp]
pub(crate) fn generate(ctx: XdpContext) -> u32 {
    send(&ctx).unwrap_or(XDP_ABORTED)
}

#[expect(unsafe_code, reason = "direct access to packets and map values")]
#[inline(always)]
fn send(ctx: &XdpContext) -> Option<u32> {
    let course = COURSE.get_ptr_mut(0)?;
    // SAFETY: the kernel returned the pointer for an index in range, so it is aligned and live; one
    // generator runs at a time.
    let [ifindex, flows, turn] = unsafe { &mut *course };
    let headers = FLOWS.get_ptr(*turn)?;
    *turn = turn.wrapping_add(1);
    if *turn >= *flows {
        *turn = 0;
    }
    let start = ctx.data();
    if start.wrapping_add(WORDS * size_of::<u64>()) > ctx.data_end() {
        return None;
    }
    let frame = start as *mut [u64; WORDS];
    for word in 0..WORDS {
        // SAFETY: that many bytes from `start` on were just checked to lie in the frame, which lives
        // as long as the program runs and begins at a multiple of 8 bytes; the entry is aligned and
        // live, and no one writes it meanwhile. Volatile, or the compiler replaces the loop by a call
        // of a function that copies byte by byte.
        unsafe { (&raw mut (*frame)[word]).write_volatile((&raw const (*headers)[word]).read()) };
    }
    // SAFETY: plain numbers.
    let action = unsafe { bpf_redirect(*ifindex, 0) };
    (action == i64::from(XDP_REDIRECT)).then_some(XDP_REDIRECT)
}
