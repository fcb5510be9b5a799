// Every suite in turn; an argument picks the tests whose name contains it.
import { run_all } from "./lib/harness.mjs";

await import("./sdk-to-local.mjs");
await import("./sdk-to-smithy.mjs");
await import("./voxringd-to-smithy.mjs");
await import("./a2a.mjs");
await import("./toolhost-to-mcp.mjs");
await import("./voxringd-to-mcp.mjs");
process.exit(await run_all(process.argv[2] ?? "") ? 0 : 1);
