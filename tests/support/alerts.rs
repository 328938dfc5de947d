//! The alerts of `envoy/prometheus`, for tests that do not wait for minutes.

use super::example::Folder;
use super::root;

/// A folder with `rules.yaml` and `alerts.yaml`, which have seconds for minutes.
pub fn hurried() -> Folder {
    let folder = Folder::new();
    for file in ["rules.yaml", "alerts.yaml"] {
        let text = std::fs::read_to_string(root().join("envoy/prometheus").join(file)).unwrap();
        let text = text.replace("[15m:1m]", "[30s:1s]").replace("[15m]", "[30s]");
        let text = text.replace("[5m]", "[10s]").replace("> 3 * 3600", "> 6");
        let line = |line: &str| match line.trim_start().starts_with("for: ") {
            true => "    for: 1s\n".to_owned(),
            false => format!("{line}\n"),
        };
        let text: String = text.lines().map(line).collect();
        assert!(!text.contains("m]"), "a window of minutes is left:\n{text}");
        folder.file(file, text);
    }
    folder
}
