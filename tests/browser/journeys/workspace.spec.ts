// A workspace from its creation to its deletion, and a terminal that behaves like one.
import type { Page } from "@playwright/test";
import { connected, enter, run, screen } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";
import type { Group, Person, World } from "../support/world.ts";

test.describe.configure({ mode: "serial" });

let owner: Person;
let group: Group;

test.beforeAll(async ({ world }: { world: World }) => {
  owner = await world.person("tom.ito", "Tom Ito");
  group = await world.group("platform", "Platform", [owner]);
});

/** Opens the terminal of the workspace whose page is open. */
async function openTerminal(page: Page) {
  await page.getByRole("link", { name: "Open terminal" }).first().click();
  await connected(page);
}

test("a workspace is made, typed in, stopped, started, renamed and deleted", async ({ as, allowed }) => {
  allowed.push(/status of 404 .*\/api\/workspaces\//); // what the page still asked for when it was gone
  const page = await as(owner, { at: "/" });

  await test.step("the empty home page leads to it", async () => {
    await page.getByRole("main").getByRole("link", { name: "New workspace" }).first().click();
    await expect(page.getByRole("heading", { name: "New workspace", level: 1 })).toBeVisible();
  });

  await test.step("one sees that it fits, and follows the start step by step", async () => {
    await page.getByLabel("Name", { exact: true }).fill("billing-fix");
    await page.getByRole("radio", { name: /Other/ }).check();
    await page.getByRole("textbox", { name: "CPU" }).fill("1");
    await page.getByRole("textbox", { name: "Memory" }).fill("1Gi");
    await page.getByRole("textbox", { name: "Disk" }).fill("1Gi");
    await expect(page.getByRole("region", { name: "Whether it fits" })).toContainText("Fits in Platform");
    await page.getByRole("button", { name: "Create workspace" }).click();
    await expect(page.getByRole("heading", { name: "billing-fix", level: 1 })).toBeVisible();
    await expect(page.locator(".page-head .status")).toHaveText(/Running/);
    const steps = page.getByRole("listitem").filter({ has: page.getByRole("img", { name: "done" }) });
    await expect(steps.first()).toBeVisible();
    await expect(page.getByText("Ready", { exact: true }).first()).toBeVisible();
  });

  await test.step("the terminal opens and one types", async () => {
    await openTerminal(page);
    await run(page, "echo $((6 * 7))-sum", "42-sum");
  });

  await test.step("colours are the ones of the design", async () => {
    await run(page, "printf '\\033[31m%s-word\\033[0m\\n' red", "red-word");
    const word = screen(page).locator("span", { hasText: /^red-word$/ });
    const token = await page.evaluate(() => {
      const probe = document.createElement("i");
      probe.style.color = "var(--term-red)";
      document.body.append(probe);
      const colour = getComputedStyle(probe).color;
      probe.remove();
      return colour;
    });
    await expect(word).toHaveCSS("color", token);
  });

  await test.step("letters of every language arrive and come back", async () => {
    await run(page, "printf '%s|' Grüße 日本語 žluť 🙂; echo end", "Grüße|日本語|žluť|🙂|end");
    await run(page, "echo letters-$(printf %s žluť | wc -m)", "letters-4");
  });

  await test.step("the shell knows the size of the window, and its new one", async () => {
    const told = () => page.locator(".term-foot .right").textContent();
    const before = (await told())!.split(" × ");
    await run(page, "stty size", `${before[1]} ${before[0]}`);
    await page.setViewportSize({ width: 1024, height: 700 });
    await expect.poll(told).not.toBe(before.join(" × "));
    const after = (await told())!.split(" × ");
    await run(page, "stty size", `${after[1]} ${after[0]}`);
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  await test.step("a flood of output does not stop the shell", async () => {
    await run(page, "seq 1 20000 | tail -n 20001; echo flood $((1 + 1)) over", "flood 2 over");
  });

  await test.step("a second shell is one of its own", async () => {
    await run(page, "clear; kept=first; cd /tmp; echo one-$kept", "one-first");
    await page.getByRole("button", { name: "New shell" }).click();
    await connected(page);
    await run(page, "echo two-${kept:-none}", "two-none");
    await page.getByRole("button", { name: "shell", exact: true }).click();
    await expect(screen(page)).toContainText("one-first");
  });

  await test.step("after a reload both are there, with what stood on them", async () => {
    await page.reload();
    await connected(page);
    await page.getByRole("button", { name: "shell", exact: true }).click();
    await expect(screen(page)).toContainText("one-first");
    await run(page, "echo still-$kept; pwd", "still-first");
    await page.getByRole("button", { name: "shell 2", exact: true }).click();
    await expect(screen(page)).toContainText("two-none");
  });

  await test.step("text is found in it", async () => {
    await page.getByRole("button", { name: "Find", exact: true }).click();
    await page.getByRole("textbox", { name: "Find in the terminal" }).fill("two-none");
    await expect(page.getByRole("search", { name: "Find in the terminal" })).toContainText(/of \d/);
    await page.keyboard.press("Escape");
  });

  await test.step("a shell that ends says so and offers another", async () => {
    await enter(page, "exit 3");
    await expect(page.getByText("The shell ended with code 3.")).toBeVisible();
    await page.getByRole("button", { name: "New shell" }).last().click();
    await connected(page);
  });

  await test.step("files are written, and the logs are there", async () => {
    await run(page, "cd; echo kept > note.txt; cat note.txt && echo written", "written");
    await page.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name: "Logs" }).click();
    await expect(page.getByRole("log", { name: "Logs of billing-fix" })).toBeVisible();
    await expect(page.getByText("Following")).toBeVisible();
  });

  await test.step("it is stopped, and says that its files are kept", async () => {
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await expect(page.getByText("billing-fix stops.")).toBeVisible();
    await expect(page.locator(".page-head .status")).toHaveText(/Stopped/);
    await page.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name: "Terminal" }).click();
    await expect(page.getByText("The workspace is stopped")).toBeVisible();
  });

  await test.step("it is started again, and they are", async () => {
    await page.getByRole("button", { name: "Start", exact: true }).first().click();
    await expect(page.locator(".page-head .status")).toHaveText(/Running/);
    await connected(page);
    await run(page, "cat note.txt", "kept");
  });

  await test.step("the timeline tells what happened, and who did it", async () => {
    await page.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name: "Timeline" }).click();
    await expect(page.getByRole("heading", { name: "Latest start" })).toBeVisible();
    await expect(page.getByText(/ready in/).first()).toBeVisible();
  });

  await test.step("it gets another name, and keeps its address", async () => {
    const address = page.url().replace(/\/timeline$/, "");
    await page.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name: "Settings" }).click();
    await page.getByLabel("Name", { exact: true }).fill("billing fix!");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.locator('[aria-invalid="true"]')).toBeFocused();
    await page.getByLabel("Name", { exact: true }).fill("billing-repair");
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("heading", { name: "billing-repair", level: 1 })).toBeVisible();
    expect(page.url()).toBe(`${address}/settings`);
  });

  await test.step("it is deleted once its name was typed", async () => {
    await page.getByRole("button", { name: "Delete workspace" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete billing-repair?" });
    await expect(dialog).toContainText("This deletes its disk of 1 GiB with every file on it.");
    await expect(dialog.getByRole("textbox")).toBeFocused();
    const confirm = dialog.getByRole("button", { name: "Delete with 1 GiB" });
    await dialog.getByRole("textbox").fill("billing");
    await expect(confirm).toBeDisabled();
    await dialog.getByRole("textbox").fill("billing-repair");
    await confirm.click();
    await expect(page).toHaveURL(/\/$/);
    await expect(page.getByText("No workspaces yet")).toBeVisible();
  });
});

test("what is typed while another page is shown is not lost, and a second tab shares the session", async ({ as, world }) => {
  const workspace = await world.workspace(owner, group, "shared-screen");
  const page = await as(owner, { at: `/workspaces/${workspace.id}/terminal` });
  await connected(page);
  await run(page, "echo from-$((1 + 1))", "from-2");
  await test.step("another page and back", async () => {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Groups", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Groups", level: 1 })).toBeVisible();
    await page.goBack();
    await connected(page);
    await expect(screen(page)).toContainText("from-2");
  });
  await test.step("a second tab of the same person shows the same shell", async () => {
    const second = await page.context().newPage();
    await second.goto(`/workspaces/${workspace.id}/terminal`);
    await connected(second);
    await expect(screen(second)).toContainText("from-2");
    await run(second, "echo both-$((2 + 2))", "both-4");
    await expect(screen(page)).toContainText("both-4");
    await second.close();
  });
});
