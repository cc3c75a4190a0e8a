//! The tools, resources and prompts of the conformance server.

#![expect(deprecated, reason = "older revisions have sampling and logging")]

use std::{sync::Arc, time::Duration};

use rmcp::{
    Peer, RoleServer,
    handler::server::{tool, wrapper::Parameters},
    model::{
        AudioContent, CallToolResponse, CallToolResult, ClientCapabilities, CompleteRequestParams,
        ContentBlock, CreateMessageRequestParams, ElicitRequestParams, ElicitResult, ErrorData,
        GetPromptResult, ImageContent, JsonObject, LoggingLevel, LoggingMessageNotificationParam,
        ProgressNotificationParam, PromptMessage, RequestMetaObject, ResourceContents, Role,
        SamplingMessage,
    },
    schemars,
    service::ServiceError,
    task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions},
};
use scopeward::{
    Principal,
    live::LivePolicy,
    mcp::{LogLevel, PromptAnswer, Round, Tasks, Updates, suggest},
    scoped_tools,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::inputs::{answer, ask, form, open, roots, sampling, seal, text};

/// An image of one red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
/// A sound without samples.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

pub(crate) struct Everything {
    live: LivePolicy,
}

impl Everything {
    pub(crate) fn new(live: LivePolicy) -> Self {
        Self { live }
    }

    /// Replaces the policy by another one, so that lists change.
    fn change_lists(&self) {
        let current = self.live.current();
        let shown = current.source().text().contains("test:never\"] }");
        let next = super::policy(current.resource().as_str(), shown);
        self.live.replace(next).unwrap();
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Header {
    #[schemars(extend("x-mcp-header" = "Value"))]
    value: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Prompt {
    prompt: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Message {
    message: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Id {
    id: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Arguments {
    /// First test argument
    arg1: String,
    /// Second test argument
    arg2: Option<String>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Work {
    seconds: Option<f64>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Name {
    name: String,
}

/// The result of a task: a text.
fn said(text: &str) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn dialect() -> Arc<JsonObject> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": { "address": {
            "$anchor": "address",
            "type": "object",
            "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
        } },
        "properties": { "name": { "type": "string" }, "address": { "$ref": "#/$defs/address" } },
        "allOf": [{ "anyOf": [{ "required": ["name"] }, { "required": ["address"] }] }],
        "if": { "required": ["address"] },
        "then": { "properties": { "address": { "required": ["street"] } } },
        "else": { "required": ["name"] },
        "additionalProperties": false,
    });
    Arc::new(schema.as_object().unwrap().clone())
}

async fn elicit(
    peer: &Peer<RoleServer>,
    message: &str,
    properties: Value,
) -> Result<ElicitResult, ServiceError> {
    let schema = json!({ "type": "object", "properties": properties });
    peer.create_elicitation(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema).unwrap(),
    })
    .await
}

/// The result of an elicitation, in the words that the suite expects.
fn elicited(what: &str, answer: Result<ElicitResult, ServiceError>) -> CallToolResult {
    match answer {
        Ok(answer) => {
            let action = serde_json::to_value(&answer.action).unwrap();
            let content = json!(answer.content);
            let action = action.as_str().unwrap();
            let line = format!("{what}: action={action}, content={content}");
            CallToolResult::success(vec![ContentBlock::text(line)])
        }
        Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
    }
}

fn resource(uri: &str, mime_type: &str, text: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type(mime_type))
}

#[scoped_tools]
impl Everything {
    /// Simple text.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_simple_text(&self) -> String {
        "This is a simple text response for testing.".to_owned()
    }

    /// An image.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_image_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::image(PNG, "image/png")])
    }

    /// A sound.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_audio_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::Audio(AudioContent::new(WAV, "audio/wav"))])
    }

    /// A resource within the answer.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_embedded_resource(&self) -> CallToolResult {
        let text = "This is an embedded resource content.";
        CallToolResult::success(vec![resource("test://embedded-resource", "text/plain", text)])
    }

    /// Several kinds of content.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_multiple_content_types(&self) -> CallToolResult {
        let data = r#"{"test":"data","value":123}"#;
        CallToolResult::success(vec![
            ContentBlock::text("Multiple content types test:"),
            ContentBlock::image(PNG, "image/png"),
            resource("test://mixed-content-resource", "application/json", data),
        ])
    }

    /// Logs while it works.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_tool_with_logging(&self, peer: Peer<RoleServer>, level: LogLevel) -> String {
        for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
            if level.wants(LoggingLevel::Info) {
                let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(line));
                let _ = peer.notify_logging_message(message).await;
            }
            sleep(Duration::from_millis(50)).await;
        }
        "Logging test completed".to_owned()
    }

    /// Fails.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_error_handling(&self) -> Result<String, String> {
        Err("This tool intentionally returns an error for testing".to_owned())
    }

    /// Says how far it is.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_tool_with_progress(
        &self,
        peer: Peer<RoleServer>,
        meta: RequestMetaObject,
    ) -> String {
        for (progress, message) in [(0.0, "Starting"), (50.0, "Halfway"), (100.0, "Complete")] {
            if let Some(token) = meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, progress);
                let _ =
                    peer.notify_progress(progress.with_total(100.0).with_message(message)).await;
            }
            sleep(Duration::from_millis(50)).await;
        }
        "Progress test completed".to_owned()
    }

    /// Asks the caller's model.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_sampling(
        &self,
        peer: Peer<RoleServer>,
        Parameters(Prompt { prompt }): Parameters<Prompt>,
    ) -> Result<String, String> {
        let message =
            CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
        let answer = peer.create_message(message).await.map_err(|error| error.to_string())?;
        let said = answer.message.content.first().and_then(|content| content.as_text().cloned());
        Ok(format!("LLM response: {}", said.map_or_else(String::new, |text| text.text)))
    }

    /// Asks the person.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_elicitation(
        &self,
        peer: Peer<RoleServer>,
        Parameters(Message { message }): Parameters<Message>,
    ) -> CallToolResult {
        let fields = json!({
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        });
        elicited("User response", elicit(&peer, &message, fields).await)
    }

    /// Asks the person, with defaults.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_elicitation_sep1034_defaults(&self, peer: Peer<RoleServer>) -> CallToolResult {
        let fields = json!({
            "name": { "type": "string", "default": "John Doe" },
            "age": { "type": "integer", "default": 30 },
            "score": { "type": "number", "default": 95.5 },
            "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
            "verified": { "type": "boolean", "default": true },
        });
        elicited("Elicitation completed", elicit(&peer, "All have defaults", fields).await)
    }

    /// Asks the person to choose.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_elicitation_sep1330_enums(&self, peer: Peer<RoleServer>) -> CallToolResult {
        let options = json!(["option1", "option2", "option3"]);
        let titled = json!([
            { "const": "value1", "title": "First" },
            { "const": "value2", "title": "Second" },
            { "const": "value3", "title": "Third" },
        ]);
        let fields = json!({
            "untitledSingle": { "type": "string", "enum": options },
            "titledSingle": { "type": "string", "oneOf": titled },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
            "titledMulti": { "type": "array", "items": { "anyOf": titled } },
        });
        elicited("Enum elicitation completed", elicit(&peer, "Choose", fields).await)
    }

    /// A schema with what JSON Schema 2020-12 has.
    #[scoped_tool(scopes = ["test:use"], input_schema = dialect())]
    fn json_schema_2020_12_tool(&self) -> String {
        "done".to_owned()
    }

    /// Takes long enough for a connection to break.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_reconnection(&self) -> String {
        sleep(Duration::from_millis(100)).await;
        "Reconnection test completed".to_owned()
    }

    /// An argument that stands in a header as well.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_custom_header(&self, Parameters(Header { value }): Parameters<Header>) -> String {
        value
    }

    /// Changes the list of tools: another policy takes the place of this one.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_trigger_tool_change(&self) -> String {
        self.change_lists();
        "changed".to_owned()
    }

    /// Changes the list of prompts.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_trigger_prompt_change(&self) -> String {
        self.change_lists();
        "changed".to_owned()
    }

    /// Is there under one of the two policies.
    #[scoped_tool(scopes = ["test:use"])]
    fn comes_and_goes(&self) -> String {
        "here".to_owned()
    }

    /// Is there under one of the two policies.
    #[scoped_prompt(scopes = ["test:use"])]
    fn comes_and_goes_prompt(&self) -> GetPromptResult {
        GetPromptResult::new(vec![])
    }

    /// Needs a client that samples.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_missing_capability(&self, meta: RequestMetaObject) -> Result<String, ErrorData> {
        match meta.client_capabilities().and_then(|capabilities| capabilities.sampling) {
            Some(_) => Ok("declared".to_owned()),
            None => Err(ErrorData::missing_required_client_capability(
                ClientCapabilities::builder().enable_sampling().build(),
            )),
        }
    }

    /// Asks for a value.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_streaming_elicitation(&self) -> CallToolResponse {
        ask(vec![("value", form("A value?", "value", "string"))], None).into()
    }

    /// Logs if the request wants it.
    #[scoped_tool(scopes = ["test:use"])]
    async fn test_logging_tool(&self, peer: Peer<RoleServer>, meta: RequestMetaObject) -> String {
        if let Some(level) = meta.log_level() {
            let message = LoggingMessageNotificationParam::new(level, json!("wanted"));
            let _ = peer.notify_logging_message(message).await;
        }
        "Logging tool completed".to_owned()
    }

    /// Asks for a name.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_elicitation(
        &self,
        tool::InputResponses(responses): tool::InputResponses,
    ) -> CallToolResponse {
        match answer(responses.as_ref(), "user_name") {
            Some(said) => {
                text(format!("Hello, {}!", said["content"]["name"].as_str().unwrap_or("you")))
            }
            None => {
                ask(vec![("user_name", form("What is your name?", "name", "string"))], None).into()
            }
        }
    }

    /// Asks the caller's model.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_sampling(
        &self,
        tool::InputResponses(responses): tool::InputResponses,
    ) -> CallToolResponse {
        match answer(responses.as_ref(), "capital_question") {
            Some(said) => text(format!(
                "Sampling response: {}",
                said["content"]["text"].as_str().unwrap_or("-")
            )),
            None => {
                ask(vec![("capital_question", sampling("What is the capital of France?"))], None)
                    .into()
            }
        }
    }

    /// Asks for the roots.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_list_roots(
        &self,
        tool::InputResponses(responses): tool::InputResponses,
    ) -> CallToolResponse {
        match answer(responses.as_ref(), "client_roots") {
            Some(said) => text(format!("Client roots: {}", said["roots"])),
            None => ask(vec![("client_roots", roots())], None).into(),
        }
    }

    /// Gives a state along.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_request_state(
        &self,
        tool::RequestState(state): tool::RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        confirmed(state.as_deref())
    }

    /// Gives a state along, and sees when it was changed.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_tampered_state(
        &self,
        tool::RequestState(state): tool::RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        confirmed(state.as_deref())
    }

    /// Asks for three things at once.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_multiple_inputs(
        &self,
        tool::InputResponses(responses): tool::InputResponses,
        tool::RequestState(state): tool::RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        let state = state.as_deref().map(open).transpose()?;
        let all = ["user_name", "greeting", "client_roots"];
        if state.is_some() && all.iter().all(|name| answer(responses.as_ref(), name).is_some()) {
            return Ok(text("All inputs received"));
        }
        let requests = vec![
            ("user_name", form("What is your name?", "name", "string")),
            ("greeting", sampling("Generate a greeting")),
            ("client_roots", roots()),
        ];
        Ok(ask(requests, Some(seal("gather"))).into())
    }

    /// Asks twice.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_multi_round(
        &self,
        tool::RequestState(state): tool::RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        let round = state.as_deref().map(open).transpose()?;
        Ok(match round {
            None => {
                ask(vec![("step1", form("Your name?", "name", "string"))], Some(seal("1"))).into()
            }
            Some("1") => {
                ask(vec![("step2", form("Your colour?", "color", "string"))], Some(seal("2")))
                    .into()
            }
            Some(_) => text("Multi-round flow complete"),
        })
    }

    /// Asks only for what the client can do.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_input_required_result_capabilities(
        &self,
        meta: RequestMetaObject,
        tool::InputResponses(responses): tool::InputResponses,
    ) -> CallToolResponse {
        if responses.is_some() {
            return text("Capability-aware flow complete");
        }
        let can = meta.client_capabilities().unwrap_or_default();
        let mut requests = vec![];
        if can.elicitation.is_some() {
            requests.push(("user_name", form("What is your name?", "name", "string")));
        }
        if can.sampling.is_some() {
            requests.push(("greeting", sampling("Generate a greeting")));
        }
        if can.roots.is_some() {
            requests.push(("client_roots", roots()));
        }
        if requests.is_empty() {
            text("The client can do nothing of it")
        } else {
            ask(requests, None).into()
        }
    }

    /// Greets at once.
    #[scoped_tool(scopes = ["test:use"])]
    fn greet(&self, Parameters(Name { name }): Parameters<Name>) -> String {
        format!("Hello, {name}!")
    }

    /// Takes a while, as a task if the client knows tasks.
    #[scoped_tool(scopes = ["test:use"])]
    async fn slow_compute(
        &self,
        tasks: Tasks,
        Parameters(work): Parameters<Work>,
    ) -> Result<CallToolResponse, ErrorData> {
        let time = Duration::from_secs_f64(work.seconds.unwrap_or(1.0));
        let compute = move |context: TaskContext| -> TaskFuture {
            Box::pin(async move {
                tokio::select! {
                    () = context.cancelled() => Err(TaskExit::Cancelled),
                    () = sleep(time) => Ok(said("computed")),
                }
            })
        };
        tasks.spawn_or_wait(TaskOptions::new().with_poll_interval_ms(100), compute).await
    }

    /// A task that fails as a tool does.
    #[scoped_tool(scopes = ["test:use"])]
    fn failing_job(&self, tasks: Tasks) -> Result<CallToolResponse, ErrorData> {
        tasks.spawn(TaskOptions::new(), |_| {
            Box::pin(async {
                sleep(Duration::from_millis(300)).await;
                Ok(CallToolResult::error(vec![ContentBlock::text("it failed")]))
            })
        })
    }

    /// A task that fails as the protocol does.
    #[scoped_tool(scopes = ["test:use"])]
    fn protocol_error_job(&self, tasks: Tasks) -> Result<CallToolResponse, ErrorData> {
        tasks.spawn(TaskOptions::new(), |_| {
            Box::pin(async { Err(ErrorData::internal_error("it broke", None).into()) })
        })
    }

    /// A task that asks something.
    #[scoped_tool(scopes = ["test:use"])]
    fn confirm_delete(&self, tasks: Tasks) -> Result<CallToolResponse, ErrorData> {
        tasks.spawn(TaskOptions::new(), |context| {
            Box::pin(async move {
                context.request_input("confirm", form("Delete it?", "confirm", "boolean")).await?;
                Ok(said("deleted"))
            })
        })
    }

    /// A task that asks two things at once.
    #[scoped_tool(scopes = ["test:use"])]
    fn multi_input(&self, tasks: Tasks) -> Result<CallToolResponse, ErrorData> {
        tasks.spawn(TaskOptions::new(), |context| {
            Box::pin(async move {
                tokio::try_join!(
                    context.request_input("name", form("Your name?", "name", "string")),
                    context.request_input("age", form("Your age?", "age", "integer")),
                )?;
                Ok(said("both are known"))
            })
        })
    }

    /// Asks for a name, and then takes a while.
    #[scoped_tool(scopes = ["test:use"])]
    fn test_tool_with_task(
        &self,
        tasks: Tasks,
        tool::InputResponses(responses): tool::InputResponses,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(answer) = answer(responses.as_ref(), "user_name") else {
            return Ok(ask(vec![("user_name", form("Your name?", "name", "string"))], None).into());
        };
        let name = answer["content"]["name"].as_str().unwrap_or("you").to_owned();
        tasks.spawn(TaskOptions::new(), move |_| {
            Box::pin(async move { Ok(said(&format!("Hello, {name}!"))) })
        })
    }

    /// Says that a resource has changed.
    #[scoped_tool(scopes = ["test:use"])]
    fn touch(&self, updates: Updates, Parameters(Id { id }): Parameters<Id>) -> String {
        updates.resource(format!("test://template/{id}/data"));
        "touched".to_owned()
    }

    /// A static text resource for testing.
    #[scoped_resource(
        uri = "test://static-text",
        scopes = ["test:read"],
        name = "Static Text Resource",
        mime_type = "text/plain"
    )]
    fn static_text(&self) -> String {
        "This is the content of the static text resource.".to_owned()
    }

    /// A static binary resource for testing.
    #[scoped_resource(uri = "test://static-binary", scopes = ["test:read"], mime_type = "image/png")]
    fn static_binary(&self) -> ResourceContents {
        ResourceContents::blob(PNG, "test://static-binary").with_mime_type("image/png")
    }

    /// A resource that is watched.
    #[scoped_resource(uri = "test://watched-resource", scopes = ["test:read"])]
    fn watched(&self) -> &'static str {
        "watched"
    }

    /// A family of resources.
    #[scoped_resource(
        uri = "test://template/{id}/data",
        scopes = ["test:read"],
        mime_type = "application/json",
        complete = complete
    )]
    async fn template(&self, Parameters(Id { id }): Parameters<Id>) -> String {
        json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") }).to_string()
    }

    /// A prompt without arguments.
    #[scoped_prompt(scopes = ["test:read"])]
    fn test_simple_prompt(&self) -> GetPromptResult {
        let message = PromptMessage::new_text(Role::User, "This is a simple prompt for testing.");
        GetPromptResult::new(vec![message])
    }

    /// A prompt with arguments.
    #[scoped_prompt(scopes = ["test:read"], complete = complete)]
    async fn test_prompt_with_arguments(
        &self,
        Parameters(Arguments { arg1, arg2 }): Parameters<Arguments>,
    ) -> Result<Vec<PromptMessage>, ErrorData> {
        let arg2 = arg2.unwrap_or_default();
        let text = format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'");
        Ok(vec![PromptMessage::new_text(Role::User, text)])
    }

    /// A prompt with a resource in it.
    #[scoped_prompt(scopes = ["test:read"])]
    fn test_prompt_with_embedded_resource(
        &self,
        Parameters(arguments): Parameters<JsonObject>,
    ) -> Vec<PromptMessage> {
        let uri =
            arguments.get("resourceUri").and_then(Value::as_str).unwrap_or("test://static-text");
        let embedded = resource(uri, "text/plain", "Embedded resource content for testing.");
        vec![
            PromptMessage::new(Role::User, embedded),
            PromptMessage::new_text(Role::User, "Please process the embedded resource above."),
        ]
    }

    /// A prompt with an image.
    #[scoped_prompt(scopes = ["test:read"])]
    fn test_prompt_with_image(&self) -> Vec<PromptMessage> {
        let image = ContentBlock::Image(ImageContent::new(PNG, "image/png"));
        vec![
            PromptMessage::new(Role::User, image),
            PromptMessage::new_text(Role::User, "Please analyze the image above."),
        ]
    }

    /// A prompt that asks first.
    #[scoped_prompt(scopes = ["test:read"])]
    fn test_input_required_result_prompt(&self, round: Round) -> PromptAnswer {
        match answer(round.responses.as_ref(), "user_context") {
            Some(said) => {
                let text = format!("With context: {}", said["content"]["context"]);
                GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).into()
            }
            None => ask(vec![("user_context", form("Which context?", "context", "string"))], None)
                .into(),
        }
    }

    #[expect(clippy::unused_async, reason = "suggestions may be looked up somewhere")]
    async fn complete(&self, _: Principal, request: CompleteRequestParams) -> Vec<String> {
        suggest(&request.argument.value, ["1", "2", "paris", "park", "party"])
    }
}

/// Asks to confirm, and goes on only when the caller sends the state back.
fn confirmed(state: Option<&str>) -> Result<CallToolResponse, ErrorData> {
    match state.map(open).transpose()? {
        Some(_) => Ok(text("Confirmed: state-ok")),
        None => {
            Ok(ask(vec![("confirm", form("Confirm?", "ok", "boolean"))], Some(seal("confirm")))
                .into())
        }
    }
}
