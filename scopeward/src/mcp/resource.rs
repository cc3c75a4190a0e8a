//! Resources: a router from URIs and URI templates to methods, as rmcp has for tools and prompts.

use std::{fmt, pin::Pin, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::{
    ErrorData, RoleServer,
    handler::server::{
        common::{AsRequestContext, FromContextPart},
        wrapper::{Json, Parameters},
    },
    model::{
        Icon, InputRequiredResult, JsonObject, MetaObject, ReadResourceResponse,
        ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
    },
    service::RequestContext,
};
use serde::{Serialize, de::DeserializeOwned};

use super::text;
use crate::{
    mcp::refusal::unknown,
    policy::{Feature, FoundUri, UriIndex, UriTemplate},
};

/// The context of one read of a resource, from which the method's parameters are taken.
///
/// ```
/// use scopeward::mcp::ResourceContext;
///
/// struct Notes {
///     folder: String,
/// }
///
/// fn log(read: &ResourceContext<'_, Notes>) -> String {
///     let id = &read.request_context().id;
///     format!("request {id}: {} from {}", read.uri(), read.server().folder)
/// }
/// ```
#[derive(Debug)]
pub struct ResourceContext<'s, S> {
    server: &'s S,
    uri: String,
    variables: JsonObject,
    context: RequestContext<RoleServer>,
}

impl<'s, S> ResourceContext<'s, S> {
    /// The value whose method reads the resource.
    pub fn server(&self) -> &'s S {
        self.server
    }

    /// The URI that is read, in its [canonical form](crate::policy::canonical_uri).
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The context of the request that reads the resource.
    pub fn request_context(&self) -> &RequestContext<RoleServer> {
        &self.context
    }
}

impl<S> AsRequestContext for ResourceContext<'_, S> {
    fn as_request_context(&self) -> &RequestContext<RoleServer> {
        &self.context
    }

    fn as_request_context_mut(&mut self) -> &mut RequestContext<RoleServer> {
        &mut self.context
    }
}

/// Extracts the decoded variables of the URI template, each read into what its field is.
impl<S, P: DeserializeOwned> FromContextPart<ResourceContext<'_, S>> for Parameters<P> {
    fn from_context_part(context: &mut ResourceContext<'_, S>) -> Result<Self, ErrorData> {
        read_variables(context, None).map(Self)
    }
}

/// Reads the variables of the URI template into a struct. A value that does not fit names no
/// resource, because the template never expands to it. The log says what was expected, and never
/// the value, because it comes from the caller.
pub(super) fn read_variables<S, P: DeserializeOwned>(
    context: &mut ResourceContext<'_, S>,
    template: Option<&'static str>,
) -> Result<P, ErrorData> {
    let variables = std::mem::take(&mut context.variables);
    text::read(&variables).map_err(|mismatch| {
        let resource = template.unwrap_or("a resource");
        tracing::warn!(resource, "the URI does not fit the method's struct: {mismatch}");
        unknown(Feature::Resource, &context.uri)
    })
}

