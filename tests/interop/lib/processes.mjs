// Children and temporary folders. None outlives this process: what a test
// left behind is killed and removed when it exits.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { expectation } from "./harness.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, "../../..");
export const build = path.resolve(root, process.env.B ?? "build");

const running = new Set();
const folders = new Set();

process.on("exit", () => {
    for (const child of running) {
        child.kill("SIGKILL");
    }
    for (const folder of folders) {
        rmSync(folder, { recursive: true, force: true });
    }
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => process.exit(130));
}

/** A folder that goes with the test. */
export function temporary_folder(scope) {
    const folder = mkdtempSync(path.join(tmpdir(), "vr-interop-"));
    folders.add(folder);
    scope.after(() => {
        rmSync(folder, { recursive: true, force: true });
        folders.delete(folder);
    });
    return folder;
}

/** Removes the rings of that rings.json, which a killed gateway could not. */
export function remove_rings(index) {
    for (const { name } of index.rings) {
        rmSync(path.join("/dev/shm", path.basename(name)), { force: true });
    }
}

function clean_environment(more) {
    const env = { ...process.env, ...more };
    for (const name of Object.keys(env)) {
        const fixed = name in more;
        if (!fixed && /^(AWS_|VOXRING_|.*_proxy$)/i.test(name)) {
            delete env[name];
        }
    }
    return env;
}

/** A program that runs beside the test; its output is kept line by line. */
export class Child {
    #waiting = [];

    constructor(scope, command, args, { env = {} } = {}) {
        this.name = path.basename(command);
        this.lines = [];
        this.errors = [];
        this.process = spawn(command, args, {
            env: clean_environment(env), stdio: ["ignore", "pipe", "pipe"],
        });
        running.add(this.process);
        this.ended = new Promise((resolve) => {
            this.process.on("error", (error) => {
                this.errors.push(String(error));
                this.#end(resolve, null);
            });
            this.process.on("close", (code) => this.#end(resolve, code));
        });
        this.#collect(this.process.stdout, this.lines);
        this.#collect(this.process.stderr, this.errors);
        scope.after(() => {
            this.process.kill("SIGKILL");
            return this.ended;
        });
    }

    #end(resolve, code) {
        running.delete(this.process);
        this.code = code;
        resolve(code);
        this.#wake();
    }

    #collect(stream, lines) {
        createInterface({ input: stream }).on("line", (line) => {
            lines.push(line);
            this.#wake();
        });
    }

    #wake() {
        for (const look of [...this.#waiting]) {
            look();
        }
    }

    /** The first line of `lines` for which `fits.test()` holds; rejects if
     * the child ends first or the time has passed, with what it had to say. */
    async line(fits, { lines = this.lines, limit_ms = 20000 } = {}) {
        const seen = expectation(() => this.#said("did not say it"), limit_ms);
        const look = () => {
            const found = lines.find((line) => fits.test(line));
            if (found !== undefined) {
                seen.resolve(found);
            } else if (this.code !== undefined) {
                seen.reject(new Error(this.#said(`ended (${this.code})`)));
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

    /** Its exit code, after a signal or by itself. */
    async exit(signal = null, limit_ms = 20000) {
        if (signal !== null) {
            this.process.kill(signal);
        }
        const over = expectation(() => this.#said("did not end"), limit_ms);
        this.ended.then(over.resolve);
        return over.promise;
    }

    #said(what) {
        return [`${this.name} ${what}`, ...this.lines.slice(-20),
            ...this.errors.slice(-20)].map((line) => line.slice(0, 300))
            .join("\n");
    }
}
