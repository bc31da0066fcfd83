// What people with more rights do to others, and what the others see of it.
import { connected, run } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";

test("a group admin stops a member's workspace; its owner sees who, and why", async ({ as, world }) => {
  const jonas = await world.person("jonas.weber", "Jonas Weber");
  const sara = await world.person("sara.lind", "Sara Lind");
  const group = await world.group("payments", "Payments", [sara], [jonas]);
  const workspace = await world.workspace(sara, group, "refund-batch");
  const owner = await as(sara, { at: `/workspaces/${workspace.id}/terminal` });
  await connected(owner);
  const admin = await as(jonas, { at: `/groups/${group.id}/workspaces` });

  await test.step("the admin sees it, but its terminal is the owner's", async () => {
    await admin.getByRole("row", { name: /refund-batch/ }).getByRole("button", { name: "Actions for refund-batch" }).click();
    await expect(admin.getByRole("menuitem", { name: /Terminal/ })).toHaveAttribute("aria-disabled", "true");
  });

  await test.step("stopping it asks for a reason and says who is told", async () => {
    await admin.getByRole("menuitem", { name: "Stop" }).click();
    const dialog = admin.getByRole("dialog", { name: "Stop refund-batch?" });
    await expect(dialog).toContainText("It belongs to Sara Lind, who is told and sees the reason.");
    await expect(dialog.getByRole("button", { name: "Leave it" })).toBeFocused();
    await dialog.getByRole("textbox", { name: /Reason/ }).fill("Month end: the cores are needed for settlement.");
    await dialog.getByRole("button", { name: "Stop", exact: true }).click();
    await expect(dialog).toBeHidden();
    await expect(admin.getByRole("row", { name: /refund-batch/ })).toContainText("Stopped");
  });

  await test.step("the owner's open page says so without a reload", async () => {
    await expect(owner.locator(".page-head .status")).toHaveText(/Stopped/);
    await expect(owner.locator(".term-frame")).toContainText("stopped");
  });

  await test.step("the timeline names the person and the reason", async () => {
    await owner.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name: "Timeline" }).click();
    const entry = owner.getByRole("listitem").filter({ hasText: "Month end: the cores are needed for settlement." });
    await expect(entry).toContainText(/Jonas Weber|jonas\.weber/);
  });

  await test.step("the owner starts it again", async () => {
    await owner.getByRole("button", { name: "Start", exact: true }).first().click();
    await expect(owner.locator(".page-head .status")).toHaveText(/Running/);
  });
});

test("a member sees their own workspaces only, and refused actions say why", async ({ as, world, allowed }) => {
  const noor = await world.person("noor.haddad", "Noor Haddad");
  const peer = await world.person("piet.bakker", "Piet Bakker");
  const group = await world.group("data", "Data", [noor, peer]);
  const others = await world.workspace(peer, group, "peers-own", { start: false });
  const page = await as(noor, { at: `/groups/${group.id}/workspaces` });
  await expect(page.getByText("None of yours in this group yet")).toBeVisible();
  await test.step("adding members is off, with the reason", async () => {
    await page.getByRole("navigation", { name: "Group" }).getByRole("link", { name: /Members/ }).click();
    const add = page.getByRole("button", { name: "Add member" }).first();
    await expect(add).toHaveAttribute("aria-disabled", "true");
    await expect(add).toHaveAccessibleDescription("Only platform admins add members.");
  });
  await test.step("somebody else's workspace is not there", async () => {
    allowed.push(/status of 404/, /status of 403/);
    await page.goto(`/workspaces/${others.id}`);
    await expect(page.getByRole("heading", { name: "Not here, or not yours to see" })).toBeVisible();
  });
  await test.step("neither is the administration", async () => {
    await page.goto("/admin/audit");
    await expect(page.getByRole("alert")).toBeVisible();
    await expect(page.getByRole("table")).toHaveCount(0);
  });
});

test("disabling a user ends their open page and terminal within a second", async ({ as, world, allowed }) => {
  allowed.push(/status of 401/, /WebSocket/, /ERR_/); // what the disabled person's own browser says
  const leaver = await world.person("lena.fox", "Lena Fox");
  const group = await world.group("mobile", "Mobile", [leaver]);
  const workspace = await world.workspace(leaver, group, "app-build");
  const terminal = await as(leaver, { at: `/workspaces/${workspace.id}/terminal` });
  const home = await as(leaver, { at: "/" });
  await connected(terminal);
  await run(terminal, "echo typed-$((1 + 2))", "typed-3");
  await expect(home.getByRole("article", { name: "app-build" })).toContainText("Running");
  await expect(home.getByRole("complementary").getByRole("status")).toContainText("Live");

  const admin = await as(world.admin, { at: `/admin/users/${leaver.id}` });
  await admin.getByRole("button", { name: "Disable", exact: true }).click();
  const dialog = admin.getByRole("dialog", { name: "Disable Lena Fox?" });
  await dialog.getByRole("textbox", { name: /Reason/ }).fill("Left the company.");
  const answered = admin.waitForResponse((response) => response.url().endsWith("/disable"));
  await dialog.getByRole("button", { name: "Disable" }).click();
  expect((await answered).ok()).toBe(true);
  const since = Date.now();
  await Promise.all([terminal, home].map((page) => expect(page.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible({ timeout: 3000 })));
  const took = Date.now() - since;
  test.info().annotations.push({ type: "measured", description: `both pages were at the sign-in form ${took} ms after the answer` });
  expect(took).toBeLessThan(1500); // a second, and what the browser takes to draw it

  await test.step("signing in again is refused, and the administrator sees the state and can undo it", async () => {
    await home.getByLabel("User name or e-mail").fill(leaver.username);
    await home.getByLabel("Password", { exact: true }).fill(leaver.password);
    await home.getByRole("button", { name: "Sign in" }).click();
    await expect(home.getByRole("alert")).toBeVisible();
    await expect(admin.getByText("This person cannot sign in. Workspaces and files are kept.")).toBeVisible();
    await admin.getByRole("button", { name: "Enable", exact: true }).click();
    await expect(admin.getByText("Lena Fox can sign in again.")).toBeVisible();
    await home.getByLabel("Password", { exact: true }).fill(leaver.password);
    await home.getByRole("button", { name: "Sign in" }).click();
    await expect(home.getByRole("heading", { name: "Sign in to Codex Web" })).toBeHidden();
  });
});

test("signing a person out ends their open page; they may sign in again at once", async ({ as, world, allowed }) => {
  allowed.push(/status of 401/, /ERR_/);
  const person = await world.person("rosa.marin", "Rosa Marin");
  await world.group("lost-and-found", "Lost and found", [person]);
  const home = await as(person, { at: "/" });
  await expect(home.getByRole("complementary").getByRole("status")).toContainText("Live");
  const admin = await as(world.admin, { at: `/admin/users/${person.id}` });
  await admin.getByRole("button", { name: "More actions" }).click();
  await admin.getByRole("menuitem", { name: "Sign out everywhere" }).click();
  const dialog = admin.getByRole("dialog", { name: "Sign Rosa Marin out everywhere?" });
  await expect(dialog).toContainText("they can sign in again at once");
  await dialog.getByRole("textbox", { name: /Reason/ }).fill("A lost laptop.");
  await dialog.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(admin.getByText("Rosa Marin is signed out everywhere.")).toBeVisible();
  await home.getByLabel("User name or e-mail").fill(person.username);
  await home.getByLabel("Password", { exact: true }).fill(person.password);
  await home.getByRole("button", { name: "Sign in" }).click();
  await expect(home.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
});
