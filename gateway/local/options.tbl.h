/* The command line: name, value, help. */
OPTION(port, "N", "listen on this port of 127.0.0.1 (0, the default: any)")
OPTION(script, "FILE", "the conversation to play (default: the built-in one)")
OPTION(state_dir, "DIR",
       "where the certificate is kept (default: "
       "$XDG_RUNTIME_DIR/voxring-local, or a temporary folder)")
OPTION(time_scale, "X",
       "let timeouts pass X times faster (default 1; 60: minutes are seconds)")
OPTION(ear, "EAR",
       "how speech is understood: none, script (as the script says) or real "
       "(recognised; the default where it works)")
OPTION(region, "NAME", "accept only signatures for this region (default: any)")
OPTION(control, "PATH",
       "a Unix socket for faults and statistics, one JSON object a line")
OPTION(record, "DIR",
       "keep what every stream received: DIR/NNNN.s16 and DIR/NNNN.json")
OPTION(log, "KIND",
       "on stderr: text (default), json (every event, one line each) or quiet")
OPTION(exit_with_parent, NULL, "end when the program that started it ends")
OPTION(help, NULL, "show this and exit")
OPTION(version, NULL, "show the version and exit")
