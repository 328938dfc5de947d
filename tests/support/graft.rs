//! Copies of the module with a fault, for tests of a proxy whose VM dies; and a copy with another
//! layout of its shared data.

use std::path::{Path, PathBuf};

use walrus::ir::{
    BinaryOp, Call, ExtendedLoad, LoadKind, MemArg, StoreKind, UnaryOp, VisitorMut,
    dfs_pre_order_mut,
};
use walrus::{
    ExportItem, FunctionBuilder, FunctionId, InstrSeqBuilder, LocalId, Module, ModuleImports,
    ValType,
};

use super::root;

/// A fault in the callback for the trailers of a request. No other request has trailers, so that a
/// test decides when it happens.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It traps.
    Trap,
    /// It takes all the memory that the host gives, and goes on.
    Memory,
    /// It traps, and no VM after it takes its configuration.
    TrapForGood,
}

/// Writes a copy of the module with a fault.
pub fn module(fault: Fault, path: &Path) {
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
    module.emit_wasm_file(path).unwrap();
}

/// Writes a copy of the module that lets time pass before each write of shared data, so that workers
/// with one bucket lose races for it.
pub fn slow_writes(path: &Path) {
    let mut module = Module::from_file(super::module()).unwrap();
    let set = import(&module.imports, "proxy_set_shared_data");
    let own: Vec<FunctionId> = module.funcs.iter_local().map(|(id, _)| id).collect();
    let types = [ValType::I32; 5];
    let mut wrapper = FunctionBuilder::new(&mut module.types, &types, &[ValType::I32]);
    let arguments = types.map(|kind| module.locals.add(kind));
    let left = module.locals.add(ValType::I32);
    let mut body = wrapper.func_body();
    body.i32_const(WAIT).local_set(left);
    body.loop_(None, |again| {
        let start = again.id();
        again.local_get(left).i32_const(1).binop(BinaryOp::I32Sub).local_tee(left).br_if(start);
    });
    arguments.iter().for_each(|argument| _ = body.local_get(*argument));
    body.call(set);
    let wrapper = wrapper.finish(arguments.to_vec(), &mut module.funcs);
    redirect(&mut module, own, [(set, wrapper); 2]);
    module.emit_wasm_file(path).unwrap();
}

/// The turns of the loop before a write: about a millisecond.
const WAIT: i32 = 1_000_000;

