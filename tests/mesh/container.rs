//! The files that the program of a pod sees: those of the machine, and folders of its own in the place of volumes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::program::run;
use super::{api, machine};

/// A view of the file system, which is kept when its program is started anew.
pub struct Container {
    pod: Option<String>,
    root: PathBuf,
}

impl Container {
    /// The machine's files with new, empty folders at these absolute paths.
    pub fn new(name: &str, folders: &[&str]) -> Self {
        let root = machine::folder().join("containers").join(name);
        fs::create_dir_all(&root).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&root)).ok();
        for entry in fs::read_dir("/").unwrap() {
            let original = entry.unwrap().path();
            let here = root.join(original.file_name().unwrap());
            if let Ok(target) = fs::read_link(&original) {
                symlink(target, here).unwrap();
            } else if original.is_dir() {
                fs::create_dir(&here).unwrap();
                run(Command::new("mount").arg("--rbind").args([original, here])).ok();
            }
        }
        for folder in folders {
            fs::create_dir_all(root.join(folder.trim_start_matches('/'))).unwrap();
        }
        Self { pod: None, root }
    }

    /// Its programs run in the network of a pod.
    pub fn within(self, pod: &str) -> Self {
        Self { pod: Some(pod.to_owned()), ..self }
    }

    /// Writes a file inside.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        fs::write(self.root.join(path.as_ref().strip_prefix("/").unwrap()), content).unwrap();
    }

    /// Writes the entries of a Secret or ConfigMap into a folder inside, as a volume does.
    pub fn volume(&self, folder: &str, kind: &str, namespace: &str, name: &str) {
        let object = api::get(&[kind, name, "--namespace", namespace]).unwrap();
        for (file, content) in object["data"].as_object().unwrap() {
            let text = content.as_str().unwrap();
            let path = Path::new(folder).join(file);
            match kind {
                "secret" => self.write(path, STANDARD.decode(text).unwrap()),
                _ => self.write(path, text),
            }
        }
    }

    /// A command that runs a program inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.pod {
            Some(pod) => machine::in_pod(pod, "chroot"),
            None => Command::new("chroot"),
        };
        command.arg(&self.root).arg(program);
        command
    }
}
