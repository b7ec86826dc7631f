//! Modules of a crate, from its root by their declarations, with the paths that each names.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, Item, UseTree, Visibility};

/// Segments of a path.
pub(super) type Segments = Vec<String>;

/// One file of a crate.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Path below the workspace.
    pub(super) file: String,
    /// Place in the crate; empty for its root.
    pub(super) place: Segments,
    /// Imports, those of inline modules included.
    pub(super) imports: Vec<Import>,
    /// Paths in items other than imports, absolute or relative to the place.
    pub(super) mentions: Vec<Segments>,
    /// Identifiers in items other than imports.
    pub(super) words: BTreeSet<String>,
}

/// One name that a `use` item brings.
#[derive(Debug)]
pub(super) struct Import {
    /// Path to it.
    pub(super) path: Segments,
    /// Its name here; `*` for everything.
    pub(super) name: String,
    /// Whether other modules can import it from here.
    pub(super) is_shared: bool,
}

/// Modules of the crate with this root file, by their places, without those for tests.
///
/// # Errors
///
/// If a file cannot be read or parsed.
pub(super) fn of_crate(workspace: &Path, root: &str) -> Result<BTreeMap<Segments, Module>> {
    let mut found = BTreeMap::new();
    let mut open = vec![(workspace.join(root), Vec::new())];
    while let Some((path, place)) = open.pop() {
        let file = syn::parse_file(&super::read(&path)?)
            .with_context(|| format!("parse {}", path.display()))?;
        let name = path.strip_prefix(workspace).unwrap_or(&path);
        let mut module = Module {
            file: name.to_string_lossy().into_owned(),
            place: place.clone(),
            ..Module::default()
        };
        for child in module.read(&file.items, &[]) {
            let mut below = place.clone();
            below.push(child.clone());
            open.push((file_of(&path, &child), below));
        }
        found.insert(place, module);
    }
    Ok(found)
}

/// The file of a child that a file declares.
fn file_of(parent: &Path, child: &str) -> PathBuf {
    let stem = parent.file_stem().unwrap_or_default();
    let own = ["mod", "lib", "main"].iter().any(|name| stem == *name);
    let folder = if own {
        parent.with_file_name("")
    } else {
        parent.with_extension("")
    };
    let flat = folder.join(format!("{child}.rs"));
    if flat.exists() {
        flat
    } else {
        folder.join(child).join("mod.rs")
    }
}

impl Module {
    /// Notes what the items name; the files that they declare.
    fn read(&mut self, items: &[Item], inline: &[String]) -> Vec<String> {
        let mut children = Vec::new();
        for item in items {
            if let Item::Mod(module) = item {
                if is_for_tests(&module.attrs) {
                    continue;
                }
                let name = module.ident.to_string();
                if let Some((_, items)) = &module.content {
                    children.extend(self.read(items, &[inline, &[name]].concat()));
                } else {
                    children.push(name);
                }
            } else if let Item::Use(item) = item {
                if !is_for_tests(&item.attrs) {
                    let is_shared = !matches!(item.vis, Visibility::Inherited);
                    self.import(&item.tree, Vec::new(), inline, is_shared);
                }
            } else if !matches!(item, Item::Fn(item) if is_for_tests(&item.attrs)) {
                self.mention(item.to_token_stream(), inline);
            }
        }
        children
    }

    /// Adds the names of a tree behind a prefix.
    fn import(&mut self, tree: &UseTree, mut path: Segments, inline: &[String], is_shared: bool) {
        let name = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.import(&tree.tree, path, inline, is_shared);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), inline, is_shared);
                }
                return;
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                name.ident.to_string()
            }
            UseTree::Rename(rename) => {
                path.push(rename.ident.to_string());
                rename.rename.to_string()
            }
            _glob => "*".to_owned(),
        };
        let mut name = name;
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
            if name == "self" {
                name = path.last().cloned().unwrap_or_default();
            }
        }
        self.imports.push(Import {
            path: self.absolute(path, inline),
            name,
            is_shared,
        });
    }

    /// Adds the paths in tokens.
    fn mention(&mut self, tokens: TokenStream, inline: &[String]) {
        for path in paths(tokens, &mut self.words) {
            let path = self.absolute(path, inline);
            self.mentions.push(path);
        }
    }

    /// A path from the root of the crate, `crate` first, where it begins with `self` or `super`.
    fn absolute(&self, path: Segments, inline: &[String]) -> Segments {
        let mut place: Segments = self.place.iter().chain(inline).cloned().collect();
        let mut rest = path.iter().peekable();
        match rest.peek().map(|first| first.as_str()) {
            Some("self" | "super") => {}
            _ => return path,
        }
        while let Some(word) = rest.next_if(|word| *word == "self" || *word == "super") {
            if word == "super" {
                place.pop();
            }
        }
        let root = ["crate".to_owned()];
        root.into_iter().chain(place).chain(rest.cloned()).collect()
    }
}

/// Whether an item exists in builds of tests only.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.meta.to_token_stream().to_string();
        let conditional = attribute.path().is_ident("cfg") && !text.contains("not");
        attribute.path().is_ident("test")
            || conditional
                && text
                    .split(|it: char| !it.is_alphanumeric())
                    .any(|it| it == "test")
    })
}

/// Paths of two segments or more in tokens, macros included; single identifiers go to `words`.
fn paths(tokens: TokenStream, words: &mut BTreeSet<String>) -> Vec<Segments> {
    let mut found = Vec::new();
    let mut path: Segments = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                if colons != 2 {
                    finish(&mut path, &mut found);
                }
                words.insert(word.to_string());
                path.push(word.to_string());
                colons = 0;
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
            TokenTree::Group(group) => {
                let is_tree = colons == 2 && group.delimiter() == Delimiter::Brace;
                let prefix = if is_tree {
                    std::mem::take(&mut path)
                } else {
                    Vec::new()
                };
                finish(&mut path, &mut found);
                for inner in paths(group.stream(), words) {
                    found.push(prefix.iter().cloned().chain(inner).collect());
                }
                colons = 0;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {
                finish(&mut path, &mut found);
                colons = 0;
            }
        }
    }
    finish(&mut path, &mut found);
    found
}

/// Ends a path; one of a single segment is only a word.
fn finish(path: &mut Segments, found: &mut Vec<Segments>) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        found.push(path);
    }
}
