//! `hep test`: outcomes of test cases.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Place, Version};
use crate::cases;

/// Outcomes of test cases.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TestReport {
    /// Version of this shape.
    pub version: Version<1>,
    /// Engine that judged: `kernel`, `reference` or `both`.
    pub engine: String,
    /// Number of cases that passed.
    pub passed: usize,
    /// Number of cases that failed.
    pub failed: usize,
    /// Number of packets.
    pub packets: usize,
    /// Outcomes by file.
    pub files: Vec<FileResult>,
}

/// Outcomes of the cases of one file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FileResult {
    /// The file.
    pub file: String,
    /// Its cases.
    pub cases: Vec<CaseResult>,
}

/// Outcome of a case.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CaseResult {
    /// Name, or the number in its file.
    pub id: String,
    /// Remark.
    pub why: String,
    /// Number of packets.
    pub packets: usize,
    /// Time that it took.
    pub seconds: f64,
    /// Reason why it could not be judged at all; null if it was.
    pub error: Option<String>,
    /// Packets with another outcome than expected; none, and no error: the case passed.
    pub failures: Vec<PacketFailure>,
}

/// A packet with another outcome than expected.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PacketFailure {
    /// Place of the packet in its case, from 0.
    pub index: usize,
    /// The packet in one line.
    pub packet: String,
    /// Remark.
    pub why: String,
    /// Expected verdict: `allow` or `deny`.
    pub expect: String,
    /// The failure in one line.
    pub problem: String,
    /// Verdicts of the engines.
    pub got: Vec<EngineVerdict>,
}

/// Verdict of one engine.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EngineVerdict {
    /// `reference` or `kernel`.
    pub engine: String,
    /// `allow` or `deny`.
    pub verdict: String,
    /// Name of the reason.
    pub reason: String,
    /// The rule or default that decided.
    pub place: Place,
    /// Steps to the verdict, as far as the engine records them.
    pub trace: Vec<String>,
}

impl TestReport {
    /// Sums up the outcomes.
    #[must_use]
    pub fn new(engine: &str, files: Vec<FileResult>) -> Self {
        let cases = || files.iter().flat_map(|file| &file.cases);
        let passed = cases().filter(|case| case.passed()).count();
        Self {
            version: Version,
            engine: engine.to_owned(),
            passed,
            failed: cases().count() - passed,
            packets: cases().map(|case| case.packets).sum(),
            files,
        }
    }
}

impl CaseResult {
    /// Whether every packet had the expected outcome.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.error.is_none() && self.failures.is_empty()
    }
}

impl From<cases::CaseReport> for CaseResult {
    fn from(report: cases::CaseReport) -> Self {
        let failures = report.failures.into_iter();
        Self {
            id: report.id,
            why: report.why,
            packets: report.packets,
            seconds: report.seconds,
            error: report.error,
            failures: failures.map(PacketFailure::from).collect(),
        }
    }
}

impl From<cases::Failure> for PacketFailure {
    fn from(failure: cases::Failure) -> Self {
        let got = failure.got.into_iter().map(|report| EngineVerdict {
            engine: report.engine.to_owned(),
            verdict: report.verdict.name().to_owned(),
            reason: report.reason,
            place: report.place.into(),
            trace: report.trace,
        });
        Self {
            index: failure.index,
            packet: failure.packet,
            why: failure.why,
            expect: failure.expect.name().to_owned(),
            problem: failure.problem,
            got: got.collect(),
        }
    }
}
