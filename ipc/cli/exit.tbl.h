/* One line per exit code: symbol, code, when. */
CLI_EXIT(DONE, 0, "done")
CLI_EXIT(FAILED, 1, "it was tried and failed; the line on stderr says why")
CLI_EXIT(USAGE, 2, "wrong arguments, or a file that cannot be used")
CLI_EXIT(ABSENT, 3, "no gateway answers there, or it went away meanwhile")
CLI_EXIT(TIMEOUT, 4, "the time given has passed")
CLI_EXIT(LOST, 5, "finished, but frames or events were lost; stderr counts them")
CLI_EXIT(BUSY, 6, "somebody else holds it, or it is there already")
CLI_EXIT(INTERRUPTED, 130, "stopped by a signal before it was done")
