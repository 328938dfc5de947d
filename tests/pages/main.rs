//! Every command of every page runs as it is written, in the order of the page, and prints what the
//! page shows.
//!
//! The shell blocks (`sh`, `bash`, `console`) of a page run in one shell in a clone of the working
//! tree ([`shell`]). Comments that readers do not see steer the test; each stands in the line before
//! its block:
//!
//! | comment | effect |
//! |---|---|
//! | `<!-- not run: cluster -->` | the block is only checked; the reasons are [`page::REASONS`] |
//! | `<!-- file: config.json -->` | the reader saves the block under this name |
//! | `<!-- setup: proxy -->` | `setup/proxy.sh` runs before the block: what surrounds the reader here |
//! | `<!-- output -->` | the block is the output of the command above |
//! | `<!-- output: shortened -->` | the same, with lines left out |
//! | `<!-- on PATH: tollgate -->` | anywhere: the page says that the reader needs these programs |
//!
//! A command must succeed. A comment behind it that begins with a status, `allow`, `deny` or `exit`
//! names what it prints: `# 200, x-auth-subject: alice`, `# 401 token_missing`, `# deny expired, exit 3`;
//! after a colon, `# 401: no token`, follow words for readers. In a `console` block the lines below the
//! command are its output, and `…` stands for any text. Times, tokens, digests and thumbprints may
//! differ ([`compare`]).
//!
//! Commands in sentences (`make soak`) do not run; their arguments are checked like those of blocks that
//! are not run. Targets of `make` that take longer than seconds are expanded and not run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod compare;
mod page;
mod shell;
mod summary;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use page::Page;
use shell::{Outcome, Template};
use support::{root, skip};

