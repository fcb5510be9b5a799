/* What a stream may be in when a fault strikes; several at once are possible,
 * such as tool and speaking: name, what is true in it. */
FAULT_PHASE(request, "before the 200")
FAULT_PHASE(setup, "between the first event and the first audio")
FAULT_PHASE(listening, "audio flows, and none of the following")
FAULT_PHASE(user_speaking, "from the user's first sound to the end of the turn")
FAULT_PHASE(thinking, "the turn has ended, the answer has not begun")
FAULT_PHASE(speaking, "from the first audioOutput of an answer to its last")
FAULT_PHASE(tool, "a tool use is out and unanswered")
FAULT_PHASE(any, "any that the kind can strike in")