/// Writes a copy of the module that stands for another release; its path. It has another layout of
/// shared data (each byte of a value is inverted), and so another number of the layout in its keys: the
/// digit in `tollgate/tollgate/b2/…` is a 1.
pub fn other_layout() -> PathBuf {
    let mut module = Module::from_file(super::module()).unwrap();
    let memory = module.memories.iter().next().unwrap().id();
    // Where the digit stands for buckets and places, and for the record.
    let digits = ["tollgate/tollgate/b", "tollgate/tollgate/table"].map(|key| key.len() as i32);
    let (get, set) = ["proxy_get_shared_data", "proxy_set_shared_data"]
        .map(|n| import(&module.imports, n))
        .into();
    let own: Vec<FunctionId> = module.funcs.iter_local().map(|(id, _)| id).collect();
    let [counter, end] = [(); 2].map(|()| module.locals.add(ValType::I32));
    let byte = MemArg { align: 1, offset: 0 };
    let word = MemArg { align: 4, offset: 0 };
    // Turns the digit of a key into `to` where it is `from`; the arguments are the key and its length.
    let rename = |body: &mut InstrSeqBuilder<'_>, [key, length]: [LocalId; 2], from: u8, to: u8| {
        for at in digits {
            body.local_get(length).i32_const(at).binop(BinaryOp::I32GtU);
            body.if_else(
                None,
                |then| {
                    let here = |seq: &mut InstrSeqBuilder<'_>| {
                        seq.local_get(key).i32_const(at).binop(BinaryOp::I32Add);
                    };
                    here(then);
                    then.load(memory, LoadKind::I32_8 { kind: ExtendedLoad::ZeroExtend }, byte);
                    then.i32_const(from.into()).binop(BinaryOp::I32Eq);
                    then.if_else(
                        None,
                        |digit| {
                            here(digit);
                            digit.i32_const(to.into());
                            digit.store(memory, StoreKind::I32_8 { atomic: false }, byte);
                        },
                        |_| {},
                    );
                },
                |_| {},
            );
        }
    };
    // Inverts the bytes from `counter` to `end`.
    let invert = |body: &mut InstrSeqBuilder<'_>| {
        body.block(None, |done| {
            let out = done.id();
            done.loop_(None, |again| {
                let start = again.id();
                again.local_get(counter).local_get(end).binop(BinaryOp::I32GeU).br_if(out);
                again.local_get(counter).local_get(counter);
                again.load(memory, LoadKind::I32_8 { kind: ExtendedLoad::ZeroExtend }, byte);
                again.i32_const(255).binop(BinaryOp::I32Xor);
                again.store(memory, StoreKind::I32_8 { atomic: false }, byte);
                again.local_get(counter).i32_const(1).binop(BinaryOp::I32Add).local_set(counter);
                again.br(start);
            });
        });
    };
    let wrap = |module: &mut Module, call: FunctionId, arguments: usize, get: bool| {
        let types = vec![ValType::I32; arguments];
        let mut wrapper = FunctionBuilder::new(&mut module.types, &types, &[ValType::I32]);
        let locals: Vec<_> = types.iter().map(|t| module.locals.add(*t)).collect();
        let status = module.locals.add(ValType::I32);
        let key = [locals[0], locals[1]];
        let mut body = wrapper.func_body();
        rename(&mut body, key, b'2', b'1');
        // A value that is set is ours: inverted, handed over, and inverted back.
        let value = |body: &mut InstrSeqBuilder<'_>| {
            if get {
                body.local_get(locals[2]).load(memory, LoadKind::I32 { atomic: false }, word);
                body.local_tee(counter);
                body.local_get(locals[3]).load(memory, LoadKind::I32 { atomic: false }, word);
            } else {
                body.local_get(locals[2]).local_tee(counter).local_get(locals[3]);
            }
            body.binop(BinaryOp::I32Add).local_set(end);
            invert(body);
        };
        if !get {
            value(&mut body);
        }
        locals.iter().for_each(|local| _ = body.local_get(*local));
        body.call(call).local_set(status);
        if get {
            body.local_get(status).unop(UnaryOp::I32Eqz);
            body.if_else(None, value, |_| {});
        } else {
            value(&mut body);
        }
        rename(&mut body, key, b'1', b'2');
        body.local_get(status);
        wrapper.finish(locals, &mut module.funcs)
    };
    let get_wrapper = wrap(&mut module, get, 5, true);
    let set_wrapper = wrap(&mut module, set, 5, false);
    redirect(&mut module, own, [(get, get_wrapper), (set, set_wrapper)]);
    let path = root().join(format!("target/e2e/layout-{}.wasm", std::process::id()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    module.emit_wasm_file(&path).unwrap();
    path
}

/// Redirects the calls in these functions.
fn redirect(module: &mut Module, functions: Vec<FunctionId>, pairs: [(FunctionId, FunctionId); 2]) {
    for id in functions {
        let function = module.funcs.get_mut(id).kind.unwrap_local_mut();
        let entry = function.entry_block();
        dfs_pre_order_mut(&mut Redirect(pairs), function, entry);
    }
}

/// Calls of the first of a pair become calls of the second.
struct Redirect([(FunctionId, FunctionId); 2]);

impl VisitorMut for Redirect {
    fn visit_call_mut(&mut self, call: &mut Call) {
        for (from, to) in self.0 {
            if call.func == from {
                call.func = to;
            }
        }
    }
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
