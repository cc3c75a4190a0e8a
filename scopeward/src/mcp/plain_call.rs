//! Plain calls: `tools/call` messages that have exactly one reading.
//!
//! The gate decides a message as rmcp reads it. For nearly every call rmcp's reading is known
//! without parsing with rmcp's type, because the message is one JSON object that has each member
//! once, no unknown member, and a tool name without escapes. If the policy allows such a call
//! whatever its arguments are, the call is passed on without copying anything. All other messages,
//! and all refused ones, are parsed with rmcp's type.

use bytes::Bytes;
use rmcp::model::{CallToolRequestParams, JsonObject, RequestId, RequestMetaObject};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::audit::grant::Grant;

/// A plain call that borrows its parts from the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BorrowedCall<'m> {
    pub(crate) tool: &'m str,
    pub(crate) traceparent: Option<&'m str>,
    id: &'m str,
    arguments: Option<&'m str>,
    meta: Option<&'m str>,
}

/// A plain call that was allowed. Its parts share the body, so that the module that executes the
/// call does not search the body again.
#[derive(Debug, Clone)]
pub(crate) struct PlainCall {
    tool: Bytes,
    id: Bytes,
    arguments: Option<Bytes>,
    meta: Option<Bytes>,
    grant: Option<Grant>,
}

impl BorrowedCall<'_> {
    /// The id of the request; `None` if rmcp would refuse it.
    pub(crate) fn id(&self) -> Option<RequestId> {
        serde_json::from_str(self.id).ok()
    }

    /// Makes a call whose parts share `body`, from which this call was read.
    pub(crate) fn share(&self, body: &Bytes) -> PlainCall {
        let part = |text: &str| body.slice_ref(text.as_bytes());
        PlainCall {
            tool: part(self.tool),
            id: part(self.id),
            arguments: self.arguments.map(part),
            meta: self.meta.map(part),
            grant: None,
        }
    }
}

impl PlainCall {
    /// Adds the grant by which the call was let through.
    #[must_use]
    pub(crate) fn with_grant(self, grant: Grant) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// The grant by which the call was let through.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    pub(crate) fn tool(&self) -> &str {
        str::from_utf8(&self.tool).unwrap_or_default()
    }

    /// Parses the call into rmcp's types, exactly as rmcp would; `None` if rmcp would refuse it.
    /// `tool` is the tool's name for the parameters, so that a caller with a `'static` name saves a
    /// copy.
    pub(crate) fn read(
        &self,
        tool: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Option<(RequestId, RequestMetaObject, CallToolRequestParams)> {
        let id = serde_json::from_slice(&self.id).ok()?;
        let meta = self.meta.as_deref().map(serde_json::from_slice::<JsonObject>).transpose();
        let meta = RequestMetaObject::from(meta.ok()?.unwrap_or_default());
        let mut params = CallToolRequestParams::new(tool);
        let arguments = self.arguments.as_deref().map(serde_json::from_slice).transpose();
        params.arguments = arguments.ok()?;
        Some((id, meta, params))
    }
}

/// The members of a plain call. A message that repeats a member, or has an unknown member or one of
/// another form, does not deserialize, and so is not plain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'m> {
    jsonrpc: &'m str,
    #[serde(borrow)]
    id: &'m RawValue,
    method: &'m str,
    #[serde(borrow)]
    params: Params<'m>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params<'m> {
    name: &'m str,
    #[serde(borrow)]
    arguments: Option<&'m RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'m RawValue>,
}

#[derive(Deserialize)]
struct Meta<'m> {
    traceparent: Option<&'m str>,
}

/// Reads a body as a plain call; `None` if it is not one.
pub(crate) fn read(body: &[u8]) -> Option<BorrowedCall<'_>> {
    let Message { jsonrpc, id, method, params } = serde_json::from_slice(body).ok()?;
    let is_object = |value: &RawValue| value.get().starts_with('{');
    let is_plain = jsonrpc == "2.0"
        && method == "tools/call"
        && is_id(id.get())
        && params.arguments.is_none_or(is_object);
    if !is_plain {
        return None;
    }
    let traceparent = match params.meta {
        None => None,
        Some(meta) if is_object(meta) => {
            serde_json::from_str::<Meta<'_>>(meta.get()).ok()?.traceparent
        }
        Some(_) => return None,
    };
    Some(BorrowedCall {
        tool: params.name,
        traceparent,
        id: id.get(),
        arguments: params.arguments.map(RawValue::get),
        meta: params.meta.map(RawValue::get),
    })
}

