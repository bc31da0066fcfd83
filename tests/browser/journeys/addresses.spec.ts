// Addresses that are kept, shared and wrong; and answers that go wrong.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("an address asked for without a session is there after signing in", async ({ as, world }) => {
  const page = await as(null, { at: "/admin/audit?action=create_user" });
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel("User name or e-mail").fill(world.admin.email);
  await page.getByLabel("Password", { exact: true }).fill(world.admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/admin\/audit\?action=create_user$/);
  await expect(page.getByRole("button", { name: "Filter by action: create_user" })).toBeVisible();
});

test("an address that leads elsewhere is not followed after signing in", async ({ as, world }) => {
  for (const next of ["https://example.com/", "//example.com/", "/\\example.com"]) {
    const page = await as(null, { at: `/sign-in?next=${encodeURIComponent(next)}` });
    await page.getByLabel("User name or e-mail").fill(world.admin.username);
    await page.getByLabel("Password", { exact: true }).fill(world.admin.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
    expect(new URL(page.url()).origin).toBe(world.url);
    await page.close();
  }
});

test("back and forward go through tabs, filters and pages as they were", async ({ as, world }) => {
  const group = await world.group("paths", "Paths", [world.admin]);
  const page = await as(world.admin, { at: "/" });
  await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Users" }).click();
  await page.getByRole("searchbox").fill("mara");
  await expect(page).toHaveURL(/q=mara/);
  await expect(page.getByRole("table").locator("tbody tr")).toHaveCount(1);
  await page.getByRole("link", { name: "Mara Holt" }).click();
  await expect(page.getByRole("heading", { name: "Mara Holt", level: 1 })).toBeVisible();
  await page.goto(`/groups/${group.id}`);
  await page.getByRole("navigation", { name: "Group", exact: true }).getByRole("link", { name: /Members/ }).click();
  await expect(page.getByRole("table", { name: "Members" }).or(page.getByRole("region", { name: "Members" }))).toBeVisible();
  await page.goBack();
  await expect(page).toHaveURL(new RegExp(`/groups/${group.id}$`));
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Mara Holt", level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("searchbox")).toHaveValue("mara");
  await page.goForward();
  await expect(page.getByRole("heading", { name: "Mara Holt", level: 1 })).toBeVisible();
  await expect(page).toHaveTitle(/Mara Holt/);
});

test("what is not there says so, without taking the frame with it", async ({ as, world, allowed }) => {
  allowed.push(/status of 404/);
  const page = await as(world.admin);
  for (const [path, title] of [
    ["/no/such/page", "Not here, or not yours to see"],
    ["/workspaces/ws_00000000000000000000000000000000", "Not here, or not yours to see"],
    ["/groups/grp_00000000000000000000000000000000", "Not here, or not yours to see"],
    ["/admin/users/usr_00000000000000000000000000000000", "Not here, or not yours to see"],
  ]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { name: title }), path).toBeVisible();
    await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
    await expectAccessible(page, path);
  }
});

test("an answer that fails is told with its call id, and can be tried again", async ({ as, world, allowed }) => {
  allowed.push(/status of 500/, /status of 503/, /ERR_FAILED/);
  const page = await as(world.admin);
  const failed = { httpcode: 500, httpstatus: "Internal Server Error", code: "INTERNAL_ERROR", message: "Something went wrong on our side. Try again in a minute.", callid: "call_00000000000000000000000000000abc", time: "2026-01-01T00:00:00Z" };

  await test.step("a list", async () => {
    await page.route("**/api/admin/users?*", (route) => route.fulfill({ status: 500, json: { error: failed } }));
    await page.goto("/admin/users");
    const alert = page.getByRole("alert");
    await expect(alert.getByRole("heading", { name: "The users could not be read" })).toBeVisible();
    await expect(alert).toContainText("Try again in a minute.");
    await expect(alert.getByRole("button", { name: "Copy the call id" })).toBeVisible();
    await expectAccessible(page, "a list that failed");
    await page.unroute("**/api/admin/users?*");
    await alert.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("row", { name: /Mara Holt/ })).toBeVisible();
  });

  await test.step("one part of a page, while the others stay", async () => {
    // It fails until the button is pressed: a page reads again by itself, too, whenever it hears of a change.
    await page.route("**/api/groups?*", async (route) => ((await page.evaluate(() => document.documentElement.dataset.pressed)) ? route.continue() : route.abort()));
    await page.goto("/");
    await expect(page.getByRole("heading", { name: "Your groups could not be read" })).toBeVisible();
    await expect(page.getByRole("heading", { name: "My workspaces" })).toBeVisible();
    await page.evaluate(() => document.addEventListener("click", () => (document.documentElement.dataset.pressed = "yes"), { capture: true }));
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("heading", { name: "Your groups could not be read" })).toBeHidden();
    await page.unroute("**/api/groups?*");
  });

  await test.step("a form keeps what was typed", async () => {
    await page.goto("/groups/new");
    await page.route("**/api/groups", (route) => route.fulfill({ status: 500, json: { error: failed } }));
    await page.getByLabel("Display name").fill("Kept as typed");
    await page.getByRole("button", { name: "Create group" }).click();
    await expect(page.getByRole("alert").filter({ hasText: "Not created." })).toContainText("Try again in a minute.");
    await expect(page.getByRole("button", { name: "Copy the call id" })).toBeVisible();
    await expect(page.getByLabel("Display name")).toHaveValue("Kept as typed");
    await page.unroute("**/api/groups");
    await page.getByRole("button", { name: "Create group" }).click();
    await expect(page.getByRole("heading", { name: "Kept as typed", level: 1 })).toBeVisible();
  });

  await test.step("too many sign-ins say when to try again", async () => {
    const other = await as(null, { at: "/sign-in" });
    await other.route("**/api/auth/login", (route) => route.fulfill({ status: 429, headers: { "retry-after": "30" }, json: { error: { ...failed, httpcode: 429, code: "RATE_LIMIT_EXCEEDED", message: "Too many." } } }));
    allowed.push(/status of 429/);
    await other.getByLabel("User name or e-mail").fill("somebody");
    await other.getByLabel("Password", { exact: true }).fill("something");
    await other.getByRole("button", { name: "Sign in" }).click();
    await expect(other.getByRole("alert")).toContainText("Try again in 30 s.");
  });
});
