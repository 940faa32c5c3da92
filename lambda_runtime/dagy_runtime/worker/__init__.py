"""Running user code in a child process, and talking with it through a pipe."""
