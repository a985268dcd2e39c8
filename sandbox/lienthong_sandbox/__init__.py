"""What a user starts: a whole isolated world, and the command that runs it."""

from lienthong_sandbox.client import CitizenSession, SystemClient
from lienthong_sandbox.login import LoginRefused
from lienthong_sandbox.sandbox import Sandbox

__all__ = ["CitizenSession", "LoginRefused", "Sandbox", "SystemClient"]
