// What the two documents have people do, followed as the guide of it says, from its chapter on: every link that is pressed
// here is one of the guide, every word one that the guide names.
import type { Page } from "@playwright/test";
import { expect, test } from "../support/test.ts";
import { World } from "../support/world.ts";

/** Opens a section of the guide and presses a link of that section. */
async function followed(page: Page, place: string, link: string): Promise<void> {
  await page.goto(`/help/${place}`);
  const article = page.locator("article");
  await expect(article.getByRole("heading").first()).toBeVisible();
  await article.getByRole("link", { name: link, exact: true }).first().click();
}


test("the guide for groups is followed: members, roles, quotas, and what stands near its limit", async ({ as, world, allowed }) => {
  test.setTimeout(150_000);
  const second = await world.person("sven.olt", "Sven Olt");
  const third = await world.person("thea.marx", "Thea Marx");
  await world.person("runa.falk", "Runa Falk");
  const group = await world.group("foundry", "Foundry", [], [], { cpu: "4", memory: "8Gi", storage: "50Gi", pods: 10 });
  const page = await as(world.admin, { at: "/" });
  const members = () => page.goto(`/groups/${group.id}/members`);

  await test.step("add a member, make them an admin, and a plain member again", async () => {
    await page.goto("/help/user/groups#add-and-remove-members");
    await expect(page.getByRole("heading", { name: "Add and remove members" })).toBeInViewport();
    await members();
    await page.getByRole("button", { name: "Add member" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("searchbox").fill("runa");
    await dialog.getByRole("radio", { name: /Runa Falk/ }).check();
    await dialog.getByRole("radio", { name: "Member", exact: true }).check();
    await dialog.getByRole("button", { name: "Add Runa Falk" }).click();
    const row = page.getByRole("row", { name: /Runa Falk/ });
    await row.getByRole("button", { name: "Actions for Runa Falk" }).click();
    await page.getByRole("menuitem", { name: "Make an admin" }).click();
    await expect(row.getByText("admin", { exact: true })).toBeVisible();
    await row.getByRole("button", { name: "Actions for Runa Falk" }).click();
    await page.getByRole("menuitem", { name: "Make a plain member" }).click();
    await expect(row.getByText("member", { exact: true })).toBeVisible();
  });
  await test.step("add several from a list", async () => {
    await page.getByRole("button", { name: "Add several" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("People").fill(`email,role\n${second.email},member\n${third.email},admin`);
    await expect(dialog.getByRole("status")).toHaveText("2 of 2 can join.");
    await dialog.getByRole("button", { name: "Add 2" }).click();
    await expect(page.getByRole("row", { name: /Thea Marx/ }).getByText("admin", { exact: true })).toBeVisible();
  });
  await test.step("remove one, and not one who owns workspaces", async () => {
    allowed.push(/status of 409/);
    await world.workspace(second, group, "casting", { start: false });
    for (const [name, kept] of [["Runa Falk", false], ["Sven Olt", true]] as const) {
      await page.getByRole("button", { name: `Actions for ${name}` }).click();
      await page.getByRole("menuitem", { name: "Remove", exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      if (kept) {
        await expect(page.getByRole("dialog")).toContainText("Not removed.");
        await page.keyboard.press("Escape");
      } else await expect(page.getByRole("row", { name: new RegExp(name) })).toHaveCount(0);
    }
  });
  await test.step("change the group, with a quota below what is in use", async () => {
    await page.goto("/help/user/groups#change-a-group");
    await expect(page.getByRole("heading", { name: "Change a group" })).toBeInViewport();
    await page.goto(`/groups/${group.id}/settings`);
    await page.getByLabel("Display name").fill("Foundry (renewed)");
    await page.getByLabel("Description").fill("Casts and forges. Ask Thea Marx.");
    await page.getByLabel("Storage").fill("512Mi");
    await expect(page.getByText("Below what is in use.")).toBeVisible();
    await page.getByLabel("Storage").fill("60GB");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByLabel("Storage")).toHaveAttribute("aria-invalid", "true"); // Gi, not GB
    await page.getByLabel("Storage").fill("60Gi");
    await page.getByLabel(/^Reason for a new quota/).fill("More castings are kept");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Foundry (renewed) saved.")).toBeVisible();
    await expect(page.getByRole("region", { name: "Quota history" }).getByRole("row", { name: /60.GiB .*More castings are kept/ })).toBeVisible();
  });
  await test.step("say what it is for", async () => {
    await page.goto(`/groups/${group.id}`);
    await page.getByRole("button", { name: "Edit" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Purpose").fill("Development workspaces of the foundry");
    await dialog.getByLabel("Notes").fill("Quota raised in March, because more castings are kept.");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(page.getByText("Development workspaces of the foundry")).toBeVisible();
  });
  await test.step("watch it: near its limit a note says what is tight", async () => {
    await world.workspace(third, group, "furnace", { start: false, resources: { cpu: "1", memory: "1Gi", storage: "54Gi" } });
    await followed(page, "user/groups#watch-a-group", "All groups");
    await page.getByRole("searchbox").fill("foundry");
    await page.getByRole("link", { name: "Foundry (renewed)" }).click();
    await expect(page.getByRole("main")).toContainText(/Storage is (nearly|almost)|9\d.%/);
    await expect(page.getByRole("heading", { name: "Top consumers" })).toBeVisible();
  });
  await test.step("a taken name is refused with what helps", async () => {
    await followed(page, "user/groups#create-a-group", "All groups");
    await page.getByRole("link", { name: "New group" }).first().click();
    await page.getByLabel("Display name").fill("Foundry");
    await page.getByRole("button", { name: "Create group" }).click();
    await expect(page.getByRole("alert")).toContainText("Not created.");
    await expect(page.getByRole("main")).toContainText(/taken|exists already|already exists/);
  });
});

test("the guide for roles is followed: a platform admin is made, reviewed, and made a member again", async ({ as, world }) => {
  const person = await world.person("ulla.keil", "Ulla Keil");
  const page = await as(world.admin, { at: "/" });
  await test.step("make a platform admin, with the reason", async () => {
    await followed(page, "user/people", "Users");
    await page.getByRole("searchbox").fill("ulla");
    await page.getByRole("link", { name: "Ulla Keil" }).click();
    await page.getByRole("button", { name: "Make a platform admin" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Reason/).fill("DevOps team member, agreed by her manager");
    await dialog.getByRole("button", { name: "Make platform admin" }).click();
    await expect(page.locator(".page-head").getByText("Platform admin", { exact: true })).toBeVisible();
  });
  await test.step("the review lists the platform admins and nobody else", async () => {
    await page.goto("/help/user/roles#reviews");
    await page.locator("article").getByRole("link", { name: "Users", exact: true }).last().click();
    await expect(page).toHaveURL(/\/admin\/users\?role=admin$/);
    const rows = page.getByRole("table").locator("tbody tr");
    await expect(rows.filter({ hasText: "Ulla Keil" })).toHaveCount(1);
    await expect(rows.filter({ hasText: "Mara Holt" })).toHaveCount(1);
    expect(await rows.count()).toBe(await rows.filter({ hasText: "Platform admin" }).count());
  });
  await test.step("who gave the role, and why, stands in the audit", async () => {
    await page.goto(`/admin/audit?action=promote_user_to_admin&resource=user:${person.id}`);
    await page.getByRole("button", { name: "Details" }).first().click();
    await expect(page.locator("tr.detail")).toContainText("DevOps team member, agreed by her manager");
  });
  await test.step("nobody takes the role from themselves", async () => {
    await page.goto(`/admin/users/${world.admin.id}`);
    await expect(page.getByRole("button", { name: "Make a plain member" }).first()).toHaveAttribute("aria-disabled", "true");
  });
  await test.step("it is taken back, and holds at once", async () => {
    await page.goto(`/admin/users/${person.id}`);
    await page.getByRole("button", { name: "Make a plain member" }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Take the role away" }).click();
    await expect(page.getByRole("button", { name: "Make a platform admin" })).toBeVisible();
    await page.goto("/admin/users?role=admin");
    await expect(page.getByRole("table").locator("tbody tr").filter({ hasText: "Ulla Keil" })).toHaveCount(0);
  });
});

test("the guide for people is followed: a contractor gets an end, and leaves two groups and the platform", async ({ as, world, allowed }) => {
  allowed.push(/status of 401/);
  const person = await world.person("wim.aalto", "Wim Aalto");
  await world.group("project-x", "Project X", [person]);
  await world.group("project-y", "Project Y", [person]);
  const theirs = await as(person, { at: "/groups" });
  await expect(theirs.getByRole("link", { name: /Project X/ }).first()).toBeVisible();
  const page = await as(world.admin, { at: "/" });
  await test.step("an end date", async () => {
    await followed(page, "user/people#an-account-that-ends", "Users");
    await page.getByRole("searchbox").fill("wim");
    await page.getByRole("link", { name: "Wim Aalto" }).click();
    await page.getByRole("button", { name: "Change the end date" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("input[type=date]").fill("2099-04-01");
    await dialog.getByRole("button", { name: /Save|Set|Change/ }).click();
    await expect(page.getByText(/1 Apr(il)? 2099/)).toBeVisible();
  });
  await test.step("the project ends: out of both groups", async () => {
    for (const name of ["Project X", "Project Y"]) {
      await page.getByRole("button", { name: `Actions for ${name}` }).click();
      await page.getByRole("menuitem", { name: "Remove from the group" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      await expect(page.getByRole("button", { name: `Actions for ${name}` })).toHaveCount(0);
    }
    await expect(page.getByText("In no group.")).toBeVisible();
  });
  await test.step("and disabled: nothing is left that they could do", async () => {
    await page.getByRole("button", { name: "Disable", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
    await expect(page.getByText("This person cannot sign in.")).toBeVisible();
    await expect(theirs.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible();
  });
});

test("a new group gets the namespace that this installation asks for", async ({ as }) => {
  const world = await World.start({ CODEX_WEB_CLUSTER__NAMESPACE_PREFIX: "acme-dev" });
  try {
    const page = await as(world.admin, { baseURL: world.url, at: "/groups/new" });
    await page.getByLabel("Display name").fill("Data Science");
    await expect(page.getByText("acme-dev-data-science")).toBeVisible();
    await page.getByRole("button", { name: "Create group" }).click();
    await expect(page).toHaveURL(/\/groups\/grp_\w+\/members$/);
    const [group] = await (await world.api()).call("GET", "/api/groups?search=data-science");
    expect(group.namespace).toBe("acme-dev-data-science");
    await page.context().close(); // before its server goes
  } finally {
    await world.program.remove();
  }
});
