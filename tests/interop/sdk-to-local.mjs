// The official AWS SDK talks with voxring-local: a whole conversation, and
// what the SDK makes of everything that is refused.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import * as bedrock from "@aws-sdk/client-bedrock-runtime";

import { peak, silence, speech } from "./lib/audio.mjs";
import { suite, test } from "./lib/harness.mjs";
import { Local, keys } from "./lib/local.mjs";
import { audio, check_output, named, texts } from "./lib/output.mjs";
import * as sonic from "./lib/sonic.mjs";

suite("the AWS SDK and voxring-local");

const story = "Once upon a time there was a small robot. " +
    "It counted the cups, and it counted them again. ".repeat(8);
const script = {
    endpoint_ms: 500,
    first_audio_ms: 50,
    lines: [
        { hear: "hello robot", say: "Hello there. How are you?" },
        {
            hear: "what time is it",
            tool: { name: "clock", arguments: { zone: "UTC" } },
            say: "It is {clock.time} now.",
        },
        { hear: "tell me a story", say: story },
        { hear: "stop please", say: "All right." },
        { hear: "greet the visitor", on: "text", say: "Welcome!" },
    ],
};

const is_start = (type, role) => (start) =>
    start.type === type && start.role === role;
const ends_turn = (end) =>
    end.type === "AUDIO" && end.stopReason === "END_TURN";

async function be_greeted(talk) {
    talk.send(...talk.text("USER", "Greet the visitor.", true));
    await talk.next("contentStart", is_start("AUDIO", "ASSISTANT"));
    await talk.next("contentEnd", ends_turn);
    await talk.next("textOutput", (text) => text.content === "Welcome!");
}

async function say_hello(talk) {
    talk.speak(Buffer.concat([silence(0.3), speech(0.8)]));
    const began = await talk.next("userSpeechStart");
    const ended = await talk.next("userSpeechEnd");
    const length_ms = ended.inputAudioOffsetMs - began.inputAudioOffsetMs;
    assert(Math.abs(length_ms - 800) < 150, `spoke for ${length_ms} ms`);
    await talk.next("textOutput", (text) => text.content === "hello robot");
    await talk.next("contentEnd", ends_turn);
    await talk.next("textOutput", (text) => text.content === "How are you?");
}

async function ask_the_time(talk) {
    talk.speak(speech(0.8));
    const use = await talk.next("toolUse");
    assert.equal(use.toolName, "clock");
    assert.deepEqual(JSON.parse(use.content), { zone: "UTC" });
    const end = await talk.next("contentEnd");
    assert.equal(end.stopReason, "TOOL_USE");
    talk.answer_tool(use, { time: "12:34" });
    await talk.next("contentEnd", ends_turn);
    await talk.next("textOutput",
        (text) => text.content === "It is 12:34 now.");
}

async function interrupt_the_story(talk) {
    talk.speak(speech(0.6));
    for (let heard = 0; heard < 10; heard++) {
        await talk.next("audioOutput");
    }
    talk.speak(speech(0.6));
    await talk.next("userSpeechStart");
    const cut = await talk.next("contentEnd",
        (end) => end.stopReason === "INTERRUPTED");
    assert.equal(cut.type, "TEXT");
    const marker = await talk.next("textOutput");
    assert.deepEqual(JSON.parse(marker.content), { interrupted: true });
    await talk.next("textOutput", (text) => text.content === "stop please");
    const spoken = await talk.next("textOutput");
    assert.equal(spoken.content, "All right.");
    await talk.next("contentEnd", ends_turn);
    await talk.next("contentEnd", (end) => end.type === "TEXT");
}

function check_conversation(talk) {
    const sum = check_output(talk.events, talk.prompt);
    assert(sum.input[0] > 0 && sum.output[0] > 0, "speech tokens");
    assert(sum.input[1] > 0 && sum.output[1] > 0, "text tokens");
    assert.deepEqual(texts(talk.events, "USER", "FINAL"), [
        { text: "hello robot", stop: "PARTIAL_TURN" },
        { text: "what time is it", stop: "PARTIAL_TURN" },
        { text: "tell me a story", stop: "PARTIAL_TURN" },
        { text: "stop please", stop: "PARTIAL_TURN" },
    ]);
    const planned = texts(talk.events, "ASSISTANT", "SPECULATIVE");
    assert.deepEqual(planned.slice(0, 4).map((one) => one.text),
        ["Welcome!", "Hello there.", "How are you?", "It is 12:34 now."]);
    const voice = audio(talk.events);
    assert.equal(voice.length % 2, 0);
    assert(peak(voice) > 1000, "the voice is audible");
    assert.equal(named(talk.events, "completionStart").length, 1);
    assert.equal(named(talk.events, "completionEnd").length, 1);
    assert("completionEnd" in talk.events.at(-1), "completionEnd is last");
}

