//! Timeouts that follow the kernel's own settings (spec RS-178, RS-186 to RS-193).

use std::{fs, time::Duration};

use hep_common::settings;

use crate::model::{TimeoutSetting, Timeouts};

/// A timeout: its key, the kernel's setting that it may follow, and the fallback without that.
struct Source {
    key: &'static str,
    sysctl: Option<&'static str>,
    fallback: Duration,
}

const NETFILTER: &str = "/proc/sys/net/netfilter/";
const FRAGMENT: &str = "/proc/sys/net/ipv4/ipfrag_time";
/// The kernel's own default.
const FRAGMENT_FALLBACK: Duration = Duration::from_secs(30);

const TCP_SYN_SENT: Source = Source {
    key: "tcpSynSent",
    sysctl: Some("nf_conntrack_tcp_timeout_syn_sent"),
    fallback: Duration::from_secs(20),
};
const TCP_ESTABLISHED: Source = Source {
    key: "tcpEstablished",
    sysctl: Some("nf_conntrack_tcp_timeout_established"),
    fallback: Duration::from_secs(3600),
};
const TCP_FINS_SEEN: Source = Source {
    key: "tcpFinsSeen",
    sysctl: Some("nf_conntrack_tcp_timeout_time_wait"),
    fallback: Duration::from_secs(30),
};
const TCP_RESET_SEEN: Source = Source {
    key: "tcpResetSeen",
    sysctl: None,
    fallback: Duration::from_secs(40),
};
const UDP: Source = Source {
    key: "udpTimeout",
    sysctl: None,
    fallback: Duration::from_secs(60),
};
const GENERIC: Source = Source {
    key: "genericTimeout",
    sysctl: Some("nf_conntrack_generic_timeout"),
    fallback: Duration::from_secs(600),
};
const ICMP: Source = Source {
    key: "icmpTimeout",
    sysctl: Some("nf_conntrack_icmp_timeout"),
    fallback: Duration::from_secs(5),
};

/// The timeouts in force, with the kernel's settings filled in.
#[must_use]
pub fn timeouts(configured: &Timeouts) -> settings::Timeouts {
    resolve(configured, &read_seconds)
}

/// How long a fragmented packet's verdict is kept: the configured time, but at least a second.
#[must_use]
pub fn fragment_timeout(configured: Option<Duration>) -> Duration {
    configured
        .or_else(|| read_seconds(FRAGMENT))
        .unwrap_or(FRAGMENT_FALLBACK)
        .max(Duration::from_secs(1))
}

fn read_seconds(path: &str) -> Option<Duration> {
    let text = fs::read_to_string(path).ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn resolve(configured: &Timeouts, read: &dyn Fn(&str) -> Option<Duration>) -> settings::Timeouts {
    let resolve = |setting, source: &Source| {
        let duration = match setting {
            TimeoutSetting::Fixed(duration) => duration,
            TimeoutSetting::Kernel => match source.sysctl {
                // Without the module there is no setting to follow, which is no error.
                Some(name) => read(&format!("{NETFILTER}{name}")).unwrap_or(source.fallback),
                None => {
                    log::warn!(
                        "bpfConntrackTimeouts.{}: the kernel has no such setting, Auto means {} s",
                        source.key,
                        source.fallback.as_secs()
                    );
                    source.fallback
                }
            },
        };
        u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
    };
    settings::Timeouts {
        tcp_syn_sent_ns: resolve(configured.tcp_syn_sent, &TCP_SYN_SENT),
        tcp_established_ns: resolve(configured.tcp_established, &TCP_ESTABLISHED),
        tcp_fins_seen_ns: resolve(configured.tcp_fins_seen, &TCP_FINS_SEEN),
        tcp_reset_seen_ns: resolve(configured.tcp_reset_seen, &TCP_RESET_SEEN),
        udp_ns: resolve(configured.udp, &UDP),
        icmp_ns: resolve(configured.icmp, &ICMP),
        generic_ns: resolve(configured.generic, &GENERIC),
    }
}

/// Number of CPUs that this process may use.
#[must_use]
pub fn cpus() -> u32 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|count| u32::try_from(count.get()).ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn all(setting: TimeoutSetting) -> Timeouts {
        Timeouts {
            tcp_syn_sent: setting,
            tcp_established: setting,
            tcp_fins_seen: setting,
            tcp_reset_seen: setting,
            udp: setting,
            generic: setting,
            icmp: setting,
        }
    }

    /// RS-186 to RS-192: without the kernel's connection tracking the defaults of the table hold.
    #[test]
    fn auto_falls_back_to_the_default_of_each_key() {
        let found = resolve(&all(TimeoutSetting::Kernel), &|_| None);
        assert_eq!(
            found,
            settings::Timeouts {
                tcp_syn_sent_ns: 20 * SECOND_NS,
                tcp_established_ns: 3600 * SECOND_NS,
                tcp_fins_seen_ns: 30 * SECOND_NS,
                tcp_reset_seen_ns: 40 * SECOND_NS,
                udp_ns: 60 * SECOND_NS,
                icmp_ns: 5 * SECOND_NS,
                generic_ns: 600 * SECOND_NS,
            }
        );
    }

    /// RS-186 to RS-192: each key follows its own setting; RS-189, RS-190 have none to follow.
    #[test]
    fn auto_reads_the_kernels_setting() {
        let read = |path: &str| {
            let seconds = match path.strip_prefix(NETFILTER)? {
                "nf_conntrack_tcp_timeout_syn_sent" => 1,
                "nf_conntrack_tcp_timeout_established" => 2,
                "nf_conntrack_tcp_timeout_time_wait" => 3,
                "nf_conntrack_generic_timeout" => 4,
                "nf_conntrack_icmp_timeout" => 6,
                _ => return None,
            };
            Some(Duration::from_secs(seconds))
        };
        let found = resolve(&all(TimeoutSetting::Kernel), &read);
        assert_eq!(
            found,
            settings::Timeouts {
                tcp_syn_sent_ns: SECOND_NS,
                tcp_established_ns: 2 * SECOND_NS,
                tcp_fins_seen_ns: 3 * SECOND_NS,
                tcp_reset_seen_ns: 40 * SECOND_NS,
                udp_ns: 60 * SECOND_NS,
                icmp_ns: 6 * SECOND_NS,
                generic_ns: 4 * SECOND_NS,
            }
        );
    }

    #[test]
    fn a_fixed_time_is_taken_as_it_is() {
        let fixed = all(TimeoutSetting::Fixed(Duration::from_millis(1500)));
        let found = resolve(&fixed, &|_| Some(Duration::from_secs(9)));
        assert_eq!(found.udp_ns, 3 * SECOND_NS / 2);
        assert_eq!(found.tcp_established_ns, 3 * SECOND_NS / 2);
    }

    /// RS-178: never below a second.
    #[test]
    fn the_fragment_timeout_is_at_least_a_second() {
        let millisecond = Duration::from_millis(1);
        assert_eq!(fragment_timeout(Some(millisecond)), Duration::from_secs(1));
        assert!(fragment_timeout(None) >= Duration::from_secs(1));
    }
}
