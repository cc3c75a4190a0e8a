//! The arguments of `#[scoped_tools]`: which of a type's blocks this one is.

use proc_macro2::{Ident, TokenStream};
use syn::{
    Token, bracketed,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// Which of a type's blocks this one is.
pub(crate) enum Place {
    /// The block without `part`, and the parts that it lists.
    Main(Vec<Ident>),
    /// `part = name`.
    Part(Ident),
}

impl Place {
    /// Reads the arguments. Mistakes go to `errors`.
    pub(crate) fn read(arguments: TokenStream, errors: &mut Vec<syn::Error>) -> Self {
        if arguments.is_empty() {
            return Self::Main(vec![]);
        }
        let whole = arguments.clone();
        match syn::parse2::<Self>(arguments) {
            Ok(Self::Main(parts)) => {
                for (number, part) in parts.iter().enumerate() {
                    if parts[..number].contains(part) {
                        errors.push(syn::Error::new(
                            part.span(),
                            format!(
                                "the part `{part}` is listed twice\nhelp: remove one of the two"
                            ),
                        ));
                    }
                }
                Self::Main(parts)
            }
            Ok(part) => part,
            Err(error) if error.to_string() == WRONG => {
                errors.push(syn::Error::new_spanned(whole, WRONG));
                Self::Main(vec![])
            }
            Err(error) => {
                errors.push(error);
                Self::Main(vec![])
            }
        }
    }
}

const WRONG: &str = "`#[scoped_tools]` takes only `parts = […]` or `part = …`, for a type with \
                     several blocks\nhelp: scopes belong on each tool: `#[scoped_tool(scopes = \
                     [\"…\"])]`";

impl Parse for Place {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let key = input.call(Ident::parse_any)?;
        let place = if key == "parts" && input.parse::<Option<Token![=]>>()?.is_some() {
            let how = "`parts` takes the names of the other blocks\nhelp: write `parts = [sharing]` \
                       here, and `#[scoped_tools(part = sharing)]` on the other block";
            if !input.peek(syn::token::Bracket) {
                return Err(syn::Error::new(input.span(), how));
            }
            let list;
            bracketed!(list in input);
            let names = Punctuated::<Ident, Token![,]>::parse_terminated(&list);
            Self::Main(
                names.map_err(|error| syn::Error::new(error.span(), how))?.into_iter().collect(),
            )
        } else if key == "part" && input.parse::<Option<Token![=]>>()?.is_some() {
            let at = input.span();
            Self::Part(input.parse().map_err(|_| {
                syn::Error::new(
                    at,
                    "`part` takes the name of this block\nhelp: write `part = sharing`, and \
                     `parts = [sharing]` on the block without `part`",
                )
            })?)
        } else {
            return Err(syn::Error::new(key.span(), WRONG));
        };
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error(
                "a block has either `parts` or `part`\nhelp: the block without `part` lists the \
                 others; each of them has a `part`",
            ));
        }
        Ok(place)
    }
}

/// The hash of a part's name (FNV-1a), by which the blocks find each other: a generic parameter of
/// a trait can be a number, and cannot be a text.
pub(crate) fn hash(part: &Ident) -> u64 {
    let name = part.unraw().to_string();
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
