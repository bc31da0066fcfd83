// Everything with the keyboard alone: the pointer is not touched once.
import type { Page } from "@playwright/test";
import { expectFocusSeen } from "../support/access.ts";
import { connected, screen } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";

/** Goes on with Tab until this has the focus; the focus is seen at every stop. */
async function tabTo(page: Page, name: RegExp, role?: string): Promise<void> {
  for (let stop = 0; stop < 80; stop += 1) {
    await page.keyboard.press("Tab");
    const at = await expectFocusSeen(page);
    if (name.test(at) && (!role || at.startsWith(role))) return;
  }
  throw new Error(`Tab never came to ${name}`);
}

test("signing in, making a workspace, typing in it and deleting it", async ({ as, world, allowed }) => {
  allowed.push(/status of 404 .*\/api\/workspaces\//); // what the page still asked for when it was gone
  const person = await world.person("kim.novak", "Kim Novak");
  await world.group("access", "Access", [person]);
  const page = await as(null, { at: "/" });

  await test.step("the form has the focus; Enter sends it", async () => {
    await expect(page.getByLabel("User name or e-mail")).toBeFocused();
    await page.keyboard.type(person.email);
    await page.keyboard.press("Tab");
    await page.keyboard.type(person.password);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
  });

  await test.step("the first stop skips the frame", async () => {
    await page.reload();
    await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
    await page.keyboard.press("Tab");
    await expect(page.getByRole("link", { name: "To the content" })).toBeFocused();
    await page.keyboard.press("Enter");
    await tabTo(page, /New workspace|Choose|Use|a "/);
  });

  await test.step("the palette goes anywhere, and Escape gives the focus back", async () => {
    await page.keyboard.press("Control+k");
    const ask = page.getByRole("combobox", { name: "Search or jump to" });
    await expect(ask).toBeFocused();
    await page.keyboard.press("Escape");
    await expect(ask).toBeHidden();
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("combobox", { name: "Search or jump to" })).toBeFocused();
    await page.keyboard.type("Access");
    await expect(page.getByRole("option", { name: /Access/ }).first()).toHaveAttribute("aria-selected", "true");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "Access", level: 1 })).toBeVisible();
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("combobox", { name: "Search or jump to" })).toBeFocused();
    await page.keyboard.type(">new work");
    await expect(page.getByRole("option", { name: /New workspace/ })).toBeVisible();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "New workspace", level: 1 })).toBeVisible();
  });

  await test.step("a workspace is made", async () => {
    await tabTo(page, /"name"/);
    await page.keyboard.press("Control+a");
    await page.keyboard.type("by-hand");
    await tabTo(page, /"size"/);
    await page.keyboard.press("ArrowUp"); // radios move with the arrows; the first wraps to the last, and back
    await page.keyboard.press("ArrowDown");
    await expect(page.getByRole("region", { name: "Whether it fits" })).toContainText("Fits in Access");
    await tabTo(page, /Create workspace/);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "by-hand", level: 1 })).toBeVisible();
    await expect(page.locator(".page-head .status")).toHaveText(/Running/);
  });

  await test.step("its terminal takes every key, and Control Shift Escape leaves it", async () => {
    await tabTo(page, /Open terminal/);
    await page.keyboard.press("Enter");
    await connected(page);
    await expect(page.locator(".xterm-helper-textarea")).toBeFocused();
    await page.keyboard.type("echo key-$((3 + 4))");
    await page.keyboard.press("Enter");
    await expect(screen(page)).toContainText("key-7");
    await page.keyboard.press("Tab"); // belongs to the shell
    await expect(page.locator(".xterm-helper-textarea")).toBeFocused();
    await page.keyboard.press("Control+Shift+Escape");
    await expect(page.getByRole("button", { name: "shell", exact: true })).toBeFocused();
  });

  await test.step("a menu opens, moves with the arrows, and closes onto its button", async () => {
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("combobox", { name: "Search or jump to" })).toBeFocused();
    await page.keyboard.type("by-hand");
    await expect(page.getByRole("option", { name: /by-hand/ }).first()).toHaveAttribute("aria-selected", "true");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("link", { name: "Overview" })).toHaveAttribute("aria-current", "page");
    await tabTo(page, /More actions/);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("menuitem").first()).toBeFocused();
    await page.keyboard.press("End");
    await expect(page.getByRole("menuitem", { name: "Delete" })).toBeFocused();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("button", { name: "More actions" })).toBeFocused();
  });

  await test.step("a dialog holds the focus, and its field is where it starts", async () => {
    await page.keyboard.press("Enter");
    await expect(page.getByRole("menuitem").first()).toBeFocused();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Delete by-hand?" });
    await expect(dialog.getByRole("textbox")).toBeFocused();
    for (let stop = 0; stop < 6; stop += 1) {
      await page.keyboard.press("Tab");
      await expectFocusSeen(page);
      expect(await dialog.evaluate((element) => element.contains(document.activeElement) || document.activeElement === document.body)).toBe(true);
    }
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
    await expect(page.getByRole("button", { name: "More actions" })).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("menuitem").first()).toBeFocused();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    // A script types faster than a dialog opens; what a person typed that fast would open nothing else.
    await expect(dialog.getByRole("textbox")).toBeFocused();
    await page.keyboard.type("by-hand");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/\/$/);
  });

  await test.step("the keys are listed, and single letters go places", async () => {
    await page.keyboard.press("?");
    await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("g");
    await expect(page.getByRole("heading", { name: "Groups", level: 1 })).toBeVisible();
    await page.keyboard.press("n");
    await expect(page.getByRole("heading", { name: "New workspace", level: 1 })).toBeVisible();
  });
});

