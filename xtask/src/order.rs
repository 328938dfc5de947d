//! Puts the functions that most requests run next to each other.
//!
//! An engine places machine code in the order of the functions. `walrus` sorts them by size: the functions of one
//! request are then spread over 116 pages. Next to each other they fill 45, and a request costs less
//! (docs/performance.md).

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::error::Error;
use std::result::Result;

use rustc_demangle::demangle;
use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, FunctionSectionReader, KnownCustom, Name, Parser,
    Payload, TypeRef,
};

/// The functions of a request with a remembered token, then those of one with a new token and of one without, in the
/// order of their first calls. `make hot` writes it.
const HOT: &str = include_str!("hot.txt");

/// The least percentage of [`HOT`] that must be in a module. A change of the code renames or inlines some.
const KNOWN: usize = 70;

/// The module with the functions of [`HOT`] first, and without names.
///
/// # Errors
/// When the module cannot be read, and when it lacks too many of the functions.
pub fn hot_first(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let functions = functions(module)?;
    let hot: HashMap<&str, usize> = HOT.lines().zip(0..).collect();
    let place = |name: &String| hot.get(name.as_str()).copied();
    let found: HashSet<_> = functions.values().filter_map(place).collect();
    if found.len() * 100 < hot.len() * KNOWN {
        let (found, all) = (found.len(), hot.len());
        return Err(format!(
            "the module has {found} of {all} functions of xtask/src/hot.txt; run make hot"
        )
        .into());
    }
    reordered(module, |index| functions.get(&index).and_then(place).unwrap_or(usize::MAX))
}

/// The names of functions by their numbers, without the hash that each build gives them.
pub fn functions(module: &[u8]) -> Result<HashMap<u32, String>, wasmparser::BinaryReaderError> {
    let mut functions = HashMap::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CustomSection(section) = payload? else { continue };
        let KnownCustom::Name(names) = section.as_known() else { continue };
        for names in names {
            let Name::Function(names) = names? else { continue };
            for name in names {
                let name = name?;
                functions.insert(name.index, format!("{:#}", demangle(name.name)));
            }
        }
    }
    Ok(functions)
}

/// The module with its functions sorted by a key of their numbers; those with the same key keep their order.
fn reordered(module: &[u8], key: impl Fn(u32) -> usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let (mut imported, mut own) = (0, 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(functions) => own = functions.count(),
            _ => {}
        }
    }
    let mut order: Vec<u32> = (imported..imported + own).collect();
    order.sort_by_key(|index| key(*index));
    let numbers = order.iter().copied().zip(imported..).collect();
    let order = order.iter().map(|index| (index - imported) as usize).collect();
    let mut output = Module::new();
    Order { order, numbers }.parse_core_module(&mut output, Parser::new(0), module)?;
    Ok(output.finish())
}

/// Writes functions in another order.
struct Order {
    /// The functions in their new order, counted from the first that is not imported.
    order: Vec<usize>,
    /// The new number of each function that moves.
    numbers: HashMap<u32, u32>,
}

impl Order {
    /// The items of a section that has one for each function, in the new order.
    fn sorted<T: Clone>(&self, items: &[T]) -> Vec<T> {
        self.order.iter().filter_map(|place| items.get(*place).cloned()).collect()
    }
}

type Reencoded = Result<(), reencode::Error<Infallible>>;

impl Reencode for Order {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, reencode::Error<Infallible>> {
        Ok(self.numbers.get(&index).copied().unwrap_or(index))
    }

    fn parse_function_section(
        &mut self,
        output: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Reencoded {
        let types = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.sorted(&types).into_iter().for_each(|kind| {
            output.function(kind);
        });
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        output: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Reencoded {
        let bodies = section.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.sorted(&bodies).into_iter().try_for_each(|body| self.parse_function_body(output, body))
    }

    fn parse_custom_section(
        &mut self,
        output: &mut Module,
        section: CustomSectionReader<'_>,
    ) -> Reencoded {
        match section.as_known() {
            KnownCustom::Name(_) => Ok(()),
            _ => utils::parse_custom_section(self, output, section),
        }
    }
}
