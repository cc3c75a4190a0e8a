//! A tool with arguments, a result with a shape, an error of its own, and tests of all of it.
//!
//! ```sh
//! cargo run -p scopeward --features embedded-issuer --example arguments -- \
//!     --policy scopeward/examples/arguments/policy.toml
//! cargo test -p scopeward --features embedded-issuer,testing --example arguments
//! ```

use scopeward::{
    Json, Parameters, data,
    rmcp::model::{ContentBlock, IntoContents},
    scoped_tools,
};

struct Scales;

/// A weight to convert.
#[data]
struct Weight {
    /// The weight, in kilograms
    kilograms: f64,
}

/// A converted weight.
#[data]
struct Converted {
    /// The weight, in pounds
    pounds: f64,
}

/// A weight that nothing can have.
#[derive(Debug, thiserror::Error)]
#[error("{0} kg is no weight: give a number of kilograms that is 0 or more")]
struct NoWeight(f64);

/// The model that called the tool reads the error, and can try again.
impl IntoContents for NoWeight {
    fn into_contents(self) -> Vec<ContentBlock> {
        vec![ContentBlock::text(self.to_string())]
    }
}

#[scoped_tools]
impl Scales {
    /// Converts a weight from kilograms to pounds.
    #[scoped_tool(scopes = ["weight:read"], annotations(read_only_hint = true))]
    async fn to_pounds(
        &self,
        Parameters(Weight { kilograms }): Parameters<Weight>,
    ) -> Result<Json<Converted>, NoWeight> {
        if kilograms < 0.0 || kilograms.is_nan() {
            return Err(NoWeight(kilograms));
        }
        Ok(Json(Converted { pounds: kilograms * 2.204_622_6 }))
    }
}

fn main() -> std::process::ExitCode {
    scopeward::main(Scales)
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use scopeward::testing::{CallError, Caller, Server};
    use serde_json::json;

    use super::*;

    fn caller<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Caller {
        Server::new(Scales, include_str!("policy.toml")).caller("ada", scopes)
    }

    #[tokio::test]
    async fn a_weight_is_converted() {
        let ada = caller(["weight:read"]);
        let converted: Converted = ada.call("to_pounds", json!({ "kilograms": 10 })).await.unwrap();
        assert!((converted.pounds - 22.046_226).abs() < 1e-9);
    }

    #[tokio::test]
    async fn nobody_without_the_scope_converts() {
        let denied = caller([]).call::<Converted>("to_pounds", json!({ "kilograms": 10 })).await;
        assert_eq!(denied.err().unwrap().missing(), ["weight:read"]);
    }

    #[tokio::test]
    async fn no_weight_is_an_error_that_says_so() {
        let ada = caller(["weight:read"]);
        let failed = ada.call::<Converted>("to_pounds", json!({ "kilograms": -1 })).await;
        let Err(CallError::Failed { text, .. }) = failed else { panic!("an error") };
        assert!(text.starts_with("-1 kg is no weight"), "{text}");
    }

    /// A method is called as any other, too. Such a call passes the check by.
    #[tokio::test]
    async fn the_method_itself_can_be_called() {
        let converted = Scales.to_pounds(Parameters(Weight { kilograms: 0.0 })).await;
        assert_eq!(converted.unwrap().0.pounds, 0.0);
    }
}
