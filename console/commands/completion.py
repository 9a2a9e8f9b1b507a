"""`portolan completion`: the script that has a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands and options in your shell.

    \b
    Examples:
      eval "$(portolan completion bash)"       in ~/.bashrc
      eval "$(portolan completion zsh)"        in ~/.zshrc
      portolan completion fish > ~/.config/fish/completions/portolan.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click.Choice has seen to it
    script = kind(context.find_root().command, {}, "portolan", "_PORTOLAN_COMPLETE")
    # Bash's own version is not looked at: the script is printed for whichever shell will read it.
    click.echo(script.source_template % script.source_vars())
