"""What a cell says when its kernel was ended because memory ran out.

JupyterLab only says that the kernel "appears to have died". The reason goes where the learner
looks: below the cell that ran, and into the log.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from arena_lab import memory

_V1 = "v1.kernel.websocket.jupyter.org"


@dataclass(frozen=True)
class _Asked:
    """A cell that was sent to a kernel, and how many processes had been ended by then."""

    header: dict[str, Any]
    kills: int


class Connection(ZMQChannelsWebsocketConnection):
    """A page's connection to a kernel; it knows which cells the kernel has not answered yet."""

    # By kernel: a page that lost its connection goes on with another one.
    _asked: ClassVar[WeakKeyDictionary[Any, dict[str, _Asked]]] = WeakKeyDictionary()

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Send a page's message to the kernel, and note which cell it asks for."""
        super().handle_incoming_message(incoming_msg)
        header = self._header_of(incoming_msg)
        if header.get("msg_type") == "execute_request":
            self._cells()[header["msg_id"]] = _Asked(header, memory.kills())

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Send a kernel's message to the page; a reply crosses its cell off."""
        if "shell" in (stream, getattr(stream, "channel", None)):
            _, parts = self.session.feed_identities(outgoing_msg)
            self._cells().pop(self.session.unpack(parts[2]).get("msg_id"), None)
        super().handle_outgoing_message(stream, outgoing_msg)

    def on_kernel_restarted(self) -> None:
        """Say why the kernel died, in the first of this page's cells that has no reply."""
        cells = self._cells()
        mine = [key for key, cell in cells.items() if cell.header["session"] == self.session_id]
        if mine and memory.kills() > cells[mine[0]].kills:
            why = memory.story("The kernel")
            self.log.error(why)
            self.write_stderr(why, cells[mine[0]].header)  # type: ignore[no-untyped-call]
        for key in mine:
            del cells[key]
        super().on_kernel_restarted()  # type: ignore[no-untyped-call]

    def _cells(self) -> dict[str, _Asked]:
        return self._asked.setdefault(self.kernel_manager, {})

    def _header_of(self, incoming_msg: Any) -> dict[str, Any]:
        if self.subprotocol == _V1:
            _, parts = deserialize_msg_from_ws_v1(incoming_msg)  # type: ignore[no-untyped-call]
            header: dict[str, Any] = self.session.unpack(parts[0])
            return header
        message = json.loads(incoming_msg) if isinstance(incoming_msg, str) else {}
        return message.get("header", {})