/// Returns whether a JSON value is a string, or an integer that every reader reads exactly.
fn is_id(text: &str) -> bool {
    // A 64-bit float holds every integer of at most 15 digits exactly.
    const MAX_DIGITS: usize = 15;
    text.starts_with('"')
        || (text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rmcp::model::{ClientJsonRpcMessage, ClientRequest, GetMeta};

    use super::*;

    /// All parts of a `tools/call`, with its trace.
    type Whole = (RequestId, RequestMetaObject, CallToolRequestParams, Option<String>);

    /// Reads a body with rmcp's type.
    fn of_rmcp(body: &str) -> Option<Whole> {
        match serde_json::from_str(body).ok()? {
            ClientJsonRpcMessage::Request(request) => {
                let meta = request.request.get_meta().clone();
                let trace = meta.get_traceparent().map(str::to_owned);
                match request.request {
                    ClientRequest::CallToolRequest(call) => {
                        Some((request.id, meta, call.params, trace))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Reads a body as a plain call.
    fn of_plain(body: &Bytes) -> Option<Whole> {
        let call = read(body)?;
        let (id, meta, params) = call.share(body).read(call.tool.to_owned())?;
        Some((id, meta, params, call.traceparent.map(str::to_owned)))
    }

    #[test]
    fn only_calls_with_one_reading_are_plain() {
        let call = |rest: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{rest}}}"#)
        };
        for (params, trace) in [
            (r#"{"name":"a"}"#, None),
            (r#"{"name":"a","arguments":{"x":[1,{}]}}"#, None),
            (r#"{"arguments":null,"name":"a"}"#, None),
            (r#"{"name":"a","_meta":{"traceparent":"00-1","x":{}}}"#, Some("00-1")),
        ] {
            let body = call(params);
            let found = read(body.as_bytes()).map(|call| (call.tool, call.traceparent));
            assert_eq!(found, Some(("a", trace)), "{body}");
            assert!(of_rmcp(&body).is_some(), "{body}");
            assert_eq!(of_plain(&Bytes::from(body.clone())), of_rmcp(&body), "{body}");
        }
        for params in [
            r#"{"name":"\u0061"}"#,
            r#"{"name":"a","name":"a"}"#,
            r#"{"name":"a","arguments":[]}"#,
            r#"{"name":"a","arguments":{},"arguments":{}}"#,
            r#"{"name":"a","_meta":[]}"#,
            r#"{"name":"a","requestState":"x"}"#,
            r#"{"name":1}"#,
            "{}",
            "[]",
        ] {
            assert_eq!(read(call(params).as_bytes()), None, "{params}");
        }
        for body in [
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"x":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}} x"#,
            "",
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("1".to_owned()),
            Just("1e400".to_owned()),
            Just("-0".to_owned()),
            Just("18446744073709551616".to_owned()),
            Just("\"2.0\"".to_owned()),
            Just("\"a\"".to_owned()),
            Just("\"\\u0061\"".to_owned()),
            Just("\"tools/call\"".to_owned()),
            Just("\"tools/list\"".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 6, |inner| {
            let name = prop::sample::select(vec![
                "jsonrpc",
                "id",
                "method",
                "params",
                "name",
                "arguments",
                "_meta",
                "traceparent",
                "result",
                "error",
                "x",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3)
                    .prop_map(|all| format!("[{}]", all.join(","))),
                prop::collection::vec((name, inner), 0..6).prop_map(|all| {
                    let all = all.iter().map(|(name, value)| format!("\"{name}\":{value}"));
                    format!("{{{}}}", all.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    /// Messages that are nearly calls, so that many of them are calls.
    fn message() -> impl Strategy<Value = String> {
        let member = |name: &'static str, usual: &'static str| {
            let value = prop_oneof![8 => Just(usual.to_owned()), 1 => json()];
            value.prop_map(move |value| format!("\"{name}\":{value}"))
        };
        let params = (member("name", "\"a\""), member("arguments", "{}"), member("_meta", "{}"));
        let params = prop_oneof![
            8 => params.prop_map(|(a, b, c)| format!("\"params\":{{{a},{b},{c}}}")),
            1 => json().prop_map(|value| format!("\"params\":{value}")),
        ];
        let all = (
            member("jsonrpc", "\"2.0\""),
            member("id", "1"),
            member("method", "\"tools/call\""),
            params,
            prop::option::weighted(0.1, member("x", "1")),
        );
        all.prop_flat_map(|(a, b, c, d, e)| {
            Just([Some(a), Some(b), Some(c), Some(d), e].into_iter().flatten().collect::<Vec<_>>())
                .prop_shuffle()
        })
        .prop_map(|all| format!("{{{}}}", all.join(",")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// If a body is a plain call, rmcp reads the same call from the body, or refuses the body.
        #[test]
        fn rmcp_reads_the_tool_and_trace_of_a_plain_call(body in message()) {
            if let Some(BorrowedCall { tool, traceparent, .. }) = read(body.as_bytes()) {
                let whole: Result<ClientJsonRpcMessage, _> = serde_json::from_str(&body);
                if whole.is_ok() {
                    let read_by_rmcp = of_rmcp(&body).map(|(_, _, params, trace)| (params.name, trace));
                    let expected = (tool.into(), traceparent.map(str::to_owned));
                    prop_assert_eq!(read_by_rmcp, Some(expected), "{}", body);
                }
            }
        }

        /// A plain call has the id, the metadata and the parameters that rmcp reads from its body.
        #[test]
        fn rmcp_reads_all_parts_of_a_plain_call(body in message()) {
            if let Some(whole) = of_plain(&Bytes::from(body.clone())) {
                prop_assert_eq!(Some(whole), of_rmcp(&body), "{}", body);
            }
        }
    }
}
