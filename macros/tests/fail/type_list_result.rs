use scopeward::{Json, scoped_tools};

#[scopeward::data]
struct Note {
    text: String,
}

struct Notes;

#[scoped_tools]
impl Notes {
    #[scoped_tool(scopes = [])]
    async fn all(&self) -> Result<Json<Vec<Note>>, String> {
        Ok(Json(vec![]))
    }
}

fn main() {}
