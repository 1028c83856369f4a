"""The command `tagsmith` with `tag` alone, which starts without what the other commands import."""

from __future__ import annotations

from tagsmith.training.commands.every_command import for_every_command
from tagsmith.training.commands.redact_options import RedactCommand
from tagsmith.training.commands.running import new_app
from tagsmith.training.commands.tag_command import tag

app = new_app()
app.command(cls=RedactCommand)(for_every_command(tag))
