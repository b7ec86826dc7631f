//! The limits that keep a valid snapshot from becoming a generation, each with its number.

/// A documented limit that the snapshot exceeds. Nothing is ever truncated instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// One list has too many rules.
    #[error(
        "the {list} of endpoint {endpoint} has {rules} rules, ends of tiers and defaults included; \
         the limit is {limit}"
    )]
    ListTooLong {
        /// Name of the HostEndpoint.
        endpoint: String,
        /// Which list.
        list: String,
        /// Rules that it would have.
        rules: usize,
        /// Rules that it may have.
        limit: usize,
    },
    /// The rules distinguish too many values of one kind.
    #[error("the rules distinguish {classes} classes of {what}; the limit is {limit}")]
    TooManyClasses {
        /// Addresses of a family, services, source ports, named ports.
        what: &'static str,
        /// Classes needed.
        classes: usize,
        /// Classes possible.
        limit: usize,
    },
    /// All lists together have too many different rules.
    #[error("{slots} rules and defaults need a counter; the limit is {limit}")]
    TooManySlots {
        /// Slots needed.
        slots: usize,
        /// Slots that exist.
        limit: usize,
    },
    /// Too many interfaces have programs.
    #[error("{interfaces} interfaces are policed; the limit (bpfMapSizeIfState) is {limit}")]
    TooManyInterfaces {
        /// Interfaces that would get programs.
        interfaces: usize,
        /// Interfaces that may have programs.
        limit: usize,
    },
    /// The address sets of all selectors have too many members.
    #[error(
        "the address sets of all rule selectors have {members} members; the limit \
         (bpfMapSizeIPSets) is {limit}; the largest is {largest} with {largest_members}"
    )]
    TooManySetMembers {
        /// Members of all sets together.
        members: usize,
        /// Members allowed.
        limit: usize,
        /// Canonical text of the selector of the largest set.
        largest: String,
        /// Its members.
        largest_members: usize,
    },
    /// The interfaces need too many different lists.
    #[error("the interfaces would need {lists} different lists of rules; the limit is {limit}")]
    TooManyLists {
        /// Lists needed, as far as they were counted.
        lists: usize,
        /// Lists possible.
        limit: usize,
    },
    /// A table outgrows its limit.
    #[error("table {table} would have {entries} entries; the limit is {limit}")]
    TableTooLarge {
        /// Name of the map.
        table: &'static str,
        /// Entries needed.
        entries: usize,
        /// Entries possible.
        limit: usize,
    },
}
