// The quality of the pages as Lighthouse sees it: `npm run quality`, and a stage of tests/run. Apart from the journeys, because
// the speed that it reckons says something on a quiet machine only, and because the tool is large: it is installed when it is
// first asked for.
import { defineConfig } from "@playwright/test";
import journeys from "./playwright.config.ts";

export default defineConfig(journeys, { testDir: "quality", timeout: 1_800_000, reporter: "line" });