test("a conversation from the first event to the last", async (scope) => {
    const local = await Local.start(scope, { script });
    const talk = local.talk(scope);

    talk.open({
        tools: [sonic.clock_tool],
        history: [{ role: "USER", text: "My name is Ada." },
            { role: "ASSISTANT", text: "Hello Ada." }],
    });
    await be_greeted(talk);
    await say_hello(talk);
    await ask_the_time(talk);
    await interrupt_the_story(talk);
    await talk.close();
    assert.equal(talk.error, null);
    assert.equal(talk.metadata.httpStatusCode, 200);
    assert.match(talk.metadata.requestId, /^[0-9a-f-]{36}$/);
    check_conversation(talk);
    assert.deepEqual(await local.log("violation"), []);
});

test("several conversations at once, with session tokens", async (scope) => {
    const expected = { ...keys, sessionToken: "a-token/of+a=role" };
    const local = await Local.start(scope, { script, expected });
    const talks = [1, 2, 3].map(() =>
        local.talk(scope, { credentials: expected }));

    for (const talk of talks) {
        talk.open({ tools: [sonic.clock_tool] });
    }
    await Promise.all(talks.map(ask_by_text));
    for (const talk of talks) {
        check_output(talk.events, talk.prompt);
    }
    assert.deepEqual(await local.log("violation"), []);
});

async function ask_by_text(talk, index) {
    talk.send(...talk.text("USER", "what time is it", true));
    talk.answer_tool(await talk.next("toolUse"), { time: `1${index}:00` });
    const said = await talk.next("textOutput");
    assert.equal(said.content, `It is 1${index}:00 now.`);
    await talk.next("contentEnd", ends_turn);
    await talk.close();
    assert.equal(talk.error, null);
}

// ---- refused before the stream --------------------------------------------

const refused = [
    ["a wrong secret",
        { credentials: { ...keys, secretAccessKey: "wrong" } },
        "InvalidSignatureException", 403,
        /^The request signature we calculated does not match/],
    ["an unknown key",
        { credentials: { ...keys, accessKeyId: "AKIDNOBODYKNOWSTHIS1" } },
        "UnrecognizedClientException", 403,
        /^The security token included in the request is invalid\.$/],
    ["a session token nobody gave",
        { credentials: { ...keys, sessionToken: "made-up" } },
        "UnrecognizedClientException", 403,
        /^The security token included in the request is invalid\.$/],
    ["a clock that is late", { clock_offset_ms: -20 * 60000 },
        "InvalidSignatureException", 403, /^Signature expired: /],
    ["a clock that is early", { clock_offset_ms: 20 * 60000 },
        "InvalidSignatureException", 403, /^Signature not yet current: /],
    ["another region", { region: "eu-north-1" },
        "InvalidSignatureException", 403,
        /^Credential should be scoped to a valid region: us-east-1/],
    ["an unknown model", { model: "amazon.nova-9-sonic-v1:0" },
        "ValidationException", 400,
        /^The provided model identifier is invalid\.$/],
];

for (const [what, options, name, status, message] of refused) {
    test(`refuses ${what}`, async (scope) => {
        const local = await Local.start(scope,
            { ear: "none", args: ["--region", "us-east-1"] });
        const talk = local.talk(scope, options);

        talk.open();
        const error = await talk.finished();
        assert.equal(error?.name, name, error?.stack);
        assert.match(error.message, message);
        assert.equal(error.$metadata.httpStatusCode, status);
        assert.equal(error.$fault, "client");
        assert.deepEqual(talk.events, []);
        if (name in bedrock) {
            assert(error instanceof bedrock[name]);
        }
        assert.equal((await local.log("refused")).length, 1);
    });
}

