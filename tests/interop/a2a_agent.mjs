// An agent built with the A2A SDK and express, as its authors' samples do it;
// what it does is the first word of the message.
import { randomUUID } from "node:crypto";
import { once } from "node:events";

import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore }
    from "@a2a-js/sdk/server";
import { UserBuilder, agentCardHandler, jsonRpcHandler }
    from "@a2a-js/sdk/server/express";
import express from "express";

import { expectation } from "./lib/harness.mjs";

/** The methods' names in both versions. */
export const A2A = {
    "1.0": { stream: "SendStreamingMessage", get: "GetTask" },
    "0.3": { stream: "message/stream", get: "tasks/get" },
};

// TaskState and Role of the SDK's protobuf types
const STATE = { submitted: 1, working: 2, completed: 3, failed: 4,
    canceled: 5, input_required: 6, rejected: 7 };
const ROLE_AGENT = 2;

function part(value) {
    return { content: typeof value === "string" ?
        { $case: "text", value } : { $case: "data", value },
    metadata: undefined, filename: "", mediaType: "" };
}

function message(ids, text) {
    return { messageId: randomUUID(), contextId: ids.contextId,
        taskId: ids.taskId, role: ROLE_AGENT, parts: [part(text)],
        metadata: undefined, extensions: [], referenceTaskIds: [] };
}

function pause(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

class Executor {
    #stops = new Map();
    #saw_cancel = expectation(() => "no cancellation", 30000);

    constructor() {
        this.#saw_cancel.promise.catch(() => {});
    }

    /** Resolves once a task was cancelled. */
    cancelled() {
        return this.#saw_cancel.promise;
    }

    /** Ends the wait for one, when nobody expects it any more. */
    close() {
        this.#saw_cancel.resolve();
    }

    async execute(context, bus) {
        const ids = { taskId: context.taskId, contextId: context.contextId };
        const text = context.userMessage.parts[0].content.value;
        const word = text.split(" ")[0];
        if (word === "throw") {
            throw new Error("the agent is ill");
        }
        if (word === "say") {
            const { contextId } = ids;
            bus.publish(AgentEvent.message(message({ contextId, taskId: "" },
                `You said: ${text}`)));
            return bus.finished();
        }
        this.#begin(context, ids, bus);
        await this.#act(context, ids, bus, text, word);
        bus.finished();
    }

    /** The first event of every turn is the task. */
    #begin(context, ids, bus) {
        bus.publish(AgentEvent.task(context.task ?? {
            id: ids.taskId, contextId: ids.contextId, artifacts: [],
            status: { state: STATE.submitted, message: undefined,
                timestamp: new Date().toISOString() },
            history: [context.userMessage], metadata: {},
        }));
    }

    #status(ids, bus, state, text) {
        bus.publish(AgentEvent.statusUpdate({ ...ids, metadata: {}, status: {
            state: STATE[state], timestamp: new Date().toISOString(),
            message: text === undefined ? undefined : message(ids, text),
        } }));
    }

    #artifact(ids, bus, artifactId, parts, append) {
        bus.publish(AgentEvent.artifactUpdate({ ...ids, append,
            lastChunk: false, metadata: {}, artifact: {
                artifactId, name: artifactId, description: "",
                parts: parts.map(part), metadata: {}, extensions: [],
            } }));
    }

    async #act(context, ids, bus, text, word) {
        if (context.task?.status?.state === STATE.input_required) {
            return this.#status(ids, bus, "completed", `booked for ${text}`);
        }
        if (word === "book") {
            return this.#status(ids, bus, "input_required", "For how many?");
        }
        if (word === "failed" || word === "rejected") {
            return this.#status(ids, bus, word, "it broke");
        }
        this.#status(ids, bus, "working", "looking it up");
        if (word === "forever") {
            await new Promise((stop) => this.#stops.set(ids.taskId, stop));
            return this.#status(ids, bus, "canceled");
        }
        this.#artifact(ids, bus, "text", ["first half"], false);
        await pause(300);
        this.#artifact(ids, bus, "text", [", second half"], true);
        this.#artifact(ids, bus, "table", [{ rows: [1, 2] }], false);
        this.#status(ids, bus, "completed");
    }

    async cancelTask(task_id) {
        this.#stops.get(task_id)?.();
        this.#saw_cancel.resolve();
    }
}

function card_of(url, version, streaming) {
    return {
        name: "interop", description: "what a test asks for", version: "1",
        supportedInterfaces: [{ url: `${url}rpc`, protocolBinding: "JSONRPC",
            tenant: "", protocolVersion: version }],
        provider: undefined, securitySchemes: {}, securityRequirements: [],
        capabilities: { streaming, pushNotifications: false, extensions: [] },
        defaultInputModes: ["text/plain"],
        defaultOutputModes: ["text/plain"],
        skills: [], signatures: [],
    };
}

/** Starts one; `versions` and `methods` are what it was asked with. */
export async function start_agent(scope, { version, streaming }) {
    const app = express();
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${server.address().port}/`;
    const executor = new Executor();
    const agent = { url, versions: [], methods: new Set(),
        cancelled: () => executor.cancelled() };
    const requestHandler = new DefaultRequestHandler(
        card_of(url, version, streaming), new InMemoryTaskStore(), executor);
    const legacyCompat = { enabled: version === "0.3" };
    app.use("/rpc", express.json(), (request, _response, next) => {
        agent.versions.push(request.header("A2A-Version"));
        agent.methods.add(request.body.method);
        next();
    });
    app.use("/.well-known/agent-card.json", agentCardHandler({
        agentCardProvider: requestHandler, legacyCompat }));
    app.use("/rpc", jsonRpcHandler({ requestHandler, legacyCompat,
        userBuilder: UserBuilder.noAuthentication }));
    scope.after(() => {
        executor.close();
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
    });
    return agent;
}
