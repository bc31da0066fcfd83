// The first hour: the link from the terminal, the first administrator, people, a group, and a member who signs in.
import { Program } from "../support/program.ts";
import { expect, test } from "../support/test.ts";

test("from the set-up link to a member who has signed in", async ({ as, allowed }) => {
  allowed.push(/status of 401 .*\/api\/auth\/login$/); // the wrong password below
  allowed.push(/ERR_CONNECTION_REFUSED/); // the page is open a moment longer than its server
  const program = new Program();
  await program.start();
  try {
    const link = await program.setUpLink();
    const page = await as(null, { baseURL: program.url });

    await test.step("without a user every page leads to set-up", async () => {
      await page.goto("/groups");
      await expect(page.getByRole("heading", { name: "Set up Codex Web" })).toBeVisible();
      await expect(page).toHaveURL(/\/setup$/);
    });

    await test.step("the link makes the first administrator", async () => {
      await page.goto(link);
      await expect(page.getByLabel("One-time code")).toHaveValue(/^cxc_/);
      await page.getByRole("button", { name: "Create administrator" }).click();
      await expect(page.getByText("Correct 3 fields.")).toBeVisible(); // every invalid field at once
      await page.getByRole("textbox", { name: /^Name/ }).fill("Mara Holt");
      await page.getByLabel("E-mail").fill("mara.holt@example.org");
      await expect(page.getByLabel("User name")).toHaveValue("mara.holt");
      await page.getByLabel("Password", { exact: true }).fill("short");
      await page.getByRole("button", { name: "Create administrator" }).click();
      await expect(page.getByText("Use at least 12 characters.")).toBeVisible();
      await page.getByLabel("Password", { exact: true }).fill("a quiet harbour in autumn");
      await page.getByRole("button", { name: "Create administrator" }).click();
      await expect(page.getByRole("heading", { name: "Codex Web is ready" })).toBeVisible();
      await expect(page).not.toHaveURL(/#/); // the code does not stay in the address
    });

    await test.step("the page says what was found and what comes next", async () => {
      await expect(page.getByText("Workspaces run on this machine.")).toBeVisible();
      await page.getByRole("button", { name: "Look around first" }).click();
      await expect(page.getByRole("heading", { name: "Home", level: 1 })).toBeVisible();
      await expect(page.getByRole("complementary").getByRole("status")).toContainText("Live");
    });

    const passwords = new Map<string, string>();
    await test.step("accounts for two people", async () => {
      await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Users" }).click();
      await page.getByRole("link", { name: "New user" }).first().click();
      for (const [name, email] of [["Jonas Weber", "jonas.weber@example.org"], ["Sara Lind", "sara.lind@example.org"]]) {
        await page.getByRole("textbox", { name: /^Name/ }).fill(name);
        await page.getByLabel("E-mail").fill(email);
        await expect(page.getByLabel("User name")).toHaveValue(email.split("@")[0]);
        passwords.set(name, await page.getByRole("textbox", { name: "Temporary password" }).inputValue());
        await page.getByRole("button", { name: "Create user" }).click();
        await expect(page.getByText(`${name} can sign in.`)).toBeVisible();
        await expect(page.getByText(passwords.get(name)!)).toBeVisible();
        await page.getByRole("button", { name: "Another user" }).click();
      }
      await expect(page.getByRole("complementary").getByRole("status")).toContainText("Live");
    });

    await test.step("a group sized by a preset of the guide", async () => {
      await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Groups", exact: true }).click();
      await page.getByRole("link", { name: "New group" }).first().click();
      await page.getByLabel("Display name").fill("Payments & Billing");
      await expect(page.getByLabel("Name", { exact: true })).toHaveValue("payments-billing");
      await expect(page.getByText("codex-platform-payments-billing")).toBeVisible();
      await page.getByRole("radio", { name: /Up to 15/ }).check();
      await expect(page.getByRole("textbox", { name: "CPU" })).toHaveValue("20");
      await expect(page.getByRole("textbox", { name: "Memory" })).toHaveValue("40Gi");
      await expect(page.getByRole("textbox", { name: "Storage" })).toHaveValue("500Gi");
      await page.getByRole("button", { name: "Create group" }).click();
      await expect(page.getByRole("heading", { name: "Payments & Billing", level: 1 })).toBeVisible();
      await expect(page).toHaveURL(/\/groups\/grp_[^/]+\/members$/);
    });

    await test.step("members, one of them the group's admin", async () => {
      for (const name of ["Jonas Weber", "Sara Lind"]) {
        await page.getByRole("button", { name: "Add member" }).first().click();
        const dialog = page.getByRole("dialog", { name: "Add a member to Payments & Billing" });
        await dialog.getByRole("searchbox").fill(name.split(" ")[0].toLowerCase());
        await dialog.getByRole("radio", { name: new RegExp(name) }).check();
        await dialog.getByRole("button", { name: `Add ${name}` }).click();
        await expect(dialog).toBeHidden();
        await expect(page.getByRole("row", { name: new RegExp(name) })).toBeVisible();
      }
      const jonas = page.getByRole("row", { name: /Jonas Weber/ });
      await jonas.getByRole("button", { name: "Actions for Jonas Weber" }).click();
      await page.getByRole("menuitem", { name: "Make an admin" }).click();
      await expect(page.getByText("Jonas Weber is an admin of Payments & Billing.")).toBeVisible();
      await expect(jonas.getByText("admin", { exact: true })).toBeVisible();
    });

    await test.step("the link works once", async () => {
      const other = await as(null, { baseURL: program.url, at: link });
      await expect(other.getByRole("heading", { name: "Codex Web is set up" })).toBeVisible();
      await other.close();
    });

    await test.step("the administrator signs out", async () => {
      await page.getByRole("button", { name: "Account" }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await expect(page.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible();
    });

    await test.step("a wrong password is refused in words, and what was typed stays", async () => {
      await page.getByLabel("User name or e-mail").fill("sara.lind");
      await page.getByLabel("Password", { exact: true }).fill("not my password");
      await page.getByRole("button", { name: "Sign in" }).click();
      await expect(page.getByRole("alert")).toContainText("Wrong user name or password.");
      await expect(page.getByLabel("User name or e-mail")).toHaveValue("sara.lind");
      await expect(page.getByLabel("Password", { exact: true })).toBeFocused();
    });

    await test.step("the temporary password must be changed", async () => {
      await page.getByLabel("Password", { exact: true }).fill(passwords.get("Sara Lind")!);
      await page.keyboard.press("Enter");
      await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
      await page.goto("/groups"); // no page can be reached around it
      await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
      await page.getByLabel("Password you signed in with").fill(passwords.get("Sara Lind")!);
      await page.getByLabel("New password", { exact: true }).fill("seven geese over water");
      await page.getByLabel("New password again").fill("seven geese over wate");
      await page.getByRole("button", { name: "Change and continue" }).click();
      await expect(page.getByText("This differs from the line above.")).toBeVisible();
      await page.getByLabel("New password again").fill("seven geese over water");
      await page.getByRole("button", { name: "Change and continue" }).click();
    });

    await test.step("then she is where she belongs, and sees only that", async () => {
      await expect(page.getByRole("main")).toContainText("Payments & Billing");
      await page.goto("/");
      await expect(page.getByText("You are in Payments & Billing.")).toBeVisible();
      const main = page.getByRole("navigation", { name: "Main" });
      await expect(main.getByRole("link", { name: "Groups", exact: true })).toBeVisible();
      await expect(main.getByRole("link", { name: "Users" })).toHaveCount(0);
      await expect(main.getByRole("link", { name: "Audit" })).toHaveCount(0);
    });
  } finally {
    await program.remove();
  }
});
