//! An endpoint by itself, with profiles, and with one policy (EV-224 to EV-229).

use hep_tests::{
    address::Net,
    policy::{eth0, eth0_default_allow, policy},
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
};

use crate::{Fixture, fixture, judge, no_endpoint};

fn allow_80() -> String {
    policy(
        "allow-80",
        "selector: role == 'host', types: [Ingress], \
         ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    )
}

/// EV-224, EV-225, EV-226: without policy and profile local traffic is dropped, failsafe ports and
/// their replies pass, and forwarded traffic is left alone (EV-053, EV-057, EV-067).
#[test]
fn ev_224_225_226_an_endpoint_alone_closes_the_host_but_not_its_failsafes_nor_forwarding() {
    judge(&[eth0()], |net| {
        vec![
            (tcp(net.client, net.host, 80), Nothing),
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.host, net.client, 443), Nothing),
            (tcp(net.client, net.inner, 80), Answer),
            (tcp(net.inner, net.client, 80), Answer),
        ]
    });
}

/// EV-227: the built-in profile lets local traffic pass in both directions.
#[test]
fn ev_227_the_default_allow_profile_opens_the_host() {
    judge(&[eth0_default_allow()], |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.host, net.client, 443), Answer),
        ]
    });
}

/// EV-228: replies of an allowed flow pass; a new flow in the other direction finds no policy and
/// no profile (EV-049).
#[test]
fn ev_228_replies_pass_and_new_flows_in_the_other_direction_do_not() {
    judge(&[eth0(), allow_80()], |net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.host, net.client, 443), Nothing),
            (tcp(net.client, net.inner, 81), Answer),
        ]
    });
}

/// EV-229: a policy's tier ends in a deny in its own direction; the other direction is left to the
/// profile (EV-036).
#[test]
fn ev_229_a_tier_ends_only_in_the_direction_that_its_policies_have() {
    judge(&[eth0_default_allow(), allow_80()], |net: &Net| {
        vec![
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
            (tcp(net.host, net.client, 443), Answer),
        ]
    });
}

/// EV-005: an interface whose endpoint goes is free again, in both directions, and carries no
/// program; its connections live on.
#[test]
fn ev_005_without_its_endpoint_an_interface_is_free_again() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let probes: Vec<_> = Net::each(|net| {
        [
            tcp(net.client, net.host, 81),
            tcp(net.host, net.client, 443),
        ]
    });
    daemon.replace(&[eth0(), allow_80()]);
    topology.expect_all("policed", Nothing, &probes);
    let mut connections =
        Net::both().map(|net| Connection::open(topology, net.client, net.host, 80));
    daemon.replace(&no_endpoint());
    topology.expect_all("free again", Answer, &probes);
    assert_eq!(daemon.show("interfaces"), serde_json::json!([]));
    for connection in &mut connections {
        assert!(connection.forth(PATIENCE) && connection.back(PATIENCE));
    }
}
