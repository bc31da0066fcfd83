//! `codex-web user …`: recovery and automation, through the same routes as the administration pages.

use super::arguments::{UserAdd, UserCommand, WhoAndWhy};
use super::control::{Control, encode, query};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use super::password;
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

/// Users that one request of a listing asks for.
const PAGE: &str = "100";

pub fn run(command: UserCommand, control: &Control, output: &mut Output<'_>) -> Outcome {
    match command {
        UserCommand::Add(add) => return create(&add, control, output),
        UserCommand::List { search, status } => return list(search.as_deref(), status.as_deref(), control, output),
        UserCommand::Show(who) => return show(&find(&who.user, control)?, control, output),
        UserCommand::Enable(who) => act(&who, "enable", "may sign in again", control, output)?,
        UserCommand::Disable(who) => act(&who, "disable", "is disabled; every session has ended", control, output)?,
        UserCommand::Promote(who) => act(&who, "promote", "is a platform administrator now", control, output)?,
        UserCommand::Demote(who) => act(&who, "demote", "is no platform administrator any more", control, output)?,
        UserCommand::Unlock(who) => act(&WhoAndWhy { who, reason: None }, "unlock", "may try to sign in again at once", control, output)?,
        UserCommand::ResetPassword { who, password_stdin, permanent } => {
            let user = find(&who.user, control)?;
            let password = password::read(password_stdin)?;
            let body = json!({"newPassword": password.expose_secret(), "permanent": permanent});
            control.post(&format!("/api/admin/users/{}/reset-password", text(&user, "id")), &body)?;
            let then = if permanent { "" } else { "; it must be changed at the next sign-in" };
            output.say(&format!("{} has a new password{then}. Every session has ended.", text(&user, "username")))?;
        }
    }
    Ok(Exit::Done)
}

fn create(add: &UserAdd, control: &Control, output: &mut Output<'_>) -> Outcome {
    let password = password::read(add.password_stdin)?;
    let body = json!({
        "username": add.name,
        "email": add.email,
        "name": add.display_name,
        "password": password.expose_secret(),
        "isAdmin": add.admin,
        "mustChangePassword": add.must_change_password,
    });
    let user = control.post("/control/users", &body)?;
    output.say(&format!("{} was added.", text(&user, "username")))?;
    output.facts(&facts(&user), &user)?;
    Ok(Exit::Done)
}

fn list(search: Option<&str>, status: Option<&str>, control: &Control, output: &mut Output<'_>) -> Outcome {
    let mut users = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let query = query(&[("search", search), ("status", status), ("limit", Some(PAGE)), ("nextToken", next.as_deref())]);
        let mut page = control.get(&format!("/api/admin/users{query}"))?;
        users.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        next = page["nextToken"].as_str().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    let row = |user: &Json| {
        let admin = if user["isAdmin"].as_bool() == Some(true) { "yes" } else { "" };
        let last = user["lastLoginAt"].as_str().unwrap_or("never");
        vec![text(user, "username"), text(user, "name"), text(user, "email"), text(user, "status"), admin.to_owned(), last.to_owned()]
    };
    let rows: Vec<Vec<String>> = users.iter().map(row).collect();
    output.table(&["USER", "NAME", "E-MAIL", "STATUS", "ADMIN", "LAST SIGN-IN"], &rows, &Json::Array(users))?;
    Ok(Exit::Done)
}

fn show(user: &Json, control: &Control, output: &mut Output<'_>) -> Outcome {
    let user = control.get(&format!("/api/admin/users/{}", text(user, "id")))?;
    // Some answers wrap the object, as the API's older clients expect.
    let user = if user["user"].is_object() { user["user"].clone() } else { user };
    output.facts(&facts(&user), &user)?;
    Ok(Exit::Done)
}

fn act(who: &WhoAndWhy, verb: &str, done: &str, control: &Control, output: &mut Output<'_>) -> Result<(), Failure> {
    let user = find(&who.who.user, control)?;
    let body = who.reason.as_ref().map_or_else(|| json!({}), |reason| json!({"reason": reason}));
    control.post(&format!("/api/admin/users/{}/{verb}", text(&user, "id")), &body)?;
    output.say(&format!("{} {done}.", text(&user, "username")))?;
    Ok(())
}

