// voxringd talks with the endpoint that the official SDK's own codec and
// signer verify: what a producer wrote must arrive, what the model said must
// come out, and every signature and every order must hold.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { murmur, numbered, wav, without_silence } from "./lib/audio.mjs";
import { Endpoint } from "./lib/endpoint.mjs";
import { Gateway } from "./lib/gateway.mjs";
import { suite, test } from "./lib/harness.mjs";
import { keys } from "./lib/local.mjs";
import { build } from "./lib/processes.mjs";
import { Refusal } from "./lib/verify.mjs";

suite("voxringd and the Smithy endpoint");

const question = numbered(20 * 16000 + 123, 3);
const reply = numbered(2 * 24000 + 1, 4);
const words = "Grüß Gott, 你好 🤖 \"quoted\" \\ and \u0001 too";

async function echo_the_words(model) {
    model.emit("someNewEvent", { unknown: [null, { deep: true }] });
    await model.heard(32000);
    model.emit("userSpeechStart", { inputAudioOffsetMs: 10 });
    model.emit("userSpeechEnd",
        { inputAudioOffsetMs: 900, inputAudioDetectionOffsetMs: 1400 });
    model.text("USER", "FINAL", "say it");
    model.text("USER", "FINAL", "again");
    const result = await model.use_tool("echo",
        JSON.stringify({ text: words }));
    model.result = result;
    model.say(result.text, reply);
    model.usage([200, 30], [40, 5]);
    model.usage([1, 0], [0, 2]);
}

/** The order at the end: what was begun is ended, and nothing else. */
function check_end(call) {
    assert.deepEqual(call.problems, []);
    assert.deepEqual(call.model.order.names.slice(-3),
        ["contentEnd", "promptEnd", "sessionEnd"]);
    assert(call.end_frame, "the signed empty frame");
}

function check_audio(call, written) {
    const heard = without_silence(Buffer.concat(call.model.order.audio));
    assert.equal(heard.length, written.length);
    assert(heard.equals(written), "the audio arrived as it was written");
}

async function check_voice(gateway, recorder, file) {
    await recorder.line(new RegExp(`^recorded ${reply.length}$`));
    assert(readFileSync(file).equals(reply), "the voice came out as sent");
    await gateway.event("playback", (data) => data.phase === "finished");
}

function check_bus(gateway) {
    const finals = gateway.events("transcript")
        .filter((data) => data.stage === "final")
        .map((data) => [data.role, data.text]);
    assert.deepEqual(finals,
        [["user", "say it"], ["user", "again"], ["assistant", words]]);
    const [call] = gateway.events("tool.call");
    assert.deepEqual(call.arguments, { text: words });
    const total = gateway.events("usage").at(-1).total;
    assert.deepEqual([total.input.speech_tokens, total.input.text_tokens,
        total.output.speech_tokens, total.output.text_tokens],
    [201, 30, 40, 7]);
    const [response] = gateway.events("response")
        .filter((data) => data.phase === "ended");
    assert.equal(response.status, "complete");
    assert.deepEqual(gateway.events("error"), []);
}

test("a conversation, byte for byte", async (scope) => {
    const prompt = "You are a robot. Ünïcode. ".repeat(200);
    const history = [
        { role: "USER", text: "I am Ada. ".repeat(150) },
        { role: "ASSISTANT", text: "Hello Ada." },
    ];
    const endpoint = await Endpoint.start(scope,
        { keys, conversation: echo_the_words });
    const gateway = await Gateway.start(scope, endpoint, {
        keys, config: {
            sessions: { robot: { system_prompt: prompt, history } },
        },
    });
    const voice = path.join(gateway.folder, "voice.pcm");
    const recorder = gateway.robot("record", "robot", voice);
    const file = path.join(gateway.folder, "question.pcm");

    await recorder.line(/^attached$/);
    writeFileSync(file, question);
    const mic = gateway.robot("send", "robot", file);
    assert.equal(await mic.exit(), 0);
    const [call] = await endpoint.called();
    await call.model.heard(question.length);
    await check_voice(gateway, recorder, voice);
    assert.equal(await gateway.stop(), 0);
    await call.done;
    check_end(call);
    check_audio(call, question);
    check_bus(gateway);
    assert.deepEqual(call.model.result, { text: words });
    assert.deepEqual(call.model.order.texts,
        [{ role: "SYSTEM", text: prompt }, ...history]);
    assert.deepEqual(call.model.order.session.inferenceConfiguration,
        { maxTokens: 1024, topP: 0.9, temperature: 0.7 });
    assert.equal(endpoint.calls.length, 1);
});

