//! Copies of the module with a fault in them: what is left of a proxy when a VM dies.

use std::path::PathBuf;

use walrus::ir::BinaryOp;
use walrus::{ExportItem, FunctionBuilder, FunctionId, Module, ModuleImports, ValType};

use super::root;

/// What the callback for the trailers of a request does instead of its work. No other request has
/// trailers, so a test decides when it happens.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It traps.
    Trap,
    /// It takes all the memory that the host gives, and goes on.
    Memory,
    /// It traps, and no VM after it takes its configuration.
    TrapForGood,
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
        Fault::TrapForGood => {
            // A mark in the shared data, which the VMs of a process have in common.
            let set = import(&module.imports, "proxy_set_shared_data");
            body.i32_const(0).i32_const(MARK).i32_const(0).i32_const(0).i32_const(0).call(set);
            body.drop().unreachable();
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
    if let Fault::TrapForGood = fault {
        refuse_after_mark(&mut module);
    }
    let path = root().join(format!("target/e2e/{fault:?}-{}.wasm", std::process::id()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    module.emit_wasm_file(&path).unwrap();
    path
}

/// The key of the mark in the shared data: so many bytes from the start of the memory, where the
/// stack ends and nothing is written.
const MARK: i32 = 16;

/// A call of the host that the module knows.
fn import(imports: &ModuleImports, name: &str) -> FunctionId {
    let import = imports.iter().find(|import| import.name == name).unwrap();
    let walrus::ImportKind::Function(function) = import.kind else { panic!("{name}") };
    function
}

/// Puts before the callback for the configuration that it refuses where the mark is set.
fn refuse_after_mark(module: &mut Module) {
    let get = import(&module.imports, "proxy_get_shared_data");
    let named = |export: &&walrus::Export| export.name == "proxy_on_configure";
    let export = module.exports.iter().find(named).unwrap();
    let (id, ExportItem::Function(own)) = (export.id(), export.item) else { panic!("a function") };
    let mut callback = FunctionBuilder::new(&mut module.types, &[ValType::I32; 2], &[ValType::I32]);
    let arguments = [(); 2].map(|()| module.locals.add(ValType::I32));
    let mut body = callback.func_body();
    // Where the host puts the value, its size and its version.
    body.i32_const(0).i32_const(MARK).i32_const(32).i32_const(36).i32_const(40).call(get);
    body.if_else(
        ValType::I32,
        |unset| {
            unset.local_get(arguments[0]).local_get(arguments[1]).call(own);
        },
        |set| {
            set.i32_const(0);
        },
    );
    let callback = callback.finish(arguments.to_vec(), &mut module.funcs);
    module.exports.get_mut(id).item = ExportItem::Function(callback);
}
