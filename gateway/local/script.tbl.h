/* Every number a script may set:
 * SCRIPT_NUMBER(key, default, least, most, what it is). */
SCRIPT_NUMBER(first_audio_ms, 200, 0, 60000,
              "from the end of the user's turn to the answer")
SCRIPT_NUMBER(audio_speed_percent, 300, 10, 10000,
              "how fast audio is sent; 100 is real time")
SCRIPT_NUMBER(chunk_min_ms, 20, 5, 1000, "shortest audioOutput")
SCRIPT_NUMBER(chunk_max_ms, 60, 5, 1000, "longest audioOutput")
SCRIPT_NUMBER(endpoint_high_ms, 1500, 50, 10000,
              "silence that ends a turn at sensitivity HIGH")
SCRIPT_NUMBER(endpoint_medium_ms, 1750, 50, 10000, "the same at MEDIUM")
SCRIPT_NUMBER(endpoint_low_ms, 2000, 50, 10000, "the same at LOW")
SCRIPT_NUMBER(endpoint_ms, 0, 0, 10000,
              "the same at every sensitivity; 0: not set")
SCRIPT_NUMBER(speech_end_ms, 480, 50, 10000,
              "silence after which userSpeechEnd is told")
SCRIPT_NUMBER(threshold_dbfs, -45, -90, 0,
              "level that counts as speech, at least")
SCRIPT_NUMBER(utterance_max_ms, 30000, 1000, 120000,
              "a longer utterance is cut there")
SCRIPT_NUMBER(voice_wpm, 165, 80, 450, "words a minute of the voice")
SCRIPT_NUMBER(input_timeout_ms, 55000, 100, 86400000,
              "without any input event, before the time scale")
SCRIPT_NUMBER(connection_timeout_ms, 480000, 100, 86400000,
              "life of a stream, before the time scale")
SCRIPT_NUMBER(silence_timeout_ms, 0, 0, 3600000,
              "neither side speaks (error 531), before the time scale; 0: off")
