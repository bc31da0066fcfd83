// The pictures of the README: `npm run tour`. Not a test; it is here because it needs the same browser and server.
import journeys from "../playwright.config.ts";

export default { ...journeys, testDir: ".", outputDir: "../../../target/browser/tour", use: { ...journeys.use, viewport: { width: 1280, height: 800 } } };
