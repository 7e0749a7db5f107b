"""The run loop: blocks of chains advanced in chunks by one compiled program, led by the host."""
