//! Any text of a policy is accepted or refused with a reason, and an accepted policy decides the
//! same after it is formatted.

use scopeward_policy::{CompiledPolicy, Operation, diagnostic::Source, format};

/// Longer texts find nothing that shorter ones do not, and take longer.
const LONGEST: usize = 2_000;

pub(crate) fn run(data: &[u8]) {
    let Some(data) = data.get(..data.len().min(LONGEST)) else { return };
    let Ok(text) = str::from_utf8(data) else { return };
    let source = Source::new("policy.toml", text);
    let policy = match CompiledPolicy::compile(source.clone()) {
        Ok(policy) => policy,
        Err(found) => {
            assert!(!found.is_empty(), "refused without a reason");
            // Rendering takes longer than all the rest, so only some inputs are rendered.
            if text.len() % 64 == 0 {
                let _ = found.render(false);
            }
            return;
        }
    };
    let nobody = policy.hold([]);
    let everybody = policy.hold(policy.scopes().iter().map(|scope| scope.name().as_str()));
    for (feature, name, _) in policy.rules() {
        let operation = Operation::new(feature, name);
        let (least, most) =
            (policy.decide(operation, &nobody), policy.decide(operation, &everybody));
        assert!(!least.is_allow() || most.is_allow(), "more scopes give less: {name}");
    }
    assert!(!policy.decide(Operation::tool("\u{0}no such tool"), &everybody).is_allow());
    let Ok(again) = format::format(text) else { return };
    let again =
        CompiledPolicy::compile(Source::new("policy.toml", again)).expect("the same policy");
    for (feature, name, _) in policy.rules() {
        let operation = Operation::new(feature, name);
        assert_eq!(
            policy.decide(operation, &nobody).is_allow(),
            again.decide(operation, &nobody).is_allow(),
            "{name}"
        );
    }
}
