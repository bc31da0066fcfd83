//! What the rules of the gateway look at in a request, whichever loop read it: the framework's, or the short way of
//! [`super::lane`].

use actix_web::HttpRequest;

/// A request's line and headers.
pub trait Asked {
    fn method(&self) -> &str;

    /// Every line of a header, as far as it is text. The name in lower case.
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str>;

    /// The first line of a header, if it is text.
    fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.lines(name).next()
    }
}

impl Asked for HttpRequest {
    fn method(&self) -> &str {
        HttpRequest::method(self).as_str()
    }

    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers().get_all(name).filter_map(|value| value.to_str().ok())
    }

    fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }
}
