//! What `log` writes goes to the host's log, and so does the last word of a panic.

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::host;

/// The level of the ABI that stands above all of `log`'s.
const CRITICAL: u32 = 5;

struct HostLog;

/// From `info` on: what is finer, nothing here writes.
const FINEST: LevelFilter = LevelFilter::Info;

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= FINEST
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            host::log(level(record.level()), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

const fn level(level: Level) -> u32 {
    match level {
        Level::Trace => 0,
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    }
}

/// Routes both from now on. A second call changes nothing.
pub fn install() {
    if log::set_logger(&HostLog).is_ok() {
        log::set_max_level(FINEST);
        std::panic::set_hook(Box::new(|panic| host::log(CRITICAL, &panic.to_string())));
    }
}
