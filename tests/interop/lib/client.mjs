// One conversation held by the official AWS SDK.
import { randomUUID } from "node:crypto";

import {
    BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttp2Handler } from "@smithy/node-http-handler";

import { expectation } from "./harness.mjs";
import * as sonic from "./sonic.mjs";

const CHUNK_MS = 32;

const nothing = () => undefined;
const quiet = { trace: nothing, debug: nothing, info: nothing, warn: nothing,
    error: nothing };

/** The events to send, as the SDK wants them: an async iterable. */
class Outgoing {
    #events = [];
    #wake = null;
    #closed = false;

    push(...events) {
        this.#events.push(...events);
        this.#wake?.();
    }

    close() {
        this.#closed = true;
        this.#wake?.();
    }

    async *[Symbol.asyncIterator]() {
        for (;;) {
            while (this.#events.length > 0) {
                const bytes = Buffer.from(
                    JSON.stringify({ event: this.#events.shift() }));
                yield { chunk: { bytes } };
            }
            if (this.#closed) {
                return;
            }
            await new Promise((resolve) => {
                this.#wake = resolve;
            });
        }
    }
}

/** A conversation: `send()` what the client says, `next()` for what the
 * model says. `error` is how it ended, null if in order. */
export class Talk {
    #outgoing = new Outgoing();
    #waiting = [];
    #at = 0;
    #microphone = null;
    #pcm = Buffer.alloc(0);

    constructor(scope, {
        endpoint, ca, credentials, region = "us-east-1",
        model = "amazon.nova-2-sonic-v1:0", clock_offset_ms = 0,
    }) {
        this.model = model;
        this.prompt = randomUUID();
        this.audio = randomUUID();
        this.events = [];
        this.over = false;
        this.error = null;
        this.client = new BedrockRuntimeClient({
            endpoint, region, credentials,
            systemClockOffset: clock_offset_ms,
            logger: quiet,
            requestHandler: new NodeHttp2Handler({
                requestTimeout: 60000, sessionTimeout: 60000,
                nodeHttp2ConnectOptions: { ca, servername: "localhost" },
            }),
        });
        scope.after(() => {
            this.finish_input();
            this.client.destroy();
        });
    }

    /** Connects; what comes is read in the background. */
    start() {
        this.done = this.#read().catch((error) => {
            this.error = error;
        }).finally(() => {
            this.over = true;
            clearInterval(this.#microphone);
            this.#wake();
        });
    }

    async #read() {
        const response = await this.client.send(
            new InvokeModelWithBidirectionalStreamCommand(
                { modelId: this.model, body: this.#outgoing }));
        this.metadata = response.$metadata;
        for await (const item of response.body) {
            const json = Buffer.from(item.chunk.bytes).toString();
            this.events.push(JSON.parse(json).event);
            this.#wake();
        }
    }

    #wake() {
        for (const look of [...this.#waiting]) {
            look();
        }
    }

    send(...events) {
        this.#outgoing.push(...events);
    }

    /** sessionStart to the AUDIO block, and the microphone on. */
    open({ tools = [], history = [] } = {}) {
        this.start();
        this.send(sonic.session_start(),
            sonic.prompt_start(this.prompt, { tools }),
            ...this.text("SYSTEM", "You are a robot."));
        for (const { role, text } of history) {
            this.send(...this.text(role, text));
        }
        this.send(sonic.audio_start(this.prompt, this.audio));
        this.listen();
    }

    text(role, text, interactive = false) {
        return sonic.text_block(this.prompt, randomUUID(), role, text,
            interactive);
    }

    answer_tool(use, result) {
        this.send(...sonic.tool_result(this.prompt, randomUUID(),
            use.toolUseId, JSON.stringify(result)));
    }

    /** Sends what is spoken, and silence in between, in real time. */
    listen() {
        const chunk_bytes = 2 * 16 * CHUNK_MS;
        let due_ms = performance.now();
        this.#microphone = setInterval(() => {
            for (; due_ms <= performance.now(); due_ms += CHUNK_MS) {
                const chunk = Buffer.alloc(chunk_bytes);
                this.#pcm.copy(chunk);
                this.#pcm = this.#pcm.subarray(chunk_bytes);
                this.send(sonic.audio_input(this.prompt, this.audio, chunk));
            }
        }, CHUNK_MS / 2);
    }

    speak(pcm) {
        this.#pcm = Buffer.concat([this.#pcm, pcm]);
    }

    /** The next event of that name that fits, in order; those passed over
     * are not looked at again. */
    async next(name, fits = () => true, limit_ms = 15000) {
        const seen = expectation(() => `no ${name}; ${this.#tail()}`,
            limit_ms);
        const look = () => {
            while (this.#at < this.events.length) {
                const event = this.events[this.#at++][name];
                if (event !== undefined && fits(event)) {
                    return seen.resolve(event);
                }
            }
            if (this.over) {
                seen.reject(new Error(`ended before ${name}; ` +
                    this.#tail(), { cause: this.error }));
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

    #tail() {
        const names = this.events.map((event) => Object.keys(event)[0]);
        return `the last of ${names.length} events: ` +
            names.slice(-12).join(" ");
    }

    /** contentEnd, promptEnd, sessionEnd, END_STREAM; the model's last. */
    async close() {
        clearInterval(this.#microphone);
        this.send(sonic.content_end(this.prompt, this.audio),
            sonic.prompt_end(this.prompt), sonic.session_end());
        this.finish_input();
        await this.finished();
    }

    finish_input() {
        clearInterval(this.#microphone);
        this.#outgoing.close();
    }

    /** Waits until the model's side is over; returns the error, if any. */
    async finished(limit_ms = 15000) {
        const over = expectation(() => `no end; ${this.#tail()}`, limit_ms);
        this.done.then(over.resolve);
        await over.promise;
        return this.error;
    }
}