/// Every page that a reader may follow.
fn pages() -> Vec<String> {
    let files = std::fs::read_dir(root().join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    let mut pages: Vec<_> = names.collect();
    pages.extend(["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(str::to_owned));
    pages.retain(|page| root().join(page).exists());
    pages.sort();
    pages
}

fn read(name: &str) -> Result<Page, Vec<String>> {
    Page::read(name, &std::fs::read_to_string(root().join(name)).unwrap())
}

#[test]
fn every_command_of_every_page_runs_as_written() {
    let Some(_) = skip::envoy_binary() else { return };
    let Some(template) = template() else { return };
    let names = pages();
    let outcomes = in_parallel(&names, |name| read(name).map(|page| template.run(&page)));
    let done: BTreeMap<_, _> = names.into_iter().zip(outcomes).collect();
    let summary = summary::of(&done);
    println!("{summary}");
    std::fs::write(root().join("target/pages.md"), summary).unwrap();
    let failures: Vec<_> = done.values().flat_map(failures).map(String::as_str).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// The copy of the working tree; `None` after a note on a machine that cannot run pages.
fn template() -> Option<&'static Template> {
    static TEMPLATE: LazyLock<Result<Template, String>> = LazyLock::new(Template::new);
    TEMPLATE.as_ref().map_err(|why| skip::absent(why)).ok()
}

/// Two at a time: most pages wait for an Envoy to start.
fn in_parallel<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let other = scope.spawn(take);
        let mut done = take();
        done.extend(other.join().unwrap());
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn failures(outcome: &Result<Outcome, Vec<String>>) -> &[String] {
    match outcome {
        Ok(outcome) => &outcome.failures,
        Err(flaws) => flaws,
    }
}

/// The failures of a page of this text.
fn failing(template: &Template, name: &str, text: &str) -> Vec<String> {
    match Page::read(name, text) {
        Ok(page) => template.run(&page).failures,
        Err(flaws) => flaws,
    }
}

/// The test of the test.
#[test]
fn a_page_that_is_wrong_fails() {
    let cases = [
        ("a command that fails", "```sh\ntrue\nfalse\n```", "exit status: 1"),
        (
            "an unknown command",
            "```sh\nnot-a-program --help\n```",
            "not-a-program: command not found",
        ),
        ("a failing part of a pipe", "```sh\nfalse | cat\n```", "exit status: 1"),
        ("a failing list", "```sh\nfalse && echo more\n```", "exit status: 1"),
        ("a failing command before others", "```sh\nfalse; true\n```", "exit status: 1"),
        ("a failing subshell", "```sh\n(false; true)\n```", "exit status: 1"),
        ("a failing function", "```sh\ngo() { false; true; }\ngo\n```", "exit status: 1"),
        ("a failing value", "```sh\nNAME=$(false)\n```", "exit status: 1"),
        ("a failing loop", "```sh\nfor i in 1 2; do false; done\n```", "exit status: 1"),
        ("a job that ends", "```sh\nsh -c 'sleep 1; exit 7' &\nsleep 2\n```", "exit status: 7"),
        ("a job that is absent", "```sh\nnot-a-program &\nsleep 1\n```", "exit status: 127"),
        ("an end", "```sh\nexit 0\n```\n```sh\nfalse\n```", "the page ends here"),
        ("a block that never closes", "```sh\ntrue\n", "an open fence"),
        ("no reason", "<!-- not run: -->\n```sh\nfalse\n```", "exit status: 1"),
        ("a mark too far away", "<!-- not run: cluster -->\n\n```sh\nfalse\n```", "exit status: 1"),
        ("an unset variable", "```sh\necho \"$ABSENT\"\n```", "ABSENT: unbound variable"),
        ("another output", "```console\n$ echo one\ntwo\n```", "the page shows instead"),
        ("a line more", "```console\n$ printf 'a\\nb\\n'\na\n```", "the page shows instead"),
        ("no output", "```console\n$ true\nsomething\n```", "the page shows instead"),
        ("another status", "```sh\necho 401    # 200\n```", "the output lacks"),
        (
            "another exit code",
            "```sh\nsh -c 'echo deny; exit 2'  # deny, exit 3\n```",
            "exit 2 instead of 3",
        ),
        (
            "output elsewhere",
            "```sh\necho a\n```\n<!-- output -->\n```text\nb\n```",
            "the page shows instead",
        ),
        ("no language", "```\ntrue\n```", "no language"),
        ("an unknown reason", "<!-- not run: no time -->\n```sh\ntrue\n```", "not a known reason"),
        ("an open quote", "```sh\necho 'a\n```", "does not parse"),
        ("an unknown target", "```sh\nmake no-such-target\n```", "no-such-target"),
        ("an unknown variable", "```sh\nmake soak NO_SUCH=1\n```", "does not read NO_SUCH"),
        (
            "an unknown program in a block that is not run",
            "<!-- not run: cluster -->\n```sh\nnot-a-program\n```",
            "command not found",
        ),
        (
            "an unknown option of kubectl",
            "<!-- not run: cluster -->\n```sh\nkubectl get pods --no-such\n```",
            "unknown flag: --no-such",
        ),
        (
            "an absent manifest",
            "<!-- not run: cluster -->\n```sh\nkubectl apply -f no-such.yaml\n```",
            "does not exist",
        ),
        (
            "an absent kustomization",
            "<!-- not run: cluster -->\n```sh\nkubectl apply --kustomize docs\n```",
            "kustomization",
        ),
        ("an unknown target in a sentence", "Run `make soak NO_SUCH=1`.", "does not read NO_SUCH"),
        ("an unknown test in a sentence", "`cargo test --test no_such`", "has no test no_such"),
        ("a test without its features", "`cargo test --test pages`", "has no test pages with"),
        ("an unknown option", "Run `tollgate check --no-such x`.", "check has no option --no-such"),
        (
            "an absent file of az",
            "<!-- not run: azure -->\n```sh\naz ad app create --app-roles @no-such.json\n```",
            "no file no-such.json",
        ),
    ];
    let Some(template) = template() else { return };
    let results = in_parallel(&cases, |(name, text, _)| failing(template, name, text));
    let missed = |(name, _, flaw): &(&str, &str, &str), failures: &Vec<String>| {
        let found = failures.iter().any(|failure| failure.contains(flaw));
        (!found).then(|| format!("{name}: {failures:#?}"))
    };
    let missed: Vec<_> =
        cases.iter().zip(&results).filter_map(|(case, failures)| missed(case, failures)).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_page_that_is_right_passes() {
    let text = "\
<!-- file: greeting.txt -->
```text
hello
```

```sh
NAME=reader
greet() { cat greeting.txt
  echo \"$NAME\"; }
python3 -m http.server 8080 --bind 127.0.0.1 &
curl --silent --show-error --retry 10 --retry-delay 1 --retry-connrefused -i \\
  http://127.0.0.1:8080/greeting.txt        # 200, hello
curl -i http://127.0.0.1:8080/absent        # 404: for readers alone
sh -c 'echo deny expired; exit 3'           # deny expired, exit 3
sudo touch /etc/of-this-page /tmp/of-this-page
make help
make soak TOLLGATE_SOAK=1
kill %1
```

```console
$ greet
hello
reader
$ false; date -u +%FT%TZ; echo in 5m 3s; printf 'a\\nb\\nc\\nend of it\\n'
2026-01-01T00:00:00Z
in 59m 59s
a
…
end … it
```

<!-- not run: cluster -->
```sh
kubectl get pods --namespace \"$NAME\" | grep x
kubectl diff --kustomize istio/overlays/sidecar
```

```sh
git clone https://github.com/tollgate/tollgate again
cd again
test -f README.md
```
";
    let Some(template) = template() else { return };
    let failures = failing(template, "a page that is right", text);
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(!std::path::Path::new("/etc/of-this-page").exists());
}
