//! Layouts of everything that crosses the kernel boundary, held to the record of their `ABI_VERSION`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Fields, ImplItem, Item, ItemMacro};

use super::{modules::is_for_tests, read};

/// The record: the version in its first line, then a name and a hash a line.
const RECORD: &str = "hep-common/abi.txt";
/// Where types and constants of the boundary are.
const TYPES: &str = "hep-common/src";
/// Where the programs declare their maps.
const MAPS: &str = "hep-ebpf/src/maps";
/// Macros that declare several maps.
const MAP_MACROS: [&str; 3] = ["flow_maps", "halves", "tables"];
/// Constants that are no layout: versions, and a default that `hep run` replaces.
const NO_LAYOUT: [&str; 3] = ["ABI_VERSION", "LAYOUT_VERSION", "DEFAULT_FLOWS"];
/// Ends of the names of constants that are durations, hence no layout.
const DURATION: &str = "_NS";

/// Layouts by name, each as a hash.
type Layouts = BTreeMap<String, u64>;

/// Layouts that are not as recorded for this version.
///
/// # Errors
///
/// If a source cannot be read or parsed.
pub(super) fn check(root: &Path, found: &mut Vec<String>) -> Result<()> {
    let (version, recorded) = parse(&read(&root.join(RECORD))?);
    if version != super::documents::abi_version(root)? {
        found.push(format!(
            "{RECORD}: is the record of version {version}: `cargo xtask lint --record-abi` makes the new one"
        ));
        return Ok(());
    }
    let layouts = layouts(root)?;
    let names: BTreeSet<&String> = recorded.keys().chain(layouts.keys()).collect();
    for name in names {
        if recorded.get(name) != layouts.get(name) {
            let hash = layouts.get(name).copied().unwrap_or_default();
            found.push(format!(
                "{name}: is not what ABI_VERSION {version} has: raise ABI_VERSION (and LAYOUT_VERSION, if it \
                 is of flows), then `cargo xtask lint --record-abi`; if only a name changed, write \
                 {hash:016x} into {RECORD}"
            ));
        }
    }
    Ok(())
}

/// Records the layouts of a new version.
///
/// # Errors
///
/// If the version is the recorded one, or a source cannot be read.
pub(crate) fn record(root: &Path) -> Result<()> {
    let path = root.join(RECORD);
    let version = super::documents::abi_version(root)?;
    let former = fs::read_to_string(&path).unwrap_or_default();
    if parse(&former).0 == version {
        bail!("{RECORD} is the record of version {version} already: raise ABI_VERSION first");
    }
    let mut text = format!("version {version}\n");
    for (name, hash) in layouts(root)? {
        text.push_str(&format!("{name} {hash:016x}\n"));
    }
    fs::write(&path, text).with_context(|| format!("write {RECORD}"))
}

/// The version and the layouts of a record.
fn parse(record: &str) -> (String, Layouts) {
    let mut lines = record.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("version "));
    let layouts = lines.filter_map(|line| {
        let (name, hash) = line.rsplit_once(' ')?;
        Some((name.to_owned(), u64::from_str_radix(hash, 16).ok()?))
    });
    (version.unwrap_or_default().to_owned(), layouts.collect())
}

/// All layouts of the sources.
fn layouts(root: &Path) -> Result<Layouts> {
    let mut found = Layouts::new();
    for folder in [TYPES, MAPS] {
        for path in super::files_below(root.join(folder))? {
            let file = syn::parse_file(&read(&path)?)
                .with_context(|| format!("parse {}", path.display()))?;
            add(&file.items, folder == MAPS, &mut found);
        }
    }
    Ok(found)
}

