//! The files of a directory that are looked through.

use std::path::{Path, PathBuf};

use crate::document;

/// The files of a directory, sorted by name. Links to directories are not followed.
pub(super) fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if document::is_standard_input(path) || !std::fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let path = entry.path();
        let wanted = ["yaml", "yml", "json"];
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if hidden => {}
            _ if entry.file_type()?.is_dir() => collect(&path, files)?,
            Some(extension) if wanted.contains(&extension) && path.is_file() => files.push(path),
            _ => {}
        }
    }
    Ok(())
}
