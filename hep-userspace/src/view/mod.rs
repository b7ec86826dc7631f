//! View models: the answers of commands as plain data. Text and JSON are two printers of one model; a page
//! or a terminal interface would be further ones.
//!
//! Models are made from what the daemon reports, the journal, and the pinned maps with their description.
//! They are types of their own, so that these can change without a program noticing that reads JSON: what
//! such a program may rely on is here, and in the schemas generated from it ([`schemas`]).

mod codes;
mod counters;
mod difference;
mod endpoints;
mod explanation;
mod failsafe;
mod failure;
mod flows;
mod history;
mod interfaces;
mod live;
mod monitor;
mod outcome;
mod place;
mod policies;
mod problem;
mod rules;
mod schema;
mod selector;
mod sets;
mod shown;
mod status;
mod test_report;
mod validation;
mod version;

pub use codes::{Code, Codes};
pub use counters::Count;
pub use difference::{
    Change, Cut, Difference, FieldChange, Flows, Hunk, InterfaceChange, Line, ListChange,
    ResourceChange, SetChange,
};
pub use endpoints::{Endpoint, Side};
pub use explanation::{Explanation, Question};
pub use failsafe::FailsafePort;
pub use failure::{Body, Failure, FailureKind, Former};
pub use flows::{Approval, End, Flow};
pub use history::{Entry, History};
pub use interfaces::{Hooks, Interface};
pub use live::{Live, LiveError};
pub use monitor::{Event, Lost};
pub use outcome::{Outcome, Removal, TrialOutcome};
pub use place::{Place, Written};
pub use policies::Policy;
pub use problem::{Problem, Severity};
pub use rules::{ListKind, ListedRule, Rule, RuleList, Traffic};
pub use schema::schemas;
pub use selector::SelectorAnswer;
pub use sets::Set;
pub use shown::{Found, Shown};
pub use status::{
    Daemon, EndedTrial, Frozen, Instance, LastLoad, LocalIn, LocalInState, Panic, Sources, Status,
    StatusError, Store, StoreKind, Table, Trial,
};
pub use test_report::{CaseResult, EngineVerdict, FileResult, PacketFailure, TestReport};
pub use validation::Validation;
pub use version::Version;
