//! The code blocks of the documentation, so that tests run the examples of the pages.

use serde_json::Value;

use super::root;

/// A fenced block of a page.
pub struct Block {
    /// The heading that it stands under.
    pub heading: String,
    /// The word behind the fence; empty where there is none.
    pub language: String,
    /// The line of the fence, counted from 1.
    pub line: usize,
    /// The texts of the HTML comments in the lines before the fence. Readers do not see them.
    pub marks: Vec<String>,
    pub text: String,
}

impl Block {
    /// Every document of the block; none where its language is neither YAML nor JSON.
    pub fn documents(&self) -> Vec<Value> {
        match self.language.as_str() {
            "yaml" | "json" => documents(&self.text)
                .unwrap_or_else(|error| panic!("the block in line {}: {error}", self.line)),
            _ => Vec::new(),
        }
    }

    /// The configurations of the filter in the block: a bare one, or those of manifests.
    pub fn configurations(&self) -> Vec<Value> {
        let inner = |document: Value| match document.pointer("/spec/pluginConfig") {
            Some(config) => config.clone(),
            None => document,
        };
        let all = self.documents().into_iter().map(inner);
        all.filter(|document| document.get("providers").is_some()).collect()
    }
}

/// The documents of a YAML file of the repository.
pub fn manifests(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    documents(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Those of a text, without the empty ones.
fn documents(text: &str) -> serde_yaml_ng::Result<Vec<Value>> {
    let all = text.split("\n---\n").map(serde_yaml_ng::from_str);
    all.filter(|document| !matches!(document, Ok(Value::Null))).collect()
}

/// The pages under `docs/` and those at the root of the repository.
pub fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for folder in ["", "docs/"] {
        let files = std::fs::read_dir(root().join(folder)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|name| name.ends_with(".md"));
        pages.extend(names.map(|name| format!("{folder}{name}")));
    }
    pages.sort();
    pages
}

/// The fenced blocks of a page, in order.
///
/// # Panics
/// When a fence is not closed.
pub fn blocks(path: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    read(&text).unwrap_or_else(|line| panic!("{path}:{line}: an open fence"))
}

/// The fenced blocks of a Markdown text, also those of lists; the error is the line of an open fence.
pub fn read(text: &str) -> Result<Vec<Block>, usize> {
    let (mut found, mut heading, mut marks) = (Vec::new(), String::new(), Vec::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let bare = line.trim_start();
        if let Some(language) = bare.strip_prefix("```") {
            let indent = line.len() - bare.len();
            let mut inside = Vec::new();
            loop {
                let (_, line) = lines.next().ok_or(number + 1)?;
                if line.trim() == "```" {
                    break;
                }
                inside.push(line.get(indent..).unwrap_or_default());
            }
            found.push(Block {
                heading: heading.clone(),
                language: language.to_owned(),
                line: number + 1,
                marks: std::mem::take(&mut marks),
                text: inside.join("\n"),
            });
        } else if line.starts_with('#') {
            heading = line.trim_start_matches('#').trim().to_owned();
        }
        let comment = bare.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
        match comment {
            Some(text) => marks.push(text.trim().to_owned()),
            None => marks.clear(),
        }
    }
    Ok(found)
}

/// The one configuration under a heading of a page.
pub fn configuration(path: &str, heading: &str) -> Value {
    let found: Vec<_> = blocks(path)
        .iter()
        .filter(|block| block.heading == heading)
        .flat_map(Block::configurations)
        .collect();
    assert_eq!(found.len(), 1, "configurations under {heading:?} in {path}");
    found[0].clone()
}
