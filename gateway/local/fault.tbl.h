/* Every kind of fault: name, where it can strike (REQUEST, STREAM or both),
 * how many times unless told otherwise (0: always), members it needs, members
 * it may have, what it does. */
FAULT(refuse, REQUEST, 1, M(status), M(errortype) | M(message) | M(retry_after),
      "the request is refused with this HTTP status")
FAULT(expire_token, REQUEST | STREAM, 1, 0, M(message),
      "403 ExpiredTokenException, or a validationException in mid-stream")
FAULT(throttle, REQUEST, 0, M(streams), 0,
      "429 for a stream beyond so many at once")
FAULT(no_answer, REQUEST, 1, 0, 0, "the 200 never comes")
FAULT(clock_skew, REQUEST, 0, M(ms), 0,
      "the stream's wall clock is off by so much")
FAULT(refuse_connections, REQUEST | STREAM, 1, M(ms), 0,
      "the port is closed for so long")
FAULT(exception, STREAM, 1, M(name), M(message),
      "the stream ends with this exception")
FAULT(exception_stay, STREAM, 1, M(name), M(message),
      "this exception comes, and the stream goes on")
FAULT(error_frame, STREAM, 1, M(error_code), M(message),
      "the stream ends with a frame of :message-type error")
FAULT(end_stream, STREAM, 1, 0, 0, "END_STREAM without any exception")
FAULT(fin, REQUEST | STREAM, 1, 0, 0, "close_notify, then the socket is closed")
FAULT(cut, REQUEST | STREAM, 1, 0, M(how),
      "the connection ends in the middle of a frame, by a TCP reset")
FAULT(tls_alert, REQUEST | STREAM, 1, 0, 0, "a fatal TLS alert, then the end")
FAULT(rst, REQUEST | STREAM, 1, 0, M(code), "RST_STREAM")
FAULT(goaway, REQUEST | STREAM, 1, 0, M(code) | M(last_stream),
      "GOAWAY; the connection ends with its last stream")
FAULT(stall_send, STREAM, 1, 0, 0,
      "nothing more is sent, but PINGs are answered")
FAULT(black_hole, REQUEST | STREAM, 1, 0, 0,
      "nothing is read or written any more, PINGs neither")
FAULT(slow_reader, STREAM, 1, 0, M(bytes_per_s),
      "the HTTP/2 window opens this slowly, or never")
FAULT(deaf, STREAM, 1, 0, 0, "audio and texts of the user are ignored")
FAULT(bad_crc, STREAM, 1, 0, 0, "a frame whose message CRC is wrong")
FAULT(bad_prelude, STREAM, 1, 0, 0, "a frame whose prelude CRC is wrong")
FAULT(split, STREAM, 1, 0, M(bytes), "DATA frames of so few bytes (1)")
FAULT(garbage_json, STREAM, 1, 0, 0, "an event that is no JSON")
FAULT(unknown_event, STREAM, 1, 0, 0, "an event of a name nobody knows")
FAULT(repeat_tool_use, STREAM, 1, 0, 0,
      "an open tool use comes once more with its id")
