//! Access policies for MCP servers: from the text of `policy.toml` to the decision, and all that
//! examines a policy.
//!
//! This crate has no I/O, no HTTP and no MCP: it reads text and gives answers. The server that asks it
//! is the crate `scopeward`, which re-exports it as `scopeward::policy`.
//!
//! | step | where |
//! |---|---|
//! | `policy.toml` → what is written | `manifest` |
//! | what is written → checked and compiled | [`CompiledPolicy::compile`] |
//! | granted scopes → held scopes | [`CompiledPolicy::hold`] |
//! | [`Operation`] and held scopes → [`Decision`] | [`CompiledPolicy::decide`] |
//! | what authors declared, as plain data | [`Registry`], [`Declaration`] |
//! | what the authorization server registered | [`Snapshot`] |
//! | what is wrong, and what deserves a look | [`lint`], [`agreement`] |
//! | who gains and who loses access by a change | [`diff`] |
//! | why, and who may do what | [`explain`], [`matrix`] |

pub mod agreement;
mod assertions;
mod compile;
mod compiled;
mod condition;
mod counts;
mod decision;
mod declared;
pub mod diagnostic;
pub mod diff;
mod entailment;
pub mod explain;
mod feature;
pub mod format;
mod known_client;
pub mod lint;
mod manifest;
pub mod matrix;
mod mistake;
#[cfg(any(test, feature = "model"))]
#[doc(hidden)]
pub mod model;
mod operation;
mod provider;
mod reach;
mod reader;
pub mod redirect;
#[cfg(test)]
mod reference;
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
mod setting_list;
mod settings;
mod shape;
mod snapshot;
#[cfg(test)]
mod tests;
mod uri;
pub mod url;
mod vocabulary;

pub use assertions::Assertions;
pub use compiled::{CompiledPolicy, ConditionalNeed};
pub use counts::DecisionCounts;
pub use decision::{Decision, Denial};
pub use declared::{Declaration, Location, Registry};
pub use feature::Feature;
pub use known_client::KnownClient;
pub use manifest::written_url;
pub use operation::{Object, Operation};
pub use provider::{Provider, ProviderSettings};
pub use revision::Revision;
pub use rule::Rule;
pub use scope::{Scope, ScopeError};
pub use scope_info::ScopeInfo;
pub use scope_set::ScopeSet;
pub use setting_list::Setting;
pub use settings::{AuditMode, ListMode, OnDenied, StartupCheck};
pub use snapshot::Snapshot;
pub use uri::{Overlap, UriIndex, UriTemplate, UriTemplateError};
pub use url::{ResourceUrl, ResourceUrlError};

pub(crate) use assertions::{Case, Invariant};
pub(crate) use compile::Draft;
pub(crate) use manifest::{Allow, Entry, Manifest, RuleEntry, ScopeEntry, Selection};
pub(crate) use reader::{Located, Reader};
pub(crate) use requirement::Requirement;
pub(crate) use rule::When;
pub(crate) use rules::Rules;
pub(crate) use scope::AccessLevel;
pub(crate) use scope_set::ScopeId;
pub(crate) use shape::{Behaviour, Level, SNAPSHOT};
