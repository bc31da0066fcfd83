// A workspace that begins with a repository: the address is checked, and what became of the clone is told.
import { expect, test } from "../support/test.ts";

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
    await expect(page.getByText(/clone/i).first()).toBeVisible();
  });
});
