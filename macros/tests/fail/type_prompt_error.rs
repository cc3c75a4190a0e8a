use scopeward::{rmcp::model::PromptMessage, scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_prompt(scopes = [])]
    fn ask(&self) -> Result<Vec<PromptMessage>, String> {
        Ok(vec![])
    }
}

fn main() {}
