/* The client events of a small conversation, as JSON. */
#ifndef TESTS_LOCAL_CLIENT_EVENTS_H
#define TESTS_LOCAL_CLIENT_EVENTS_H

#define SESSION_START                                            \
    "{\"event\":{\"sessionStart\":{\"inferenceConfiguration\":{" \
    "\"maxTokens\":1024,\"topP\":0.9,\"temperature\":0.7}}}}"
#define PROMPT_START                                                      \
    "{\"event\":{\"promptStart\":{\"promptName\":\"P\","                  \
    "\"textOutputConfiguration\":{\"mediaType\":\"text/plain\"},"         \
    "\"audioOutputConfiguration\":{\"mediaType\":\"audio/lpcm\","         \
    "\"sampleRateHertz\":24000,\"sampleSizeBits\":16,\"channelCount\":1," \
    "\"voiceId\":\"matthew\",\"encoding\":\"base64\","                    \
    "\"audioType\":\"SPEECH\"}}}}"
#define SYSTEM_START                                                 \
    "{\"event\":{\"contentStart\":{\"promptName\":\"P\","            \
    "\"contentName\":\"S\",\"type\":\"TEXT\",\"interactive\":false," \
    "\"role\":\"SYSTEM\","                                           \
    "\"textInputConfiguration\":{\"mediaType\":\"text/plain\"}}}}"
#define SYSTEM_TEXT                                                          \
    "{\"event\":{\"textInput\":{\"promptName\":\"P\",\"contentName\":\"S\"," \
    "\"content\":\"You are a robot.\"}}}"
#define SYSTEM_END                                      \
    "{\"event\":{\"contentEnd\":{\"promptName\":\"P\"," \
    "\"contentName\":\"S\"}}}"
#define AUDIO_START                                                   \
    "{\"event\":{\"contentStart\":{\"promptName\":\"P\","             \
    "\"contentName\":\"A\",\"type\":\"AUDIO\",\"interactive\":true,"  \
    "\"role\":\"USER\",\"audioInputConfiguration\":{\"mediaType\":"   \
    "\"audio/lpcm\",\"sampleRateHertz\":16000,\"sampleSizeBits\":16," \
    "\"channelCount\":1,\"audioType\":\"SPEECH\",\"encoding\":\"base64\"}}}}"
#define AUDIO_INPUT                                                           \
    "{\"event\":{\"audioInput\":{\"promptName\":\"P\",\"contentName\":\"A\"," \
    "\"content\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  \
    "AAAAAAAAAAAAAAAAAAAAAA==\"}}}"
#define AUDIO_END                                       \
    "{\"event\":{\"contentEnd\":{\"promptName\":\"P\"," \
    "\"contentName\":\"A\"}}}"
#define PROMPT_END "{\"event\":{\"promptEnd\":{\"promptName\":\"P\"}}}"
#define SESSION_END "{\"event\":{\"sessionEnd\":{}}}"

/* A live text: contentStart, textInput, contentEnd of block NAME. */
#define LIVE_START(name)                                                   \
    "{\"event\":{\"contentStart\":{\"promptName\":\"P\","                  \
    "\"contentName\":\"" name "\",\"type\":\"TEXT\",\"interactive\":true," \
    "\"role\":\"USER\","                                                   \
    "\"textInputConfiguration\":{\"mediaType\":\"text/plain\"}}}}"
#define LIVE_TEXT(name, text)                          \
    "{\"event\":{\"textInput\":{\"promptName\":\"P\"," \
    "\"contentName\":\"" name "\",\"content\":\"" text "\"}}}"
#define LIVE_END(name)                                  \
    "{\"event\":{\"contentEnd\":{\"promptName\":\"P\"," \
    "\"contentName\":\"" name "\"}}}"

/* Up to the audio, and from there to the end; parts of a list. */
#define CLIENT_BEGINNING                                                \
    SESSION_START, PROMPT_START, SYSTEM_START, SYSTEM_TEXT, SYSTEM_END, \
        AUDIO_START
#define CLIENT_ENDING AUDIO_END, PROMPT_END, SESSION_END

#endif
