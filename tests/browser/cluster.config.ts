// What is done in a browser against a real Kubernetes; the stage `kubernetes` brings the cluster.
import { defineConfig } from "@playwright/test";
import journeys from "./playwright.config.ts";

export default defineConfig(journeys, { testDir: "cluster", timeout: 420_000, expect: { timeout: 30_000 } });
