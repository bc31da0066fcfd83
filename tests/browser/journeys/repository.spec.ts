// A workspace that begins with a repository: the address is checked, and what became of the clone is told.
import type { Page } from "@playwright/test";
import { expectAccessible } from "../support/access.ts";
import { GitHost } from "../support/git-host.ts";
import { expect, test } from "../support/test.ts";
import { World } from "../support/world.ts";

test("a repository is asked for with the workspace, and an address with a secret in it is refused", async ({ as, world }) => {
  const owner = await world.person("rosa.klee", "Rosa Klee");
  const group = await world.group("repository", "Repository", [owner]);
  const page = await as(owner, { at: `/workspaces/new?group=${group.id}` });
  const field = page.getByRole("textbox", { name: /^Repository/ });
  await page.getByLabel("Name", { exact: true }).fill("with-code");

  await test.step("a token in the address is refused at the field, with the place for it", async () => {
    await field.fill("https://rosa:secret@git.example.org/team/project.git");
    await field.blur();
    await expect(field).toHaveAccessibleDescription(/Git over https in your profile/);
  });
  await test.step("one that cannot be reached starts all the same, and says that it was not cloned", async () => {
    await field.fill("https://127.0.0.1:9/team/project.git");
    await page.getByRole("radio", { name: /Small/ }).check();
    await page.getByRole("button", { name: "Create workspace" }).click();
    await expect(page.getByRole("heading", { name: "with-code", level: 1 })).toBeVisible();
    await expect(page.locator(".page-head .status")).toHaveText(/Running/);
    await page.getByRole("navigation", { name: "Workspace" }).getByRole("link", { name: "Timeline" }).click();
    await expect(page.getByRole("listitem").filter({ hasText: "clone_failed" })).toBeVisible();
  });
});

test("a clone is a line of the start that says how far it is, and the next start tries again what failed", async ({ as }) => {
  test.slow(); // a server and a git host of its own
  const host = await GitHost.start();
  const world = await World.start({ CODEX_WEB_SERVER__EXTRA_CA: host.authority, CODEX_WEB_WORKSPACES__EGRESS_ALLOW: host.place });
  try {
    const owner = await world.person("iris.rothe", "Iris Rothe");
    const group = await world.group("clones", "Clones", [owner]);
    const api = await world.api(owner);
    const make = (name: string, repository: string) => api.call("POST", "/api/workspaces", { name, groupId: group.id, resources: { cpu: "1", memory: "1Gi", storage: "1Gi" }, start: true, parameters: { repository } });
    const line = (page: Page, words: string) => page.locator(".steps li").filter({ hasText: words });

    await test.step("it goes on beside the terminal, with the percentage and what git is at", async () => {
      const { id } = await make("cloned", host.url);
      const page = await as(owner, { baseURL: world.url, at: `/workspaces/${id}` });
      await expect(page.locator(".page-head .status")).toHaveText(/Running/);
      await expect(line(page, "Cloning the repository")).toContainText(/receiving objects/);
      await expect(line(page, "Cloning the repository").locator(".s")).toHaveText(/^\d+ %$/);
      await expect(line(page, "Cloning")).toHaveCount(1);
      await expectAccessible(page, "a clone that goes on");
      await page.reload();
      await expect(line(page, "Cloning the repository").locator(".s")).toHaveText(/^\d+ %$/);
      host.letGo();
      await expect(line(page, "Repository cloned")).toContainText(`${host.url} is in ~/tool.`);
      await expect(line(page, "Cloning the repository")).toHaveCount(0);
      const files = await api.call("GET", `/api/workspaces/${id}/files/tool?list=true`);
      expect(files.entries).toHaveLength(121); // with .git
      await page.context().close(); // before its server goes
    });
    await test.step("what failed says why and what to do, in its own line", async () => {
      const { id } = await make("not-cloned", `https://${host.place}/nothing.git`);
      const page = await as(owner, { baseURL: world.url, at: `/workspaces/${id}` });
      await expect(line(page, "Repository not cloned")).toContainText(/There is no such repository, or it is private\. Check its address\./);
      await expect(page.locator(".page-head .status")).toHaveText(/Running/);
      await expectAccessible(page, "a clone that failed");
      await page.context().close();
    });
  } finally {
    await world.program.remove();
    host.stop();
  }
});