/// Adds the layouts of items: maps only, or else types and constants.
fn add(items: &[Item], maps_only: bool, found: &mut Layouts) {
    for item in items {
        if let Item::Mod(module) = item {
            if let Some((_, items)) = module
                .content
                .as_ref()
                .filter(|_| !is_for_tests(&module.attrs))
            {
                add(items, maps_only, found);
            }
        } else if maps_only {
            if let Item::Static(item) = item
                && item.attrs.iter().any(|it| it.path().is_ident("btf_map"))
            {
                let (kind, definition) = (&item.ty, &item.expr);
                note(found, "map", &item.ident, quote!(#kind #definition));
            } else if let Item::Macro(item) = item
                && MAP_MACROS.iter().any(|name| item.mac.path.is_ident(name))
            {
                entries(item, found);
            }
        } else {
            add_type(item, found);
        }
    }
}

/// Adds a type with a representation of its own, a constant, or the entries of a table of reasons.
fn add_type(item: &Item, found: &mut Layouts) {
    if let Item::Struct(item) = item
        && let Some(representation) = representation(&item.attrs)
    {
        let fields = fields(&item.fields);
        note(
            found,
            "struct",
            &item.ident,
            quote!(#representation #fields),
        );
    } else if let Item::Enum(item) = item
        && let Some(representation) = representation(&item.attrs)
    {
        let variants = item.variants.iter().map(|variant| {
            let number = variant.discriminant.as_ref().map(|(_, number)| number);
            let name = &variant.ident;
            quote!(#name #number ,)
        });
        note(
            found,
            "enum",
            &item.ident,
            quote!(#representation #(#variants)*),
        );
    } else if let Item::Const(item) = item {
        constant(found, &item.ident, &item.expr);
    } else if let Item::Impl(item) = item {
        for inner in &item.items {
            if let ImplItem::Const(inner) = inner {
                constant(found, &inner.ident, &inner.expr);
            }
        }
    } else if let Item::Macro(item) = item
        && item.ident.is_none()
        && !item.mac.path.is_ident("abi")
    {
        entries(item, found);
    }
}

/// Adds what a macro's table has.
fn entries(item: &ItemMacro, found: &mut Layouts) {
    let name = item.mac.path.to_token_stream();
    let tokens = without_docs(item.mac.tokens.clone());
    note(found, "entries of", &name, tokens);
}

fn constant(found: &mut Layouts, name: &syn::Ident, value: &syn::Expr) {
    let text = name.to_string();
    let is_layout = !NO_LAYOUT.contains(&text.as_str()) && !text.ends_with(DURATION);
    if is_layout && text != "_" {
        note(found, "const", name, value.to_token_stream());
    }
}

/// The `repr` attribute.
fn representation(attributes: &[Attribute]) -> Option<TokenStream> {
    let mut all = attributes.iter();
    let found = all.find(|attribute| attribute.path().is_ident("repr"))?;
    Some(found.meta.to_token_stream())
}

/// Names and types of the fields, in order.
fn fields(fields: &Fields) -> TokenStream {
    let each = fields.iter().map(|field| {
        let (name, kind) = (&field.ident, &field.ty);
        quote!(#name #kind ,)
    });
    quote!(#(#each)*)
}

/// Tokens without documentation.
fn without_docs(tokens: TokenStream) -> TokenStream {
    let is_doc = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.to_string().starts_with("[doc"));
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = TokenStream::new();
    for (index, token) in tokens.iter().enumerate() {
        let opens_doc = tokens.get(index + 1).is_some_and(is_doc);
        if !is_doc(token) && !opens_doc {
            kept.extend([token.clone()]);
        }
    }
    kept
}

/// Adds a layout; several of one name are one.
fn note(found: &mut Layouts, kind: &str, name: &dyn ToString, tokens: TokenStream) {
    let hash = found
        .entry(format!("{kind} {}", name.to_string()))
        .or_insert(0xcbf2_9ce4_8422_2325);
    for byte in tokens.to_string().bytes().filter(|byte| *byte != b' ') {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layouts(text: &str) -> Layouts {
        let file = syn::parse_file(text).expect("parses");
        let mut found = Layouts::new();
        add(&file.items, false, &mut found);
        found
    }

    #[test]
    fn whatever_changes_a_layout_is_seen_and_nothing_else() {
        let before = layouts("#[repr(C)]\nstruct A { /** One. */ pub a: u32, pub b: u32 }");
        assert_eq!(before.len(), 1);
        let same = layouts(
            "/// Other words.\n#[repr(C)]\n#[derive(Copy)]\nstruct A {\n a: u32,\n b: u32\n}",
        );
        assert_eq!(before, same);
        for other in [
            "#[repr(C)] struct A { b: u32, a: u32 }",
            "#[repr(C)] struct A { a: u32, b: i32 }",
            "#[repr(C, align(8))] struct A { a: u32, b: u32 }",
            "#[repr(C)] struct A { a: u32, b: u32, c: u32 }",
        ] {
            assert_ne!(before, layouts(other), "{other}");
        }
        let pairs = [
            ("#[repr(u8)] enum E { A, B }", "#[repr(u8)] enum E { B, A }"),
            (
                "#[repr(u8)] enum E { A = 1 }",
                "#[repr(u8)] enum E { A = 2 }",
            ),
            ("pub const LEN: u32 = 8;", "pub const LEN: u32 = 9;"),
            (
                "impl A { const NONE: u8 = 1; }",
                "impl A { const NONE: u8 = 2; }",
            ),
            (
                "reasons! { A = \"a\", true; }",
                "reasons! { A = \"a\", false; }",
            ),
            (
                "#[repr(transparent)] struct T(u32);",
                "#[repr(transparent)] struct T(u64);",
            ),
        ];
        for (one, other) in pairs {
            assert_ne!(layouts(one), layouts(other), "{other}");
        }
        let documented = "reasons! {\n/// Words.\nA = \"a\", true; }";
        assert_eq!(layouts(documented), layouts(pairs[4].0));
        assert!(layouts("const GRACE_NS: u64 = 5; struct Plain { a: u32 }").is_empty());
    }

    #[test]
    fn a_record_is_read_as_written() {
        let (version, layouts) = parse("version 6\nstruct A 00000000000000ff\n");
        assert_eq!((version.as_str(), layouts["struct A"]), ("6", 255));
    }
}