test("voxring send, paced by the gateway", async (scope) => {
    if (!existsSync(path.join(build, "voxring"))) {
        scope.skip("there is no voxring program in the build");
    }
    const endpoint = await Endpoint.start(scope, { keys });
    const gateway = await Gateway.start(scope, endpoint,
        { keys, config: { sessions: {} } });
    const file = path.join(gateway.folder, "question.wav");
    const longer_than_the_ring = numbered(100 * 16000 + 7, 8);

    writeFileSync(file, wav(longer_than_the_ring));
    // What waits for a stream goes out at twice its speed; this is to be paced
    // by nothing but what the endpoint takes.
    await gateway.open("robot");
    await gateway.event("session.state",
        (data) => data.state === "streaming");
    const sender = gateway.voxring("send", "robot", file, "--fast");
    assert.equal(await sender.exit(), 0, sender.errors.join("\n"));
    const [call] = await endpoint.called();
    await call.model.heard(longer_than_the_ring.length);
    assert.equal(await gateway.stop(), 0);
    await call.done;
    check_end(call);
    check_audio(call, longer_than_the_ring);
});

test("two sessions, each its own audio on a stream of its own",
    async (scope) => {
        const endpoint = await Endpoint.start(scope, { keys });
        const gateway = await Gateway.start(scope, endpoint, {
            keys, config: { sessions: {
                one: {}, two: { model: "amazon.nova-2-5-sonic" },
            } },
        });
        const calls = await endpoint.called(2);
        const by_name = { one: numbered(32001, 5), two: numbered(33333, 6) };

        for (const [name, pcm] of Object.entries(by_name)) {
            const file = path.join(gateway.folder, name);
            writeFileSync(file, pcm);
            assert.equal(await gateway.robot("send", name, file).exit(), 0);
        }
        for (const call of calls) {
            const pcm = call.model_id === "amazon.nova-2-5-sonic" ?
                by_name.two : by_name.one;
            await call.model.heard(pcm.length);
        }
        assert.equal(await gateway.stop(), 0);
        for (const call of calls) {
            await call.done;
            check_end(call);
            check_audio(call, call.model_id === "amazon.nova-2-5-sonic" ?
                by_name.two : by_name.one);
        }
        assert.notEqual(calls[0].connection, calls[1].connection);
    });

test("a session token from a profile", async (scope) => {
    const expected = { ...keys, sessionToken: "IQoJ/b3Jp+Z2lu==" };
    const endpoint = await Endpoint.start(scope, { keys: expected });
    const file = path.join(path.dirname(endpoint.ca_file), "credentials");

    writeFileSync(file, `[robots]
aws_access_key_id = ${expected.accessKeyId}
aws_secret_access_key = ${expected.secretAccessKey}
aws_session_token = ${expected.sessionToken}
`, { mode: 0o600 });
    const gateway = await Gateway.start(scope, endpoint, {
        config: { bedrock: { profile: "robots" }, sessions: {} },
        env: { AWS_SHARED_CREDENTIALS_FILE: file },
    });
    await gateway.open("robot");
    await gateway.event("session.state",
        (data) => data.state === "streaming");
    assert.equal(await gateway.stop(), 0);
    const [call] = endpoint.calls;
    await call.done;
    check_end(call);
});

