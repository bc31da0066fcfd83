// What programs show instead of a password: a person's tokens, service accounts, and what administrators see of both.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("a token is made, copied, used by a program and revoked, and its text is never shown again", async ({ as, world, request }) => {
  const person = await world.person("nora.falk", "Nora Falk");
  const page = await as(person, { at: "/profile" });
  const card = page.locator("section", { has: page.getByRole("heading", { name: "API tokens" }) });
  const call = (token: string) => request.get(`${world.url}/api/auth/me`, { headers: { authorization: `Bearer ${token}` } });
  let token = "";

  await test.step("every wrong field is said at once", async () => {
    await expect(card).toContainText("No API token");
    await card.getByRole("button", { name: "New token" }).click();
    const dialog = page.getByRole("dialog", { name: "New API token" });
    await dialog.getByRole("button", { name: "Make token" }).click();
    await expect(dialog.getByText("Correct 2 fields.")).toBeVisible();
    await expectAccessible(page, "a new token with everything wrong");
  });
  await test.step("it is shown once, to be copied", async () => {
    const dialog = page.getByRole("dialog", { name: "New API token" });
    await dialog.getByLabel("Name", { exact: true }).fill("nightly build");
    await dialog.getByLabel("Works for").selectOption("7");
    await dialog.getByRole("checkbox", { name: /profile:read/ }).check();
    await dialog.getByRole("button", { name: "Make token" }).click();
    const shown = page.getByRole("dialog", { name: "Copy the token now" });
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await shown.getByRole("button", { name: "Copy the token" }).click();
    token = await page.evaluate(() => navigator.clipboard.readText());
    expect(token).toMatch(/^cxp_[0-9a-f]{12}_[\w-]{43}$/);
    await expectAccessible(page, "the new token");
    await shown.getByRole("button", { name: "Done" }).click();
    await expect(page.locator("body")).not.toContainText(token);
  });
  await test.step("a program is let in by it, and the list says so", async () => {
    expect((await call(token)).status()).toBe(200);
    await page.reload();
    await expect(card.getByRole("listitem")).toContainText("nightly build");
    await expect(card.getByRole("listitem")).toContainText(/profile:read/);
    await expect(card.getByRole("listitem")).toContainText(/ends in\s7\sdays/);
    await expect(card.getByRole("listitem")).toContainText(/used .* from 127\.0\.0\.1/);
  });
  await test.step("revoking says what stops, and stops it", async () => {
    await card.getByRole("button", { name: "Revoke nightly build" }).click();
    const dialog = page.getByRole("dialog", { name: /Revoke the token/ });
    await expect(dialog).toContainText("refused at once");
    await dialog.getByRole("button", { name: "Revoke", exact: true }).click();
    await expect(card).toContainText("No API token");
    expect((await call(token)).status()).toBe(401);
  });
});

test("an administrator makes a service account with a token for one group, finds it among all and revokes it", async ({ as, world, request }) => {
  const group = await world.group("pipelines", "Pipelines", []);
  const page = await as(world.admin, { at: "/admin/tokens" });
  let token = "";

  await test.step("the account is made, and leads to its page", async () => {
    await page.getByRole("button", { name: "New service account" }).first().click();
    const dialog = page.getByRole("dialog", { name: "New service account" });
    await dialog.getByLabel("User name").fill("ci-builds");
    await dialog.getByLabel("What it is for").fill("Builds of every night");
    await dialog.getByRole("checkbox", { name: /Pipelines/ }).check();
    await expectAccessible(page, "a new service account");
    await dialog.getByRole("button", { name: "Create service account" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Builds of every night" })).toBeVisible();
    await expect(page.getByText("Service account", { exact: true })).toBeVisible();
  });
  await test.step("it gets a token that works in its group only", async () => {
    await page.getByRole("button", { name: "New token" }).click();
    const dialog = page.getByRole("dialog", { name: "New API token" });
    await dialog.getByLabel("Name", { exact: true }).fill("runner seven");
    await dialog.getByRole("checkbox", { name: /workspaces:write/ }).check();
    await dialog.getByRole("checkbox", { name: /Only in certain groups/ }).check();
    await dialog.getByRole("checkbox", { name: "Pipelines" }).check();
    await dialog.getByRole("button", { name: "Make token" }).click();
    const shown = page.getByRole("dialog", { name: "Copy the token now" });
    token = (await shown.locator(".secret").innerText()).trim();
    await shown.getByRole("button", { name: "Done" }).click();
    await expect(page.getByRole("listitem").filter({ hasText: "runner seven" })).toContainText(/1\sgroup only/);
  });
  const make = (name: string) => request.post(`${world.url}/api/workspaces`, { headers: { authorization: `Bearer ${token}` }, data: { name, groupId: group.id } });
  await test.step("a program works with it", async () => {
    expect((await make("by a runner")).status()).toBe(201);
  });
  await test.step("it is found among everybody's and revoked", async () => {
    await page.goto("/admin/tokens");
    await page.getByRole("searchbox").fill("runner sev");
    const line = page.getByRole("listitem").filter({ hasText: "runner seven" });
    await expect(line).toContainText("service account");
    await line.getByRole("button", { name: "Revoke runner seven" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke", exact: true }).click();
    await expect(line).toHaveCount(0);
    expect((await make("too late")).status()).toBe(401);
  });
});
