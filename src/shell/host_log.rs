//! Routes `log` and the message of a panic to the host's log.
//!
//! The SDK's own logger panics where the host refuses a line.

use log::{Level, LevelFilter, Log, Metadata, Record};
use proxy_wasm::types::LogLevel;

use super::host;

struct HostLog;

/// The filter writes nothing below `info`.
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

const fn level(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}

/// Installs logger and panic hook. A second call has no effect.
pub fn install() {
    if log::set_logger(&HostLog).is_ok() {
        log::set_max_level(FINEST);
        std::panic::set_hook(Box::new(|panic| {
            host::log(LogLevel::Critical, &panic.to_string());
        }));
    }
}
