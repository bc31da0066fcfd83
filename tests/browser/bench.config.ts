// What takes its time, measured; apart from the journeys, because a number says something on a quiet machine only.
import { defineConfig } from "@playwright/test";
import journeys from "./playwright.config.ts";

export default defineConfig(journeys, { testDir: "bench", timeout: 600_000, reporter: "line" });
