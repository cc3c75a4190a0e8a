use scopeward::{rmcp::model::PromptMessage, scoped_tools};

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_prompt(scopes = [])]
    fn ask(&self, text: String) -> Vec<PromptMessage> {
        drop(text);
        vec![]
    }
}

fn main() {}
