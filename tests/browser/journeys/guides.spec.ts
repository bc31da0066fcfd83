// The guides: found from every page, searched, printed, and followed to the letter.
import type { Locator, Page } from "@playwright/test";
import { connected, run } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";

/** Where a chapter names a page, its link leads there. */
const follow = (page: Page, name: string) => page.locator("article").getByRole("link", { name, exact: true }).first().click();

test("the help of a page opens the section that belongs to it", async ({ as, world }) => {
  const person = await world.person("hedda.lorenz", "Hedda Lorenz");
  const group = await world.group("helped", "Helped", [person, world.admin]);
  const workspace = await world.workspace(person, group, "looked-up", { start: false });
  const page = await as(world.admin);
  for (const [path, heading] of [
    ["/", "The home page"],
    ["/workspaces/new", "Make a workspace"],
    [`/workspaces/${workspace.id}`, "What its page shows"],
    [`/workspaces/${workspace.id}/files`, "Files"],
    [`/workspaces/${workspace.id}/settings`, "Another size"],
    ["/groups/new", "Create a group"],
    [`/groups/${group.id}/members`, "Add and remove members"],
    ["/profile", "Your account"],
    ["/admin/users/new", "Onboard a user"],
    ["/admin/audit", "Audit"],
    ["/admin/settings", "The settings page"],
  ]) {
    await test.step(path, async () => {
      await page.goto(path);
      await page.getByRole("link", { name: "Help for this page" }).click();
      await expect(page.locator("article").getByRole("heading", { name: heading, exact: true })).toBeInViewport();
    });
  }
});

test("whoever cannot sign in finds help beside the form, in a tab of its own", async ({ as }) => {
  const page = await as(null, { at: "/sign-in" });
  const [help] = await Promise.all([page.waitForEvent("popup"), page.getByRole("link", { name: "Help" }).click()]);
  await expect(help.getByRole("heading", { name: "Signing in" })).toBeInViewport();
  await expect(page.getByLabel("User name or e-mail")).toBeVisible();
});

