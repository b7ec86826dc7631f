//! Circles of modules: files that use each other, directly or by way of others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use anyhow::Result;

use super::modules::{Module, Segments, of_crate};

/// Root files of the crates that have no circles.
const ROOTS: [&str; 2] = ["hep-userspace/src/lib.rs", "hep-ebpf/src/main.rs"];
/// Most re-exports that a name goes through.
const MOST_REEXPORTS: usize = 8;

/// Files by the files that they use.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// A problem for each file that is in a circle.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub(super) fn check(root: &Path, found: &mut Vec<String>) -> Result<()> {
    for crate_root in ROOTS {
        let graph = graph(&of_crate(root, crate_root)?);
        for file in graph.keys() {
            if let Some(circle) = circle(&graph, file) {
                found.push(format!("a circle of modules: {}", circle.join(" → ")));
            }
        }
    }
    Ok(())
}

/// The files that each file uses, by what it imports and by what it names.
fn graph(modules: &BTreeMap<Segments, Module>) -> Graph {
    let mut graph = Graph::new();
    for module in modules.values() {
        let mut used = BTreeSet::new();
        for import in &module.imports {
            // A re-export uses nothing, unless the module itself names it, too.
            if import.is_shared && !module.words.contains(&import.name) {
                continue;
            }
            used.extend(item(modules, module, &import.path, import.name == "*", 0));
        }
        for path in &module.mentions {
            used.extend(item(modules, module, path, true, 0));
        }
        used.remove(&module.file);
        graph.insert(module.file.clone(), used);
    }
    graph
}

/// The file that holds what a path in `from` leads to, through re-exports. A module itself counts only if
/// `with_modules`: what is used of an imported one is named elsewhere.
fn item(
    modules: &BTreeMap<Segments, Module>,
    from: &Module,
    path: &[String],
    with_modules: bool,
    depth: usize,
) -> Option<String> {
    let (first, rest) = path.split_first()?;
    if first != "crate" {
        let mut child = from.place.clone();
        child.push(first.clone());
        let absolute = if modules.contains_key(&child) {
            child
        } else {
            let import = from.imports.iter().find(|import| import.name == *first)?;
            if depth >= MOST_REEXPORTS || import.path.first() == Some(first) {
                return None;
            }
            let path: Segments = import.path.iter().chain(rest).cloned().collect();
            return item(modules, from, &path, with_modules, depth + 1);
        };
        let root = ["crate".to_owned()];
        let path: Segments = root
            .into_iter()
            .chain(absolute)
            .chain(rest.iter().cloned())
            .collect();
        return item(modules, from, &path, with_modules, depth);
    }
    let length = (0..=rest.len())
        .rev()
        .find(|length| modules.contains_key(&rest[..*length]))?;
    let module = &modules[&rest[..length]];
    let Some(name) = rest.get(length) else {
        return with_modules.then(|| module.file.clone());
    };
    let reexport = module.imports.iter().find(|import| import.name == *name);
    if let Some(import) = reexport
        && depth < MOST_REEXPORTS
    {
        let behind = rest[length + 1..].iter();
        let path: Segments = import.path.iter().chain(behind).cloned().collect();
        return item(modules, module, &path, with_modules, depth + 1);
    }
    Some(module.file.clone())
}

/// The shortest circle through a file, from it to itself.
fn circle(graph: &Graph, file: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([file]);
    while let Some(next) = open.pop_front() {
        for used in graph.get(next)? {
            if used == file {
                let mut circle = vec![file.to_owned()];
                let mut step = next;
                while step != file {
                    circle.push(step.to_owned());
                    step = before[step];
                }
                circle.push(file.to_owned());
                circle.reverse();
                return Some(circle);
            }
            if !before.contains_key(used.as_str()) {
                before.insert(used, next);
                open.push_back(used);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Circles of a crate with these files, by a file of each.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let id = format!("{}-{:p}", std::process::id(), files);
        let folder = std::env::temp_dir().join(format!("hep-circles-{id}"));
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("can be made");
            fs::write(path, text).expect("can be written");
        }
        let modules = of_crate(&folder, "lib.rs").expect("parses");
        fs::remove_dir_all(&folder).expect("can be removed");
        let graph = graph(&modules);
        let mut found: Vec<_> = graph
            .keys()
            .filter_map(|file| circle(&graph, file))
            .collect();
        found.dedup_by_key(|circle| circle.len());
        found.into_iter().map(|circle| circle.join(" ")).collect()
    }

    #[test]
    fn every_way_to_name_a_module_counts() {
        let b = ("b.rs", "pub struct B;\npub fn go() { crate::a::own() }");
        for a in [
            "use crate::b::B;",
            "use super::b::{B, go};",
            "use crate::{c, b::{self}};\nfn f() { b::go() }",
            "fn f() { super::b::go() }",
            "fn f() { call!(x, crate::b::go()) }",
            "mod inner { use super::super::b::B; }",
            "use crate::c::B;",
            "fn f() { use crate::{c::C, b::B}; }",
        ] {
            let files = [
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", a),
                b,
                ("c.rs", "pub use crate::b::B;\npub struct C;"),
            ];
            assert_eq!(circles(&files), ["a.rs b.rs a.rs"], "{a}");
        }
    }

    #[test]
    fn reexports_and_tests_use_nothing() {
        let parent = "mod one; mod two;\npub use one::One;\npub use two::Two;";
        let two =
            "use super::One;\npub struct Two;\n#[cfg(test)]\nmod tests { use crate::user::U; }";
        let files = [
            ("lib.rs", "mod room; mod user;"),
            ("room/mod.rs", parent),
            ("room/one.rs", "pub struct One;"),
            ("room/two.rs", two),
            ("user.rs", "use crate::room::{One, Two};"),
        ];
        assert_eq!(circles(&files), Vec::<String>::new());
    }

    #[test]
    fn a_parent_that_uses_its_child_is_in_a_circle_with_it() {
        let files = [
            ("lib.rs", "mod room;"),
            (
                "room/mod.rs",
                "mod one;\npub struct Own;\nfn f() { one::go() }",
            ),
            ("room/one.rs", "use super::Own;\npub fn go() {}"),
        ];
        assert_eq!(circles(&files), ["room/mod.rs room/one.rs room/mod.rs"]);
    }
}
