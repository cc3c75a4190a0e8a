//! The revision of MCP that a request speaks.

use http::HeaderMap;
use rmcp::model::ProtocolVersion;

/// The revisions of MCP, oldest first.
const REVISIONS: [ProtocolVersion; Revision::COUNT] = [
    ProtocolVersion::V_2024_11_05,
    ProtocolVersion::V_2025_03_26,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];

/// A revision of MCP that this server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Revision(usize);

impl Revision {
    /// How many revisions there are.
    pub(crate) const COUNT: usize = 5;
    /// The revision of a request that names none: 2025-03-26 (MCP, "Protocol Version Header").
    const UNNAMED: Self = Self(1);
    /// The newest revision. Its requests carry metadata, and headers that repeat the body; its
    /// results have a `resultType`, and its errors an HTTP status.
    const NEWEST: Self = Self(Self::COUNT - 1);

    /// The revision that a request's header names; `None` if the revision is unknown.
    pub(crate) fn named(headers: &HeaderMap) -> Option<Self> {
        match headers.get("mcp-protocol-version") {
            None => Some(Self::UNNAMED),
            Some(named) => {
                REVISIONS.iter().position(|revision| named == revision.as_str()).map(Self)
            }
        }
    }

    /// The revision in which a request is answered. An unknown one is answered in the newest.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::named(headers).unwrap_or(Self::NEWEST)
    }

    pub(crate) fn is_newest(self) -> bool {
        self == Self::NEWEST
    }

    /// Its place among all revisions, from 0 for the oldest.
    pub(crate) fn index(self) -> usize {
        self.0
    }

    /// The name by which rmcp knows it.
    pub(crate) fn version(self) -> ProtocolVersion {
        REVISIONS[self.0].clone()
    }
}
