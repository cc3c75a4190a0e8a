//! The ways to give a server its tools.

use std::{convert::Infallible, error::Error};

use super::Environment;
use crate::mcp::ScopedTools;

/// Something that gives a server its tools: the tools themselves, or a function that opens them.
///
/// | written as | for |
/// |---|---|
/// | `Notes` | tools that need nothing |
/// | `Notes::open`, an `async fn(Environment) -> Result<Notes, E>` | tools that open a file or a database; `E` is any error, or a text |
///
/// `Marker` only tells the two apart, and is always inferred.
///
/// ```no_run
/// use scopeward::{Guarded, Mount, Opened, StartError};
///
/// /// Takes tools, or a function that opens them.
/// async fn guard<Marker>(tools: impl Opened<Marker>) -> Result<Guarded, StartError> {
///     Mount::from_env()?.audit().open(tools).await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives a server no tools",
    label = "neither tools nor a function that opens them",
    note = "pass a value whose type has a `#[scoped_tools]` block, or an \
            `async fn(Environment) -> Result<Tools, E>` where `E` is an error or a `String`"
)]
pub trait Opened<Marker> {
    /// The type whose methods are the tools.
    type Tools: ScopedTools;
    /// Why the tools do not open.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Opens the tools.
    fn open(
        self,
        environment: Environment,
    ) -> impl Future<Output = Result<Self::Tools, Self::Error>>;
}

/// Marks tools that are given as a value.
#[derive(Debug)]
pub struct Value(Infallible);

impl<S: ScopedTools> Opened<Value> for S {
    type Tools = S;
    type Error = Infallible;

    async fn open(self, _: Environment) -> Result<S, Infallible> {
        Ok(self)
    }
}

/// Marks a function that opens tools.
#[derive(Debug)]
pub struct Function(Infallible);

impl<F, Fut, S, E> Opened<(Function, Fut, S, E)> for F
where
    F: FnOnce(Environment) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    S: ScopedTools,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Tools = S;
    type Error = E;

    async fn open(self, environment: Environment) -> Result<S, E> {
        self(environment).await
    }
}
