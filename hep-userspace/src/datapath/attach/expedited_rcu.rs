//! Expedites RCU while links of many interfaces are created or removed.
//!
//! After each change of the TCX programs of an interface the kernel waits until no CPU uses the old ones, an
//! RCU grace period of some 13 ms. With `rcu_expedited` it interrupts the CPUs instead, as it does by default
//! while it boots. Measured on two CPUs, both sides of 200 interfaces: 5.4 s without, 0.04 s with it.
//!
//! The switch affects the whole host. It is set only if many links change, and never against an
//! administrator's choice: `rcu_normal` forbids it, and if it is set already there is nothing to do. A record
//! beside the links marks it as ours; both last until the host restarts, so after a process was killed the
//! next one that attaches restores the switch.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::records::{make_record, remove_record};

/// The directory of the kernel's switches.
const KERNEL: &str = "/sys/kernel";
/// Up to this many interfaces the waits total 0.2 s, too little to justify interrupting every CPU of a host
/// that has something else to do.
const FEW_INTERFACES: usize = 8;

/// RCU is expedited for as long as this value lives.
#[derive(Debug)]
#[must_use]
pub struct ExpeditedRcu {
    switch: PathBuf,
    record: PathBuf,
}

impl ExpeditedRcu {
    /// Restores what a killed process has left; then expedites RCU if the links of more than a few interfaces
    /// are about to change, unless that is forbidden or done already.
    pub(crate) fn begin(record: PathBuf, interfaces: usize) -> Option<Self> {
        Self::begin_at(Path::new(KERNEL), record, interfaces)
    }

    fn begin_at(kernel: &Path, record: PathBuf, interfaces: usize) -> Option<Self> {
        let switch = kernel.join("rcu_expedited");
        if record.exists() {
            drop(Self {
                switch: switch.clone(),
                record: record.clone(),
            });
        }
        let is_off = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.trim() == "0");
        if interfaces <= FEW_INTERFACES || !is_off(&switch) || !is_off(&kernel.join("rcu_normal")) {
            return None;
        }
        // The record first: one too many restores what is there anyway.
        make_record(&record).ok()?;
        if let Err(error) = fs::write(&switch, "1") {
            log::debug!("{}: {error}", switch.display());
            remove_record(&record).ok()?;
            return None;
        }
        Some(Self { switch, record })
    }
}

impl Drop for ExpeditedRcu {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.switch, "0") {
            // The record stays, so that the next process tries again.
            log::warn!("{} is still set: {error}", self.switch.display());
        } else if let Err(error) = remove_record(&self.record) {
            log::warn!("{error} cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In place of `/sys/kernel`.
    struct Kernel(PathBuf);

    impl Kernel {
        fn new(name: &str, switches: &[(&str, &str)]) -> Self {
            let name = format!("hep-expedited-rcu-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).expect("can be made");
            for (switch, value) in switches {
                fs::write(path.join(switch), format!("{value}\n")).expect("can be written");
            }
            Self(path)
        }

        fn record(&self) -> PathBuf {
            self.0.join("record")
        }

        fn begin(&self, interfaces: usize) -> Option<ExpeditedRcu> {
            ExpeditedRcu::begin_at(&self.0, self.record(), interfaces)
        }

        /// The value of the switch, and whether it is on record as ours.
        fn state(&self) -> (String, bool) {
            let value = fs::read_to_string(self.0.join("rcu_expedited")).unwrap_or_default();
            (value.trim().to_owned(), self.record().exists())
        }

        fn is(&self, value: &str, is_ours: bool) {
            assert_eq!(self.state(), (value.to_owned(), is_ours));
        }
    }

    impl Drop for Kernel {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    const USUAL: [(&str, &str); 2] = [("rcu_expedited", "0"), ("rcu_normal", "0")];

    #[test]
    fn rcu_is_expedited_for_many_interfaces_and_no_longer() {
        let kernel = Kernel::new("many", &USUAL);
        assert!(kernel.begin(FEW_INTERFACES).is_none());
        kernel.is("0", false);
        let expedited = kernel.begin(FEW_INTERFACES + 1);
        assert!(expedited.is_some());
        kernel.is("1", true);
        drop(expedited);
        kernel.is("0", false);
    }

    #[test]
    fn what_an_administrator_chose_stays() {
        let chosen = Kernel::new("chosen", &[("rcu_expedited", "1"), ("rcu_normal", "0")]);
        assert!(chosen.begin(200).is_none());
        chosen.is("1", false);
        let forbidden = Kernel::new("forbidden", &[("rcu_expedited", "0"), ("rcu_normal", "1")]);
        assert!(forbidden.begin(200).is_none());
        forbidden.is("0", false);
        let absent = Kernel::new("absent", &[]);
        assert!(absent.begin(200).is_none());
        absent.is("", false);
    }

    #[test]
    fn what_a_killed_process_left_is_put_back() {
        for interfaces in [1, 200] {
            let kernel = Kernel::new(&format!("killed-{interfaces}"), &USUAL);
            std::mem::forget(kernel.begin(200));
            kernel.is("1", true);
            drop(kernel.begin(interfaces));
            kernel.is("0", false);
        }
    }
}
