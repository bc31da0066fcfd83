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
    await expect(detail).toContainText("Before it");
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
