// voxring-toolhost makes the tools of the reference MCP servers, as npm has
// them, tools of a gateway.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";

import { suite, test } from "./lib/harness.mjs";
import { Child, root, temporary_folder } from "./lib/processes.mjs";
import { Toolhost, check } from "./lib/toolhost.mjs";

suite("voxring-toolhost and MCP servers");

const modules = path.join(root,
    "tests/interop/node_modules/@modelcontextprotocol");
const everything = path.join(modules, "server-everything/dist/index.js");
const filesystem = path.join(modules, "server-filesystem/dist/index.js");
const name_rule = /^[A-Za-z0-9_-]{1,64}$/;

/** A port that nobody had a moment ago: the server takes no 0. */
function free_port() {
    return new Promise((resolve) => {
        const server = createServer().listen(0, "127.0.0.1", () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

async function everything_over_http(scope) {
    const port = await free_port();
    const server = new Child(scope, process.execPath,
        [everything, "streamableHttp"], { env: { PORT: String(port) } });
    await server.line(/listening on port/, { lines: server.errors });
    return { url: `http://127.0.0.1:${port}/mcp`, server };
}

function texts(result) {
    return result.content.map((block) => block.text);
}

function check_tools(tools) {
    const names = tools.map((tool) => tool.name);
    for (const wanted of ["echo", "get-sum", "get-tiny-image",
        "get-structured-content", "trigger-long-running-operation"]) {
        assert(names.includes(wanted), `${wanted} is offered`);
    }
    // it runs only as a task
    assert(!names.includes("simulate-research-query"));
    for (const tool of tools) {
        assert.match(tool.name, name_rule);
        assert.equal(tool.inputSchema.type, "object");
        assert(tool.description.length > 0);
        assert.deepEqual(Object.keys(tool).sort(),
            ["_meta", "description", "inputSchema", "name"]);
    }
}

async function check_results(host) {
    assert.deepEqual(texts(await host.call("echo", { message: "Grüß Gott" })),
        ["Echo: Grüß Gott"]);
    assert.deepEqual(texts(await host.call("get-sum", { a: 2, b: 40 })),
        ["The sum of 2 and 40 is 42."]);
    const weather = await host.call("get-structured-content",
        { location: "Chicago" });
    assert.deepEqual(weather.structuredContent,
        { temperature: 36, conditions: "Light rain / drizzle", humidity: 82 });
    assert.deepEqual(JSON.parse(texts(weather)[0]), weather.structuredContent);
    const image = texts(await host.call("get-tiny-image"));
    assert.equal(image.length, 3);
    assert.match(image[1], /^\[image, image\/png, \d+ bytes, not shown\]$/);
    const links = texts(await host.call("get-resource-links", { count: 2 }));
    assert.match(links[2], /^\[link demo:.*Text Resource 2, text\/plain/);
    const text = texts(await host.call("get-resource-reference",
        { resourceType: "Text", resourceId: 1 }));
    assert.match(text[1], /Resource 1/);
    const blob = texts(await host.call("get-resource-reference",
        { resourceType: "Blob", resourceId: 1 }));
    assert.match(blob[1], /^\[resource demo:.*bytes, not shown\]$/);
}

async function check_errors(host) {
    const bad = await host.call("get-sum", { a: "two" });
    assert.equal(bad.isError, true);
    assert.match(texts(bad)[0], /number/i);
    const id = host.begin("no-such-tool");
    const { error } = await host.message((m) => m.id === id);
    assert.equal(error.code, -32602);
}

async function check_long_call(host) {
    const id = host.begin("trigger-long-running-operation",
        { duration: 0.3, steps: 3 });
    for (const step of [1, 2, 3]) {
        const { params } = await host.progress(id);
        assert.deepEqual([params.progress, params.total], [step, 3]);
    }
    assert.match(texts(await host.result(id))[0], /operation completed/);
}

async function check_cancel(host) {
    const id = host.begin("trigger-long-running-operation",
        { duration: 300, steps: 3000 });
    await host.progress(id);
    host.send({ method: "notifications/cancelled",
        params: { requestId: id, reason: "the user went away" } });
    const result = await host.result(id);
    assert.equal(result.isError, true);
    assert.deepEqual(texts(result), ["cancelled"]);
    assert.deepEqual(texts(await host.call("echo", { message: "still here" })),
        ["Echo: still here"]);
}

async function check_everything(host) {
    check_tools(await host.tools());
    await check_results(host);
    await check_errors(host);
    await check_long_call(host);
    await check_cancel(host);
    const many = await Promise.all(Array.from({ length: 20 }, (_, n) =>
        host.call("get-sum", { a: n, b: n })));
    assert.deepEqual(many.map((result) => texts(result)[0]),
        many.map((_, n) => `The sum of ${n} and ${n} is ${2 * n}.`));
}

test("server-everything over stdio", async (scope) => {
    const host = await Toolhost.start(scope, `node ${everything}`);
    await check_everything(host);
    assert.equal(await host.stop(), 0);
});

test("server-everything over streamable HTTP", async (scope) => {
    const { url, server } = await everything_over_http(scope);
    const host = await Toolhost.start(scope, url);
    await check_everything(host);
    assert.equal(await host.stop(), 0);
    await server.line(/^Received session termination request/);
});

test("a session that the server forgot", async (scope) => {
    const first = await everything_over_http(scope);
    const host = await Toolhost.start(scope, first.url);
    assert.deepEqual(texts(await host.call("echo", { message: "one" })),
        ["Echo: one"]);
    await first.server.exit("SIGKILL");
    const gone = await host.call("echo", { message: "two" });
    assert.match(texts(gone)[0], /cannot be reached/);
    const again = new Child(scope, process.execPath,
        [everything, "streamableHttp"],
        { env: { PORT: new URL(first.url).port } });
    await again.line(/listening on port/, { lines: again.errors });
    assert.deepEqual(texts(await host.call("echo", { message: "three" })),
        ["Echo: three"]);
    assert.equal(await host.stop(), 0);
});

test("server-filesystem over stdio", async (scope) => {
    const folder = temporary_folder(scope);
    writeFileSync(path.join(folder, "note.txt"), "buy milk");
    const host = await Toolhost.start(scope, `node ${filesystem} ${folder}`,
        "--prefix", "fs.", "--allow", "read_text_file",
        "--allow", "list_directory");
    const tools = await host.tools();
    assert.deepEqual(tools.map((tool) => tool.name),
        ["fs_read_text_file", "fs_list_directory"]);
    assert.equal(tools[0].inputSchema.$schema, undefined);
    const listing = await host.call("fs_list_directory", { path: folder });
    assert.match(texts(listing)[0], /note\.txt/);
    const note = await host.call("fs_read_text_file",
        { path: path.join(folder, "note.txt") });
    assert.deepEqual(texts(note), ["buy milk"]);
    const outside = await host.call("fs_read_text_file",
        { path: "/etc/passwd" });
    assert.equal(outside.isError, true);
    assert.match(texts(outside)[0], /denied|outside/i);
    assert.equal(await host.stop(), 0);
});

test("two servers may offer the same name", async (scope) => {
    const folder = temporary_folder(scope);
    const names = async (prefix) => (await check(scope,
        `node ${filesystem} ${folder}`, "--prefix", prefix))
        .map((tool) => tool.name);
    const [one, two] = [await names("home_"), await names("work_")];
    assert(one.includes("home_search_files"));
    assert(two.includes("work_search_files"));
    assert.deepEqual(one.filter((name) => two.includes(name)), []);
});

test("the server's environment has no secrets", async (scope) => {
    const host = await Toolhost.start(scope, `node ${everything}`,
        "--env", "GRANTED=yes");
    const env = JSON.parse(texts(await host.call("get-env"))[0]);
    assert.equal(env.GRANTED, "yes");
    assert.equal(env.B, undefined);
    assert.equal(env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED,
        undefined);
    assert.equal(await host.stop(), 0);
});