/// The user with this id, user name or e-mail address.
fn find(wanted: &str, control: &Control) -> Result<Json, Failure> {
    if wanted.starts_with("usr_") {
        return Ok(json!({"id": encode(wanted), "username": wanted}));
    }
    let page = control.get(&format!("/api/admin/users{}", query(&[("search", Some(wanted)), ("limit", Some(PAGE))])))?;
    let users = page["items"].as_array().cloned().unwrap_or_default();
    let same = |user: &&Json| ["username", "email"].iter().any(|field| text(user, field).eq_ignore_ascii_case(wanted));
    users.iter().find(same).cloned().ok_or_else(|| Failure::failed(format!("There is no user {wanted}. `codex-web user list` shows them.")))
}

fn facts(user: &Json) -> Vec<(&'static str, String)> {
    let flag = |field: &str| if user[field].as_bool() == Some(true) { "yes" } else { "no" }.to_owned();
    let groups = user["groupMemberships"].as_array().map(Vec::as_slice).unwrap_or_default();
    let groups: Vec<String> = groups.iter().map(|group| format!("{} ({})", text(group, "groupId"), text(group, "role"))).collect();
    let mut facts = vec![
        ("User", text(user, "username")),
        ("Id", text(user, "id")),
        ("Name", text(user, "name")),
        ("E-mail", text(user, "email")),
        ("Status", text(user, "status")),
        ("Platform administrator", flag("isAdmin")),
        ("Must change the password", flag("mustChangePassword")),
        ("Created", text(user, "createdAt")),
        ("Last sign-in", user["lastLoginAt"].as_str().unwrap_or("never").to_owned()),
    ];
    if !groups.is_empty() {
        facts.push(("Groups", groups.join(", ")));
    }
    facts
}

/// A text field, empty when it is not there.
fn text(json: &Json, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::control::{Answer, Transport};
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Answers from a list, and remembers what was asked.
    struct Script {
        answers: RefCell<Vec<(u16, Json)>>,
        asked: Rc<RefCell<Vec<String>>>,
    }

    impl Transport for Script {
        fn call(&self, method: &str, path: &str, body: Option<&Json>, _: Option<&mut dyn std::io::Write>) -> Result<Answer, Failure> {
            self.asked.borrow_mut().push(format!("{method} {path} {}", body.map(ToString::to_string).unwrap_or_default()));
            let (status, json) = self.answers.borrow_mut().remove(0);
            Ok(Answer { status, body: json.to_string().into_bytes() })
        }
    }

    fn played(command: UserCommand, answers: Vec<(u16, Json)>) -> (Outcome, String, Vec<String>) {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let control = Control::new(Script { answers: RefCell::new(answers), asked: Rc::clone(&asked) });
        let (mut out, mut messages) = (Vec::new(), Vec::new());
        let mut output = Output { format: super::super::output::Format::Table, out: &mut out, messages: &mut messages };
        let outcome = run(command, &control, &mut output);
        out.extend(messages);
        (outcome, String::from_utf8(out).unwrap(), asked.borrow().clone())
    }

    #[test]
    fn a_listing_follows_every_page() {
        let page = |name: &str, next: Json| (200, json!({"items": [{"username": name, "status": "active"}], "nextToken": next}));
        let command = UserCommand::List { search: Some("a b".into()), status: None };
        let (outcome, printed, asked) = played(command, vec![page("ada", "t1".into()), page("bo", Json::Null)]);
        assert_eq!(outcome, Ok(Exit::Done));
        assert!(printed.contains("ada") && printed.contains("bo"), "{printed}");
        assert_eq!(asked[1].trim(), "GET /api/admin/users?search=a%20b&limit=100&nextToken=t1");
    }

    #[test]
    fn a_user_is_found_by_the_exact_name_only() {
        let who = |user: &str| WhoAndWhy { who: super::super::arguments::Who { user: user.into() }, reason: Some("left".into()) };
        let found = json!({"items": [{"id": "usr_1", "username": "adam"}, {"id": "usr_2", "username": "ada", "email": "ada@x.org"}]});
        let (outcome, printed, asked) = played(UserCommand::Disable(who("ADA@x.org")), vec![(200, found.clone()), (200, json!({}))]);
        assert_eq!(outcome, Ok(Exit::Done));
        assert_eq!(asked[1], "POST /api/admin/users/usr_2/disable {\"reason\":\"left\"}");
        assert!(printed.contains("ada is disabled"));
        let (outcome, _, _) = played(UserCommand::Disable(who("ad")), vec![(200, found)]);
        assert!(outcome.unwrap_err().message.contains("There is no user ad"));
    }
}
