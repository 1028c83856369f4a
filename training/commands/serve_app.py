"""The command `tagsmith` with `serve` alone, which runs without what the other commands import."""

from __future__ import annotations

from tagsmith.training.commands.every_command import for_every_command
from tagsmith.training.commands.running import new_app
from tagsmith.training.commands.serve_command import serve

app = new_app()
app.command()(for_every_command(serve))
