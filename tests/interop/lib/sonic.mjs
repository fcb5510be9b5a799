// The events that a client of Nova Sonic sends, in AWS's documented shapes.

export const clock_tool = {
    toolSpec: {
        name: "clock",
        description: "Tells the time in a zone.",
        inputSchema: {
            json: JSON.stringify({
                type: "object",
                properties: { zone: { type: "string" } },
            }),
        },
    },
};

const lpcm = {
    mediaType: "audio/lpcm", sampleSizeBits: 16, channelCount: 1,
    encoding: "base64", audioType: "SPEECH",
};
const plain = { mediaType: "text/plain" };

export const session_start = () => ({
    sessionStart: {
        inferenceConfiguration:
            { maxTokens: 1024, topP: 0.9, temperature: 0.7 },
    },
});

export const prompt_start = (promptName, { tools = [], voice } = {}) => ({
    promptStart: {
        promptName,
        textOutputConfiguration: plain,
        audioOutputConfiguration:
            { ...lpcm, sampleRateHertz: 24000, voiceId: voice ?? "matthew" },
        ...(tools.length === 0 ? {} : {
            toolUseOutputConfiguration: { mediaType: "application/json" },
            toolConfiguration: { tools, toolChoice: { auto: {} } },
        }),
    },
});

export const text_start = (promptName, contentName, role, interactive) => ({
    contentStart: {
        promptName, contentName, type: "TEXT", interactive, role,
        textInputConfiguration: plain,
    },
});

export const text_input = (promptName, contentName, content) => ({
    textInput: { promptName, contentName, content },
});

export const audio_start = (promptName, contentName) => ({
    contentStart: {
        promptName, contentName, type: "AUDIO", interactive: true,
        role: "USER",
        audioInputConfiguration: { ...lpcm, sampleRateHertz: 16000 },
    },
});

export const audio_input = (promptName, contentName, pcm) => ({
    audioInput: { promptName, contentName, content: pcm.toString("base64") },
});

export const content_end = (promptName, contentName) => ({
    contentEnd: { promptName, contentName },
});

export const text_block = (prompt, name, role, text, interactive = false) => [
    text_start(prompt, name, role, interactive),
    text_input(prompt, name, text),
    content_end(prompt, name),
];

export const tool_result = (prompt, name, toolUseId, content) => [
    {
        contentStart: {
            promptName: prompt, contentName: name, interactive: false,
            type: "TOOL", role: "TOOL",
            toolResultInputConfiguration:
                { toolUseId, type: "TEXT", textInputConfiguration: plain },
        },
    },
    { toolResult: { promptName: prompt, contentName: name, content } },
    content_end(prompt, name),
];

export const prompt_end = (promptName) => ({ promptEnd: { promptName } });
export const session_end = () => ({ sessionEnd: {} });
