//! `xtask prune IN OUT`: takes off the module what nobody reads and no linker can know of.
//!
//! What prints a backtrace goes, 3 % of the code that a proxy compiles when it starts: Rust's own report
//! of a panic, where the filter sets another before anything else runs, and the backtraces that errors of
//! libraries would print, which nobody prints, and which are empty in a module.
//!
//! What is left must not be able to sign, to decrypt or to make a key: it is an error when it is.

use std::error::Error;
use std::fs;
use std::path::Path;

use walrus::{FunctionBuilder, FunctionKind, Module, ModuleConfig, ValType, passes};

/// Functions that print backtraces, by parts of their mangled names. Those of `rustc_demangle` stand
/// in tables, where nothing else tells that they are not called.
const REPORTS: [&[&str]; 3] = [
    &["9panicking12default_hook"],
    &["9backtrace", "9Backtrace", "7Display3fmt"],
    &["14rustc_demangle", "7Display3fmt"],
];

/// Parts of the mangled names of what has no place in a module that only verifies: private keys,
/// random numbers for them, ciphers, and signatures that no configuration can name. The libraries of
/// the module bring all of it; nothing may call it.
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
/// When a file cannot be read or written, when a function to empty is absent, and when the module
/// can reach a function of [`NEVER`].
pub fn run(input: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let mut config = ModuleConfig::new();
    config.generate_producers_section(false).generate_name_section(false);
    let mut module = config.parse_file(input).map_err(|error| error.to_string())?;
    for name in REPORTS {
        silence(&mut module, name)?;
    }
    passes::gc::run(&mut module);
    let private: Vec<_> =
        module.funcs.iter().filter_map(|f| f.name.as_deref()).filter(private).collect();
    if !private.is_empty() {
        return Err(format!("the module must not reach {private:#?}").into());
    }
    let module = module.emit_wasm();
    fs::create_dir_all(output.parent().unwrap_or(Path::new(".")))?;
    // An unchanged module keeps its time stamp.
    if fs::read(output).ok().as_deref() != Some(&module) {
        fs::write(output, &module)?;
    }
    eprintln!("{}: {} bytes", output.display(), module.len());
    Ok(())
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
