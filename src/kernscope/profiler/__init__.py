"""Where time, memory and waiting go: programs of our language that collect stacks, and what shows them."""
