// What must hold of everything that a model sent on one stream.
import assert from "node:assert/strict";

const named = (events, name) =>
    events.filter((event) => name in event).map((event) => event[name]);

function check_identity(events, prompt) {
    const inner = events.map((event) => Object.values(event)[0]);
    for (const one of inner) {
        assert.equal(one.promptName, prompt);
        assert.equal(one.sessionId, inner[0].sessionId);
    }
    const completions = inner.map((one) => one.completionId)
        .filter((id) => id !== undefined);
    assert.equal(new Set(completions).size, 1, "one completion a prompt");
}

function check_blocks(events) {
    const open = new Map();
    const used = new Set();
    for (const event of events) {
        const [[name, one]] = Object.entries(event);
        if (name === "contentStart") {
            assert(!used.has(one.contentId), "contentId used again");
            used.add(one.contentId);
            open.set(one.contentId, one.type);
        } else if (name === "contentEnd") {
            assert.equal(open.get(one.contentId), one.type);
            open.delete(one.contentId);
        } else if (one.contentId !== undefined) {
            assert(open.has(one.contentId), `${name} outside its block`);
        }
    }
    assert.equal(open.size, 0, "blocks left open");
}

function check_usage(events) {
    const sum = { input: [0, 0], output: [0, 0] };
    for (const usage of named(events, "usageEvent")) {
        for (const side of ["input", "output"]) {
            const delta = usage.details.delta[side];
            const total = usage.details.total[side];
            sum[side][0] += delta.speechTokens;
            sum[side][1] += delta.textTokens;
            assert.deepEqual([total.speechTokens, total.textTokens],
                sum[side]);
        }
        assert.equal(usage.totalInputTokens, sum.input[0] + sum.input[1]);
        assert.equal(usage.totalOutputTokens, sum.output[0] + sum.output[1]);
        assert.equal(usage.totalTokens,
            usage.totalInputTokens + usage.totalOutputTokens);
    }
    return sum;
}

/** Ids, blocks and token sums of a whole stream; returns the sums. */
export function check_output(events, prompt) {
    check_identity(events, prompt);
    check_blocks(events);
    return check_usage(events);
}

/** The texts of a role and stage, each with the stop reason of its block. */
export function texts(events, role, stage) {
    const found = [];
    for (const start of named(events, "contentStart")) {
        const fields = JSON.parse(start.additionalModelFields ?? "{}");
        if (start.type === "TEXT" && start.role === role &&
            fields.generationStage === stage) {
            const mine = (one) => one.contentId === start.contentId;
            const text = named(events, "textOutput").filter(mine)
                .map((one) => one.content).join("");
            const end = named(events, "contentEnd").find(mine);
            found.push({ text, stop: end?.stopReason });
        }
    }
    return found;
}

/** The PCM of every audioOutput, joined. */
export function audio(events) {
    return Buffer.concat(named(events, "audioOutput")
        .map((one) => Buffer.from(one.content, "base64")));
}

export { named };
