//! Errors between the compiled tables and the kernel.

use std::{io, path::PathBuf};

use aya::{EbpfError, maps::MapError, programs::ProgramError};

use hep_common::ABI_VERSION;

use super::apply::report::Step;

/// Why the kernel's side could not be set up, changed or read.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The pin directory cannot be made, listed or removed.
    #[error("pin directory {path}")]
    Directory {
        /// The directory or file in question.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// No bpffs could be mounted.
    #[error("mount bpffs at {path}")]
    Mount {
        /// Where.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// Another process has these pins open for writing.
    #[error("{0} is in use by another hep")]
    Busy(PathBuf),
    /// Nothing is pinned: hep never ran with this directory, or was taken down.
    #[error("nothing is pinned in {0}")]
    NotPinned(PathBuf),
    /// Another version of hep is in force, whose maps this one cannot read.
    #[error("{0} is laid out by another version of hep (this one uses v{ABI_VERSION})")]
    OtherVersion(PathBuf),
    /// A pinned map has another layout than this program's.
    #[error("pinned map {map} has another {what} than this version of hep; `hep down` removes it")]
    Incompatible {
        /// Name of the map.
        map: String,
        /// The property that differs.
        what: &'static str,
    },
    /// The running kernel lacks a feature that hep uses.
    #[error("{lack}")]
    Kernel {
        /// The kernel to run instead, and the features that this one lacks.
        lack: String,
        /// The failure that this explains.
        source: Box<KernelError>,
    },
    /// The build left the kernel programs out (`HEP_WITHOUT_BPF`, for development only).
    #[error(
        "this hep was built without its kernel programs (HEP_WITHOUT_BPF=1) and cannot enforce policy"
    )]
    WithoutPrograms,
    /// The embedded object cannot be read; a defect of the build.
    #[error("read the embedded object")]
    Object(#[source] Box<aya_obj::ParseError>),
    /// The maps could not be created, or the object not prepared.
    #[error("load the object")]
    Load(#[source] Box<EbpfError>),
    /// The kernel refused a program.
    #[error("load program {name}")]
    Program {
        /// Name of the program.
        name: &'static str,
        /// The verifier's error.
        source: Box<ProgramError>,
    },
    /// The object lacks a map or program; a defect of the build.
    #[error("the object has no {0}")]
    Missing(&'static str),
    /// A map operation failed.
    #[error("{operation} map {map}")]
    Map {
        /// Name of the map.
        map: &'static str,
        /// The operation that failed.
        operation: &'static str,
        /// The kernel's error.
        source: Box<MapError>,
    },
    /// A map operation that aya does not wrap failed.
    #[error("{operation} map {map}")]
    Io {
        /// Name of the map.
        map: &'static str,
        /// The operation that failed.
        operation: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// A table does not fit the maps.
    #[error("{what}: {count}, and at most {limit} fit")]
    Limit {
        /// The quantity that is too large.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many fit.
        limit: usize,
    },
    /// Tables that contradict themselves; a defect of the compiler.
    #[error("the compiled tables contradict themselves: {0}")]
    Contradiction(&'static str),
    /// A slot does not hold what was put there.
    #[error("map {map} does not hold what was written; another process writes to it")]
    Disturbed {
        /// Name of the map.
        map: &'static str,
    },
    /// The observer of the load stopped it.
    #[error("stopped before {step}")]
    Stopped {
        /// The step that did not run.
        step: Step,
        /// Why.
        source: io::Error,
    },
    /// The description is no JSON of ours.
    #[error("description of the generation")]
    Description(#[from] serde_json::Error),
    /// The description's pages are no text.
    #[error("description of the generation is damaged")]
    DescriptionDamaged,
    /// No generation is in force.
    #[error("no policy was ever loaded")]
    NoGeneration,
    /// `BPF_PROG_TEST_RUN` accepts only frames with at least an Ethernet header's length.
    #[error("a test frame has at least 14 bytes, not {0}")]
    FrameTooShort(usize),
    /// `BPF_PROG_TEST_RUN` takes the bytes for no packet.
    #[error("the kernel refuses this test frame")]
    FrameRefused(#[source] io::Error),
    /// There is no interface with this index in this network namespace.
    #[error("no interface has index {0}")]
    NoInterface(u32),
    /// A program returned a number that is no verdict.
    #[error("program {program} returned {code}, which is no verdict")]
    NoVerdict {
        /// Name of the program.
        program: &'static str,
        /// The number.
        code: u32,
    },
    /// A ring cannot be watched.
    #[error("watch the ring {map}")]
    Ring {
        /// Name of the ring.
        map: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl KernelError {
    /// For `map_err` on aya's map operations.
    pub(super) fn map(map: &'static str, operation: &'static str) -> impl FnOnce(MapError) -> Self {
        move |source| Self::Map {
            map,
            operation,
            source: Box::new(source),
        }
    }

    /// For `map_err` on operations of `sys`.
    pub(super) fn io(map: &'static str, operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            map,
            operation,
            source,
        }
    }

    /// For `map_err` on file system operations.
    pub(super) fn directory(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Directory { path, source }
    }
}
