// The same product on a telephone.
import { expectNoSidewaysScroll } from "../support/access.ts";
import { connected, screen } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";
import type { Group, Person, Workspace, World } from "../support/world.ts";

let owner: Person;
let group: Group;
let workspace: Workspace;

test.beforeAll(async ({ world }: { world: World }) => {
  owner = await world.person("yara.silva", "Yara Silva");
  group = await world.group("handheld", "Handheld devices and everything that is carried around", [owner]);
  workspace = await world.workspace(owner, group, "a-workspace-with-a-very-long-name-that-does-not-fit-anywhere");
});

for (const width of [390, 360]) {
  test(`${width} wide: the drawer, the action at the bottom, and a terminal for thumbs`, async ({ as }) => {
    const page = await as(owner, { at: "/", viewport: { width, height: 780 }, hasTouch: true, isMobile: true });

    await test.step("the main action is a bar at the bottom, inside the window", async () => {
      await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
      const action = page.locator(".bar-bottom").getByRole("link", { name: "New workspace" });
      await expect(action).toBeInViewport({ ratio: 1 });
      expect((await action.boundingBox())!.height).toBeGreaterThanOrEqual(40);
      await expectNoSidewaysScroll(page, "home");
    });

    await test.step("the side bar is a drawer that closes when it led somewhere", async () => {
      await expect(page.getByRole("navigation", { name: "Main" })).toBeHidden();
      await page.getByRole("button", { name: "Open the menu" }).tap();
      const drawer = page.getByRole("dialog", { name: "Menu" });
      await expect(drawer).toBeVisible();
      await drawer.getByRole("link", { name: "Groups", exact: true }).tap();
      await expect(page.getByRole("heading", { name: "Groups", level: 1 })).toBeVisible();
      await expect(drawer).toBeHidden();
      await expectNoSidewaysScroll(page, "groups");
    });

    await test.step("the terminal has the keys that a telephone lacks", async () => {
      await page.goto(`/workspaces/${workspace.id}/terminal`);
      await connected(page);
      await expectNoSidewaysScroll(page, "terminal");
      await page.locator(".term-screen:not([hidden]) .xterm-helper-textarea").focus();
      await page.keyboard.insertText("echo once");
      await page.keyboard.press("Enter");
      await expect(screen(page).getByText("once", { exact: true }).first()).toBeVisible();
      await page.getByRole("button", { name: "Up", exact: true }).tap(); // the line before
      await page.keyboard.insertText(" more");
      await page.keyboard.press("Enter");
      await expect(screen(page)).toContainText("once more");
      await page.keyboard.insertText("sleep 600");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Ctrl", exact: true }).tap();
      await expect(page.getByRole("button", { name: "Ctrl", exact: true })).toHaveAttribute("aria-pressed", "true");
      await page.keyboard.insertText("c");
      await expect(screen(page)).toContainText("^C");
      for (const name of ["Esc", "Tab", "Ctrl", "Left"]) {
        const box = (await page.getByRole("button", { name, exact: true }).boundingBox())!;
        expect(Math.min(box.width, box.height), `the ${name} key`).toBeGreaterThanOrEqual(40);
      }
    });

    await test.step("tables become lists", async () => {
      await page.goto(`/groups/${group.id}/workspaces`);
      await expect(page.getByRole("row", { name: /a-workspace-with/ })).toContainText("Running");
      await expectNoSidewaysScroll(page, "workspaces of a group");
    });

    await test.step("a workspace is made with the thumb", async () => {
      await page.goto("/workspaces/new");
      await page.getByLabel("Name", { exact: true }).fill(`by-thumb-${width}`);
      await expect(page.getByRole("region", { name: "Whether it fits" })).toContainText("Fits in");
      await page.getByRole("button", { name: "Create workspace" }).tap();
      await expect(page.getByRole("heading", { name: `by-thumb-${width}`, level: 1 })).toBeVisible();
      await expect(page.locator(".page-head .status")).toHaveText(/Running/);
      await expectNoSidewaysScroll(page, "workspace");
    });
  });
}

test("390 wide: groups are made from the bottom, and their numbers have words", async ({ as, world }) => {
  const page = await as(world.admin, { at: "/admin/groups", viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  const row = page.getByRole("row", { name: /Handheld devices/ });
  await expect(row).toContainText(/\d+\smembers?/, { useInnerText: true });
  await expect(row).toContainText(/\d+\sworkspaces?/, { useInnerText: true });
  await expect(row).not.toContainText("%", { useInnerText: true });
  for (const path of ["/admin/groups", "/groups"]) {
    await page.goto(path);
    await expect(page.locator(".bar-bottom").getByRole("link", { name: "New group" })).toBeInViewport({ ratio: 1 });
    await expect(page.getByRole("link", { name: "New group" }).locator("visible=true")).toHaveCount(1);
  }
});
