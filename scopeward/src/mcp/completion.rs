//! Completion of the arguments of prompts and resource templates, under the rule of the prompt or
//! resource whose argument is completed.

use std::{collections::HashMap, fmt, pin::Pin, sync::Arc};

use rmcp::{
    ErrorData,
    model::{CompleteRequestParams, CompleteResult, CompletionInfo},
};

use crate::{identity::Principal, policy::Feature};

type CompleteFuture<'a> = Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>>;

type Complete<S> =
    dyn for<'a> Fn(&'a S, Principal, CompleteRequestParams) -> CompleteFuture<'a> + Send + Sync;

/// The methods that complete the arguments of prompts and resource templates.
///
/// ```
/// use scopeward::{mcp::Completions, policy::Feature};
///
/// struct Notes;
///
/// let completions = Completions::<Notes>::default().with(Feature::Prompt, "summary", |_, caller, _| {
///     Box::pin(async move { vec![format!("for {}", caller.subject())] })
/// });
/// ```
pub struct Completions<S>(HashMap<(Feature, &'static str), Arc<Complete<S>>>);

impl<S> Default for Completions<S> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S> fmt::Debug for Completions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<S> Completions<S> {
    /// Adds the method that completes the arguments of one prompt or resource template.
    /// `#[scoped_tools]` generates a call of this function from `complete = method`.
    #[must_use]
    pub fn with<F>(mut self, feature: Feature, name: &'static str, complete: F) -> Self
    where
        F: for<'a> Fn(&'a S, Principal, CompleteRequestParams) -> CompleteFuture<'a>
            + Send
            + Sync
            + 'static,
    {
        self.0.insert((feature, name), Arc::new(complete));
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Completes an argument of the prompt or resource template with this name; without a method
    /// for it there are no values.
    pub(crate) async fn complete(
        &self,
        (feature, name): (Feature, &'static str),
        server: &S,
        caller: Principal,
        request: CompleteRequestParams,
    ) -> Result<CompleteResult, ErrorData> {
        let Some(complete) = self.0.get(&(feature, name)) else {
            return Ok(CompleteResult::default());
        };
        let mut values = complete(server, caller, request).await;
        let total = u32::try_from(values.len()).ok();
        let has_more = values.len() > CompletionInfo::MAX_VALUES;
        values.truncate(CompletionInfo::MAX_VALUES);
        let mut info =
            CompletionInfo::new(values).map_err(|error| ErrorData::internal_error(error, None))?;
        info.total = total;
        info.has_more = Some(has_more);
        Ok(CompleteResult::new(info))
    }
}

/// Selects the `values` that begin with the typed text, ignoring case, as most completions do.
///
/// ```
/// use scopeward::mcp::suggest;
///
/// assert_eq!(suggest("pa", ["paris", "rome", "Padua"]), ["paris", "Padua"]);
/// ```
pub fn suggest<'a>(typed: &str, values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let typed = typed.to_lowercase();
    let matching = values.into_iter().filter(|value| value.to_lowercase().starts_with(&typed));
    matching.map(str::to_owned).collect()
}
