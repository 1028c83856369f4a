"""`python -m tagsmith` is the command `tagsmith`: what `accelerate launch -m` and `torchrun -m` start."""

from __future__ import annotations

from tagsmith.training.commands.entry import main

if __name__ == "__main__":
    main()
