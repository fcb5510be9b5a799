// voxringd runs MCP servers by its config, and their tools can be called.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { Gateway } from "./lib/gateway.mjs";
import { suite, test } from "./lib/harness.mjs";
import { Local, keys } from "./lib/local.mjs";
import { root, temporary_folder } from "./lib/processes.mjs";

suite("voxringd and MCP servers");

const modules = path.join(root,
    "tests/interop/node_modules/@modelcontextprotocol");

async function start(scope, mcp) {
    const local = await Local.start(scope);
    const none = path.join(temporary_folder(scope), "plugins");
    mkdirSync(none, { mode: 0o700 });
    return Gateway.start(scope, { url: local.endpoint, ca_file: local.ca }, {
        keys, config: { mcp, plugins: { path: none } },
    });
}

/** What `voxring tool call` prints. */
async function call(gateway, name, args) {
    const child = gateway.voxring("tool", "call", name, JSON.stringify(args));
    await child.exit();
    return [...child.lines, ...child.errors].join("\n");
}

/** Waits until `voxring tool list` has it: an event may come before anybody
 * can hear it. */
async function listed(gateway, pattern) {
    const until = Date.now() + 20000;
    for (;;) {
        const child = gateway.voxring("tool", "list");
        await child.exit();
        const text = [...child.lines, ...child.errors].join("\n");
        if (pattern.test(text)) {
            return;
        }
        assert(Date.now() < until, `${pattern} is not in:\n${text}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

test("two servers by config, and their calls",
    async (scope) => {
        const folder = temporary_folder(scope);
        writeFileSync(path.join(folder, "note.txt"), "buy milk");
        const gateway = await start(scope, {
            all: {
                command: "node", prefix: "all_",
                args: [path.join(modules, "server-everything/dist/index.js")],
                allow: ["echo", "get-sum", "get-structured-content"],
            },
            files: {
                command: "node", prefix: "files_",
                args: [path.join(modules, "server-filesystem/dist/index.js"),
                    folder],
            },
        });
        await listed(gateway, /all_echo/);
        await listed(gateway, /files_read_text_file/);
        assert.match(await call(gateway, "all_echo", { message: "hi" }),
            /Echo: hi/);
        assert.match(await call(gateway, "all_get-sum", { a: 2, b: 3 }),
            /2 and 3 is 5/);
        assert.match(await call(gateway, "files_read_text_file",
            { path: path.join(folder, "note.txt") }), /buy milk/);
        assert.match(await call(gateway, "files_read_text_file",
            { path: "/etc/passwd" }), /denied|outside/i);
        assert.match(await call(gateway, "all_get-structured-content",
            { location: "Chicago" }), /"?humidity"?/);
        assert.equal(await gateway.stop(), 0);
    });

test("a server that cannot be started is refused with its key",
    async (scope) => {
        const gateway = await start(scope,
            { broken: { command: "no-such-program" } });
        await listed(gateway,
            /mcp\.broken\.command: there is no program/);
        assert.equal(await gateway.stop(), 0);
    });