// ---- rules broken on the stream -------------------------------------------

const invalid = "Invalid input request, please fix your input and try again.";
const history =
    "Chat history should be sent completely before streaming audio.";

async function answer_with(talk, ...contents) {
    talk.open({ tools: [sonic.clock_tool] });
    talk.send(...talk.text("USER", "what time is it", true));
    const use = await talk.next("toolUse");
    for (const content of contents) {
        talk.send(...sonic.tool_result(talk.prompt, randomUUID(),
            use.toolUseId, content));
    }
}

const broken = [
    ["an event before sessionStart", invalid, (talk) => {
        talk.start();
        talk.send(sonic.prompt_start(talk.prompt));
    }],
    ["a prompt without SYSTEM", "First content must have SYSTEM role",
        (talk) => {
            talk.start();
            talk.send(sonic.session_start(), sonic.prompt_start(talk.prompt),
                ...talk.text("USER", "Hello."));
        }],
    ["an unknown voice", /^Received invalid voiceId/, (talk) => {
        talk.start();
        talk.send(sonic.session_start(),
            sonic.prompt_start(talk.prompt, { voice: "hal" }));
    }],
    ["audio inside a text block", history, (talk) => {
        talk.open();
        talk.send(sonic.text_start(talk.prompt, "T", "USER", true));
    }],
    ["a text of more than 50 KB", invalid, (talk) => {
        talk.open();
        talk.send(...talk.text("USER", "x".repeat(51201), true));
    }],
    ["a result that is no JSON", "Tool Response parsing error",
        (talk) => answer_with(talk, "half past twelve")],
    ["a result that is no object", "Tool Response parsing error",
        (talk) => answer_with(talk, "[12, 34]")],
    ["two results for one use", invalid,
        (talk) => answer_with(talk, "{\"time\":\"1\"}", "{\"time\":\"2\"}")],
    ["a second AUDIO block", invalid, (talk) => {
        talk.open();
        talk.send(sonic.audio_start(talk.prompt, "second"));
    }],
    ["promptEnd before contentEnd", invalid, (talk) => {
        talk.open();
        talk.send(sonic.prompt_end(talk.prompt));
    }],
    ["an event that does not exist", invalid, (talk) => {
        talk.open();
        talk.send({ audioFlush: { promptName: talk.prompt } });
    }],
];

for (const [what, message, say] of broken) {
    test(`ends the stream after ${what}`, async (scope) => {
        const local = await Local.start(scope, { script, ear: "none" });
        const talk = local.talk(scope);

        await say(talk);
        const error = await talk.finished();
        assert(error instanceof bedrock.ValidationException, error?.stack);
        if (message instanceof RegExp) {
            assert.match(error.message, message);
        } else {
            assert.equal(error.message, message);
        }
        const said = await local.log("violation");
        assert(said.length > 0, "the log says what was wrong");
    });
}

// ---- time -----------------------------------------------------------------

test("a stream ends at its eight minutes", async (scope) => {
    const local = await Local.start(scope,
        { script, ear: "none", args: ["--time-scale", "400"] });
    const talk = local.talk(scope);

    talk.open();
    const error = await talk.finished();
    assert(error instanceof bedrock.ModelTimeoutException, error?.stack);
    assert.match(error.message, /^Model has timed out in processing/);
});

test("a stream without input events ends", async (scope) => {
    const local = await Local.start(scope,
        { script, ear: "none", args: ["--time-scale", "100"] });
    const talk = local.talk(scope);

    talk.start();
    talk.send(sonic.session_start(), sonic.prompt_start(talk.prompt),
        ...talk.text("SYSTEM", "You are a robot."));
    const error = await talk.finished();
    assert(error instanceof bedrock.ValidationException, error?.stack);
    assert.equal(error.message, "Timed out waiting for input events");
});

test("a stop in mid-conversation ends the stream", async (scope) => {
    const local = await Local.start(scope, { script, ear: "none" });
    const talk = local.talk(scope);

    talk.open();
    talk.send(...talk.text("USER", "greet the visitor", true));
    await talk.next("audioOutput");
    assert.equal(await local.child.exit("SIGTERM"), 0);
    await talk.finished();
});
