//! Resources and prompts: a shelf of books, with a number in the URI.
//!
//! ```sh
//! cargo run -p scopeward --features embedded-issuer --example resources -- \
//!     --policy scopeward/examples/resources/policy.toml
//! ```

use scopeward::{
    ErrorData, Json, Parameters, data,
    rmcp::model::{PromptMessage, Role},
    scoped_tools,
};

const BOOKS: [&str; 3] = ["Frankenstein", "Middlemarch", "Persuasion"];

struct Shelf;

/// A place on the shelf.
#[data]
struct Place {
    /// The number of the book, counted from 1
    number: usize,
}

/// A book.
#[data]
struct Book {
    title: String,
}

#[scoped_tools]
impl Shelf {
    /// The titles of all books.
    #[scoped_resource(uri = "shelf://books", scopes = ["book:read"], mime_type = "text/plain")]
    fn books(&self) -> String {
        BOOKS.join("\n")
    }

    /// One book.
    #[scoped_resource(uri = "shelf://books/{number}", scopes = ["book:read"])]
    fn book(
        &self,
        Parameters(Place { number }): Parameters<Place>,
    ) -> Result<Json<Book>, ErrorData> {
        let title = number.checked_sub(1).and_then(|place| BOOKS.get(place));
        let title =
            title.ok_or_else(|| ErrorData::resource_not_found("There is no such book", None))?;
        Ok(Json(Book { title: (*title).to_owned() }))
    }

    /// Asks for a review of a book.
    #[scoped_prompt(scopes = ["book:read"])]
    fn review(&self, Parameters(Place { number }): Parameters<Place>) -> Vec<PromptMessage> {
        let title = number.checked_sub(1).and_then(|place| BOOKS.get(place));
        let title = title.unwrap_or(&"a book of your choice");
        vec![PromptMessage::new_text(Role::User, format!("Write a review of {title}."))]
    }
}

fn main() -> std::process::ExitCode {
    scopeward::main(Shelf)
}
