//! Preview of a load, before it is applied: changed resources and rules, and the flows it would cut.

mod documents;
mod flows;
mod resources;
mod rules;

pub use flows::{Cut, FlowJudge};
pub use resources::{Change, FieldChange, ResourceChange, resources};
pub use rules::{
    Hunk, InterfaceChange, Line, LineChange, ListChange, SetChange, interfaces, lists, sets,
};
