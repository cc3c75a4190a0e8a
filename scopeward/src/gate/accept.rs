//! Which media types a client accepts (RFC 9110, section 12.5.1).
//!
//! MCP asks clients to accept JSON and event streams, and rmcp refuses others. Many clients send
//! `*/*`, JSON alone, or no header at all, and can be served, because nearly every answer is JSON.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rmcp::{ErrorData, model::ErrorCode};

use super::challenge::json_rpc_error;
use crate::mcp::USUAL_ACCEPT;

/// The media types of MCP that a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) json: bool,
    pub(super) stream: bool,
}

impl Accepted {
    pub(super) const BOTH: Self = Self { json: true, stream: true };

    /// Reads the header. A request without one accepts everything.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT).iter().map(HeaderValue::to_str);
        let Ok(lines) = lines.collect::<Result<Vec<_>, _>>() else {
            return Self { json: false, stream: false };
        };
        let ranges: Vec<Range<'_>> =
            lines.iter().flat_map(|line| line.split(',')).filter_map(Range::parse).collect();
        Self {
            json: accepts(&ranges, ("application", "json")),
            stream: accepts(&ranges, ("text", "event-stream")),
        }
    }

    /// The header that rmcp wants, for a client that accepts an answer of ours.
    pub(super) fn say_usual(headers: &mut HeaderMap) {
        headers.insert(header::ACCEPT, HeaderValue::from_static(USUAL_ACCEPT[0]));
    }
}

/// Returns whether the header is one of those that nearly every client sends.
pub(super) fn has_usual_accept(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(header::ACCEPT).iter();
    all.next().is_some_and(|one| USUAL_ACCEPT.iter().any(|usual| one == usual))
        && all.next().is_none()
}

/// A media range with its weight.
struct Range<'h> {
    kind: &'h str,
    subtype: &'h str,
    is_refused: bool,
}

impl<'h> Range<'h> {
    fn parse(text: &'h str) -> Option<Self> {
        let mut parts = text.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        // `q=0` means "not acceptable" (section 12.4.2).
        let is_refused = parts.any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            name.trim().eq_ignore_ascii_case("q")
                && value.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
        });
        Some(Self { kind, subtype, is_refused })
    }

    /// How closely the range names the type: 3 by its name, 1 by `*/*`; `None` if not at all.
    fn matches(&self, (kind, subtype): (&str, &str)) -> Option<u8> {
        let is = |range: &str, name: &str| range.eq_ignore_ascii_case(name);
        match (self.kind, self.subtype) {
            ("*", "*") => Some(1),
            (range, "*") if is(range, kind) => Some(2),
            (range, of) if is(range, kind) && is(of, subtype) => Some(3),
            _ => None,
        }
    }
}

/// The range that names the type most closely decides.
fn accepts(ranges: &[Range<'_>], of: (&str, &str)) -> bool {
    let matching = ranges.iter().filter_map(|range| Some((range.matches(of)?, !range.is_refused)));
    ranges.is_empty() || matching.max().is_some_and(|(_, is_accepted)| is_accepted)
}

/// The answer to a client that does not accept the answer that its request has: 406.
pub(super) fn not_acceptable(needed: &str) -> Response {
    let message = format!("this request is answered as {needed}: name it in the header Accept");
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, message, None);
    json_rpc_error(StatusCode::NOT_ACCEPTABLE, None, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT, line.parse().unwrap());
        }
        let Accepted { json, stream } = Accepted::of(&headers);
        (json, stream)
    }

    #[test]
    fn the_closest_range_decides() {
        for all in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/json, text/event-stream"],
            &["text/event-stream", "application/json"],
            &["text/html, */*;q=0.8"],
            &["APPLICATION/JSON;charset=utf-8,Text/*"],
            &["application/*;q=0.1 , text/event-stream ; q=1.0"],
        ] {
            assert_eq!(of(all), (true, true), "{all:?}");
        }
        for json in [
            &["application/json"][..],
            &["application/*"],
            &["text/html", "application/json;q=0.5"],
            &["*/*, text/event-stream;q=0"],
            &["*/*, text/*;q=0.0"],
        ] {
            assert_eq!(of(json), (true, false), "{json:?}");
        }
        for stream in
            [&["text/event-stream"][..], &["text/*"], &["*/*;q=1, application/json; Q=0.000"]]
        {
            assert_eq!(of(stream), (false, true), "{stream:?}");
        }
        for none in [&["text/html"][..], &["*/*;q=0"], &["application/jsonx"], &["json"]] {
            assert_eq!(of(none), (*none == ["json"], *none == ["json"]), "{none:?}");
        }
    }
}
