"""The processes, as far as they can be looked at without starting one."""

import socket
from contextlib import closing

from notifier.cli.processes import listen


def test_no_answer_waits_for_the_other_side_to_acknowledge_its_head() -> None:
    with (
        closing(listen(("127.0.0.1", 0))) as listening,
        closing(socket.create_connection(listening.getsockname())),
        closing(listening.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