test("an interruption, told three times, is one", async (scope) => {
    const marker = "{ \"interrupted\" : true }";
    const endpoint = await Endpoint.start(scope, {
        keys, conversation: async (model) => {
            await model.heard(3200);
            model.text("USER", "FINAL", "tell me a story");
            model.text("ASSISTANT", "SPECULATIVE", "Once upon a time.");
            model.audio(numbered(10 * 24000, 9));
            model.emit("userSpeechStart", { inputAudioOffsetMs: 900 });
            model.text("ASSISTANT", "FINAL", "Once upon", "INTERRUPTED");
            model.text("ASSISTANT", "FINAL", marker);
            model.text("USER", "FINAL", "stop");
            model.say("All right.", numbered(2400, 10));
        },
    });
    const gateway = await Gateway.start(scope, endpoint, { keys });
    const file = path.join(gateway.folder, "question.pcm");

    writeFileSync(file, numbered(16000, 11));
    assert.equal(await gateway.robot("send", "robot", file).exit(), 0);
    await gateway.event("transcript", (data) => data.text === "All right." &&
        data.stage === "final");
    assert.equal(await gateway.stop(), 0);
    await gateway.event("session.state", (data) => data.state === "closed");
    const [cut, ...more] = gateway.events("interruption");
    assert.deepEqual(more, []);
    assert(cut.estimated && cut.heard_ms < 9000, JSON.stringify(cut));
    assert.deepEqual(gateway.events("response")
        .filter((data) => data.phase === "ended").map((data) => data.status),
    ["interrupted", "complete"]);
    assert(!gateway.bus.lines.join("").includes("\\\"interrupted\\\" :"),
        "the marker is no transcript");
    check_end(endpoint.calls[0]);
});

const said_on = [
    { asked: "what time is it", answer: "It is noon.", usage: [200, 30] },
    { asked: "and now", answer: "It is one.", usage: [10, 0] },
];

/** The gateway's streams in one conversation, one after the other. */
async function answer_once(model) {
    const { asked, answer, usage } =
        said_on[model.call.endpoint.calls.indexOf(model.call)];
    await model.heard(16000);
    model.text("USER", "FINAL", asked);
    model.say(answer, numbered(2400, 12));
    model.usage(usage, [5, 2]);
}

const ended_turn = (asked) => (data) => data.user_text === asked;

test("a rotation in mid-audio: two streams, one conversation",
    async (scope) => {
        const endpoint = await Endpoint.start(scope,
            { keys, conversation: answer_once });
        const gateway = await Gateway.start(scope, endpoint, { keys });
        const file = path.join(gateway.folder, "room.wav");
        const room = murmur(5 * 16000 + 11, 13);

        writeFileSync(file, wav(room));
        const sender = gateway.voxring("send", "robot", file);
        await gateway.event("turn", ended_turn(said_on[0].asked));
        assert.equal(await gateway.voxring("rotate", "robot").exit(), 0);
        const [first, second] = await endpoint.called(2);
        await gateway.event("stream", (data) =>
            data.phase === "current" && data.stream === 2);
        await first.done;
        await gateway.event("turn", ended_turn(said_on[1].asked));
        assert.equal(await sender.exit(), 0, sender.errors.join("\n"));
        const on_first = without_silence(
            Buffer.concat(first.model.order.audio));
        await second.model.heard(room.length - on_first.length);
        assert.equal(await gateway.stop(), 0);
        await second.done;

        [first, second].forEach(check_end);
        const on_second = without_silence(
            Buffer.concat(second.model.order.audio));
        assert(on_first.length > 0 && on_second.length > 0);
        assert(Buffer.concat([on_first, on_second]).equals(room),
            "each frame went to one of the two, in order");
        const [, ...history] = second.model.order.texts;
        assert.deepEqual(history, [
            { role: "USER", text: said_on[0].asked },
            { role: "ASSISTANT", text: said_on[0].answer },
        ]);
        assert.deepEqual(first.model.order.texts.length, 1);
        const { total } = gateway.events("usage").at(-1);
        assert.deepEqual([total.input.speech_tokens, total.input.text_tokens],
            [210, 30]);
        assert.deepEqual(gateway.events("error"), []);
        assert.equal(endpoint.calls.length, 2);
    });

