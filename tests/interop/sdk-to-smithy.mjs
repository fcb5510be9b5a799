// The official AWS SDK talks with the endpoint that voxringd is held against,
// so that what voxringd meets there is known to be what the SDK accepts.
import assert from "node:assert/strict";

import { ValidationException } from "@aws-sdk/client-bedrock-runtime";

import { numbered, without_silence } from "./lib/audio.mjs";
import { Talk } from "./lib/client.mjs";
import { Endpoint } from "./lib/endpoint.mjs";
import { suite, test } from "./lib/harness.mjs";
import { keys } from "./lib/local.mjs";
import { audio, check_output, texts } from "./lib/output.mjs";
import * as sonic from "./lib/sonic.mjs";

suite("the AWS SDK and the Smithy endpoint");

const question = numbered(16000, 1);
const reply = numbered(30001, 2);

async function tell_the_time(model) {
    await model.heard(question.length / 2);
    model.emit("userSpeechStart", { inputAudioOffsetMs: 10 });
    await model.heard(question.length);
    model.text("USER", "FINAL", "what time is it");
    const result = await model.use_tool("clock", "{\"zone\":\"UTC\"}");
    model.say(`It is ${result.time}.`, reply);
    model.usage([20, 3], [40, 5]);
    model.usage([1, 0], [0, 2]);
}

function talk_to(scope, endpoint, more = {}) {
    return new Talk(scope, {
        endpoint: endpoint.url, ca: endpoint.ca, credentials: keys, ...more,
    });
}

test("a conversation that the endpoint finds in order", async (scope) => {
    const endpoint = await Endpoint.start(scope,
        { keys, conversation: tell_the_time });
    const talk = talk_to(scope, endpoint);

    talk.open({ tools: [sonic.clock_tool] });
    talk.speak(question);
    talk.answer_tool(await talk.next("toolUse"), { time: "12:34" });
    await talk.next("usageEvent");
    await talk.next("usageEvent");
    await talk.close();
    const [call] = endpoint.calls;
    await call.done;
    assert.deepEqual([talk.error, call.problems], [null, []]);
    assert.equal(call.model_id, "amazon.nova-2-sonic-v1:0");
    check_output(talk.events, talk.prompt);
    assert.deepEqual(audio(talk.events), reply);
    assert.deepEqual(texts(talk.events, "ASSISTANT", "FINAL"),
        [{ text: "It is 12:34.", stop: "END_TURN" }]);
    assert.deepEqual(
        without_silence(Buffer.concat(call.model.order.audio)), question);
    assert.deepEqual(call.model.order.names.slice(-3),
        ["contentEnd", "promptEnd", "sessionEnd"]);
    assert(call.end_frame, "the signed empty frame");
});

test("a session token is signed", async (scope) => {
    const expected = { ...keys, sessionToken: "a/session+token=" };
    const endpoint = await Endpoint.start(scope, { keys: expected });
    const talk = talk_to(scope, endpoint, { credentials: expected });

    talk.open();
    await talk.next("completionStart");
    await talk.close();
    await endpoint.calls[0].done;
    assert.deepEqual([talk.error, endpoint.calls[0].problems], [null, []]);
});

const strangers = [
    ["a wrong secret", { ...keys, secretAccessKey: "wrong" },
        "InvalidSignatureException"],
    ["an unknown key", { ...keys, accessKeyId: "AKIDNOBODYKNOWSTHIS1" },
        "UnrecognizedClientException"],
    ["an unexpected token", { ...keys, sessionToken: "made-up" },
        "UnrecognizedClientException"],
];

for (const [what, credentials, name] of strangers) {
    test(`the endpoint refuses ${what}`, async (scope) => {
        const endpoint = await Endpoint.start(scope, { keys });
        const talk = talk_to(scope, endpoint, { credentials });

        talk.open();
        const error = await talk.finished();
        assert.equal(error?.name, name);
        assert.equal(error.$metadata.httpStatusCode, 403);
        assert.equal(endpoint.calls[0].refusal.type, name);
    });
}

test("the endpoint notices an event out of order", async (scope) => {
    const endpoint = await Endpoint.start(scope, { keys });
    const talk = talk_to(scope, endpoint);

    talk.start();
    talk.send(sonic.session_start(), sonic.prompt_start(talk.prompt),
        ...talk.text("USER", "Hello."));
    const error = await talk.finished();
    assert(error instanceof ValidationException, error?.stack);
    assert.match(error.message, /^SYSTEM is the first text/);
});

test("the endpoint notices a chunk missing in the chain", async (scope) => {
    const endpoint = await Endpoint.start(scope,
        { keys, loses: (count) => count === 9 });
    const talk = talk_to(scope, endpoint);

    talk.open();
    const error = await talk.finished();
    assert(error instanceof ValidationException, error?.stack);
    assert.equal(error.message, "a chunk signature is wrong");
});
