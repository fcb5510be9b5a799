// agent_search asks an agent that is built with the protocol's own SDK, in
// A2A 1.0 and, through the SDK's compatibility layer, in 0.3.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

import { A2A, start_agent } from "./a2a_agent.mjs";
import { expectation, suite, test } from "./lib/harness.mjs";
import { build, root } from "./lib/processes.mjs";

suite("agent_search and @a2a-js/sdk");

/** The plugin in its toolhost, with a helper as its gateway. */
class Plugin {
    #waiting = new Map();
    #next = 0;
    #errors = "";

    static async start(scope, agents) {
        const plugin = new Plugin();
        const script = path.join(root, "tests/interop/a2a_host.py");
        plugin.child = spawn("/usr/bin/python3", [script, build,
            "agent_search", JSON.stringify({ agents })]);
        const ended = once(plugin.child, "close");
        scope.after(async () => {
            plugin.child.stdin.end();
            await ended;
        });
        plugin.child.stderr.on("data", (data) => {
            plugin.#errors += data;
        });
        const lines = createInterface({ input: plugin.child.stdout });
        const ready = expectation(() => `not ready: ${plugin.#errors}`, 20000);
        plugin.child.on("close", () => ready.reject(
            new Error(`a2a_host.py ended: ${plugin.#errors}`)));
        lines.on("line", (line) => line === "ready" ? ready.resolve() :
            plugin.#take(JSON.parse(line)));
        await ready.promise;
        return plugin;
    }

    #take(message) {
        const id = message.id ?? message.progressToken;
        const call = this.#waiting.get(id);
        if (message.id === undefined) {
            call?.progress.push(message.message);
            call?.on_progress();
        } else {
            call?.done.resolve({ ...message, progress: call.progress });
        }
    }

    #send(message) {
        this.child.stdin.write(JSON.stringify(message) + "\n");
    }

    /** Begins a call; `result` is its end, `moving` its first progress. */
    begin(agent, question, conversation = "") {
        const id = ++this.#next;
        const done = expectation(() => `${question}: no answer`, 20000);
        const call = { id, result: done.promise, progress: [], done };
        call.moving = new Promise((resolve) => {
            call.on_progress = resolve;
        });
        this.#waiting.set(id, call);
        this.#send({ id, arguments: { question, agent }, conversation });
        return call;
    }

    ask(...args) {
        return this.begin(...args).result;
    }

    cancel(call) {
        this.#send({ cancel: call.id });
    }
}

/** One agent for each way to speak: version and streaming. */
async function stage(scope) {
    const ways = {};
    for (const version of ["1.0", "0.3"]) {
        for (const streaming of [true, false]) {
            const name = `v${version}${streaming ? "_stream" : ""}`;
            ways[name] = await start_agent(scope, { version, streaming });
        }
    }
    const plugin = await Plugin.start(scope, Object.fromEntries(
        Object.entries(ways).map(([name, { url }]) => [name, { url }])));
    return { ways, plugin };
}

/** The same test for each way. */
function each(name, body, options) {
    test(name, async (scope) => {
        const { ways, plugin } = await stage(scope);
        for (const [way, agent] of Object.entries(ways)) {
            await body({ way, agent, plugin });
        }
    }, options);
}

each("a plain answer", async ({ way, agent, plugin }) => {
    const { answer, error } = await plugin.ask(way, "say Grüß Gott 🤖");
    assert.equal(error, false);
    assert.deepEqual(answer, { agent: way, state: "completed",
        answer: "You said: say Grüß Gott 🤖" });
    assert.equal(agent.versions.at(-1), way.slice(1, 4));
});

each("a long task, with artifacts", async ({ way, agent, plugin }) => {
    const { answer, error, progress } = await plugin.ask(way, "work");
    assert.equal(error, false);
    assert.equal(answer.answer, "first half, second half\n\n{\"rows\":[1,2]}");
    assert(progress.length > 0, "the progress was told");
    assert.equal(agent.methods.has(way.includes("stream") ?
        A2A[way.slice(1, 4)].stream : A2A[way.slice(1, 4)].get), true);
});

each("states that are no answer", async ({ way, plugin }) => {
    for (const [state, says] of [["failed", /could not do it: it broke/],
        ["rejected", /declines to do it: it broke/]]) {
        const { answer, error } = await plugin.ask(way, state);
        assert.equal(error, true);
        assert.match(answer.error, says);
    }
    const thrown = await plugin.ask(way, "throw");
    assert.equal(thrown.error, true);
});

each("a question back, and its answer", async ({ way, plugin }) => {
    const first = await plugin.ask(way, "book", `talk-${way}`);
    assert.equal(first.error, false);
    assert.equal(first.answer.state, "input-required");
    assert.equal(first.answer.question, "For how many?");
    const second = await plugin.ask(way, "four", `talk-${way}`);
    assert.deepEqual(second.answer, { agent: way, state: "completed",
        answer: "booked for four" });
    const third = await plugin.ask(way, "say thanks", `talk-${way}`);
    assert.equal(third.answer.answer, "You said: say thanks");
});

each("a cancelled call", async ({ way, agent, plugin }) => {
    const call = plugin.begin(way, "forever");
    await call.moving;
    plugin.cancel(call);
    const { answer, error } = await call.result;
    assert.equal(error, true);
    assert.match(answer.error, /cancelled/);
    await agent.cancelled();
});

each("many at once", async ({ way, plugin }) => {
    const results = await Promise.all([...Array(8).keys()].map(
        (n) => plugin.ask(way, n % 2 ? "work" : `say ${n}`)));
    results.forEach(({ answer }, n) => assert.match(answer.answer,
        n % 2 ? /first half/ : new RegExp(`You said: say ${n}$`)));
});
