// The first day of somebody who is in no group: every page says what it is, and what is not theirs says so in one sentence.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("a person without a group or a role is told the next step everywhere, and never left with a broken page", async ({ as, world, allowed }) => {
  test.setTimeout(120_000);
  allowed.push(/status of 404/);
  const person = await world.person("timo.rast", "Timo Rast");
  const page = await as(person);

  await test.step("pages that are theirs teach the next step", async () => {
    for (const [path, words] of [["/", "You are in no group yet"], ["/groups", "You are in no group yet"], ["/workspaces/new", "No group to make it in"], ["/profile", "None yet."]]) {
      await page.goto(path);
      await expect(page.getByText(words), path).toBeVisible();
      await expect(page.getByRole("alert"), path).toHaveCount(0);
      await expectAccessible(page, `${path} on the first day`);
    }
  });

  await test.step("pages of administrators are refused as one, with the rule, and no form to fill in for nothing", async () => {
    for (const path of ["/admin", "/admin/users", "/admin/users/new", "/admin/groups", "/admin/workspaces", "/admin/audit", "/admin/settings", "/groups/new"]) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 }), path).toHaveText("This page is not yours to open");
      await expect(page.getByRole("alert"), path).toHaveCount(1);
      await expect(page.getByRole("main").getByRole("textbox"), path).toHaveCount(0);
      await expect(page.getByRole("button", { name: "Try again" }), path).toHaveCount(0);
      await expect(page, path).toHaveTitle("Not allowed · Codex Web");
    }
    await expectAccessible(page, "a refused page");
    await page.getByRole("link", { name: "Who may do what" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Roles and access" })).toBeVisible();
  });

  await test.step("addresses that lead nowhere say so, and lead home", async () => {
    for (const path of ["/nowhere", "/workspaces/ws_00000000000000000000000000000000", "/groups/none-of-this-name", "/admin/users/usr_00000000000000000000000000000000", "/help/user/nothing", "/help/api/nothing"]) {
      await page.goto(path);
      await expect(page.getByText("Not here, or not yours to see"), path).toBeVisible();
      await expect(page, path).toHaveTitle(/ · Codex Web$/);
    }
    await page.goto("/nowhere");
    await page.getByRole("main").getByRole("link", { name: "Home" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Home");
  });
});
