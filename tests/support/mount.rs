//! A folder of secrets as the kubelet and the Secrets Store CSI driver fill it: each file is a link through `..data`,
//! and one rename of that link replaces all of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The folder; its files go with the folder around it.
pub struct Mount {
    path: PathBuf,
    versions: usize,
}

impl Mount {
    /// A new folder with these files.
    pub fn new(path: PathBuf, files: &[(&str, &str)]) -> Self {
        fs::create_dir_all(&path).unwrap();
        let mut mount = Self { path, versions: 0 };
        mount.replace(files);
        mount
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a new version with these changes, and makes it the one that readers see.
    pub fn replace(&mut self, changes: &[(&str, &str)]) {
        let (data, fresh) = (self.path.join("..data"), self.path.join("..data_tmp"));
        let before = fs::read_link(&data).ok().map(|name| self.path.join(name));
        self.versions += 1;
        let version = format!("..version-{}", self.versions);
        let folder = self.path.join(&version);
        fs::create_dir(&folder).unwrap();
        for entry in before.iter().flat_map(|before| fs::read_dir(before).unwrap()) {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
        for (name, content) in changes {
            fs::write(folder.join(name), content).unwrap();
        }
        symlink(&version, &fresh).unwrap();
        fs::rename(fresh, data).unwrap();
        for (name, _) in changes {
            let link = self.path.join(name);
            if link.symlink_metadata().is_err() {
                symlink(format!("..data/{name}"), link).unwrap();
            }
        }
        // Also the old version goes, as there.
        before.into_iter().for_each(|before| fs::remove_dir_all(before).unwrap());
    }

    /// Replaces one file by a rename, as on a machine without such a driver.
    pub fn rename(&self, name: &str, content: &str) {
        let fresh = self.path.join(format!(".{name}.new"));
        fs::write(&fresh, content).unwrap();
        fs::rename(fresh, self.path.join(name)).unwrap();
    }
}
