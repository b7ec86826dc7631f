//! The stages before the connection table, in their order (spec EV-001 and EV-002).

use hep_common::{
    Direction,
    counter::Reason,
    settings::{FLAG_ND_EXEMPT, FLAG_RA_EXEMPT},
};

use crate::{
    address::Address,
    classify::{Answer, classify},
    essential, fragment,
    parse::{Fragment, Metadata as _, Packet},
    route,
    scene::{Route, Scene, Trace, Work},
};

/// Whether the packet bears the mark of forwarded packets that were accepted untracked.
#[inline(always)]
pub(crate) fn bears_mark(scene: &Scene<'_>) -> bool {
    let mark = scene.interface.bypass_mark;
    mark != 0 && scene.ctx.mark() & mark != 0
}

/// Runs the stages in order; the first verdict ends them.
#[inline(always)]
pub(crate) fn before_tracking<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> Option<Reason> {
    let Work { packet, trace, .. } = work;
    let marked = bears_mark(scene);
    if marked && matches!(scene.direction, Direction::Ingress) {
        // Only this hook says who may skip the rules of the next one.
        let mark = scene.ctx.mark() & !scene.interface.bypass_mark;
        scene.ctx.set_mark(mark);
    }
    if route::is_martian(scene, packet) {
        return Some(Reason::Martian);
    }
    if packet.fragment == Fragment::Later {
        let (reason, untracked) = fragment::later(scene, packet);
        if untracked {
            let_pass(scene);
        }
        return Some(reason);
    }
    if scene.has(FLAG_ND_EXEMPT)
        && essential::is_essential(packet, scene.direction, scene.has(FLAG_RA_EXEMPT))
        && !route::is_routed(scene, packet, trace)
    {
        return Some(Reason::Essential);
    }
    if marked
        && matches!(scene.direction, Direction::Egress)
        && route::is_forwarded(scene, packet, trace)
    {
        return Some(Reason::Bypass);
    }
    if scene.lists::<A>().untracked != 0
        && let Answer::Verdict(reason) = untracked(scene, packet, trace)
    {
        if reason == Reason::Untracked && trace.route == Route::Forwarded {
            let_pass(scene);
        }
        return Some(reason);
    }
    None
}

/// Marks a packet accepted untracked where it came in, so that it passes where it goes out (spec
/// EV-080).
#[inline(always)]
fn let_pass(scene: &Scene<'_>) {
    if matches!(scene.direction, Direction::Ingress) && scene.interface.bypass_mark != 0 {
        scene
            .ctx
            .set_mark(scene.ctx.mark() | scene.interface.bypass_mark);
    }
}

/// Evaluates the untracked rules, unless a failsafe is involved (spec EV-068, EV-069, EV-079).
#[inline(always)]
fn untracked<A: Address>(scene: &Scene<'_>, packet: &Packet<A>, trace: &mut Trace) -> Answer {
    let lists = scene.lists::<A>();
    let forwarded = route::is_forwarded(scene, packet, trace);
    if forwarded && matches!(scene.direction, Direction::Egress) {
        return Answer::Continue;
    }
    if !forwarded && lists.exempt != 0 {
        match classify(scene.slot, lists.exempt, packet, trace, 0) {
            Answer::Continue => {}
            Answer::Verdict(Reason::Internal) => return Answer::Verdict(Reason::Internal),
            Answer::Verdict(_) => return Answer::Continue,
        }
    }
    classify(scene.slot, lists.untracked, packet, trace, scene.bytes())
}
