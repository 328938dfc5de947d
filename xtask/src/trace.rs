//! `xtask trace IN OUT`: makes a module that tells its host each function that it enters, for `make hot`.

use std::error::Error;
use std::fs;
use std::path::Path;

use rustc_demangle::demangle;
use walrus::ValType;
use walrus::ir::Value;

use crate::prune;

/// Prunes a module, and lets each function first call the import `trace.enter` with its place in the list of names
/// that is printed, one in each line.
///
/// # Errors
/// Those of [`prune::pruned`], and when the file cannot be written.
pub fn run(input: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let mut module = prune::pruned(input)?;
    let functions: Vec<_> = module.funcs.iter_local().map(|(id, _)| id).collect();
    let kind = module.types.add(&[ValType::I32], &[]);
    let (enter, _) = module.add_import_func("trace", "enter", kind);
    for (place, id) in (0..).zip(functions) {
        let function = module.funcs.get_mut(id);
        println!("{:#}", demangle(function.name.as_deref().unwrap_or_default()));
        let mut body = function.kind.unwrap_local_mut().builder_mut().func_body();
        body.const_at(0, Value::I32(place)).call_at(1, enter);
    }
    fs::write(output, module.emit_wasm())?;
    Ok(())
}
