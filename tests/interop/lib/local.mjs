// voxring-local as a child.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { Talk } from "./client.mjs";
import { Child, build, temporary_folder } from "./processes.mjs";

export const keys = {
    accessKeyId: "AKIDVOXRINGINTEROP01",
    secretAccessKey: "interop/secret+key/that+is+only+for+tests",
};

const one_line = { lines: [{ hear: "hello", say: "Hello." }] };

export class Local {
    /** Starts it with a script; `keys` are what it expects. */
    static async start(scope, { script = one_line, ear = "script",
        expected = keys, args = [] } = {}) {
        const local = new Local();
        const folder = temporary_folder(scope);
        const file = path.join(folder, "script.json");
        writeFileSync(file, JSON.stringify(script));
        local.child = new Child(scope, path.join(build, "voxring-local"), [
            "--port", "0", "--ear", ear, "--log", "json", "--script", file,
            "--state-dir", path.join(folder, "state"), "--exit-with-parent",
            ...args,
        ], {
            env: {
                AWS_ACCESS_KEY_ID: expected.accessKeyId,
                AWS_SECRET_ACCESS_KEY: expected.secretAccessKey,
                ...(expected.sessionToken === undefined ? {} :
                    { AWS_SESSION_TOKEN: expected.sessionToken }),
            },
        });
        const line = await local.child.line(/^voxring-local listening /);
        [, local.endpoint, local.ca] =
            /listening (\S+) ca=(.+)$/.exec(line);
        return local;
    }

    talk(scope, more = {}) {
        return new Talk(scope, {
            endpoint: this.endpoint, ca: readFileSync(this.ca),
            credentials: keys, ...more,
        });
    }

    /** Stops it, then what it logged of that kind, all of it. */
    async log(kind) {
        assert.equal(await this.child.exit("SIGTERM"), 0);
        return this.child.errors.map((line) => JSON.parse(line))
            .filter((line) => line.kind === kind);
    }
}
