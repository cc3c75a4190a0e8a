#[scopeward::data]
fn note() {}

#[scopeward::data(Debug)]
struct Note;

fn main() {}