test("on every page each stop of Tab is seen, none is covered, and none is a trap", async ({ as, world }) => {
  test.setTimeout(300_000);
  const group = await world.group("stops", "Stops", [world.admin]);
  const workspace = await world.workspace(world.admin, group, "stopped-here", { start: false });
  const narrow = ["/", "/workspaces/new", `/workspaces/${workspace.id}`, `/groups/${group.id}/members`, "/admin/users", "/admin/audit"];
  const all = [...narrow, `/workspaces/${workspace.id}/settings`, "/groups", "/groups/new", `/groups/${group.id}`, `/groups/${group.id}/settings`, "/profile", "/admin/users/new", `/admin/users/${world.admin.id}`, "/admin/groups", "/admin/workspaces", "/admin/access"];
  for (const { width, paths } of [{ width: 1440, paths: all }, { width: 390, paths: narrow }]) {
    const page = await as(world.admin, { viewport: { width, height: 800 } });
    for (const path of paths) {
      await test.step(`${path} at ${width}`, async () => {
        await page.goto(path);
        await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
        await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
        const seen: string[] = [];
        for (let stop = 0; stop < 40; stop += 1) {
          await page.keyboard.press("Tab");
          const at = await expectFocusSeen(page);
          if (at === "nothing") break; // past the end of the page
          seen.push(at);
        }
        expect(new Set(seen).size, `stops on ${path}: ${seen.join(", ")}`).toBeGreaterThan(4);
      });
    }
    await page.close();
  }
});

test("what is typed while the palette is still on its way is in it", async ({ as, world }) => {
  const person = await world.person("lea.haas", "Lea Haas");
  await world.group("quick", "Quick hands", [person]);
  const page = await as(person, { at: "/" });
  await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
  let sent = (): void => undefined;
  const held = new Promise<void>((done) => { sent = done; });
  await page.route("**/components/palette.js", async (route) => { await held; await route.continue(); });
  await page.keyboard.press("Control+k");
  await page.keyboard.type("quixk");
  for (let n = 0; n < 2; n += 1) await page.keyboard.press("Backspace");
  await page.keyboard.type("ck");
  sent();
  await expect(page.getByRole("combobox", { name: "Search or jump to" })).toHaveValue("quick");
  await page.keyboard.type(" h");
  await expect(page.getByRole("option", { name: /^Quick hands/ })).toBeVisible();
});
