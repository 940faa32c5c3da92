"""The two stacks of a stage. They only wire constructs."""
