//! A demo that is stopped leaves no Envoy behind.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::skip;

/// Waits until something is there.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_demo_that_is_stopped_at_any_moment_leaves_no_envoy_behind() {
    let (Some(_), Some(_)) = (skip::envoy_binary(), skip::module()) else { return };
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stop.log");
    // As soon as Envoy has been started, and when the demo waits for Ctrl-C.
    for (shown, signal) in [("", "TERM"), ("", "INT"), ("Ctrl-C", "TERM"), ("Ctrl-C", "INT")] {
        let log = std::fs::File::create(&output).unwrap();
        let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
            .env("KEEP", "1")
            .stdin(Stdio::null())
            .stdout(log)
            .spawn()
            .unwrap();
        let id = demo.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let envoy = until(|| {
            let text = std::fs::read_to_string(&children).ok()?;
            text.split(' ').find(|child| !child.is_empty()).map(str::to_owned)
        });
        until(|| std::fs::read_to_string(&output).ok()?.contains(shown).then_some(()));
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(id.to_string()).status();
        assert!(sent.unwrap().success());
        let status = until(|| demo.try_wait().unwrap());
        // The end that the reader asked for is no failure.
        assert_eq!(status.code(), Some(i32::from(shown.is_empty())), "{signal} {shown}");
        assert!(!Path::new("/proc").join(&envoy).exists(), "{signal} {shown}: {envoy}");
    }
}
