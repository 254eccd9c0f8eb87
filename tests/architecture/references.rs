//! Reads a source text and lists every path that leads into the crate, resolved from its root.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::tokens;

/// How a path stands in the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It is used here.
    Use,
    /// It is made visible to others here.
    ReExport,
}

/// One path into the crate.
#[derive(Debug)]
pub struct Reference {
    /// From the crate's root: `["store", "tenants"]`; empty when it names the root itself.
    pub target: Vec<String>,
    /// The module it stands in.
    pub module: Vec<String>,
    /// Where, counted from 1.
    pub line: usize,
    /// How.
    pub kind: Kind,
}

/// Something that would lead around the reading of paths.
#[derive(Debug)]
pub struct Detour {
    /// What it is.
    pub what: &'static str,
    /// Where.
    pub line: usize,
}

/// All that the layer rules want to know of a file.
#[derive(Default, Debug)]
pub struct Reading {
    /// Every path into the crate.
    pub references: Vec<Reference>,
    /// Every detour.
    pub detours: Vec<Detour>,
    /// Every method call with its line.
    pub method_calls: Vec<(String, usize)>,
    /// The first line of each item other than `mod name;`, for the crate's root.
    pub items: Vec<usize>,
}

/// Reads a file that is the module `module`.
pub fn read(module: &[String], text: &str) -> Reading {
    let file = syn::parse_file(text).unwrap_or_else(|e| panic!("module {}: {e}", module.join("::")));
    let mut reader = Reader {
        module: module.to_vec(),
        reading: Reading::default(),
    };
    for item in &file.items {
        if !matches!(item, syn::Item::Mod(inner) if inner.content.is_none()) {
            reader.reading.items.push(line(item.span()));
        }
    }
    reader.visit_file(&file);
    reader.reading
}

struct Reader {
    module: Vec<String>,
    reading: Reading,
}

impl Reader {
    fn note(&mut self, path: &[String], line: usize, kind: Kind) {
        if let Some(target) = resolve(&self.module, path) {
            self.reading.references.push(Reference {
                target,
                module: self.module.clone(),
                line,
                kind,
            });
        }
    }

    fn note_tokens(&mut self, tokens: proc_macro2::TokenStream) {
        for (path, line) in tokens::paths(tokens) {
            self.note(&path, line, Kind::Use);
        }
    }

    fn detour(&mut self, what: &'static str, span: Span) {
        self.reading.detours.push(Detour {
            what,
            line: line(span),
        });
    }

    fn use_tree(&mut self, prefix: &[String], tree: &syn::UseTree, kind: Kind) {
        let mut path = prefix.to_vec();
        match tree {
            syn::UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.use_tree(&path, &inner.tree, kind);
            }
            syn::UseTree::Group(group) => {
                for branch in &group.items {
                    self.use_tree(prefix, branch, kind);
                }
            }
            syn::UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.note(&path, line(name.span()), kind);
            }
            syn::UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                self.note(&path, line(name.span()), kind);
            }
            syn::UseTree::Glob(star) => {
                path.push("*".to_owned());
                self.note(&path, line(star.span()), kind);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let kind = match item.vis {
            syn::Visibility::Inherited => Kind::Use,
            syn::Visibility::Public(_) | syn::Visibility::Restricted(_) => Kind::ReExport,
        };
        self.use_tree(&[], &item.tree, kind);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.detour("`extern crate`", item.span());
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(crate)` names the root, but reaches for nothing in it.
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // A lone `self` is a value.
        if words != ["self"] {
            self.note(&words, line(path.span()), Kind::Use);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        self.reading.method_calls.push((name, line(call.method.span())));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.segments.last().is_some_and(|s| s.ident == "include") {
            self.detour("`include!`", call.path.span());
        }
        self.note_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("path") {
            self.detour("`#[path]`", attribute.span());
        }
        if let syn::Meta::List(list) = &attribute.meta {
            if list.path.is_ident("macro_use") {
                self.detour("`#[macro_use]`", attribute.span());
            }
            self.note_tokens(list.tokens.clone());
        } else if attribute.path().is_ident("macro_export") {
            self.detour("`#[macro_export]`", attribute.span());
        }
        visit::visit_attribute(self, attribute);
    }
}

/// The path from the crate's root, or nothing when it begins at another crate or at a name in scope.
fn resolve(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let mut words = path.iter().map(String::as_str).peekable();
    let mut target = match words.next()? {
        "crate" | "switchyard" => Vec::new(),
        "self" => module.to_vec(),
        "super" => parent(module),
        _ => return None,
    };
    while words.next_if_eq(&"super").is_some() {
        target = parent(&target);
    }
    // `use super::{self, x}` names the parent itself.
    target.extend(words.filter(|word| *word != "self").map(str::to_owned));
    Some(target)
}

fn parent(module: &[String]) -> Vec<String> {
    module
        .split_last()
        .map(|(_, rest)| rest.to_vec())
        .unwrap_or_default()
}

fn line(span: Span) -> usize {
    span.start().line
}
