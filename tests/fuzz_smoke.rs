//! Each fuzz target over its seeds and over damaged copies of them: bounded by a number of cases, so
//! that it takes some seconds everywhere. `make fuzz` runs the same functions under libFuzzer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/fuzz/mod.rs"]
mod fuzz;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz::TARGETS;

/// Damaged inputs for each target.
const CASES: usize = 15_000;
/// No damaged input grows beyond this, bytes.
const LONGEST: usize = 8 * 1024;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(directory().join("seeds").join(target)).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The words of a dictionary of libFuzzer: one quoted text on a line, with `\\`, `\"` and `\xAB`.
fn words(target: &str) -> Vec<Vec<u8>> {
    let file = directory().join("dictionaries").join(format!("{target}.dict"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(word).collect()
}

fn word(line: &str) -> Vec<u8> {
    let quoted = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let mut rest = quoted.unwrap_or_else(|| panic!("not quoted: {line}")).bytes();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        word.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                escaped => escaped,
            },
            plain => plain,
        });
    }
    word
}

/// A small generator with the same cases in each run, so that a failure is reproducible.
struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// One to eight changes: a bit, a byte, a piece cut out or doubled, a word, a piece of another seed.
fn damage(random: &mut Random, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(data.len() + 1);
        let end = at + random.below((data.len() - at).min(40) + 1);
        match random.below(6) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 if at < data.len() => data[at] = random.next() as u8,
            2 => drop(data.drain(at..end)),
            3 => {
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            4 if !words.is_empty() => {
                let word = words[random.below(words.len())].clone();
                data.splice(at..at, word);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                data.splice(at..at, other[from..].iter().copied().take(64));
            }
        }
        data.truncate(LONGEST);
    }
    data
}

fn run(name: &str, target: fn(&[u8]), data: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| target(data)));
    assert!(outcome.is_ok(), "{name}: {}", data.escape_ascii());
}

#[test]
fn every_target_holds_its_laws_on_its_seeds_and_on_damaged_copies_of_them() {
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            scope.spawn(move || {
                let (seeds, words) = (seeds(name), words(name));
                assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
                run(name, *target, b"");
                for seed in &seeds {
                    run(name, *target, seed);
                }
                let mut random = Random(name.len() as u64);
                for _ in 0..CASES {
                    run(name, *target, &damage(&mut random, &seeds, &words));
                }
            });
        }
    });
}

/// No command runs a fuzz target that is missing from one of the lists.
#[test]
fn every_target_has_a_program_seeds_and_a_dictionary() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(names.len() >= 10);
    let listed = |folder: &str| -> BTreeSet<String> {
        let files = fs::read_dir(directory().join(folder)).unwrap();
        files
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    for folder in ["fuzz_targets", "seeds", "dictionaries"] {
        assert_eq!(listed(folder), names, "fuzz/{folder}");
    }
    let manifest = fs::read_to_string(directory().join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} in fuzz/Cargo.toml");
    }
}
