//! Files of the documentation that are written from the code.

use std::path::Path;

/// Asserts that a file has the wanted content, or writes it with `TOLLGATE_UPDATE`.
pub fn current(name: &str, wanted: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = wanted(&found);
    if std::env::var_os("TOLLGATE_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    let update = "TOLLGATE_UPDATE=1 cargo test --lib published";
    assert!(found == wanted, "{name} is out of date; update it: {update}");
}
