//! Somebody else's sign-ins, as administrators see and end them.

use super::harness::Harness;
use serde_json::json;

#[tokio::test]
async fn an_administrator_sees_where_somebody_is_signed_in_and_ends_one_of_the_places() {
    let harness = Harness::new();
    let admin = harness.admin();
    let ada = harness.create_user("ada", false);
    let (here, there) = (harness.signed_in(&ada), harness.signed_in(&ada));
    let path = format!("/api/admin/users/{ada}/sessions");
    let list = admin.get(&path).await.expect(200).json;
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!((list[0]["agent"].as_str(), list[0]["current"].as_bool()), (Some("harness"), Some(false)));
    let reason = json!({"reason": "A lost telephone."});
    admin.call("DELETE", &format!("{path}/{}", there.session_id()), Some(reason)).await.expect(204);
    there.get("/api/auth/me").await.expect(401);
    here.get("/api/auth/me").await.expect(200);
    let entry = harness.audit("end_user_session").remove(0);
    assert_eq!((&entry["resource"], &entry["details"]["sessionId"]), (&json!(format!("user:{ada}")), &json!(there.session_id())));
    admin.delete(&format!("{path}/{}", there.session_id())).await.expect(404);
}

#[tokio::test]
async fn a_sign_in_is_ended_as_its_own_persons_only_and_by_nobody_with_less_rights() {
    let harness = Harness::new();
    let (admin, boss) = (harness.admin(), harness.admin());
    let (ada, ben) = (harness.stranger(), harness.stranger());
    let of = |person: &super::harness::Client| format!("/api/admin/users/{}/sessions", person.user_id());
    admin.delete(&format!("{}/{}", of(&ada), ben.session_id())).await.expect(404);
    ben.get("/api/auth/me").await.expect(200);
    ada.get(&of(&ben)).await.expect(403);
    ada.delete(&format!("{}/{}", of(&ben), ben.session_id())).await.expect(403);
    let helper = harness.group_admin("team");
    helper.get(&of(&boss)).await.expect(403);
}
