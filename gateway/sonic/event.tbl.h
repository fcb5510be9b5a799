/* One line per event: code, name on the wire, the keys we know in it, what it
 * tells. Members of one event object are handled in this order. The last two
 * have no name of their own on the wire. */
#define SONIC_IDS " sessionId promptName completionId "
SONIC_EVENT(SPEECH_START, "userSpeechStart",
    SONIC_IDS "inputAudioOffsetMs ",
    "the user began to speak")
SONIC_EVENT(SPEECH_END, "userSpeechEnd",
    SONIC_IDS "inputAudioOffsetMs inputAudioDetectionOffsetMs ",
    "the user stopped speaking")
SONIC_EVENT(COMPLETION_START, "completionStart",
    SONIC_IDS,
    "the model begins to answer a prompt, once per prompt")
SONIC_EVENT(CONTENT_START, "contentStart",
    SONIC_IDS "contentId type role additionalModelFields"
    " textOutputConfiguration audioOutputConfiguration"
    " toolUseOutputConfiguration ",
    "a block of text, audio or tool use begins")
SONIC_EVENT(TEXT, "textOutput",
    SONIC_IDS "contentId content role ",
    "a transcript of the user or the assistant")
SONIC_EVENT(TOOL_USE, "toolUse",
    SONIC_IDS "contentId content toolName toolUseId role ",
    "the model calls a tool")
SONIC_EVENT(AUDIO, "audioOutput",
    SONIC_IDS "contentId content role ",
    "speech of the assistant")
SONIC_EVENT(CONTENT_END, "contentEnd",
    SONIC_IDS "contentId stopReason type role ",
    "a block ends, with the reason")
SONIC_EVENT(USAGE, "usageEvent",
    SONIC_IDS "details totalInputTokens totalOutputTokens totalTokens ",
    "tokens spent")
SONIC_EVENT(COMPLETION_END, "completionEnd",
    SONIC_IDS "stopReason ",
    "the model ends the prompt")
SONIC_EVENT(INTERRUPTED, NULL, NULL,
    "the text marker of a barge-in: {\"interrupted\":true}")
SONIC_EVENT(UNKNOWN, NULL, NULL,
    "an event we do not know")
#undef SONIC_IDS
