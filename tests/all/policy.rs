//! The policy table as golden files: the three-role matrix of the privilege guidelines, and every row with its sources
//! of right. A change of either is a change of who may do what, and is read as such.

use crate::golden;
use codex_web::policy::guidelines::matrix;
use codex_web::policy::matrix::{Everyone, row};
use codex_web::policy::{Action, Task};
use std::collections::BTreeSet;
use std::fmt::Write as _;

#[test]
fn the_matrix_of_the_guidelines_is_what_the_table_says() {
    let mut text = String::from("# | action | Member | Group admin | Platform admin\n");
    for line in matrix() {
        writeln!(text, "{} | {} | {} | {} | {}", line.number, line.name, line.member, line.group_admin, line.platform_admin).unwrap();
    }
    golden::check("matrix", &text);
}

#[test]
fn every_row_of_the_table_is_what_the_golden_file_says() {
    let mut text = String::new();
    for action in Action::ALL {
        let row = row(*action);
        let mut sources: Vec<String> = row.platform.iter().map(|right| right.as_str().to_owned()).collect();
        let flags = [
            (row.organization, "organization role"),
            (row.group_admin, "group admin"),
            (row.group_member, "group member"),
            (row.own, "own"),
            (row.everyone == Everyone::SignedIn, "everybody signed in"),
            (row.everyone == Everyone::Anonymous, "anybody"),
            (row.machine, "the workspace itself"),
            (row.system, "the server"),
            (row.break_glass, "break glass"),
        ];
        sources.extend(flags.iter().filter(|(set, _)| *set).map(|(_, word)| (*word).to_owned()));
        sources.extend(row.share.map(|share| format!("share {share:?}").to_lowercase()));
        let scope = row.scope.map_or_else(|| "no token".to_owned(), |scope| scope.to_string());
        let step_up = if row.step_up { ", step-up" } else { "" };
        writeln!(text, "{} [{:?}] {}; {scope}{step_up}", row.code, row.object, sources.join(", ")).unwrap();
    }
    golden::check("policy", &text);
}

#[test]
fn codes_are_unique_and_are_read_back() {
    let codes: BTreeSet<&str> = Action::ALL.iter().map(|a| a.code()).collect();
    assert_eq!(codes.len(), Action::ALL.len());
    assert!(Action::ALL.iter().all(|a| Action::parse(a.code()) == Some(*a)));
    assert_eq!(Action::parse("nonsense"), None);
    assert_eq!(Task::Reconcile.as_str(), "reconcile");
}

#[test]
fn the_ten_restored_cells_of_the_matrix_are_limited() {
    let rows = matrix();
    let limited = |number: u8| {
        let row = rows.iter().find(|r| r.number == number).unwrap();
        (row.member.starts_with("limited"), row.group_admin.starts_with("limited"), row.platform_admin)
    };
    for number in [29, 30, 31] {
        assert_eq!(limited(number), (true, true, "yes"), "row {number}");
    }
    for number in [3, 22, 25, 27] {
        assert_eq!(limited(number), (false, true, "yes"), "row {number}");
    }
}
