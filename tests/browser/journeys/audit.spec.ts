// The audit as an administrator reads it.
import { readFileSync } from "node:fs";
import { expect, test } from "../support/test.ts";

test("the audit is filtered, opened, compared, exported, and its address brings it back", async ({ as, world }) => {
  const subject = await world.person("otto.klein", "Otto Klein");
  const group = await world.group("ledger", "Ledger", [subject]);
  const api = await world.api();
  await api.call("PATCH", `/api/groups/${group.id}`, { displayName: "General ledger" });
  const member = await world.api(subject);
  await member.call("PATCH", `/api/groups/${group.id}`, { displayName: "Mine" }).catch(() => {}); // refused, and written down
  const page = await as(world.admin, { at: "/" });
  const rows = page.getByRole("table").locator("tbody tr:not(.detail)");

  await test.step("newest first, with who, what, and from where", async () => {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Audit" }).click();
    await expect(page.getByRole("heading", { name: "Audit", level: 1 })).toBeVisible();
    await expect(rows.filter({ hasText: "update_group" }).first()).toContainText("127.0.0.1");
    const times = await rows.locator("time").evaluateAll((all) => all.map((time) => time.getAttribute("datetime")!));
    expect(times).toEqual([...times].sort().reverse());
  });

  await test.step("by action", async () => {
    await page.getByRole("button", { name: "Filter by action" }).click();
    await page.getByRole("menuitem", { name: "update_group" }).click();
    await expect(page).toHaveURL(/action=update_group/);
    await expect.poll(async () => [...new Set(await rows.locator(".mono").first().allTextContents())]).toEqual(["update_group"]);
    await expect(rows.filter({ hasText: "create_user" })).toHaveCount(0);
  });

  await test.step("by outcome: what was refused, and why", async () => {
    await page.getByRole("button", { name: "Filter by outcome" }).click();
    await page.getByRole("menuitem", { name: "Refused" }).click();
    await expect(page).toHaveURL(/success=false/);
    await expect(rows).toHaveCount(1);
    await expect(rows.first()).toContainText("Refused: not allowed");
    await expect(rows.first()).toContainText("otto.klein");
  });

  await test.step("the address holds the filters", async () => {
    await page.reload();
    await expect(rows).toHaveCount(1);
    await page.getByRole("button", { name: "Filter by outcome: Refused" }).click();
    await page.getByRole("menuitem", { name: "Any" }).click();
    await expect(page).not.toHaveURL(/success=false/);
    await expect(rows.filter({ hasText: "Done" }).first()).toBeVisible();
  });

  await test.step("an entry opens: before and after, and its place in the chain", async () => {
    await rows.filter({ hasText: "Done" }).first().getByRole("button", { name: "Details" }).click();
    const detail = page.locator("tr.detail");
    await expect(detail).toContainText("Ledger");
    await expect(detail).toContainText("General ledger");
    await expect(detail).toContainText("Hash");
    await expect(detail).toContainText("Previous hash");
    await detail.getByRole("button", { name: "Everything to this object" }).click();
    await expect(page).toHaveURL(/resource=group/);
  });

  await test.step("nothing that fits says so, and offers the way back", async () => {
    await page.goto("/admin/audit?action=delete_group");
    await expect(page.getByText("No entry matches")).toBeVisible();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await expect(rows.first()).toBeVisible();
  });

  await test.step("it leaves as CSV", async () => {
    await page.goto("/admin/audit?action=update_group");
    await expect(rows.first()).toBeVisible();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
    const lines = readFileSync(await download.path(), "utf8").trim().split(/\r?\n/);
    expect(lines[0]).toMatch(/Time,Who,Action/);
    expect(lines.slice(1).every((line) => line.includes("update_group"))).toBe(true);
    expect(lines.length).toBeGreaterThan(2);
  });
});

test("a change somewhere else appears without a reload", async ({ as, world }) => {
  const page = await as(world.admin, { at: "/admin/users" });
  await expect(page.getByRole("row", { name: /Mara Holt/ })).toBeVisible();
  await world.person("fresh.face", "Fresh Face");
  await expect(page.getByRole("row", { name: /Fresh Face/ })).toBeVisible();
});

test("the state of the log is told: how long it is, what was signed, and that it is intact", async ({ as, world }) => {
  const page = await as(world.admin, { at: "/admin/audit" });
  const state = page.getByRole("region", { name: "State of the log" });
  await expect(state).toContainText(/Entries\s*\d+/);
  await expect(state).toContainText("365 days");
  await page.getByRole("button", { name: "Verify now" }).click();
  await expect(state).toContainText("Intact");
  await expect(state).toContainText("just now");
  await state.getByRole("link", { name: "Change" }).click();
  await expect(page.getByLabel("Entries are kept for (days)", { exact: true })).toHaveValue("365");
});

