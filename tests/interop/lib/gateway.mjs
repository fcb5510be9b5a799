// voxringd as a child, and the processes of a robot around it.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { Child, build, remove_rings, root, temporary_folder }
    from "./processes.mjs";

const python = "/usr/bin/python3";
const robot_py = path.join(root, "tests/interop/robot.py");

/** What Python needs to load a library that was built with a sanitizer. */
function sanitizer() {
    const kind = /(asan|tsan)$/.exec(build)?.[1];
    if (kind === undefined) {
        return {};
    }
    const file = execFileSync("gcc", [`-print-file-name=lib${kind}.so`]);
    return { LD_PRELOAD: file.toString().trim(),
        ASAN_OPTIONS: "detect_leaks=0" };
}

export class Gateway {
    /** Starts voxringd against `endpoint`, with every event of its bus
     * watched from before it is there. */
    static async start(scope, endpoint, { config = {}, keys, env = {} }) {
        const gateway = new Gateway();
        gateway.scope = scope;
        gateway.folder = temporary_folder(scope);
        gateway.runtime = path.join(gateway.folder, "run");
        mkdirSync(gateway.runtime, { mode: 0o700 });
        const file = path.join(gateway.folder, "voxring.json");
        writeFileSync(file, JSON.stringify({
            sessions: { robot: {} }, runtime_dir: gateway.runtime,
            plugins: { path: path.join(build, "plugins") }, log: "debug",
            ...config,
            bedrock: {
                region: "us-east-1", endpoint: endpoint.url,
                ca_file: endpoint.ca_file, ...config.bedrock,
            },
        }));
        gateway.env = {
            VOXRING_RUNTIME_DIR: gateway.runtime,
            VOXRING_LIBRARY: path.join(build, "libvoxring.so"),
        };
        scope.after(() => gateway.#remove_rings());
        gateway.bus = gateway.robot("tail");
        gateway.child = new Child(scope, path.join(build, "voxringd"),
            ["--config", file], { env: {
                ...gateway.env, ...credentials(keys),
                HOME: gateway.folder, ...env,
            } });
        await gateway.child.line(/^voxringd ready$/);
        await gateway.bus.line(/^attached$/);
        return gateway;
    }

    /** When it had to be killed, its rings are still there. */
    #remove_rings() {
        const rings = path.join(this.runtime, "rings.json");
        if (existsSync(rings)) {
            remove_rings(JSON.parse(readFileSync(rings)));
        }
    }

    /** One of robot.py's processes. */
    robot(what, ...args) {
        return new Child(this.scope, python,
            [robot_py, what, this.runtime, ...args],
            { env: { ...this.env, ...sanitizer() } });
    }

    /** Opens a session by control, when nothing of it can be missed. */
    async open(session, config = {}) {
        const opener = this.robot("open", session, JSON.stringify(config));
        await opener.line(/^opened$/);
    }

    /** The command line program. */
    voxring(...args) {
        return new Child(this.scope, path.join(build, "voxring"), args,
            { env: this.env });
    }

    /** The data of the events of a type that were seen. */
    events(type) {
        return this.bus.lines.filter((line) => line.startsWith("{"))
            .map((line) => JSON.parse(line))
            .filter((event) => event.type === `voxring.${type}.v1`)
            .map((event) => event.data);
    }

    /** Waits for an event of that type that fits. */
    async event(type, fits = () => true) {
        const line = await this.bus.line({
            test: (text) => {
                if (!text.startsWith("{")) {
                    return false;
                }
                const event = JSON.parse(text);
                return event.type === `voxring.${type}.v1` &&
                    fits(event.data);
            },
        });
        return JSON.parse(line).data;
    }

    /** Stops it in order; its exit code. */
    stop() {
        return this.child.exit("SIGTERM");
    }
}

function credentials(keys) {
    if (keys === undefined) {
        return {};
    }
    return {
        AWS_ACCESS_KEY_ID: keys.accessKeyId,
        AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
        ...(keys.sessionToken === undefined ? {} :
            { AWS_SESSION_TOKEN: keys.sessionToken }),
    };
}
