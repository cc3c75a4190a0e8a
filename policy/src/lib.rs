//! Access policies for MCP servers: compiles `policy.toml`, decides by it, and examines it (lint,
//! diff, explain, matrix).
//!
//! This crate does no I/O and knows neither HTTP nor MCP, so each of its answers follows from its
//! input alone. The crate `scopeward` serves by these decisions, and re-exports this crate as
//! `scopeward::policy`.
//!
//! | step | where |
//! |---|---|
//! | `policy.toml` → the manifest, as written | `manifest` |
//! | the manifest → checked and compiled | [`CompiledPolicy::compile`] |
//! | granted scopes → held scopes | [`CompiledPolicy::hold`] |
//! | [`Operation`] and held scopes → [`Decision`] | [`CompiledPolicy::decide`] |
//! | declared scopes, as plain data | [`Registry`], [`Declaration`] |
//! | registered scopes, from a committed file | [`Snapshot`] |
//! | findings, and the startup check | [`lint`], [`agreement`] |
//! | who gains and who loses access by a change | [`diff`] |
//! | why a caller may or may not, and who may do what | [`explain`], [`matrix`] |

pub mod agreement;
#[cfg(test)]
mod anonymous_tests;
mod assertions;
mod claims;
mod compile;
mod compiled;
mod condition;
mod counts;
mod decision;
mod declared;
pub mod diagnostic;
pub mod diff;
mod effort;
mod entailment;
pub mod explain;
mod feature;
pub mod format;
pub mod init;
mod json_schema;
mod known_client;
mod line_ends;
pub mod lint;
mod manifest;
pub mod matrix;
mod mistake;
#[cfg(any(test, feature = "model"))]
#[doc(hidden)]
pub mod model;
mod operation;
mod origin;
pub mod provider;
mod reach;
mod reader;
pub mod redirect;
#[cfg(test)]
mod reference;
pub mod replay;
mod requirement;
mod revision;
mod rule;
mod rules;
#[cfg(test)]
mod samples;
pub mod schema;
mod scope;
mod scope_info;
mod scope_set;
pub mod served;
mod setting_list;
mod settings;
mod shape;
mod snapshot;
mod syntax;
#[cfg(test)]
mod tests;
mod title;
mod toml_key;
mod toml_string;
mod undefined;
mod uri;
pub mod url;
mod vocabulary;

pub use agreement::CheckedPolicy;
pub use assertions::Assertions;
pub use compiled::{CompiledPolicy, ConditionalNeed};
pub use counts::DecisionCounts;
pub use decision::{Decision, Denial, MetConditions};
pub use declared::{Declaration, Declarations, Location, Registry};
pub use feature::Feature;
pub use known_client::KnownClient;
pub use manifest::written_url;
pub use operation::{Object, Operation};
pub use origin::{Origin, OriginError};
pub use provider::{Provider, ProviderSettings};
pub use revision::Revision;
pub use rule::Rule;
pub use scope::{Scope, ScopeError};
pub use scope_info::ScopeInfo;
pub use scope_set::ScopeSet;
pub use setting_list::Setting;
pub use settings::{AuditMode, ListMode, OnDenied, StartupCheck};
pub use snapshot::Snapshot;
pub use title::title_for;
pub use uri::{
    FoundUri, NotCanonical, UriIndex, UriOverlap, UriTemplate, UriTemplateError, canonical_uri,
};
pub use url::{ResourceUrl, ResourceUrlError};

pub(crate) use assertions::{Case, Invariant};
pub(crate) use compile::DraftPolicy;
pub(crate) use declared::DeclarationIndex;
pub(crate) use manifest::{
    Allow, Entry, GivenObject, Manifest, RuleEntry, ScopeEntry, Selection, Tried,
};
pub(crate) use reader::{Located, TableReader};
pub(crate) use requirement::Requirement;
pub(crate) use rule::When;
pub(crate) use rules::Rules;
pub(crate) use scope::AccessLevel;
pub(crate) use scope_set::ScopeId;
pub(crate) use shape::{Behaviour, Level, SNAPSHOT};