test("a stream that dies after its answer: the next knows what was said",
    async (scope) => {
        const endpoint = await Endpoint.start(scope, {
            keys, conversation: async (model) => {
                await answer_once(model);
                if (model.call === model.call.endpoint.calls[0]) {
                    await model.heard(48000);
                    model.fail("modelTimeoutException",
                        "Model has timed out in processing the request.");
                }
            },
        });
        const gateway = await Gateway.start(scope, endpoint, { keys });
        const file = path.join(gateway.folder, "room.wav");

        writeFileSync(file, wav(murmur(4 * 16000, 14)));
        const sender = gateway.voxring("send", "robot", file);
        const error = await gateway.event("error");
        assert.deepEqual([error.code, error.recoverable],
            ["ModelTimeoutException", true]);
        await gateway.event("turn", ended_turn(said_on[1].asked));
        assert.equal(await sender.exit(), 0, sender.errors.join("\n"));
        assert.equal(await gateway.stop(), 0);
        const [, second] = endpoint.calls;
        await second.done;
        check_end(second);
        const [, ...history] = second.model.order.texts;
        assert.deepEqual(history, [
            { role: "USER", text: said_on[0].asked },
            { role: "ASSISTANT", text: said_on[0].answer },
        ]);
        const current = gateway.events("stream")
            .filter((data) => data.phase === "current");
        assert.deepEqual([current.at(-1).stream, current.at(-1).replay],
            [2, "none"]);
        assert.equal(endpoint.calls.length, 2);
    });

// ---- what goes wrong --------------------------------------------------------

const refusals = [
    [403, "UnrecognizedClientException",
        "The security token included in the request is invalid."],
    [403, "AccessDeniedException", "You don't have access to the model."],
    [429, "ThrottlingException", "Too many requests."],
    [400, "ValidationException", "The provided model identifier is invalid."],
];

for (const [status, type, message] of refusals) {
    test(`${type} before the stream is told`, async (scope) => {
        const endpoint = await Endpoint.start(scope,
            { keys, refusal: new Refusal(status, type, message) });
        const gateway = await Gateway.start(scope, endpoint,
            { keys, config: { sessions: {} } });

        await gateway.open("robot");
        const error = await gateway.event("error");
        assert.equal(error.code, type);
        assert.equal(error.http_status, status);
        assert.equal(error.request_id, endpoint.calls[0].request_id);
        assert(error.message.includes(message), error.message);
        assert(error.remedy.length > 0);
        assert.equal(await gateway.stop(), 0);
    });
}

const endings = [
    ["throttlingException", (model) =>
        model.fail("throttlingException", "Too many requests."),
    "ThrottlingException"],
    ["modelTimeoutException", (model) =>
        model.fail("modelTimeoutException", "Model has timed out in " +
            "processing the request. Try your request again."),
    "ModelTimeoutException"],
    ["validationException", (model) =>
        model.fail("validationException",
            "System instability detected. Please retry your request."),
    "ValidationException"],
    ["END_STREAM in mid-conversation", (model) => model.close(), null],
    ["RST_STREAM", (model) => model.call.stream.close(2), null],
    ["a cut connection", (model) => model.call.stream.session.destroy(),
        null],
    ["a frame with a wrong checksum", (model) => {
        const frame = model.event_frame({ event: { sessionPing: {} } });
        frame[frame.length - 1] ^= 1;
        model.write(frame);
    }, null],
];

for (const [what, end_it, code] of endings) {
    test(`${what} is noticed and told`, async (scope) => {
        const endpoint = await Endpoint.start(scope, {
            keys, conversation: async (model) => {
                await model.heard(3200);
                end_it(model);
            },
        });
        const gateway = await Gateway.start(scope, endpoint, { keys });
        const file = path.join(gateway.folder, "question.pcm");

        writeFileSync(file, numbered(16000, 7));
        assert.equal(await gateway.robot("send", "robot", file).exit(), 0);
        const error = await gateway.event("error");
        if (code !== null) {
            assert.equal(error.code.toLowerCase(), code.toLowerCase());
        }
        assert(error.message.length > 0 && error.remedy.length > 0);
        assert.equal(await gateway.stop(), 0);
    });
}