test("the guides are searched, and a heading has an address", async ({ as, world }) => {
  const page = await as(world.admin, { at: "/help" });
  await page.getByRole("searchbox", { name: "Search the guides" }).fill("reset a password");
  const found = page.getByRole("region", { name: "Found" });
  await expect(found.getByRole("listitem").first()).toContainText("Reset a password");
  await expect(page).toHaveURL(/\?q=reset/);
  await found.getByRole("link", { name: /^Reset a password/ }).click();
  await expect(page).toHaveURL(/\/help\/user\/people#reset-a-password$/);
  await expect(page.getByRole("heading", { name: "Reset a password" })).toBeInViewport();
  await test.step("nothing found says what to try", async () => {
    await page.getByRole("searchbox", { name: "Search the guides" }).fill("hovercraft eels");
    await expect(page.getByText("Nothing about “hovercraft eels”")).toBeVisible();
  });
  await test.step("the same address opens the same place, and printing leaves the frame out", async () => {
    await page.goto("/help/user/groups#delete-a-group");
    await expect(page.getByRole("heading", { name: "Delete a group" })).toBeInViewport();
    await page.emulateMedia({ media: "print" });
    await expect(page.getByRole("navigation", { name: "Guides" })).toBeHidden();
    await expect(page.locator(".side")).toBeHidden();
    await expect(page.getByRole("heading", { name: "Create a group" })).toBeVisible();
  });
  await test.step("a chapter that is not there says so", async () => {
    await page.emulateMedia({ media: "screen" });
    await page.goto("/help/user/nothing");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Not here, or not yours to see");
  });
});

test("the guide for onboarding is followed: a group, a person, a workspace of theirs, and the way out", async ({ as, world, allowed }) => {
  test.setTimeout(180_000);
  const admin = await as(world.admin, { at: "/help/user/groups#create-a-group" });
  let password = "";
  await test.step("create a group", async () => {
    await follow(admin, "All groups");
    await admin.getByRole("link", { name: "New group" }).first().click();
    await admin.getByLabel("Display name").fill("Engineering Team");
    await expect(admin.getByLabel("Name", { exact: true })).toHaveValue("engineering-team");
    await expect(admin.getByText("codex-platform-engineering-team")).toBeVisible();
    await admin.getByLabel("Description").fill("Development workspaces for engineering. Ask Mara Holt.");
    await admin.getByRole("radio", { name: /Up to 15/ }).check();
    await admin.getByRole("button", { name: "Create group" }).click();
    await expect(admin).toHaveURL(/\/groups\/grp_\w+\/members$/);
    await expect(admin.getByRole("row", { name: /Mara Holt/ })).toBeVisible();
  });
  await test.step("onboard a user", async () => {
    await admin.goto("/help/user/people#onboard-a-user");
    await follow(admin, "Users");
    await admin.getByRole("link", { name: "New user" }).first().click();
    await admin.getByLabel("Name", { exact: false }).first().fill("Ada Byron");
    await admin.getByLabel("E-mail").fill("ada.byron@example.org");
    await expect(admin.getByLabel("User name")).toHaveValue("ada.byron");
    await admin.getByRole("radio", { name: "With a temporary password, which must be changed" }).check();
    await admin.getByRole("checkbox", { name: /Engineering Team/ }).check();
    await admin.getByRole("button", { name: "Create user" }).click();
    await expect(admin.getByRole("heading", { name: "The account is there" })).toBeVisible();
    password = (await admin.locator(".secret").nth(1).innerText()).trim();
  });
  const ada = await as(null, { at: "/sign-in" });
  await test.step("the first sign-in", async () => {
    await ada.getByLabel("User name or e-mail").fill("ada.byron");
    await ada.getByLabel("Password", { exact: true }).fill(password);
    await ada.getByRole("button", { name: "Sign in" }).click();
    await expect(ada.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
    await ada.getByLabel("New password", { exact: true }).fill("nine lanterns over quiet water");
    await ada.getByLabel("New password again").fill("nine lanterns over quiet water");
    await ada.getByRole("button", { name: "Change and continue" }).click();
    await expect(ada.getByText("First steps")).toBeVisible();
  });
  await test.step("make a workspace, and type in its terminal", async () => {
    await ada.getByRole("link", { name: "New workspace" }).first().click();
    await ada.getByLabel("Name", { exact: true }).fill("ledger");
    await ada.getByRole("button", { name: "Create workspace" }).click();
    await expect(ada.locator(".page-head .status")).toHaveText(/Running/, { timeout: 30_000 });
    await ada.getByRole("link", { name: "Open terminal" }).first().click();
    await connected(ada);
    await run(ada, "printf 'she %s\\n' writes", "she writes");
  });
  await test.step("make a group admin", async () => {
    await admin.getByRole("link", { name: "Open the account" }).click();
    await admin.getByRole("button", { name: "Actions for Engineering Team" }).click();
    await admin.getByRole("menuitem", { name: "Make an admin" }).click();
    await expect(admin.getByRole("listitem").filter({ hasText: "Engineering Team" }).getByText("Group admin", { exact: true })).toBeVisible();
  });
  await test.step("somebody leaves: the membership stays while something is owned", async () => {
    allowed.push(/status of (401|404|409)/); // signed out elsewhere, refused, and the group that is gone
    await admin.getByRole("button", { name: "Disable", exact: true }).click();
    await admin.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
    await expect(ada.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible();
    await admin.getByRole("button", { name: "Actions for Engineering Team" }).click();
    await admin.getByRole("menuitem", { name: "Remove from the group" }).click();
    await admin.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await expect(admin.getByRole("dialog")).toContainText("Not removed.");
    await admin.keyboard.press("Escape");
  });
  await test.step("delete a group, when its workspaces are gone", async () => {
    const api = await world.api();
    const [group] = (await api.call("GET", "/api/groups?search=engineering-team")) as { id: string }[];
    await admin.goto(`/groups/${group.id}/workspaces`);
    await admin.getByRole("row", { name: /ledger/ }).getByRole("checkbox").check();
    await admin.getByRole("button", { name: "Delete", exact: true }).click();
    await admin.getByRole("dialog").getByRole("textbox").first().fill("ledger");
    await admin.getByRole("dialog").getByRole("button", { name: /^Delete with/ }).click();
    await expect(admin.getByText("No workspaces in this group yet")).toBeVisible({ timeout: 30_000 });
    await admin.goto(`/groups/${group.id}/settings`);
    await admin.getByRole("button", { name: "Delete group" }).click();
    await admin.getByRole("dialog").getByRole("textbox").fill("engineering-team");
    await admin.getByRole("dialog").getByRole("button", { name: "Delete group" }).click();
    await expect(admin).toHaveURL(/\/groups$/);
  });
});

test("the five steps of the guide find out why somebody cannot open a workspace", async ({ as, world, allowed }) => {
  test.setTimeout(120_000);
  allowed.push(/status of 404/);
  const colleague = await world.person("levi.stern", "Levi Stern");
  const owner = await world.person("ines.prado", "Ines Prado");
  const group = await world.group("rates", "Rates", [owner, colleague]);
  const workspace = await world.workspace(owner, group, "rates-nightly", { start: false });
  const refused = await as(colleague, { at: `/workspaces/${workspace.id}` });
  await expect(refused.getByRole("heading", { level: 1 })).toHaveText("Not here, or not yours to see");
  const answer = await refused.request.post(`/api/groups/${group.id}/members`, { data: { userId: owner.id, role: "admin" }, headers: { origin: world.url } });
  expect(answer.status()).toBe(403);

  const page = await as(world.admin, { at: "/help/user/cannot-open" });
  /** A picture of a step, with a frame around what the step looks at. */
  const picture = async (step: string, part: Locator) => {
    await part.evaluate((element: HTMLElement) => { element.style.outline = "3px solid var(--accent)"; element.style.outlineOffset = "3px"; });
    await page.screenshot({ path: `../../target/browser/debug-steps/${step}.png`, fullPage: true });
    await part.evaluate((element: HTMLElement) => { element.style.outline = ""; element.style.outlineOffset = ""; });
  };
  const card = (title: string) => page.locator("section.card", { has: page.getByRole("heading", { name: title, exact: true }) });
  await test.step("step 1: the role of the person", async () => {
    await follow(page, "Users");
    await page.getByRole("searchbox").fill("levi");
    await page.getByRole("link", { name: "Levi Stern" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Levi Stern");
    await expect(page.locator(".page-head .badge")).toHaveCount(0); // neither platform admin nor disabled
    await expect(card("Account")).toContainText("RoleMember");
    await picture("1-role", card("Account"));
  });
  await test.step("step 2: the groups of the person", async () => {
    await expect(card("Groups").getByRole("link", { name: "Rates" })).toBeVisible();
    await picture("2-groups", card("Groups"));
  });
  await test.step("step 3: the role in that group", async () => {
    const row = page.getByRole("listitem").filter({ hasText: "Rates" });
    await expect(row.getByText("Member", { exact: true })).toBeVisible();
    await row.getByRole("button", { name: "Actions for Rates" }).click();
    await expect(page.getByRole("menuitem", { name: "Make an admin" })).toBeVisible();
    await picture("3-role-in-the-group", row);
    await page.keyboard.press("Escape");
  });
  await test.step("step 4: the owner of the workspace", async () => {
    await page.goto("/help/user/cannot-open#step-4-the-owner-of-the-workspace");
    await follow(page, "All workspaces");
    await page.getByRole("searchbox").fill("rates-nightly");
    await page.getByRole("link", { name: "rates-nightly" }).click();
    await expect(page.getByText("Owner", { exact: true })).toBeVisible();
    await expect(card("Details").getByRole("link", { name: "Ines Prado" })).toHaveAttribute("href", `/admin/users/${owner.id}`);
    await picture("4-owner", card("Details"));
  });
  await test.step("step 5: the workspace itself, and what was refused", async () => {
    await expect(page.locator(".page-head .status")).toHaveText(/Stopped/);
    await page.goto(`/admin/audit?success=false&userId=${colleague.id}`);
    await page.getByRole("button", { name: "Details" }).first().click();
    await expect(page.locator("tr.detail")).toBeVisible();
    await expect(page.locator("tr.detail")).toContainText("Refused: the role does not include it");
    await picture("5-refused", page.locator("tr.detail"));
    await page.getByRole("link", { name: "Who may add user to group" }).click();
    await expect(page).toHaveURL(/\/admin\/access\?find=add_user_to_group$/);
    await expect(page.getByRole("row", { name: /Add group members/ })).toContainText("no");
  });
  await test.step("what was found is put right, and the person gets in as far as the role goes", async () => {
    await page.goto(`/admin/users/${colleague.id}`);
    await page.getByRole("button", { name: "Actions for Rates" }).click();
    await page.getByRole("menuitem", { name: "Make an admin" }).click();
    await expect(page.getByRole("listitem").filter({ hasText: "Rates" }).getByText("Group admin", { exact: true })).toBeVisible();
    await refused.reload();
    await expect(refused.getByRole("heading", { level: 1 })).toHaveText("rates-nightly");
  });
});

test("the API reference is this server's: a call is found, read, tried and copied", async ({ as, world, allowed }) => {
  allowed.push(/status of 400/);
  const page = await as(world.admin, { at: "/help/api" });
  await page.getByRole("main").getByRole("link", { name: "/api/auth/me", exact: true }).click();
  const me = page.locator("details#get_api_auth_me");
  await expect(me).toHaveAttribute("open", "");
  await expect(me).toContainText("view_own_profile");

  await test.step("reading is tried at once, with the session", async () => {
    await me.getByRole("button", { name: "Try it" }).click();
    await expect(me.getByRole("group", { name: "Body of the answer" })).toContainText('"username": "mara.holt"');
    await expect(me.getByRole("region", { name: "Answer", exact: true })).toContainText("200");
  });

  await test.step("a call that changes something asks first, and says what came back", async () => {
    await page.goto("/help/api/groups#post_api_groups");
    const create = page.locator("details#post_api_groups");
    await expect(create.getByRole("group", { name: "The same with curl" })).toContainText('curl -X POST "$API_URL/groups"');
    await create.getByLabel("Body").fill('{ "name": "tried-out", "displayName": "" }');
    await create.getByRole("button", { name: "Try it" }).click();
    const dialog = page.getByRole("dialog", { name: "Send POST /api/groups?" });
    await dialog.getByRole("button", { name: "Do not" }).click();
    await expect(create.getByRole("region", { name: "Answer", exact: true })).toHaveCount(0);
    await create.getByRole("button", { name: "Try it" }).click();
    await dialog.getByRole("button", { name: "Send it" }).click();
    await expect(create.getByRole("region", { name: "Answer", exact: true })).toContainText("400");
    await expect(create.getByRole("group", { name: "Body of the answer" })).toContainText("displayName");
  });

  await test.step("where the server takes certain words only, these are offered", async () => {
    await page.goto("/help/api/users#get_api_admin_users");
    const list = page.locator("details#get_api_admin_users");
    await list.getByLabel("role").selectOption("admin");
    await list.getByRole("button", { name: "Try it" }).click();
    await expect(list.getByRole("group", { name: "The same with curl" })).toContainText("role=admin");
    await expect(list.getByRole("group", { name: "Body of the answer" })).toContainText('"username": "mara.holt"');
  });

  await test.step("what is missing is said before anything is sent", async () => {
    await page.goto("/help/api/groups#get_api_groups_group");
    const one = page.locator("details#get_api_groups_group");
    await one.getByRole("button", { name: "Try it" }).click();
    await expect(one.getByRole("alert")).toContainText("Fill in group.");
  });

  await test.step("who is not signed in can read it, and not try it", async () => {
    const reader = await as(null, { at: "/help/api/groups#get_api_groups" });
    await expect(reader.locator("details#get_api_groups").getByRole("button", { name: "Try it" })).toHaveAttribute("aria-disabled", "true");
  });
});
