"""eBPF machine code: instructions, assembling, decoding and printing; `vm` runs it in user space."""
