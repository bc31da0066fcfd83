// The apps of a template, from the home page and the overview; here without the program, which says how to get it.
import type { BrowserContext, Page } from "@playwright/test";
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

/** A tab at the origin of an app, handed off as the page of the UI does it, whether or not the app answers. */
async function atTheApp(context: BrowserContext, url: string, workspace: string, app: string): Promise<Page> {
  const open = async (body: object) => (await (await context.request.post(`${url}/api/workspaces/${workspace}/open`, { data: body, headers: { origin: url } })).json()).url;
  const tab = await context.newPage();
  await tab.route(`${url}/open*`, (route) => route.fulfill({ contentType: "text/html", body: "<title>on the way</title>" }));
  await tab.goto(await open({ app }));
  const nonceHash = new URLSearchParams(new URL(tab.url()).hash.slice(1)).get("nonce");
  await tab.unroute(`${url}/open*`);
  await tab.goto(await open({ app, nonceHash }));
  return tab;
}

test("an app is one press away from home, and one that is not installed says how to install it", async ({ as, world, allowed }) => {
  allowed.push(/status of 503/); // what the app's origin answers in its place
  const owner = await world.person("ada.quist", "Ada Quist");
  const group = await world.group("apps", "Apps", [owner]);
  const templates = await (await world.api()).call("GET", "/api/templates");
  const editor = templates.find(({ name }: { name: string }) => name === "local:code-server");
  const workspace = await world.workspace(owner, group, "with-editor", { templateId: editor.id });
  const page = await as(owner, { at: "/" });
  const card = page.getByRole("article", { name: "with-editor" });

  await test.step("the card opens it, and has the terminal beside it", async () => {
    await expect(card.getByRole("link", { name: "Open VS Code" })).toHaveAttribute("href", `/open?workspace=${workspace.id}&app=code-server`);
    await card.getByRole("button", { name: "Other ways to open with-editor" }).click();
    await expect(page.getByRole("menuitem", { name: "Open terminal" })).toBeVisible();
    await expectAccessible(page, "ways to open");
    await page.keyboard.press("Escape");
  });
  await test.step("the way there ends at what is missing, with the command", async () => {
    const opening = page.context().waitForEvent("page");
    await card.getByRole("link", { name: "Open VS Code" }).click();
    const tab = await opening;
    await expect(tab.getByRole("heading", { name: "VS Code is not installed" })).toBeVisible();
    await expect(tab.getByText("codex-web apps install code-server --from-dir DIR")).toBeVisible();
    await expect(tab.getByRole("link", { name: "Open terminal" })).toBeVisible();
    await expectAccessible(tab, "a missing app");
    await tab.close();
  });
  await test.step("who is at the app's own origin is told there, too, and the page does not reload for ever", async () => {
    const tab = await atTheApp(page.context(), world.url, workspace.id, "code-server");
    await expect(tab.getByRole("heading", { name: "VS Code is not installed" })).toBeVisible();
    await expect(tab.getByText("codex-web apps install code-server --from-dir DIR")).toBeVisible();
    expect(await tab.locator('meta[http-equiv="refresh"]').count()).toBe(0);
    await expectAccessible(tab, "the gateway's page of a missing app");
    await tab.getByRole("link", { name: "See the workspace" }).click();
    await expect(tab.getByRole("heading", { name: "with-editor" })).toBeVisible();
    await tab.close();
  });
  await test.step("a new workspace says so before it is made; the command is for administrators", async () => {
    await page.goto("/workspaces/new");
    await page.getByRole("radio", { name: /VS Code in the browser/ }).check();
    await expect(page.getByText("VS Code is not installed on this server.")).toBeVisible();
    await expect(page.getByText("An administrator can install it.")).toBeVisible();
    await expect(page.getByText("codex-web apps install")).toHaveCount(0);
    await expectAccessible(page, "a template whose app is missing");
    const admin = await as(world.admin, { at: "/workspaces/new" });
    await admin.getByRole("radio", { name: /VS Code in the browser/ }).check();
    await expect(admin.getByText("codex-web apps install code-server --from-dir DIR")).toBeVisible();
  });
  await test.step("the overview says so too, and does not offer to open it", async () => {
    await page.goto(`/workspaces/${workspace.id}`);
    const row = page.getByRole("listitem").filter({ hasText: "Not installed" });
    await expect(row).toContainText("codex-web apps install code-server --from-dir DIR");
    await expect(row.getByRole("button", { name: "Open VS Code" })).toHaveAccessibleDescription("It is not installed.");
    await expect(page.getByRole("link", { name: "Open terminal" }).first()).toBeVisible();
    await expectAccessible(page, "overview with apps");
  });
});
