// Every page, in both themes, at every width: axe, names, spacing, zoom, and nothing blocked by the content policy.
import type { Page } from "@playwright/test";
import { expectAccessible, expectNamesHoldText, expectNoSidewaysScroll, expectRoomForSpacing } from "../support/access.ts";
import { connected, run } from "../support/shell.ts";
import { Program } from "../support/program.ts";
import { expect, test } from "../support/test.ts";
import type { Group, Person, Workspace, World } from "../support/world.ts";

let member: Person;
let group: Group;
let running: Workspace;
let stopped: Workspace;
let failed: Workspace;

test.beforeAll(async ({ world }: { world: World }) => {
  test.setTimeout(120_000);
  member = await world.person("vera.kunze", "Vera Kunze");
  const fresh = await world.person("emil.berg", "Emil Berg");
  group = await world.group("every-page", "Payments and settlement", [member, fresh, world.admin], [], { cpu: "4", memory: "8Gi", storage: "100Gi", pods: 10 }, "Everything about money that moves.");
  await world.group("second", "Second group", []);
  running = await world.workspace(world.admin, group, "checkout-service", { description: "The service behind the checkout page." });
  stopped = await world.workspace(world.admin, group, "ledger-export", { start: false });
  const api = await world.api();
  failed = await api.call("POST", "/api/workspaces", { name: "container-only", groupId: group.id, image: "registry.example.com/team/image:1", resources: { cpu: "1", memory: "1Gi", storage: "1Gi" }, start: true });
  await expect.poll(async () => (await api.call("GET", `/api/workspaces/${failed.id}`)).status, { timeout: 20_000 }).toBe("error");
  await api.call("POST", `/api/admin/users/${fresh.id}/disable`, { reason: "To be seen." });
});

/** Every page there is, by what its heading shows when it is there. */
const pages = (): [string, string][] => [
  ["home", "/"],
  ["new workspace", "/workspaces/new"],
  ["workspace", `/workspaces/${running.id}`],
  ["terminal", `/workspaces/${running.id}/terminal`],
  ["files", `/workspaces/${running.id}/files`],
  ["ports", `/workspaces/${running.id}/ports`],
  ["network", `/workspaces/${running.id}/network`],
  ["metrics", `/workspaces/${running.id}/metrics`],
  ["logs", `/workspaces/${running.id}/logs`],
  ["timeline", `/workspaces/${running.id}/timeline`],
  ["workspace settings", `/workspaces/${running.id}/settings`],
  ["stopped workspace", `/workspaces/${stopped.id}`],
  ["terminal of a stopped workspace", `/workspaces/${stopped.id}/terminal`],
  ["files of a stopped workspace", `/workspaces/${stopped.id}/files`],
  ["ports of a stopped workspace", `/workspaces/${stopped.id}/ports`],
  ["waiting for a port", `/open?workspace=${running.id}&port=9`],
  ["a link that was cut off", "/open"],
  ["failed workspace", `/workspaces/${failed.id}`],
  ["timeline of a failed workspace", `/workspaces/${failed.id}/timeline`],
  ["groups", "/groups"],
  ["new group", "/groups/new"],
  ["group", `/groups/${group.id}`],
  ["members", `/groups/${group.id}/members`],
  ["workspaces of a group", `/groups/${group.id}/workspaces`],
  ["group settings", `/groups/${group.id}/settings`],
  ["notices", "/notices"],
  ["profile", "/profile"],
  ["activity", "/activity"],
  ["users", "/admin/users"],
  ["new user", "/admin/users/new"],
  ["import users", "/admin/users/import"],
  ["user", `/admin/users/${member.id}`],
  ["API tokens", "/admin/tokens"],
  ["offboarding", `/admin/users/${member.id}/offboard`],
  ["all groups", "/admin/groups"],
  ["all workspaces", "/admin/workspaces"],
  ["overview", "/admin"],
  ["settings", "/admin/settings"],
  ["audit", "/admin/audit"],
  ["administrators by week", "/admin/audit/administrators"],
  ["access", "/admin/access"],
  ["help", "/help"],
  ["user's guide", "/help/user"],
  ["chapter of the guide", "/help/user/groups"],
  ["search of the guides", "/help?q=quota"],
  ["table of settings", "/help/operator/settings"],
  ["whole guide", "/help/operator/all"],
  ["api reference", "/help/api"],
  ["calls of the api", "/help/api/groups#post_api_groups"],
];

