//! Long functions outside tests.

use syn::{
    Attribute, ImplItemFn, ItemFn, ItemMod, Signature, TraitItemFn,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::modules::is_for_tests;

/// Most lines of a function, from its name to its end.
const MOST_LINES: usize = 60;
/// Suites, whose functions are claims with tables of rows.
const SUITES: [&str; 10] = [
    "tests/cli/",
    "tests/conformance/",
    "tests/differential/",
    "tests/guest/",
    "tests/kernel/",
    "tests/operator/",
    "tests/traffic/",
    "tests/verdict/",
    "/tests/",
    "/tests.rs",
];

/// A problem for each long function of a file; none of a suite.
///
/// # Errors
///
/// If the file cannot be parsed.
pub(super) fn long(name: &str, text: &str) -> syn::Result<Vec<String>> {
    if SUITES.iter().any(|suite| name.contains(suite)) {
        return Ok(Vec::new());
    }
    let file = syn::parse_file(text)?;
    let mut functions = Functions::default();
    functions.visit_file(&file);
    let named = functions.long.into_iter();
    Ok(named
        .map(|function| format!("{name}: {function}: has more than {MOST_LINES} lines: divide it"))
        .collect())
}

/// Names of the long functions found.
#[derive(Default)]
struct Functions {
    long: Vec<String>,
}

impl Functions {
    fn note(&mut self, attributes: &[Attribute], signature: &Signature, end: usize) {
        let lines = end + 1 - signature.span().start().line;
        if lines > MOST_LINES && !is_for_tests(attributes) {
            self.long.push(signature.ident.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        let end = function.block.span().end().line;
        self.note(&function.attrs, &function.sig, end);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        let end = function.block.span().end().line;
        self.note(&function.attrs, &function.sig, end);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        let end = function.span().end().line;
        self.note(&function.attrs, &function.sig, end);
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_functions_are_found_outside_tests() {
        let body = "    step();\n".repeat(MOST_LINES);
        let long_one = format!("fn long() {{\n{body}}}\n");
        let short = "/// Short.\nfn short() {\n}\n";
        let tests = format!("#[cfg(test)]\nmod tests {{\n{long_one}}}\n");
        let method = format!("impl A {{\n{long_one}}}\n");
        let found = |name, text: &str| long(name, text).expect("parses");
        let problem = format!("a.rs: long: has more than {MOST_LINES} lines: divide it");
        assert_eq!(found("a.rs", &(long_one.clone() + short)), [&*problem]);
        assert_eq!(found("a.rs", &method), [&*problem]);
        assert!(found("a.rs", &tests).is_empty());
        assert!(found("tests/cli/a.rs", &long_one).is_empty());
    }
}
