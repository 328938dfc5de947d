//! A clock that steps in a real Envoy: no burst above the bucket's size, and no caller is refused
//! longer than one full refill. tests/limit_properties/clock.rs tries any sequence of steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use support::prelude::*;

/// The clock of one Envoy: a library that is loaded into it, and the file that it reads.
struct Clock {
    folder: PathBuf,
}

impl Clock {
    /// `None` when there is no C compiler.
    fn new() -> Option<Self> {
        let folder = support::root().join(format!("target/e2e/clock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let clock = Self { folder };
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(clock.library())
            .arg(support::root().join("tests/data/clock.c"))
            .status();
        clock.set(0);
        built.is_ok_and(|status| status.success()).then_some(clock)
    }

    fn library(&self) -> PathBuf {
        self.folder.join("clock.so")
    }

    fn offset(&self) -> PathBuf {
        self.folder.join("offset")
    }

    /// Sets it to so many seconds ahead of the real one. The file stays the same: it is mapped.
    fn set(&self, seconds: i64) {
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.create(true).write(true).truncate(false).open(self.offset()).unwrap();
        file.write_all(&seconds.to_ne_bytes()).unwrap();
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_steps_of_an_hour_grant_no_more_than_a_burst_and_lock_nobody_out() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let Some(clock) = Clock::new() else {
        return support::skip::absent("there is no C compiler");
    };
    const BURST: u64 = 4;
    // One token in two seconds: a full refill is eight.
    const REFILL: Duration = Duration::from_secs(8);
    let envoy = fixture
        .envoy(json!({
            "rules": [{"name": "all", "limits": ["calls"]}],
            "limits": [{"name": "calls", "rate": "1/2s", "burst": BURST}],
        }))
        .environment("LD_PRELOAD", clock.library().display().to_string())
        .environment("CLOCK_OFFSET", clock.offset().display().to_string())
        .log_field("second", "%START_TIME(%s)%")
        .start()
        .await;
    let now = mint::now();
    let times = json!({"iat": now - 14_400, "nbf": now - 14_400, "exp": now + 14_400});
    let request = Request::get("/").bearer(fixture.token_with("alice", times));
    let mut number = 0;
    for (step, refilled) in [(0, true), (3_600, true), (0, false), (-3_600, false), (0, true)] {
        clock.set(step);
        // The access log has the time of the proxy: the step arrived.
        number += 1;
        let case = format!("step-{number}");
        let probe = Request::get("/").case(&case).header("host", "probe");
        envoy.send(&probe).await;
        let entry = envoy.access(&case).await;
        let second: i64 = entry["second"].as_str().unwrap().parse().unwrap();
        let off = second - i64::try_from(mint::now()).unwrap() - step;
        assert!(off.abs() <= 5, "the clock of the proxy is {off} s beside {step}");

        fixture.upstream.clear();
        let began = Instant::now();
        let responses = client::send_at_once(envoy.address(), vec![request.clone(); 40]).await;
        let most = BURST + began.elapsed().as_secs() / 2 + 1;
        let passed = client::passed(&responses) as u64;
        assert!(passed <= most, "{passed} of {most} after a step to {step}");
        assert_eq!(passed, fixture.upstream.count() as u64);
        // A step forward is a long time without a request.
        assert!(!refilled || passed >= BURST, "{passed} after a step to {step}");
        let waits = responses.iter().filter_map(|r| r.header("retry-after")?.parse::<u64>().ok());
        let longest = waits.max();
        // Spread upward by up to a quarter, rounded up.
        let most = REFILL.as_secs() * 5 / 4 + 1;
        assert!(longest.is_none_or(|wait| wait <= most), "{longest:?}");
        // Not locked out: a token comes about as early as a full refill, on a slow machine, too.
        let waiting = Instant::now();
        let again = async || (envoy.send(&request).await.status == 200).then_some(());
        assert!(support::poll(2 * REFILL, again).await.is_some(), "locked out after {step}");
        println!("step to {step}: {passed} passed, the next after {:.1?}", waiting.elapsed());
    }
}
