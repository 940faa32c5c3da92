"""Running user code in a child process, and talking with it through a pipe.

The function's own process never imports user code: it forks a child (`process`), which cuts itself off from its parent
(`surroundings`) and executes the flow (`child`), telling everything to its parent in frames (`frames`, `link`,
`recorder`). When the child is gone, nothing of it is left: not in memory, not on disk, not in the process table.
"""