/** The page is complete: its heading is there, and nothing is still on its way. */
async function settled(page: Page, what: string): Promise<void> {
  await expect(page.getByRole("heading", { level: 1 }).first(), what).toBeVisible();
  await expect(page.locator('[aria-busy="true"]'), what).toHaveCount(0);
  if (what === "terminal") await connected(page);
  await page.evaluate(() => document.fonts.ready);
}

/** A picture of it among the results, for whoever wants to look. */
async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `../../target/browser/pictures/${name.replaceAll(" ", "-")}.png`, fullPage: true });
}

/** What is there now, looked at wide and narrow: its picture and axe; it is left wide. */
async function looked(page: Page, name: string, theme: string): Promise<void> {
  await page.mouse.move(0, 0); // what comes to lie under it would show its tip
  for (const size of [{ width: 390, height: 844 }, { width: 1440, height: 900 }]) {
    await page.setViewportSize(size);
    await picture(page, `${name}-${theme}-${size.width}`);
    await expectAccessible(page, `${name} at ${size.width} in ${theme}`);
    await expectNoSidewaysScroll(page, `${name} at ${size.width} in ${theme}`);
  }
}

for (const theme of ["light", "dark"] as const) {
  test(`every page is accessible in ${theme}, and the content policy blocks nothing on it`, async ({ as, world }) => {
    test.setTimeout(600_000);
    const page = await as(world.admin, { colorScheme: theme });
    for (const [name, path] of pages()) {
      await test.step(name, async () => {
        await page.goto(path);
        await settled(page, name);
        await expect(page).toHaveTitle(/ · Codex Web$/);
        await picture(page, `${name}-${theme}-1440`);
        await expectAccessible(page, `${name} in ${theme}`);
        if (theme === "light") await expectNamesHoldText(page, name);
      });
    }
  });

  test(`what floats above the pages is accessible in ${theme}`, async ({ as, world }) => {
    test.setTimeout(300_000);
    const page = await as(world.admin, { colorScheme: theme });
    const look = (name: string) => looked(page, name, theme);
    await test.step("palette", async () => {
      await page.goto("/");
      await settled(page, "home");
      await page.keyboard.press("Control+k");
      await expect(page.getByRole("combobox", { name: "Search or jump to" })).toBeFocused();
      await page.keyboard.type("pay");
      await expect(page.getByRole("option", { name: /^Payments/ })).toBeVisible();
      await look("palette");
      await page.keyboard.press("Escape");
    });
    await test.step("keys", async () => {
      await page.keyboard.press("?");
      await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
      await look("keys");
      await page.keyboard.press("Escape");
    });
    await test.step("account menu", async () => {
      await page.getByRole("button", { name: "Account" }).click();
      await expect(page.getByRole("menuitem", { name: "Sign out" })).toBeVisible();
      await look("account menu");
      await page.keyboard.press("Escape");
    });
    await test.step("deleting a workspace", async () => {
      await page.goto(`/workspaces/${stopped.id}/settings`);
      await page.getByRole("button", { name: "Delete workspace" }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
      await look("delete dialog");
    });
    await test.step("adding a member", async () => {
      await page.goto(`/groups/${group.id}/members`);
      await page.getByRole("button", { name: "Add member" }).first().click();
      // The first few people of an installation in which other journeys made some too need not be her.
      await page.getByRole("dialog").getByRole("searchbox").fill("vera");
      await expect(page.getByRole("dialog").getByRole("radio", { name: /Vera Kunze/ })).toBeVisible();
      await look("add member dialog");
    });
    await test.step("selected rows", async () => {
      await page.goto("/admin/users");
      await page.getByRole("row", { name: /Vera Kunze/ }).getByRole("checkbox").check();
      await expect(page.getByText("1 selected")).toBeVisible();
      await look("selected rows");
    });
    await test.step("resetting a password", async () => {
      await page.goto(`/admin/users/${member.id}`);
      await page.getByRole("button", { name: "More actions" }).click();
      await page.getByRole("menuitem", { name: "Reset password" }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
      await look("reset dialog");
    });
    await test.step("an open entry of the audit", async () => {
      await page.goto("/admin/audit?action=disable_user");
      await page.getByRole("button", { name: "Details" }).first().click();
      await expect(page.locator("tr.detail")).toBeVisible();
      await look("audit entry");
    });
    await test.step("a form with everything wrong", async () => {
      await page.goto("/admin/users/new");
      await page.getByRole("textbox", { name: "Temporary password" }).fill("");
      await page.getByRole("button", { name: "Create user" }).click();
      await expect(page.getByText("Correct 3 fields.")).toBeVisible();
      await look("wrong form");
    });
    await test.step("does not fit", async () => {
      await page.goto("/workspaces/new");
      await page.getByRole("radio", { name: /Other/ }).check();
      await page.getByLabel("Name", { exact: true }).fill("much-too-large");
      await page.getByRole("textbox", { name: "CPU" }).fill("64");
      await expect(page.getByRole("region", { name: "Whether it fits" })).toContainText("Does not fit");
      await look("does not fit");
    });
    await test.step("finding in a terminal", async () => {
      await page.goto(`/workspaces/${running.id}/terminal`);
      await connected(page);
      await run(page, "printf 'found-it\\n'", "found-it");
      await page.getByRole("button", { name: "Find", exact: true }).click();
      await page.getByRole("textbox", { name: "Find in the terminal" }).fill("found");
      await look("terminal search");
    });
  });

  test(`what is seen without a session is accessible in ${theme}`, async ({ as, world, allowed }) => {
    test.setTimeout(300_000);
    const page = await as(null, { colorScheme: theme, at: "/sign-in" });
    await settled(page, "sign-in");
    await looked(page, "sign-in", theme);
    await page.getByLabel("User name or e-mail").fill("nobody");
    await page.getByLabel("Password", { exact: true }).fill("nothing");
    allowed.push(/status of 401 .*login/);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toBeVisible();
    await looked(page, "refused sign-in", theme);
    await test.step("the form of a password that must be changed", async () => {
      const api = await world.api();
      const username = `changes.${theme}`;
      await api.call("POST", "/api/admin/users", { username, email: `${username}@example.org`, temporaryPassword: "only for the first time" });
      await page.getByLabel("User name or e-mail").fill(username);
      await page.getByLabel("Password", { exact: true }).fill("only for the first time");
      await page.getByRole("button", { name: "Sign in" }).click();
      await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
      await looked(page, "change-password", theme);
    });
    await test.step("the guides", async () => {
      const reader = await as(null, { colorScheme: theme, at: "/help/user/start" });
      await settled(reader, "guide without a session");
      await expect(reader.getByRole("link", { name: "Sign in", exact: true })).toBeVisible();
      await looked(reader, "guide without a session", theme);
    });
    await test.step("set-up", async () => {
      allowed.push(/ERR_CONNECTION_REFUSED/); // the page is open a moment longer than its server
      const program = new Program();
      await program.start();
      try {
        const first = await as(null, { baseURL: program.url, colorScheme: theme, at: await program.setUpLink() });
        await settled(first, "set-up");
        await looked(first, "set-up", theme);
        await first.getByLabel("E-mail").fill("first@example.org");
        await first.getByLabel("Password", { exact: true }).fill("a quiet harbour in autumn");
        await first.getByRole("button", { name: "Create administrator" }).click();
        await expect(first.getByRole("heading", { name: "Codex Web is ready" })).toBeVisible();
        await looked(first, "set-up-done", theme);
        for (const [name, path] of [["empty home", "/"], ["empty groups", "/groups"], ["empty workspaces", "/admin/workspaces"]]) {
          await first.goto(path);
          await settled(first, name);
          await looked(first, name, theme);
        }
      } finally {
        await program.remove();
      }
    });
  });
}

test("no page is wider than the window at 360, 768, 1200 and 1440, nor at 200 % zoom, nor with wide text spacing", async ({ as, world }) => {
  test.setTimeout(600_000);
  // 1280 wide at 200 % zoom is 640 CSS pixels, each of four.
  for (const { width, height, deviceScaleFactor } of [{ width: 360, height: 780, deviceScaleFactor: 1 }, { width: 640, height: 400, deviceScaleFactor: 2 }, { width: 768, height: 1024, deviceScaleFactor: 1 }, { width: 1200, height: 800, deviceScaleFactor: 1 }, { width: 1440, height: 900, deviceScaleFactor: 1 }]) {
    const page = await as(world.admin, { viewport: { width, height }, deviceScaleFactor });
    for (const [name, path] of pages()) {
      await test.step(`${name} at ${width}`, async () => {
        await page.goto(path);
        await settled(page, name);
        await expectNoSidewaysScroll(page, `${name} at ${width}`);
        await expectRoomForSpacing(page, `${name} at ${width}`);
      });
    }
    await page.close();
  }
});

for (const theme of ["light", "dark"] as const) {
  test(`narrow pages are accessible in ${theme} too`, async ({ as, world }) => {
    test.setTimeout(600_000);
    const page = await as(world.admin, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: theme });
    for (const [name, path] of pages()) {
      await test.step(name, async () => {
        await page.goto(path);
        await settled(page, name);
        await picture(page, `${name}-${theme}-390`);
        await expectAccessible(page, `${name} at 390 in ${theme}`);
      });
    }
  });
}

/** What a page asks for before it is one: who looks, what may be done here, and the object that the page is about. */
const FRAME = /^\/api\/(auth\/(me|providers)|events|whoami|notices|openapi\.json|templates|(workspaces|groups|admin\/users|users)\/[a-z]+_[0-9a-f]{32})$/;

/** What a page can do without: the list at the side, and the beginning of names, which the server adds by itself. */
const BESIDE = ["/api/workspaces", "/api/admin/settings"];

test("on every page what could not be read is said, with a way to try again, and the frame stays", async ({ as, world, allowed }) => {
  test.setTimeout(300_000);
  allowed.push(/status of 500/);
  const page = await as(world.admin);
  const error = { httpcode: 500, httpstatus: "Internal Server Error", code: "INTERNAL_ERROR", message: "Something went wrong on our side. Try again in a minute.", callid: "call_00000000000000000000000000000abc", time: "2026-01-01T00:00:00Z" };
  let failed: string[] = [];
  await page.route((url) => url.pathname.startsWith("/api/"), (route) => {
    const { pathname } = new URL(route.request().url());
    if (route.request().method() !== "GET" || FRAME.test(pathname)) return route.continue();
    failed.push(pathname);
    return route.fulfill({ status: 500, json: { error } });
  });
  const silent: string[] = [];
  for (const [name, path] of pages().filter(([one, path]) => !one.startsWith("terminal") && !path.startsWith("/open"))) {
    await test.step(name, async () => {
      await page.goto("about:blank"); // what the page before still asks for is not asked by this one
      failed = [];
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 }).first(), name).toBeVisible();
      await expect(page.locator('[aria-busy="true"]'), name).toHaveCount(0);
      await expect(page.getByRole("navigation", { name: "Main" }), name).toBeVisible();
      const said = page.getByRole("main").getByRole("alert");
      const missed = [...new Set(failed)].filter((one) => !BESIDE.includes(one));
      if (missed.length > 0 && (await said.count()) === 0) silent.push(`${name}: ${missed.join(" ")}`);
      else if (missed.length > 0) await expect(said.first().getByRole("button", { name: /Try again|Read again|Again/ }).first(), name).toBeVisible();
    });
  }
  expect(silent, "pages that say nothing of what failed").toEqual([]);
});
