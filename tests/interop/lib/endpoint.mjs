// An endpoint as Bedrock's, on Node's own HTTP/2: verifies what a client
// sends and lets a model of the test's answer.
import { randomUUID } from "node:crypto";
import http2 from "node:http2";

import { make_certificate } from "./certificate.mjs";
import { expectation } from "./harness.mjs";
import { Model } from "./model.mjs";
import { temporary_folder } from "./processes.mjs";
import { Refusal, codec, verify_request } from "./verify.mjs";

const OPERATION = /^\/model\/([^/]+)\/invoke-with-bidirectional-stream$/;
const FRAME_BYTES_MAX = 17 * 1024 * 1024;
const EVENT_BYTES_MAX = 1000000;

/** Whole frames out of a stream of bytes. */
async function* frames(source) {
    let rest = Buffer.alloc(0);
    // What is wrong with the input must not close the output.
    for await (const bytes of source.iterator({ destroyOnReturn: false })) {
        rest = Buffer.concat([rest, bytes]);
        while (rest.length >= 4 && rest.length >= rest.readUInt32BE(0)) {
            const length = rest.readUInt32BE(0);
            if (length < 16 || length > FRAME_BYTES_MAX) {
                throw new Error(`a frame of ${length} bytes`);
            }
            yield rest.subarray(0, length);
            rest = rest.subarray(length);
        }
    }
    if (rest.length > 0) {
        throw new Error(`${rest.length} bytes after the last frame`);
    }
}

/** The event in a chunk: the inner message, its JSON, its base64. */
function open_chunk(message) {
    const { headers, body } = codec.decode(message);
    const plain = Object.entries(headers).map(([name, { type, value }]) =>
        `${name}=${type}:${value}`).sort().join(" ");
    if (plain !== ":content-type=string:application/json " +
        ":event-type=string:chunk :message-type=string:event") {
        throw new Error(`the inner headers are ${plain}`);
    }
    const outer = JSON.parse(Buffer.from(body).toString("utf8"));
    const json = Buffer.from(outer.bytes, "base64");
    if (Object.keys(outer).join() !== "bytes" ||
        json.toString("base64") !== outer.bytes ||
        json.length > EVENT_BYTES_MAX) {
        throw new Error("the chunk is not {\"bytes\": base64}");
    }
    const event = JSON.parse(json.toString("utf8"));
    if (Object.keys(event).join() !== "event") {
        throw new Error(`members beside event: ${Object.keys(event)}`);
    }
    return event.event;
}

/** One stream of one client. `done` resolves when both sides are over. */
class Call {
    constructor(endpoint, stream, headers) {
        this.endpoint = endpoint;
        this.stream = stream;
        this.headers = headers;
        this.connection = stream.session;
        this.request_id = randomUUID();
        this.problems = [];
        this.end_frame = false;
        this.model = new Model(this);
        stream.on("error", (error) => this.problems.push(String(error)));
        this.closed = new Promise((resolve) => stream.on("close", resolve));
        this.done = this.#serve();
    }

    async #serve() {
        try {
            await this.#read();
        } catch (error) {
            if (error instanceof Refusal) {
                this.refusal = error;
                this.#refuse(error);
            } else {
                this.problems.push(error.message);
                this.model.fail("validationException", error.message);
            }
        }
        await this.closed;
    }

    #refuse({ status, type, message }) {
        this.stream.respond({
            ":status": status, "content-type": "application/json",
            "x-amzn-errortype": `${type}:http://internal/`,
            "x-amzn-requestid": this.request_id,
        });
        this.end(JSON.stringify({ message }));
    }

    /** END_STREAM, and the client is told to send no more. */
    end(bytes = "") {
        this.stream.end(bytes, () => {
            this.stream.close(http2.constants.NGHTTP2_NO_ERROR);
        });
        this.stream.resume();
    }

    async #read() {
        const found = OPERATION.exec(this.headers[":path"]);
        if (found === null || this.headers[":method"] !== "POST") {
            throw new Refusal(404, "UnknownOperationException", "No such");
        }
        this.model_id = decodeURIComponent(found[1]);
        this.chain = await verify_request(this.headers, this.endpoint.keys);
        if (this.endpoint.refusal !== null) {
            throw this.endpoint.refusal;
        }
        let count = 0;
        for await (const frame of frames(this.stream)) {
            if (!this.endpoint.loses(++count)) {
                await this.#take(frame);
            }
        }
        if (!this.end_frame) {
            throw new Error("END_STREAM without the signed empty frame");
        }
        this.model.on_end();
    }

    async #take(frame) {
        const payload = await this.chain.open(frame);
        if (this.end_frame) {
            throw new Error("a frame after the empty one");
        }
        if (payload.length === 0) {
            this.end_frame = true;
            return;
        }
        const event = open_chunk(payload);
        if (!this.stream.headersSent && !this.stream.destroyed) {
            this.stream.respond({
                ":status": 200,
                "content-type": "application/vnd.amazon.eventstream",
                "x-amzn-requestid": this.request_id,
            });
        }
        this.model.on_event(event);
    }
}

export class Endpoint {
    #waiting = [];

    /** Listens on a free port. `conversation(model)` is what each model
     * does from its AUDIO block on, `refusal` what every request gets, and
     * `loses(count)` drops frames before they are looked at. */
    static async start(scope, { keys, conversation, refusal = null,
        loses = () => false }) {
        const endpoint = new Endpoint();
        const { key, cert, cert_file } =
            make_certificate(temporary_folder(scope));
        endpoint.keys = keys;
        endpoint.conversation = conversation ?? (async () => undefined);
        endpoint.refusal = refusal;
        endpoint.loses = loses;
        endpoint.calls = [];
        endpoint.ca = cert;
        endpoint.ca_file = cert_file;
        endpoint.sessions = new Set();
        endpoint.sockets = new Set();
        endpoint.server = http2.createSecureServer({ key, cert });
        endpoint.server.on("session", (session) => {
            endpoint.sessions.add(session);
            session.on("error", () => undefined);
            session.on("close", () => endpoint.sessions.delete(session));
        });
        endpoint.server.on("connection", (socket) => {
            endpoint.sockets.add(socket);
            socket.on("close", () => endpoint.sockets.delete(socket));
        });
        endpoint.server.on("stream", (stream, headers) =>
            endpoint.#accept(stream, headers));
        await new Promise((resolve) => {
            endpoint.server.listen(0, "127.0.0.1", resolve);
        });
        endpoint.url = `https://127.0.0.1:${endpoint.server.address().port}`;
        scope.after(() => endpoint.#close());
        return endpoint;
    }

    #accept(stream, headers) {
        this.calls.push(new Call(this, stream, headers));
        for (const look of [...this.#waiting]) {
            look();
        }
    }

    /** Waits for the sockets, not for the server: its callback may never be
     * called when a session was destroyed at the wrong moment, and a loop
     * with nothing left to do ends the program. */
    #close() {
        const gone = [...this.sockets].map((socket) =>
            new Promise((resolve) => socket.on("close", resolve)));
        for (const one of [...this.sessions, ...this.sockets]) {
            one.destroy();
        }
        this.server.close();
        return Promise.all(gone);
    }

    /** The first `count` calls, once they have begun. */
    async called(count = 1, limit_ms = 10000) {
        const seen = expectation(
            () => `${this.calls.length} of ${count} calls`, limit_ms);
        const look = () => {
            if (this.calls.length >= count) {
                seen.resolve(this.calls.slice(0, count));
            }
        };
        this.#waiting.push(look);
        look();
        return seen.promise;
    }
}