/// The return types of methods that read a resource.
///
/// A `String` is sent as text, a `Vec<u8>` as binary and [`Json`] as JSON. [`ResourceContents`], a
/// list of them and [`ReadResourceResult`] are sent as they are.
///
/// ```
/// use scopeward::{
///     ErrorData,
///     mcp::IntoResource,
///     rmcp::model::ReadResourceResponse,
/// };
///
/// /// A page that is sent as HTML, whatever the resource says.
/// struct Page(String);
///
/// impl IntoResource for Page {
///     fn into_resource(
///         self,
///         uri: &str,
///         _: Option<&str>,
///     ) -> Result<ReadResourceResponse, ErrorData> {
///         self.0.into_resource(uri, Some("text/html"))
///     }
/// }
/// ```
pub trait IntoResource {
    /// Makes MCP's answer, for the resource of this URI and media type.
    ///
    /// # Errors
    ///
    /// The method's own error, or an internal error if the value cannot be written as JSON.
    fn into_resource(
        self,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData>;
}

/// The answer that has these contents and this media type.
fn contents(contents: ResourceContents, mime_type: Option<&str>) -> ReadResourceResponse {
    let contents = match mime_type {
        Some(mime_type) => contents.with_mime_type(mime_type),
        None => contents,
    };
    ReadResourceResult::new(vec![contents]).into()
}

impl IntoResource for String {
    fn into_resource(
        self,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(contents(ResourceContents::text(self, uri), mime_type))
    }
}

impl IntoResource for &str {
    fn into_resource(
        self,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.to_owned().into_resource(uri, mime_type)
    }
}

impl IntoResource for Vec<u8> {
    fn into_resource(
        self,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(contents(ResourceContents::blob(STANDARD.encode(self), uri), mime_type))
    }
}

impl<T: Serialize> IntoResource for Json<T> {
    fn into_resource(
        self,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let text = serde_json::to_string(&self.0).map_err(|error| {
            ErrorData::internal_error(format!("the resource could not be written: {error}"), None)
        })?;
        let mime_type = mime_type.unwrap_or("application/json");
        Ok(contents(ResourceContents::text(text, uri), Some(mime_type)))
    }
}

impl IntoResource for ResourceContents {
    fn into_resource(self, _: &str, _: Option<&str>) -> Result<ReadResourceResponse, ErrorData> {
        Ok(ReadResourceResult::new(vec![self]).into())
    }
}

impl IntoResource for Vec<ResourceContents> {
    fn into_resource(self, _: &str, _: Option<&str>) -> Result<ReadResourceResponse, ErrorData> {
        Ok(ReadResourceResult::new(self).into())
    }
}

impl IntoResource for ReadResourceResult {
    fn into_resource(self, _: &str, _: Option<&str>) -> Result<ReadResourceResponse, ErrorData> {
        Ok(self.into())
    }
}

impl IntoResource for InputRequiredResult {
    fn into_resource(self, _: &str, _: Option<&str>) -> Result<ReadResourceResponse, ErrorData> {
        Ok(self.into())
    }
}

impl IntoResource for ReadResourceResponse {
    fn into_resource(self, _: &str, _: Option<&str>) -> Result<ReadResourceResponse, ErrorData> {
        Ok(self)
    }
}

impl<T: IntoResource, E: Into<ErrorData>> IntoResource for Result<T, E> {
    fn into_resource(
        self,
        uri: &str,
        mime_type: Option<&str>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.map_err(Into::into)?.into_resource(uri, mime_type)
    }
}

/// The details of a resource that lists show besides its URI.
#[derive(Debug, Clone, Default)]
pub struct ResourceDetails {
    /// The name for programs.
    pub name: String,
    /// The name for people.
    pub title: Option<String>,
    /// The description of the resource.
    pub description: Option<String>,
    /// The media type of the resource.
    pub mime_type: Option<String>,
    /// The icons that clients may show.
    pub icons: Option<Vec<Icon>>,
    /// The `_meta` of the resource.
    pub meta: Option<MetaObject>,
}

/// The future answer of a method that reads a resource.
pub type ReadFuture<'a> =
    Pin<Box<dyn Future<Output = Result<ReadResourceResponse, ErrorData>> + Send + 'a>>;

type Read<S> = dyn for<'a> Fn(ResourceContext<'a, S>) -> ReadFuture<'a> + Send + Sync;

/// A resource, or a family of resources, with the method that reads it.
///
/// ```
/// use scopeward::mcp::ResourceRoute;
///
/// fn describe<S>(route: &ResourceRoute<S>) -> String {
///     let kind = if route.is_template() { "a family of resources" } else { "one resource" };
///     format!("{}: {kind}", route.name())
/// }
/// ```
pub struct ResourceRoute<S> {
    template: UriTemplate,
    details: ResourceDetails,
    read: Arc<Read<S>>,
}

impl<S> Clone for ResourceRoute<S> {
    fn clone(&self) -> Self {
        let (template, details) = (self.template.clone(), self.details.clone());
        Self { template, details, read: Arc::clone(&self.read) }
    }
}

impl<S> fmt::Debug for ResourceRoute<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceRoute")
            .field("template", &self.template)
            .field("details", &self.details)
            .finish_non_exhaustive()
    }
}

impl<S> ResourceRoute<S> {
    /// The URI, or the URI template.
    pub fn name(&self) -> &str {
        self.template.as_str()
    }

    /// Returns whether the route is a URI template, which stands for a family of resources.
    pub fn is_template(&self) -> bool {
        self.template.is_template()
    }

