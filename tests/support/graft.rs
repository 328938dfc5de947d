//! Copies of the module with a fault in them: what is left of a proxy when a VM dies.

use std::path::PathBuf;

use walrus::ir::BinaryOp;
use walrus::{ExportItem, FunctionBuilder, Module, ValType};

use super::root;

/// What the callback for the trailers of a request does instead of its work. No other request has
/// trailers, so a test decides when it happens.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It traps.
    Trap,
    /// It takes all the memory that the host gives, and goes on.
    Memory,
}

/// Writes a copy of the module with a fault; its path. It may be deleted once Envoy has started.
pub fn module(fault: Fault) -> PathBuf {
    let mut module = Module::from_file(super::module()).unwrap();
    let memory = module.memories.iter().next().unwrap().id();
    let mut callback = FunctionBuilder::new(&mut module.types, &[ValType::I32; 2], &[ValType::I32]);
    let arguments = [(); 2].map(|()| module.locals.add(ValType::I32));
    let mut body = callback.func_body();
    match fault {
        Fault::Trap => {
            body.unreachable();
        }
        Fault::Memory => {
            // One page at a time at the end, so that nothing is left.
            for pages in [1024, 1] {
                body.loop_(None, |again| {
                    let start = again.id();
                    again.i32_const(pages).memory_grow(memory).i32_const(-1);
                    again.binop(BinaryOp::I32Ne).br_if(start);
                });
            }
            body.i32_const(0);
        }
    }
    let callback = callback.finish(arguments.to_vec(), &mut module.funcs);
    let named = |export: &&walrus::Export| export.name == "proxy_on_request_trailers";
    let export = module.exports.iter().find(named).unwrap().id();
    module.exports.get_mut(export).item = ExportItem::Function(callback);
    let path = root().join(format!("target/e2e/{fault:?}-{}.wasm", std::process::id()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    module.emit_wasm_file(&path).unwrap();
    path
}
