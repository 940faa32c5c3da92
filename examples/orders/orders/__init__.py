"""The parts of the orders pipeline: where orders come from, what they are, and what is done with them."""
