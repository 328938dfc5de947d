//! `xtask prune IN OUT`: removes unused code from the module that a linker cannot detect.
//!
//! - Exports: the SDK exports every callback of the ABI, and a proxy calls each one that it finds.
//! - Host calls: the SDK's traits can make every call of the ABI. The ones that the filter does not make go,
//!   so that exports and imports are exactly what a host has to allow.
//! - Backtraces and the errors of libraries, 3 % of the code that a proxy compiles when it starts: the
//!   filter replaces Rust's report of a panic before anything else runs, and prints no such error.
//!
//! It is an error if the module can still sign, decrypt or make a key.

use std::error::Error;
use std::fs;
use std::path::Path;

use walrus::ir::Value;
use walrus::{
    ConstExpr, Data, DataKind, ElementItems, FunctionBuilder, FunctionKind, Module, ModuleConfig,
    ValType, passes,
};

use crate::order;

/// The exports of the module. A proxy invokes each callback that it finds: all of the ABI cost a request
/// 2.5 µs.
const EXPORTS: [&str; 15] = [
    "memory",
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_http_call_response",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_response_trailers",
];

/// Functions that print backtraces and errors of libraries, by parts of their mangled names. Many of them
/// stand in tables, where only this list says that they are never called.
const REPORTS: [&[&str]; 2] = [&["9panicking12default_hook"], &["Stderr", "vectored"]];

/// The same of the libraries of the verifier, which one of the two modules has.
const VERIFIER_REPORTS: [&[&str]; 5] = [
    &["14rustc_demangle", "7Display3fmt"],
    &["9backtrace", "9Backtrace", "7Display3fmt"],
    &["jwt_simple..error..JWTError", "3fmt"],
    &["superboring..", "ErrorStack", "3fmt"],
    &["6anyhow3fmt", "5debug"],
];

/// Parts of the mangled names of functions that a module which only verifies must not contain: private
/// keys, random numbers for them, ciphers, and signatures that no configuration can select. The
/// libraries contain them, but the module must not reach them.
const NEVER: [&str; 14] = [
    "SigningKey",
    "SecretKey",
    "PrivateKey",
    "KeyPair",
    "8try_sign",
    "9sign_with",
    "8generate",
    "7decrypt",
    "7rfc6979",
    "11rand_chacha",
    "3aes",
    "8chacha20",
    "6ml_dsa",
    "pkey..Private",
];

/// Prunes the module in the file `input` into the file `output`.
///
/// # Errors
/// Those of [`pruned`] and [`order::hot_first`], and when a file cannot be written.
pub fn run(input: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let module = order::hot_first(&pruned(input)?.emit_wasm())?;
    fs::create_dir_all(output.parent().unwrap_or(Path::new(".")))?;
    // An unchanged module keeps its time stamp.
    if fs::read(output).ok().as_deref() != Some(&module) {
        fs::write(output, &module)?;
    }
    eprintln!("{}: {} bytes", output.display(), module.len());
    Ok(())
}

/// The module in a file without what it does not need; its functions have names.
///
/// # Errors
/// When the file cannot be read, when a function of [`EXPORTS`], [`REPORTS`] or [`VERIFIER_REPORTS`] is
/// absent, and when the module can reach a function of [`NEVER`].
pub fn pruned(input: &Path) -> Result<Module, Box<dyn Error>> {
    let mut config = ModuleConfig::new();
    config.generate_producers_section(false);
    let mut module = config.parse_file(input).map_err(|error| error.to_string())?;
    export_only(&mut module, &EXPORTS)?;
    trap_unused(&mut module);
    let named = |function: &walrus::Function, part| {
        function.name.as_deref().is_some_and(|name| name.contains(part))
    };
    let verifies = module.funcs.iter().any(|function| named(function, "jwt_simple"));
    let of_verifier = VERIFIER_REPORTS.iter().filter(|_| verifies);
    for name in REPORTS.iter().chain(of_verifier) {
        silence(&mut module, name)?;
    }
    passes::gc::run(&mut module);
    drop_zeros(&mut module);
    let private: Vec<_> =
        module.funcs.iter().filter_map(|f| f.name.as_deref()).filter(private).collect();
    if !private.is_empty() {
        return Err(format!("the module must not reach {private:#?}").into());
    }
    Ok(module)
}

/// Drops every export that is not in `names`.
///
/// # Errors
/// When an export is missing.
fn export_only(module: &mut Module, names: &[&str]) -> Result<(), Box<dyn Error>> {
    let exports = module.exports.iter().map(|export| (export.id(), export.name.clone()));
    let (kept, dropped): (Vec<_>, Vec<_>) =
        exports.partition(|(_, name)| names.contains(&name.as_str()));
    dropped.iter().for_each(|(export, _)| module.exports.delete(*export));
    match names.iter().find(|name| kept.iter().all(|(_, kept)| kept != *name)) {
        Some(missing) => Err(format!("the module does not export {missing}").into()),
        None => Ok(()),
    }
}

