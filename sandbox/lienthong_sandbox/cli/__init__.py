"""The `lienthong` command."""

import signal
import sys

import typer

from lienthong_sandbox.cli import demo, log, rights, serve, up

app = typer.Typer(
    help="Liên Thông: a simulation of Vietnam's national data-sharing and e-identity systems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("init")(serve.init)
app.add_typer(log.app, name="log")
app.add_typer(rights.app, name="rights")


@app.callback()
def lienthong() -> None:
    """Have a command undo what it has begun when it is told to end, as on Ctrl-C, or its terminal is closed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Whoever started it with `nohup` wants it to stay.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda told, _frame: sys.exit(128 + told))
