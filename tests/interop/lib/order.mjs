// The order that a client's events must keep, and what they must hold.
import assert from "node:assert/strict";

const TEXT_BYTES_MAX = 1024;

/** Takes the events of one stream one by one; throws at the first that is
 * wrong. What was said is kept: prompt, texts, audio, results. */
export class Order {
    constructor() {
        this.names = [];
        this.session = null;
        this.prompt = null;
        this.texts = [];
        this.audio = [];
        this.tool_uses = new Map();
        this.ended = false;
        this.audio_open = false;
        this.block = null;
        this.used = new Set();
        this.had_audio = false;
        this.on_result = () => undefined;
    }

    /** One event, the object inside of `{"event": ...}`. */
    take(event) {
        const entries = Object.entries(event);
        assert.equal(entries.length, 1, "one name in an event");
        const [[name, body]] = entries;
        const take = this[`take_${name}`];
        assert(take !== undefined, `there is no event ${name}`);
        assert(!this.ended, `${name} after sessionEnd`);
        assert(this.session !== null || name === "sessionStart",
            `${name} before sessionStart`);
        if (!["sessionStart", "promptStart", "sessionEnd"].includes(name)) {
            assert.equal(body.promptName, this.prompt?.promptName,
                `promptName of ${name}`);
        }
        take.call(this, body);
        this.names.push(name);
        return name;
    }

    take_sessionStart(body) {
        assert.equal(this.session, null, "one sessionStart");
        this.session = body;
    }

    take_promptStart(body) {
        assert.equal(this.prompt, null, "one promptStart");
        assert.equal(body.textOutputConfiguration.mediaType, "text/plain");
        const audio = body.audioOutputConfiguration;
        assert.equal(audio.mediaType, "audio/lpcm");
        assert([8000, 16000, 24000].includes(audio.sampleRateHertz));
        assert.deepEqual([audio.sampleSizeBits, audio.channelCount,
            audio.encoding, audio.audioType], [16, 1, "base64", "SPEECH"]);
        assert.equal(typeof audio.voiceId, "string");
        const tools = body.toolConfiguration?.tools ?? [];
        for (const { toolSpec } of tools) {
            assert.match(toolSpec.name, /^[A-Za-z0-9_-]{1,64}$/);
            assert.equal(typeof toolSpec.description, "string");
            const schema = JSON.parse(toolSpec.inputSchema.json);
            assert.equal(schema.type, "object");
        }
        if (tools.length > 0) {
            assert.equal(body.toolUseOutputConfiguration.mediaType,
                "application/json");
        }
        this.prompt = body;
    }

    take_contentStart(body) {
        assert.equal(this.block, null, "a block begins inside another");
        assert(!this.used.has(body.contentName), "contentName used again");
        this.used.add(body.contentName);
        const begin = this[`begin_${body.type}`];
        assert(begin !== undefined, `there is no type ${body.type}`);
        begin.call(this, body);
    }

    begin_TEXT(body) {
        const first = this.texts.length === 0;
        assert.equal(first, body.role === "SYSTEM",
            "SYSTEM is the first text, and only the first");
        assert.equal(body.interactive, this.had_audio,
            "interactive is for texts after the AUDIO block began");
        assert(!this.had_audio || this.audio_open, "text after the audio");
        if (this.texts.length === 1 || this.had_audio) {
            assert.equal(body.role, "USER");
        }
        assert.equal(body.textInputConfiguration.mediaType, "text/plain");
        this.block = { name: body.contentName, type: "TEXT", text: "" };
        this.texts.push({ role: body.role, text: "" });
    }

    begin_AUDIO(body) {
        assert(this.texts.length > 0, "AUDIO before SYSTEM");
        assert(!this.had_audio, "one AUDIO block");
        const { sampleRateHertz, ...rest } = body.audioInputConfiguration;
        assert([8000, 16000, 24000].includes(sampleRateHertz));
        assert.deepEqual(rest, {
            mediaType: "audio/lpcm", sampleSizeBits: 16, channelCount: 1,
            audioType: "SPEECH", encoding: "base64",
        });
        assert.deepEqual([body.interactive, body.role], [true, "USER"]);
        this.had_audio = true;
        this.audio_open = true;
        this.audio_name = body.contentName;
    }

    begin_TOOL(body) {
        const { toolUseId, type, textInputConfiguration } =
            body.toolResultInputConfiguration;
        assert.deepEqual([body.interactive, body.role, type,
            textInputConfiguration.mediaType],
        [false, "TOOL", "TEXT", "text/plain"]);
        assert(this.tool_uses.get(toolUseId) === "open",
            "a result for no open tool use");
        this.block = { name: body.contentName, type: "TOOL", toolUseId };
    }

    take_textInput(body) {
        assert.equal(this.block?.type, "TEXT", "textInput outside a block");
        assert.equal(body.contentName, this.block.name);
        const bytes = Buffer.byteLength(body.content);
        assert(bytes > 0 && bytes <= TEXT_BYTES_MAX, `${bytes} bytes of text`);
        this.texts.at(-1).text += body.content;
    }

    take_audioInput(body) {
        assert(this.audio_open, "audioInput outside the AUDIO block");
        assert.equal(this.block, null, "audioInput inside another block");
        assert.equal(body.contentName, this.audio_name);
        const pcm = Buffer.from(body.content, "base64");
        assert.equal(pcm.toString("base64"), body.content, "base64");
        assert(pcm.length > 0 && pcm.length % 2 === 0, "whole samples");
        this.audio.push(pcm);
    }

    take_toolResult(body) {
        assert.equal(this.block?.type, "TOOL", "toolResult outside a block");
        assert.equal(body.contentName, this.block.name);
        assert.equal(this.block.result, undefined, "one toolResult a block");
        const result = JSON.parse(body.content);
        assert(typeof result === "object" && result !== null &&
            !Array.isArray(result), "the result is a JSON object");
        this.block.result = result;
    }

    take_contentEnd(body) {
        if (this.block === null) {
            assert(this.audio_open, "contentEnd of no block");
            assert.equal(body.contentName, this.audio_name);
            this.audio_open = false;
            return;
        }
        const { name, type, toolUseId, result } = this.block;
        assert.equal(body.contentName, name);
        this.block = null;
        if (type === "TOOL") {
            assert(result !== undefined, "a TOOL block without a result");
            this.tool_uses.set(toolUseId, "answered");
            this.on_result(toolUseId, result);
        } else {
            assert(this.texts.at(-1).text !== "", "an empty text block");
        }
    }

    take_promptEnd() {
        assert(this.block === null && !this.audio_open, "a block is open");
        this.prompt_ended = true;
    }

    take_sessionEnd(body) {
        assert.deepEqual(body, {});
        assert(this.prompt_ended, "sessionEnd before promptEnd");
        this.ended = true;
    }
}