test("the log leaves as a signed file of the days that were asked for", async ({ as, world }) => {
  const page = await as(world.admin, { at: "/admin/audit" });
  await page.getByRole("button", { name: "Export" }).click();
  const dialog = page.getByRole("dialog", { name: "Export the audit log" });
  await dialog.getByLabel(/First day/).fill("2031-01-02");
  await dialog.getByLabel(/Last day/).fill("2031-01-01");
  await expect(dialog.getByText("This is before the first day.")).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Export", exact: true })).toHaveAttribute("aria-disabled", "true");
  await dialog.getByLabel(/First day/).fill("2020-01-01");
  const [download] = await Promise.all([page.waitForEvent("download"), dialog.getByRole("link", { name: "Export", exact: true }).click()]);
  expect(download.suggestedFilename()).toBe("audit-2020-01-01-to-2031-01-01.jsonl");
  const lines = readFileSync(await download.path(), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  expect([lines[0].type, lines.at(-1).type]).toEqual(["header", "footer"]);
  expect(lines.at(-1).count).toBe(lines.length - 2);
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("row", { name: /view_audit_log/ }).first()).toBeVisible();
});

test("equal refusals are one row that tells each of them, and an entry has a link of its own", async ({ as, world }) => {
  const prowler = await world.person("kai.prowl", "Kai Prowl");
  const group = await world.group("fortress", "Fortress", [prowler]);
  const theirs = await world.api(prowler);
  for (let n = 0; n < 3; n += 1) await theirs.call("DELETE", `/api/groups/${group.id}`).catch(() => {});
  const page = await as(world.admin, { at: `/admin/audit?userId=${prowler.id}&success=false` });
  const rows = page.getByRole("table").locator("tbody tr:not(.detail)");
  await expect(rows).toHaveCount(1);
  await rows.first().getByRole("button", { name: "Details" }).click();
  const detail = page.locator("tr.detail");
  await expect(detail).toContainText("denied:not_permitted");
  const id = (await (await page.request.get(`/api/admin/audit-logs?userId=${prowler.id}&limit=1`)).json()).items[0].id;
  await page.goto(`/admin/audit?entry=${id}`);
  await expect(page.getByRole("button", { name: /Remove the filter Entry/ })).toBeVisible();
  await expect(page.locator("tr.detail")).toContainText("Call id");
});

test("what administrators did in a week is counted, and each number leads to its entries", async ({ as, world }) => {
  const subject = await world.person("wilma.dorn", "Wilma Dorn");
  const api = await world.api();
  for (const name of ["Wilma D.", "Wilma Dorn"]) await api.call("PATCH", `/api/admin/users/${subject.id}`, { name });
  const page = await as(world.admin, { at: "/admin" });
  const card = page.getByRole("region", { name: "Administrators this week" }).or(page.locator("section", { hasText: "Administrators this week" }));
  await card.first().getByRole("link", { name: "All weeks" }).click();
  await expect(page).toHaveURL(/\/admin\/audit\/administrators/);
  await expect(page.locator("section.card", { hasText: "Mara Holt" })).toContainText("update_user");
  await page.getByRole("button", { name: "Week before" }).click();
  await expect(page).toHaveURL(/week=\d{4}-\d\d-\d\d/);
  await expect(page.getByText("Nothing was administered")).toBeVisible();
  await page.getByRole("button", { name: "Week after" }).click();
  await page.locator("section.card", { hasText: "Mara Holt" }).getByRole("link", { name: "update_user", exact: true }).click();
  await expect(page).toHaveURL(/action=update_user/);
  await expect(page.getByRole("row", { name: /update_user/ }).first()).toBeVisible();
});

test("somebody sees who changed their things, why, and not what they did themselves", async ({ as, world }) => {
  const owner = await world.person("ines.wolf", "Ines Wolf");
  const group = await world.group("own-things", "Own things", [owner]);
  const workspace = await world.workspace(owner, group, "mine-alone", { start: false });
  const page = await as(owner, { at: "/profile" });
  const api = await world.api();
  await api.call("DELETE", `/api/workspaces/${workspace.id}?reason=no%20longer%20needed`);
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Activity" }).click();
  await expect(page.getByRole("heading", { name: "Who looked at or changed my things" })).toBeVisible();
  const row = page.getByRole("row", { name: /delete workspace/ });
  await expect(row).toContainText("Mara Holt");
  await expect(row).toContainText("Changed");
  await row.getByRole("button", { name: "Details" }).click();
  await expect(page.locator("tr.detail")).toContainText("no longer needed");
  await expect(page.getByRole("row", { name: /create workspace/ })).toHaveCount(0);
});
