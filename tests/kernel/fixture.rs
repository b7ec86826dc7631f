//! Fixture of the tests: a pin directory that cleans up after itself, and tiny tables.

use std::path::{Path, PathBuf};

use hep_common::{
    address::{RANGES4_PER_BLOCK, ROOT_LEN, Range4, Run},
    endpoint::{Interface, Lists},
    port::{DESTINATION_LEN, PORTS_PER_BLOCK, PortClasses, SOURCE_LEN},
    rule::{List, Row, Rule},
    settings::{Settings, Timeouts},
};
use hep_userspace::{
    compile::{AddressTables, Description, Generation, Lineage, Newcomers, RuleTables},
    datapath::{self, FlowRoom, Kernel, KernelError, LoadOptions},
    model::LogLevel,
};
use tempfile::TempDir;

/// A pin directory, with everything in it taken down on drop.
pub(crate) struct Fixture {
    directory: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("hep-kernel-")
            .tempdir()
            .expect("temporary directory");
        Self { directory }
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.directory.path().join("pins")
    }

    pub(crate) fn options(&self) -> LoadOptions {
        LoadOptions {
            pins: Some(self.pins()),
            ..unpinned()
        }
    }

    pub(crate) fn open(&self) -> Result<Kernel, KernelError> {
        Kernel::open(&self.options())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Err(error) = datapath::remove(&self.pins()) {
            eprintln!("{}: {error}", self.directory.path().display());
        }
    }
}

/// Small maps that end with the test.
pub(crate) fn unpinned() -> LoadOptions {
    LoadOptions {
        pins: None,
        flows: FlowRoom::uniform(1024),
        connections: Vec::new,
        interfaces: 8,
        log_level: LogLevel::Off,
        record_decisions: false,
    }
}

/// Whether `path` is a bpffs's root or below one, by the list of mounts.
pub(crate) fn mounts_at(path: &Path) -> usize {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("list of mounts");
    let path = path.to_str().expect("UTF-8");
    mounts
        .lines()
        .filter(|line| line.split(' ').nth(1) == Some(path))
        .count()
}

/// A generation with one interface, one list of one rule, and `ranges` blocks of IPv4 ranges.
pub(crate) fn generation(node: &str, ranges: usize) -> Generation {
    let lists = Lists {
        local: 1,
        forward: 1,
        ..Lists::default()
    };
    let range = Range4 { start: 0, class: 1 };
    let tables = RuleTables {
        interfaces: vec![Interface {
            ifindex: 1,
            lists: [[lists; 2]; 2],
            ..Interface::default()
        }],
        lists: vec![
            List::default(),
            List {
                rules: 1,
                chunks: 1,
                ..List::default()
            },
        ],
        rules: vec![Rule {
            slot: 1,
            ..Rule::default()
        }],
        index: Vec::new(),
        rows: vec![Row {
            summary: 0,
            words: [0; 64],
        }]
        .into(),
        addresses: AddressTables {
            roots4: vec![Run::default(); ROOT_LEN as usize].into(),
            ranges4: vec![range; ranges * RANGES4_PER_BLOCK as usize].into(),
            roots6: vec![Run::default(); ROOT_LEN as usize].into(),
            ..AddressTables::default()
        },
        lineage: Lineage::default(),
        destination_ports: vec![
            PortClasses::default();
            (DESTINATION_LEN / PORTS_PER_BLOCK) as usize
        ]
        .into(),
        source_ports: vec![PortClasses::default(); (SOURCE_LEN / PORTS_PER_BLOCK) as usize].into(),
        named_ports: Vec::new(),
        settings: Settings {
            fragment_timeout_ns: 30_000_000_000,
            timeouts: Timeouts {
                tcp_established_ns: 3_600_000_000_000,
                udp_ns: 60_000_000_000,
                ..Timeouts::default()
            },
            ..Settings::default()
        },
    };
    Generation {
        tables,
        description: Description {
            node: node.to_owned(),
            ..Description::default()
        },
        newcomers: Newcomers::default(),
    }
}
