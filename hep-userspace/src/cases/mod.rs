//! Policy under test: cases that say what should happen to packets, and the engines that judge them.
//!
//! A case holds everything that is configured and some packets, each with the verdict it should
//! get. It is judged by the reference evaluator, by the real programs on compiled tables, or by
//! both, which then also have to name the same rule.

mod case;
mod expect;
mod file;
mod frame;
mod kernel;
mod load;
mod namespace;
mod packet;
mod run;
mod wire;

pub use case::{Case, CaseOptions, Resource};
pub use expect::Expect;
pub use file::{FileError, parse, read};
pub use kernel::{KernelEngine, KernelEngineError, KernelVerdict};
pub use load::{LoadError, LoadedCase};
pub use namespace::NamespaceError;
pub use packet::{DirectionText, ExtensionCase, PacketCase, ProtocolText, TagCase};
pub use run::{CaseReport, EngineReport, Engines, Failure, disagreement, run_case};
pub use wire::CaseError;
