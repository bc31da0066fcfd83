// What a workspace reaches: the policy in words, and each refused target with its rule.
import { expectAccessible } from "../support/access.ts";
import { connected, run } from "../support/shell.ts";
import { expect, test } from "../support/test.ts";

test("the network of a workspace says what it may reach, and what was refused by which rule", async ({ as, world }) => {
  const owner = await world.person("olav.berg", "Olav Berg");
  const group = await world.group("network", "Network", [owner]);
  const workspace = await world.workspace(owner, group, "fetcher");
  const page = await as(owner, { at: `/workspaces/${workspace.id}/network` });
  const { governed } = await (await world.api(owner)).call("GET", `/api/workspaces/${workspace.id}/egress`);

  await test.step("the policy stands in words", async () => {
    await expect(page.getByRole("heading", { name: "What it may reach" })).toBeVisible();
    await expect(page.getByText("Open", { exact: true })).toBeVisible();
    await expectAccessible(page, "network");
  });

  if (!governed) {
    await expect(page.getByText("Its network is not governed.")).toBeVisible();
    return;
  }

  await test.step("a refused target appears with the rule", async () => {
    await expect(page.getByText("Nothing was reached yet")).toBeVisible();
    const terminal = await page.context().newPage();
    await terminal.goto(`/workspaces/${workspace.id}/terminal`);
    await connected(terminal);
    await run(terminal, "curl -s -o /dev/null -w 'answer-%{http_code}\\n' http://169.254.169.254/latest/", "answer-403");
    await page.bringToFront();
    const refused = page.getByRole("listitem").filter({ hasText: "169.254.169.254:80" });
    await expect(refused).toContainText("metadata address");
    await expect(refused).toContainText("workspaces.egress_allow");
    await expectAccessible(page, "refused targets");
  });
});
