//! The settings of a policy as text, for a diff and for the check that a reload changes none that
//! must stay.

use super::{CompiledPolicy, Origin, ProviderSettings};

/// One setting of `[server]` and its value.
///
/// ```
/// use scopeward_policy::{CompiledPolicy, Setting, diagnostic::Source};
/// # let text = r#"
/// #     version = 1
/// #     [server]
/// #     url = "http://localhost:3002/mcp"
/// #     [scopes]
/// #     "note:read" = "See your notes"
/// #     "note:write" = { title = "Change your notes", implies = ["note:read"] }
/// #     "note:share" = { title = "Share your notes", step_up = true }
/// #     [tools]
/// #     list_notes = { read = "note" }
/// #     save_note = { write = "note" }
/// #     share_note = { all_of = ["note:write", "note:share"] }
/// # "#;
/// # let policy = CompiledPolicy::compile(Source::new("policy.toml", text))?;
///
/// let settings: Vec<Setting> = policy.settings();
/// assert!(settings.iter().any(|one| one.name == "url" && one.is_fixed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key, such as `url`; `also` for the further providers.
    pub name: &'static str,
    /// The value as text for a person.
    pub value: String,
    /// Whether a reload must not change the setting, because tokens are issued for its value.
    pub is_fixed: bool,
}

impl CompiledPolicy {
    /// Every setting of `[server]`, in the same order for every policy.
    pub fn settings(&self) -> Vec<Setting> {
        let also: Vec<_> = self.also().iter().map(ProviderSettings::describe).collect();
        let also = if also.is_empty() { "none".to_owned() } else { also.join("; ") };
        let fixed = [("url", self.resource().to_string())];
        let fixed =
            fixed.into_iter().chain(self.provider_settings().settings()).chain([("also", also)]);
        let origins: Vec<_> = self.origins().iter().map(Origin::as_str).collect();
        let origins = if origins.is_empty() { "none".to_owned() } else { origins.join(", ") };
        let free = [
            ("list", self.list_mode().as_str()),
            ("on_denied", self.on_denied().as_str()),
            ("audit", self.audit_mode().as_str()),
            ("startup_check", self.startup_check().as_str()),
        ];
        let free = free.into_iter().map(|(name, value)| (name, value.to_owned()));
        let free = free.chain([("origins", origins)]);
        fixed
            .map(|(name, value)| Setting { name, value, is_fixed: true })
            .chain(free.map(|(name, value)| Setting { name, value, is_fixed: false }))
            .collect()
    }
}
