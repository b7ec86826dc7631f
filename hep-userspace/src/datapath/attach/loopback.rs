//! Routing answers while the host forwards nothing.
//!
//! The kernel answers `bpf_fib_lookup` only for an interface that forwards. A reverse-path check needs
//! answers on every host, so forwarding is switched on for the loopback interface, which the kernel's own
//! check uses too, while policy wants the check: `net.ipv4.conf.lo.forwarding` and its IPv6 counterpart.
//! Nothing arrives there that could be forwarded. A record beside the links marks the switch as ours, so that
//! it is restored when it is no longer needed, even after a process was killed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::records::{make_record, remove_record};

/// The directory of the kernel's network settings.
const KERNEL: &str = "/proc/sys/net";
/// The switches, and the records beside the links that they are ours.
const SWITCHES: [(&str, &str); 2] = [
    ("ipv4/conf/lo/forwarding", "loopback-forwards-ipv4"),
    ("ipv6/conf/lo/forwarding", "loopback-forwards-ipv6"),
];

/// Switches routing answers for the loopback interface on, or restores what was there before.
///
/// # Errors
///
/// A switch or a record that cannot be written, with its path in the message. A kernel without IPv6 has
/// no switch of it, which is fine.
pub fn answer_routes(links: &Path, wanted: bool) -> io::Result<()> {
    answer_routes_at(Path::new(KERNEL), links, wanted)
}

fn answer_routes_at(kernel: &Path, links: &Path, wanted: bool) -> io::Result<()> {
    for (switch, record) in SWITCHES {
        // If the host forwards by now, so does every interface.
        let all = kernel.join(switch.replace("/lo/", "/all/"));
        let (switch, record) = (kernel.join(switch), links.join(record));
        match fs::read_to_string(&switch) {
            Ok(text) if wanted && text.trim() == "0" => {
                fs::create_dir_all(links).map_err(at(links))?;
                make_record(&record).map_err(io::Error::other)?;
                fs::write(&switch, "1").map_err(at(&switch))?;
            }
            Ok(_) if !wanted && record.exists() => {
                if !is_on(&all) {
                    fs::write(&switch, "0").map_err(at(&switch))?;
                }
                remove_record(&record).map_err(io::Error::other)?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&switch)(error)),
        }
    }
    Ok(())
}

/// Whether a switch is on.
fn is_on(switch: &Path) -> bool {
    fs::read_to_string(switch).is_ok_and(|text| text.trim() != "0")
}

/// An error with its place.
fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    let path: PathBuf = path.to_path_buf();
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EV-187: the switch is set while it is wanted, and only what was set is put back.
    #[test]
    fn what_was_switched_is_put_back_and_nothing_else() {
        let root = std::env::temp_dir().join(format!("hep-loopback-{}", std::process::id()));
        let (kernel, links) = (root.join("net"), root.join("links"));
        let [(v4, _), (v6, _)] = SWITCHES.map(|(switch, record)| (kernel.join(switch), record));
        for (path, value) in [(&v4, "0\n"), (&v6, "1\n")] {
            fs::create_dir_all(path.parent().expect("has one")).expect("can be made");
            fs::write(path, value).expect("can be written");
        }
        let are = |expected: [&str; 2]| {
            let found = [&v4, &v6].map(|path| fs::read_to_string(path).expect("is there"));
            assert_eq!(found.each_ref().map(|text| text.trim()), expected);
        };
        answer_routes_at(&kernel, &links, true).expect("works");
        are(["1", "1"]);
        answer_routes_at(&kernel, &links, true).expect("works");
        answer_routes_at(&kernel, &links, false).expect("works");
        are(["0", "1"]);
        answer_routes_at(&kernel, &links, false).expect("works");
        are(["0", "1"]);
        drop(fs::remove_dir_all(root));
    }
}
