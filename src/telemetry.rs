//! The log: one line per event on standard error, as text for people or as JSON for programs.
//!
//! What comes from outside (paths, names, error texts) can never start a new line or paint the terminal: every
//! control character of a field is printed escaped. The level can be changed while the server runs. There is no file
//! and no rotation: whoever starts the server owns its standard error.

use crate::clock::{Clock, SystemClock};
use std::fmt::{self, Write as _};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, reload};

/// Changes what is written, while the server runs.
#[derive(Clone)]
pub struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    /// Takes a word of `log.level`; an unknown word changes nothing.
    pub fn set(&self, level: &str) {
        if let Some(targets) = targets(level) {
            // The handle fails only when the subscriber is gone, and then nobody writes anyway.
            let _ = self.0.reload(targets);
        }
    }
}

/// A subscriber that writes to `writer`, and the handle that changes its level.
pub fn subscriber<W>(json: bool, level: &str, writer: W) -> (impl tracing::Subscriber + Send + Sync, LogLevel)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(targets(level).unwrap_or_default());
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if json {
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
        layer.with_timer(Utc).with_writer(writer).with_filter(filter).boxed()
    } else {
        let fields = format::debug_fn(|writer, field, value| {
            let mut escaped = Escaped(writer);
            if field.name() == "message" { write!(escaped, "{value:?}") } else { write!(escaped, "{}={value:?}", field.name()) }
        });
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(Utc).fmt_fields(fields.delimited(" "));
        layer.with_writer(writer).with_filter(filter).boxed()
    };
    (tracing_subscriber::registry().with(lines), LogLevel(handle))
}

/// Makes it the subscriber of this process; later calls leave the first in place.
pub fn install(json: bool, level: &str) -> LogLevel {
    let (subscriber, handle) = subscriber(json, level, std::io::stderr);
    // Fails only when another subscriber is installed already, as in tests that build two applications.
    let _ = tracing::subscriber::set_global_default(subscriber);
    handle
}

/// Our own events at the wanted level, other people's from `warn` up unless everything is asked for.
fn targets(level: &str) -> Option<Targets> {
    let own: LevelFilter = level.parse().ok()?;
    let others = if own == LevelFilter::TRACE { LevelFilter::DEBUG } else { own.min(LevelFilter::WARN) };
    // This client tells of every attempt that fails; the watches tell once that the API server is away, and that it is back.
    // The listener calls every malformed request of a stranger an error.
    let client = if own >= LevelFilter::DEBUG { others } else { LevelFilter::OFF };
    Some(
        Targets::new()
            .with_default(others)
            .with_target("codex_web", own)
            .with_target("kube_client", client)
            .with_target("actix_http", client),
    )
}

/// Times as the API prints them.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}", SystemClock.now())
    }
}

/// Prints control characters as escapes.
struct Escaped<'a, 'b>(&'a mut Writer<'b>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            // Line and paragraph separators and the direction marks are no control characters to `char`, but they
            // rearrange what a person reads just as well.
            if character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                write!(self.0, "{}", character.escape_unicode())?;
            } else {
                self.0.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Sink {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    const HOSTILE: &str = "x\n2026-01-01T00:00:00.000Z ERROR forged\r\u{1b}[2J\u{202e}";

    #[test]
    fn hostile_text_stays_on_its_line_and_cannot_paint() {
        for json in [false, true] {
            let sink = Sink::default();
            let (subscriber, _) = subscriber(json, "info", sink.clone());
            tracing::subscriber::with_default(subscriber, || {
                let span = tracing::info_span!("request", path = %HOSTILE);
                let _entered = span.enter();
                tracing::info!(name = %HOSTILE, other = HOSTILE, "said {HOSTILE}");
            });
            let text = sink.text();
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(text.ends_with('\n') && text.contains("forged"));
            assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn json_lines_are_objects_with_the_time_of_the_api() {
        let sink = Sink::default();
        let (subscriber, _) = subscriber(true, "info", sink.clone());
        tracing::subscriber::with_default(subscriber, || tracing::info!(count = 3, "done"));
        let line: serde_json::Value = serde_json::from_str(&sink.text()).unwrap();
        assert_eq!((line["message"].as_str(), line["count"].as_i64(), line["level"].as_str()), (Some("done"), Some(3), Some("INFO")));
        assert!(crate::clock::Millis::parse(line["timestamp"].as_str().unwrap()).is_some());
    }

    #[test]
    fn the_level_changes_while_it_runs() {
        let sink = Sink::default();
        let (subscriber, level) = subscriber(false, "warn", sink.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("one");
            level.set("info");
            tracing::info!("two");
            level.set("nonsense");
            tracing::info!("three");
        });
        let text = sink.text();
        assert!(!text.contains("one") && text.contains("two") && text.contains("three"), "{text}");
    }
}