/// Replaces the host calls of the SDK's traits by a trap. They stand in the method tables of the contexts,
/// so that no linker drops them, and the filter calls none of them through these tables.
fn trap_unused(module: &mut Module) {
    let mut trap = FunctionBuilder::new(&mut module.types, &[], &[]);
    trap.func_body().unreachable();
    let trap = trap.finish(Vec::new(), &mut module.funcs);
    for element in module.elements.iter_mut() {
        let ElementItems::Functions(functions) = &mut element.items else { continue };
        for function in functions {
            if module.funcs.get(*function).name.as_deref().is_some_and(host_call) {
                *function = trap;
            }
        }
    }
}

/// Whether a function is a method of the SDK's traits other than a callback or a constructor.
fn host_call(name: &str) -> bool {
    let Some((_, path)) = name.split_once("10proxy_wasm6traits") else { return false };
    ["on_", "create_", "get_type"].iter().all(|callback| !path.contains(callback))
}

/// Splits data at long runs of zeros, which memory holds anyway.
fn drop_zeros(module: &mut Module) {
    let segments: Vec<_> = module.data.iter().map(Data::id).collect();
    for segment in segments {
        let data = module.data.get(segment);
        let DataKind::Active { memory, offset: ConstExpr::Value(Value::I32(start)) } = data.kind
        else {
            continue;
        };
        let value = data.value.clone();
        module.data.delete(segment);
        for (offset, piece) in pieces(&value) {
            let place = i32::try_from(offset).map_or(start, |offset| start.wrapping_add(offset));
            let offset = ConstExpr::Value(Value::I32(place));
            module.data.add(DataKind::Active { memory, offset }, piece.to_vec());
        }
    }
}

/// The parts of `data` between long runs of zeros, and where each begins.
fn pieces(data: &[u8]) -> Vec<(usize, &[u8])> {
    /// The size of one more segment in bytes.
    const SEGMENT: usize = 10;
    let (mut pieces, mut begin, mut end) = (Vec::new(), 0, 0_usize);
    let values = data.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at);
    for at in values.chain([data.len()]) {
        if at > end.saturating_add(SEGMENT) || at == data.len() {
            pieces
                .extend(data.get(begin..end).filter(|piece| !piece.is_empty()).map(|p| (begin, p)));
            begin = at;
        }
        end = at.saturating_add(1);
    }
    pieces
}

/// Whether a function is one of those in [`NEVER`]. The type of an RSA key can hold a private one, so
/// that it knows how to drop it.
fn private(name: &&str) -> bool {
    let drops = name.contains("4drop") || name.contains("drop_in_place");
    !drops && NEVER.iter().any(|part| name.contains(part))
}

/// Empties functions: they do nothing and return zero, which is `Ok(())`.
fn silence(module: &mut Module, parts: &[&str]) -> Result<(), Box<dyn Error>> {
    let named = module.funcs.iter().filter(|function| {
        let name = function.name.as_deref().unwrap_or_default();
        parts.iter().all(|part| name.contains(part))
    });
    let found: Vec<_> = named.map(|function| (function.id(), function.ty())).collect();
    if found.is_empty() {
        return Err(format!("the module has no function {parts:?}, or no names").into());
    }
    for (function, kind) in found {
        let signature = module.types.get(kind);
        let (parameters, results) = (signature.params().to_vec(), signature.results().to_vec());
        let mut body = FunctionBuilder::new(&mut module.types, &parameters, &results);
        match results.as_slice() {
            [] => {}
            [ValType::I32] => {
                body.func_body().i32_const(0);
            }
            // A closure with another result is reached from one of the others alone.
            _ => continue,
        }
        let arguments = parameters.iter().map(|kind| module.locals.add(*kind)).collect();
        module.funcs.get_mut(function).kind = FunctionKind::Local(body.local_func(arguments));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn pieces_and_the_zeros_between_them_are_the_data() {
        let zeros = [0; 40];
        for data in [
            &b"ab"[..],
            b"",
            &zeros,
            &[&b"ab"[..], &zeros, b"c"].concat(),
            &[&zeros[..], b"a", &zeros[..3], b"b", &zeros].concat(),
        ] {
            let mut memory = vec![0; data.len()];
            for (offset, piece) in pieces(data) {
                memory[offset..][..piece.len()].copy_from_slice(piece);
                assert!(!piece.starts_with(&[0]) && !piece.ends_with(&[0]), "{data:?}");
            }
            assert_eq!(memory, data);
        }
    }
}
