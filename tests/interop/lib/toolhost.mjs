// voxring-toolhost --mcp with the gateway's end of its socket in our hands.
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";

import { expectation } from "./harness.mjs";
import { Child, build, root, temporary_folder } from "./processes.mjs";

const program = path.join(build, "voxring-toolhost");

/** The tools that `--check` prints for a server. */
export async function check(scope, server, ...options) {
    const child = new Child(scope, program,
        ["--check", "--mcp", server, ...options]);
    const line = await child.line(/^\{/);
    return JSON.parse(line).tools;
}

export class Toolhost {
    #messages = [];
    #waiting = [];
    #last_id = 0;

    /** Starts the bridge for `server`, and waits for its hello. */
    static async start(scope, server, ...options) {
        const host = new Toolhost();
        const endpoint = `ipc://${temporary_folder(scope)}/tools.sock`;
        host.gateway = spawn("/usr/bin/python3",
            [path.join(root, "tests/interop/tool_gateway.py"), endpoint],
            { stdio: ["pipe", "pipe", "inherit"] });
        const ended = new Promise((resolve) => {
            host.gateway.on("close", resolve);
        });
        scope.after(() => {
            host.gateway.kill("SIGKILL");
            return ended;
        });
        createInterface({ input: host.gateway.stdout })
            .on("line", (line) => host.#take(line));
        await host.message((message) => message === "listening");
        host.child = new Child(scope, program,
            ["--mcp", server, "--endpoint", endpoint, ...options]);
        await host.message((m) => m.method === "voxring/hello");
        return host;
    }

    #take(line) {
        this.#messages.push(line.startsWith("{") ? JSON.parse(line) : line);
        for (const look of [...this.#waiting]) {
            look();
        }
    }

    /** The first message, not asked for before, for which `fits` holds. */
    async message(fits, limit_ms = 20000) {
        const seen = expectation(() => "no such message: " +
            JSON.stringify(this.#messages).slice(0, 2000), limit_ms);
        const look = () => {
            const at = this.#messages.findIndex(fits);
            if (at >= 0) {
                seen.resolve(this.#messages.splice(at, 1)[0]);
            }
        };
        this.#waiting.push(look);
        look();
        try {
            return await seen.promise;
        } finally {
            this.#waiting.splice(this.#waiting.indexOf(look), 1);
        }
    }

    send(message) {
        this.gateway.stdin.write(
            `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    }

    /** Begins a call; its id, which is its progress token too. */
    begin(name, args = {}) {
        const id = String(this.#last_id += 1);
        this.send({ id, method: "tools/call", params: {
            name, arguments: args, _meta: { progressToken: id } } });
        return id;
    }

    async result(id) {
        return (await this.message((m) => m.id === id)).result;
    }

    /** A call's result. */
    async call(name, args) {
        return this.result(this.begin(name, args));
    }

    progress(id) {
        return this.message((m) => m.method === "notifications/progress" &&
            m.params.progressToken === id);
    }

    async tools() {
        this.send({ id: "tools/list", method: "tools/list" });
        return (await this.result("tools/list")).tools;
    }

    /** Stops it in order; its exit code. */
    stop() {
        return this.child.exit("SIGTERM");
    }
}
