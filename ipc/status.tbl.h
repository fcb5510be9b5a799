/* One line per status: code, class, sentence.
 *
 * The class says what the caller should do: GOOD nothing, RETRY the same call
 * later, CLOSED the thing is gone, PEER the other side is wrong, CONFIG a
 * person must change something, BUG report it. */
VR_STATUS(VR_OK, GOOD, "Success")
VR_STATUS(VR_FLUSHED, GOOD, "The audio before this point was flushed")
VR_STATUS(VR_LAPPED, GOOD, "The reader was overtaken and lost frames")
VR_STATUS(VR_AGAIN, RETRY, "Nothing is ready now")
VR_STATUS(VR_TIMEOUT, RETRY, "The time given has passed")
VR_STATUS(VR_BUSY, RETRY, "Somebody else holds it")
VR_STATUS(VR_LIMIT, RETRY, "A limit is reached")
VR_STATUS(VR_STATE, RETRY, "Not possible in the present state")
VR_STATUS(VR_CANCELLED, CLOSED, "The call was cancelled")
VR_STATUS(VR_CLOSED, CLOSED, "The other side has closed")
VR_STATUS(VR_NOT_FOUND, CONFIG, "There is no such thing")
VR_STATUS(VR_DENIED, CONFIG, "Permission denied")
VR_STATUS(VR_INVALID, CONFIG, "A value is not valid")
VR_STATUS(VR_UNSUPPORTED, CONFIG, "Not supported here")
VR_STATUS(VR_NO_SPACE, CONFIG, "No space left")
VR_STATUS(VR_NO_MEMORY, CONFIG, "Out of memory")
VR_STATUS(VR_AUTH, CONFIG, "Credentials are missing or refused")
VR_STATUS(VR_VERSION, PEER, "The other side speaks another version")
VR_STATUS(VR_CORRUPT, PEER, "The data is damaged")
VR_STATUS(VR_PROTOCOL, PEER, "The other side broke the protocol")
VR_STATUS(VR_NETWORK, PEER, "The network failed")
VR_STATUS(VR_SYSTEM, CONFIG, "A system call failed, see errno")
VR_STATUS(VR_BUG, BUG, "An internal contract was broken")
