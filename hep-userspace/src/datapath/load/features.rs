//! Features that the kernel must have, and a message about missing ones.

use std::{fs, path::Path};

use aya::{
    maps::MapType,
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported},
};

/// The oldest line of kernels that has everything.
const OLDEST: &str = "6.1";
/// Where the kernel's description of its own types is.
const TYPES: &str = "/sys/kernel/btf/vmlinux";

/// How a feature is looked for.
#[derive(Clone, Copy, Debug)]
enum Probe {
    Programs,
    Map(MapType),
    Helper(BpfHelper),
    Types,
    FileSystem,
}

/// Features that the programs and the daemon use, with their names in messages.
const FEATURES: [(Probe, &str); 13] = [
    (Probe::Map(MapType::Array), "BPF maps (CONFIG_BPF_SYSCALL)"),
    (Probe::Programs, "BPF programs for TC (CONFIG_NET_SCHED)"),
    (Probe::FileSystem, "bpf file system"),
    (
        Probe::Types,
        "description of its types (CONFIG_DEBUG_INFO_BTF)",
    ),
    (Probe::Map(MapType::LruHash), "LRU hash maps"),
    (Probe::Map(MapType::PerCpuArray), "per-CPU maps"),
    (Probe::Map(MapType::RingBuf), "ring buffers"),
    (
        Probe::Helper(BpfHelper::BPF_FUNC_skb_load_bytes),
        "bpf_skb_load_bytes",
    ),
    (
        Probe::Helper(BpfHelper::BPF_FUNC_fib_lookup),
        "bpf_fib_lookup (CONFIG_INET)",
    ),
    (
        Probe::Helper(BpfHelper::BPF_FUNC_skc_lookup_tcp),
        "bpf_skc_lookup_tcp (CONFIG_INET)",
    ),
    (
        Probe::Helper(BpfHelper::BPF_FUNC_ktime_get_coarse_ns),
        "bpf_ktime_get_coarse_ns",
    ),
    (Probe::Helper(BpfHelper::BPF_FUNC_loop), "bpf_loop"),
    (
        Probe::Helper(BpfHelper::BPF_FUNC_ringbuf_reserve),
        "bpf_ringbuf_reserve",
    ),
];

/// Message about features that the running kernel lacks; `None` if it has all.
pub(crate) fn lack() -> Option<String> {
    let missing: Vec<_> = FEATURES
        .iter()
        .filter(|(probe, _)| probe.is_missing())
        .map(|(_, words)| *words)
        .collect();
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    sentence(&release, &missing)
}

impl Probe {
    /// Whether the kernel reports that it lacks the feature. If that cannot be determined it is not missing:
    /// the load itself then reports why it fails.
    fn is_missing(self) -> bool {
        let type_ = ProgramType::SchedClassifier;
        match self {
            Self::Programs => matches!(is_program_supported(type_), Ok(false)),
            Self::Map(kind) => matches!(is_map_supported(kind), Ok(false)),
            Self::Helper(helper) => matches!(is_helper_supported(type_, helper), Ok(false)),
            Self::Types => Path::new("/sys/kernel").exists() && !Path::new(TYPES).exists(),
            Self::FileSystem => fs::read_to_string("/proc/filesystems")
                .is_ok_and(|known| !known.lines().any(|line| line.ends_with("\tbpf"))),
        }
    }
}

/// Message that names the kernel to run instead of one that lacks these.
fn sentence(release: &str, missing: &[&str]) -> Option<String> {
    let (last, others) = missing.split_last()?;
    let list = if others.is_empty() {
        (*last).to_owned()
    } else {
        format!("{} and no {last}", others.join(", no "))
    };
    let is_old = version(release).is_some_and(|found| Some(found) < version(OLDEST));
    let advice = if is_old {
        format!("needs Linux {OLDEST} or later")
    } else {
        "needs a kernel that is built with all of BPF".to_owned()
    };
    Some(format!("{advice}: this one ({release}) has no {list}"))
}

/// The first two numbers of a release: `6.1.0-56-cloud-amd64` is 6.1.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_said_in_words() {
        let rows: [(&str, &[&str], Option<&str>); 4] = [
            ("5.10.0-30-amd64", &[], None),
            (
                "5.10.0-30-amd64",
                &["bpf_loop"],
                Some("needs Linux 6.1 or later: this one (5.10.0-30-amd64) has no bpf_loop"),
            ),
            (
                "4.19.0",
                &["ring buffers", "bpf_loop", "bpf_ktime_get_coarse_ns"],
                Some(
                    "needs Linux 6.1 or later: this one (4.19.0) has no ring buffers, no bpf_loop \
                     and no bpf_ktime_get_coarse_ns",
                ),
            ),
            (
                "6.12.1-tiny",
                &["bpf file system"],
                Some(
                    "needs a kernel that is built with all of BPF: this one (6.12.1-tiny) has no \
                     bpf file system",
                ),
            ),
        ];
        for (release, missing, said) in rows {
            assert_eq!(sentence(release, missing).as_deref(), said);
        }
    }

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(version("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert!(version("6.12.1") > version(OLDEST));
        assert!(version("5.19") < version(OLDEST));
        assert_eq!(version("odd"), None);
    }
}
