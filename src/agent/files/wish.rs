//! What a request for files wants, read from its method and its query.

use crate::agent::files::archive::Kind;
use crate::agent::files::refusal::Refusal;
use crate::agent::files::resume::Piece;
use crate::domain::file::is_upload_id;
use hyper::Method;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    List,
    Read,
    Archive(Kind),
    /// How far an upload is.
    Upload(String),
    Put(Put),
    /// The body says which.
    Change,
    Remove,
}

/// What comes in the body of a PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    Whole,
    Piece(Piece),
}

#[derive(Default)]
struct Query<'a> {
    list: bool,
    archive: Option<&'a str>,
    upload: Option<&'a str>,
    offset: Option<u64>,
    total: Option<u64>,
}

impl Wish {
    pub fn parse(method: &Method, query: &str) -> Result<Self, Refusal> {
        let query = read(query)?;
        Ok(match *method {
            Method::GET if query.list => Self::List,
            Method::GET => match (query.archive, query.upload) {
                (Some(kind), _) => Self::Archive(Kind::parse(kind).ok_or_else(|| Refusal::bad_query("archive is tar.gz or zip"))?),
                (None, Some(id)) => Self::Upload(id.to_owned()),
                (None, None) => Self::Read,
            },
            Method::PUT => Self::Put(put(&query)?),
            Method::POST => Self::Change,
            Method::DELETE => Self::Remove,
            _ => return Err(Refusal::new(405, "method", "there is no such method")),
        })
    }
}

fn put(query: &Query<'_>) -> Result<Put, Refusal> {
    let Some(id) = query.upload else { return Ok(Put::Whole) };
    let (offset, total) = query.offset.zip(query.total).ok_or_else(|| Refusal::bad_query("an upload needs offset and total"))?;
    Ok(Put::Piece(Piece { id: id.to_owned(), offset, total }))
}

fn read(text: &str) -> Result<Query<'_>, Refusal> {
    let mut query = Query::default();
    let number = |value: &str| value.parse().map_err(|_| Refusal::bad_query("offset and total are numbers of bytes"));
    for (key, value) in text.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))) {
        match key {
            "list" => query.list = true,
            "archive" => query.archive = Some(value),
            "upload" if is_upload_id(value) => query.upload = Some(value),
            "offset" => query.offset = Some(number(value)?),
            "total" => query.total = Some(number(value)?),
            _ => return Err(Refusal::bad_query("the query is not understood")),
        }
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_it_wants() {
        let wish = |method: Method, query: &str| Wish::parse(&method, query).unwrap();
        assert_eq!(wish(Method::GET, "list=1"), Wish::List);
        assert_eq!(wish(Method::GET, ""), Wish::Read);
        assert_eq!(wish(Method::GET, "archive=zip"), Wish::Archive(Kind::Zip));
        assert_eq!(wish(Method::GET, "upload=a-1"), Wish::Upload("a-1".into()));
        let piece = Piece { id: "a-1".into(), offset: 4, total: 9 };
        assert_eq!(wish(Method::PUT, "upload=a-1&offset=4&total=9"), Wish::Put(Put::Piece(piece)));
        assert_eq!((wish(Method::PUT, ""), wish(Method::DELETE, "")), (Wish::Put(Put::Whole), Wish::Remove));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (method, query) in [
            (Method::GET, "archive=rar"),
            (Method::GET, "upload=../x"),
            (Method::GET, "lst=1"),
            (Method::PUT, "upload=a"),
            (Method::PUT, "upload=a&offset=1"),
            (Method::PUT, "upload=a&offset=-1&total=2"),
            (Method::PATCH, ""),
        ] {
            assert!(Wish::parse(&method, query).is_err(), "{method} {query}");
        }
    }
}
