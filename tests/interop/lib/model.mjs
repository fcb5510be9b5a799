// A Nova Sonic that says what a test tells it to: its events in their
// documented shapes, and the bytes around them.
import { randomUUID } from "node:crypto";

import { without_silence } from "./audio.mjs";
import { expectation } from "./harness.mjs";
import { Order } from "./order.mjs";
import { codec } from "./verify.mjs";

const AUDIO_BYTES = 1500;
const text_header = (value) => ({ type: "string", value });

function frame(headers, body) {
    return Buffer.from(codec.encode({
        headers: Object.fromEntries(Object.entries(headers)
            .map(([name, value]) => [name, text_header(value)])),
        body: Buffer.from(body),
    }));
}

/** One model on one stream. */
export class Model {
    #waiting = [];

    constructor(call) {
        this.call = call;
        this.order = new Order();
        this.order.on_result = (id, result) => this.#results.set(id, result);
        this.session = randomUUID();
        this.completion = randomUUID();
        this.sent = [];
        this.totals = { input: [0, 0], output: [0, 0] };
        this.padding = 0;
        this.heard_bytes = 0;
        this.over = false;
    }

    #results = new Map();

    // ---- from the client ---------------------------------------------------

    on_event(event) {
        const name = this.order.take(event);
        if (name === "contentStart" && this.order.had_audio &&
            this.sent.length === 0) {
            this.emit("completionStart", {});
            this.#converse();
        } else if (name === "audioInput") {
            this.heard_bytes +=
                without_silence(this.order.audio.at(-1)).length;
        } else if (name === "promptEnd") {
            this.emit("completionEnd", { stopReason: "END_TURN" });
        }
        this.#wake();
    }

    async #converse() {
        try {
            await this.call.endpoint.conversation(this);
        } catch (error) {
            this.call.problems.push(`the conversation: ${error.stack}`);
        }
    }

    on_end() {
        if (!this.order.ended) {
            this.call.problems.push("END_STREAM before sessionEnd");
        }
        this.close();
    }

    #wake() {
        for (const look of [...this.#waiting]) {
            look();
        }
    }

    async #until(what, holds, limit_ms = 20000) {
        const seen = expectation(what, limit_ms);
        const look = () => {
            if (holds()) {
                seen.resolve();
            } else if (this.over) {
                seen.reject(new Error(`${what()}, the stream is over`));
            }
        };
        this.#waiting.push(look);
        look();
        try {
            await seen.promise;
        } finally {
            this.#waiting.splice(this.#waiting.indexOf(look), 1);
        }
    }

    /** Waits for that much audio, zero samples not counted. */
    heard(bytes) {
        return this.#until(() => `${this.heard_bytes} of ${bytes} bytes heard`,
            () => this.heard_bytes >= bytes);
    }

    // ---- to the client -----------------------------------------------------

    /** Bytes in two writes, cut at an odd place. */
    write(bytes) {
        const { stream } = this.call;
        if (this.over || stream.destroyed || stream.writableEnded) {
            return;
        }
        const cut = 1 + this.sent.length * 7 % (bytes.length - 1);
        stream.write(bytes.subarray(0, cut));
        stream.write(bytes.subarray(cut));
    }

    /** The frame of one event, padded. */
    event_frame(event) {
        this.padding = (this.padding + 11) % 37;
        return frame({
            ":event-type": "chunk", ":content-type": "application/json",
            ":message-type": "event",
        }, JSON.stringify({
            bytes: Buffer.from(JSON.stringify(event)).toString("base64"),
            p: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJK".slice(this.padding),
        }));
    }

    emit(name, body) {
        const event = { event: { [name]: {
            sessionId: this.session, completionId: this.completion,
            promptName: this.order.prompt?.promptName, ...body,
        } } };
        this.sent.push(event.event);
        this.write(this.event_frame(event));
    }

    #block(type, role, fields, name, bodies, stop) {
        const contentId = randomUUID();
        this.emit("contentStart", { contentId, type, role, ...fields });
        for (const body of bodies) {
            this.emit(name, { contentId, role, ...body });
        }
        this.emit("contentEnd", { contentId, type, stopReason: stop });
    }

    text(role, stage, content, stop = "PARTIAL_TURN") {
        this.#block("TEXT", role, {
            additionalModelFields: JSON.stringify({ generationStage: stage }),
            textOutputConfiguration: { mediaType: "text/plain" },
        }, "textOutput", [{ content }], stop);
    }

    audio(pcm, stop = "END_TURN") {
        const bodies = [];
        for (let at = 0; at < pcm.length; at += AUDIO_BYTES) {
            const part = pcm.subarray(at, at + AUDIO_BYTES);
            bodies.push({ content: part.toString("base64") });
        }
        this.#block("AUDIO", "ASSISTANT", {
            audioOutputConfiguration: {
                mediaType: "audio/lpcm", sampleRateHertz: 24000,
                sampleSizeBits: 16, encoding: "base64", channelCount: 1,
            },
        }, "audioOutput", bodies, stop);
    }

    /** A sentence: its plan, its audio, what was said. */
    say(text, pcm) {
        this.text("ASSISTANT", "SPECULATIVE", text);
        this.audio(pcm);
        this.text("ASSISTANT", "FINAL", text, "END_TURN");
    }

    /** Uses a tool; resolves with the result that the client sent. */
    async use_tool(toolName, content) {
        const toolUseId = randomUUID();
        this.order.tool_uses.set(toolUseId, "open");
        this.#block("TOOL", "TOOL", {
            toolUseOutputConfiguration: { mediaType: "application/json" },
        }, "toolUse", [{ toolName, toolUseId, content }], "TOOL_USE");
        await this.#until(() => `no result of ${toolName}`,
            () => this.#results.has(toolUseId));
        return this.#results.get(toolUseId);
    }

    /** Tokens since the last: [speech, text] of input and of output. */
    usage(input, output) {
        const tokens = ([speechTokens, textTokens]) =>
            ({ speechTokens, textTokens });
        const add = (total, delta) => total.map((n, i) => n + delta[i]);
        this.totals = { input: add(this.totals.input, input),
            output: add(this.totals.output, output) };
        const [ins, outs] = [this.totals.input, this.totals.output]
            .map(([speech, text]) => speech + text);
        this.emit("usageEvent", {
            details: {
                delta: { input: tokens(input), output: tokens(output) },
                total: { input: tokens(this.totals.input),
                    output: tokens(this.totals.output) },
            },
            totalInputTokens: ins, totalOutputTokens: outs,
            totalTokens: ins + outs,
        });
    }

    /** Ends the stream with an exception. */
    fail(type, message) {
        const { stream } = this.call;
        if (!stream.headersSent && !stream.destroyed) {
            stream.respond({
                ":status": 200, "x-amzn-requestid": this.call.request_id,
                "content-type": "application/vnd.amazon.eventstream",
            });
        }
        this.write(frame({
            ":exception-type": type, ":content-type": "application/json",
            ":message-type": "exception",
        }, JSON.stringify({ message })));
        this.close();
    }

    /** END_STREAM. */
    close() {
        if (!this.over && !this.call.stream.destroyed) {
            this.call.end();
        }
        this.over = true;
        this.#wake();
    }
}