    /// The resource as `resources/list` shows it.
    pub(crate) fn listed(&self) -> Resource {
        let mut shown = Resource::new(self.name(), &self.details.name);
        shown.title.clone_from(&self.details.title);
        shown.description.clone_from(&self.details.description);
        shown.mime_type.clone_from(&self.details.mime_type);
        shown.icons.clone_from(&self.details.icons);
        shown.meta.clone_from(&self.details.meta);
        shown
    }

    /// The URI template as `resources/templates/list` shows it.
    pub(crate) fn listed_template(&self) -> ResourceTemplate {
        let mut shown = ResourceTemplate::new(self.name(), &self.details.name);
        shown.title.clone_from(&self.details.title);
        shown.description.clone_from(&self.details.description);
        shown.mime_type.clone_from(&self.details.mime_type);
        shown.icons.clone_from(&self.details.icons);
        shown.meta.clone_from(&self.details.meta);
        shown
    }
}

/// A router that finds the method that reads a URI.
///
/// ```
/// use scopeward::mcp::{ReadFuture, ResourceContext, ResourceDetails, ResourceRouter};
/// use scopeward::rmcp::model::{ReadResourceResult, ResourceContents};
///
/// struct Notes;
///
/// fn read(context: ResourceContext<'_, Notes>) -> ReadFuture<'_> {
///     let uri = context.uri().to_owned();
///     Box::pin(async { Ok(ReadResourceResult::new(vec![ResourceContents::text("milk", uri)]).into()) })
/// }
///
/// let details = ResourceDetails { name: "note".to_owned(), ..ResourceDetails::default() };
/// let router = ResourceRouter::<Notes>::default().with("note://{id}", details, read);
/// ```
pub struct ResourceRouter<S> {
    routes: Vec<ResourceRoute<S>>,
    uris: UriIndex,
}

impl<S> fmt::Debug for ResourceRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.routes).finish()
    }
}

impl<S> Default for ResourceRouter<S> {
    fn default() -> Self {
        Self { routes: vec![], uris: UriIndex::default() }
    }
}

impl<S> ResourceRouter<S> {
    /// Adds a resource and the method that reads it. `#[scoped_tools]` generates the calls of this
    /// function, and checks the URIs before.
    ///
    /// # Panics
    ///
    /// If `uri` is not a URI or a URI template, or if a URI could belong to an earlier resource
    /// too, because then the router could read the wrong resource.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a mistake in the program, not in its input, found at the start"
    )]
    pub fn with<F>(mut self, uri: &str, details: ResourceDetails, read: F) -> Self
    where
        F: for<'a> Fn(ResourceContext<'a, S>) -> ReadFuture<'a> + Send + Sync + 'static,
    {
        let template = UriTemplate::parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
        if let Err(overlap) = self.uris.add(template.clone()) {
            panic!("a URI of {uri} could be one of {} as well", overlap.with);
        }
        self.routes.push(ResourceRoute { template, details, read: Arc::new(read) });
        self
    }

    /// All resources, in the order of their URIs.
    pub(crate) fn all(&self) -> Vec<&ResourceRoute<S>> {
        let mut all: Vec<_> = self.routes.iter().collect();
        all.sort_by_key(|route| route.name());
        all
    }

    /// Reads the resource of a URI.
    pub(crate) async fn read(
        &self,
        server: &S,
        uri: String,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let found = self.uris.find(&uri);
        match found.and_then(|found| Some((self.routes.get(found.number)?, found))) {
            // A template itself is not a resource, so it cannot be read.
            Some((route, FoundUri { values, .. })) if route.is_template() && values.is_empty() => {
                Err(unknown(Feature::Resource, &uri))
            }
            // The method is given the canonical URI, which is the one that was decided on.
            Some((route, FoundUri { values: variables, uri, .. })) => {
                (route.read)(ResourceContext { server, uri, variables, context }).await
            }
            None => Err(unknown(Feature::Resource, &uri)),
        }
    }

    /// The route of a URI.
    pub(crate) fn details(&self, uri: &str) -> Option<&ResourceRoute<S>> {
        self.routes.get(self.uris.find(uri)?.number)
    }

    /// The canonical form of a URI, if the URI names a resource.
    pub(crate) fn canonical(&self, uri: &str) -> Option<String> {
        let found = self.uris.find(uri)?;
        let route = self.routes.get(found.number)?;
        (!route.is_template() || !found.values.is_empty()).then_some(found.uri)
    }
}
