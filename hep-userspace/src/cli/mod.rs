//! The command line: one file per subcommand, arguments in, a view model and an exit code out.

mod auto;
mod boot;
mod command;
mod confirm;
mod datastore;
mod diff;
mod down;
mod exit;
mod explain;
mod history;
mod host;
mod instance;
mod monitor;
mod order;
mod output;
mod panic;
mod resume;
mod rollback;
mod run;
mod runtime;
mod schemas;
mod selector;
mod show;
mod status;
mod table;
mod test;
mod trial;
mod validate;
mod verbs;

pub use command::main;
pub use datastore::StoreArguments;
pub use instance::Instance;
pub use output::Format;
