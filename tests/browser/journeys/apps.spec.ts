// The apps of a template, from the home page and the overview; here without the program, which says how to get it.
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";

test("an app is one press away from home, and one that is not installed says how to install it", async ({ as, world }) => {
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
  await test.step("the overview says so too, and does not offer to open it", async () => {
    await page.goto(`/workspaces/${workspace.id}`);
    const row = page.getByRole("listitem").filter({ hasText: "Not installed" });
    await expect(row).toContainText("codex-web apps install code-server --from-dir DIR");
    await expect(row.getByRole("button", { name: "Open VS Code" })).toHaveAccessibleDescription("It is not installed.");
    await expect(page.getByRole("link", { name: "Open terminal" }).first()).toBeVisible();
    await expectAccessible(page, "overview with apps");
  });
});
