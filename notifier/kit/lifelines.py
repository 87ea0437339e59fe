"""Connections to PostgreSQL that do not outlive the cable they run through.

A machine that is cut off, or loses its power, says no goodbye. Without these limits our side would wait for a quarter
of an hour, and the server keep what the lost transaction had locked for two hours. What a database's URL says stands.
"""

import select
from typing import Any

import psycopg
from sqlalchemy import URL
from sqlalchemy.exc import DisconnectionError

# After so long without a sign of life a connection is given up, by both sides.
LOST_AFTER_S = 30.0
# A transaction in which nothing happens for so many times as long is ended by the server, whatever it has locked.
_IDLE_TIMES = 10
# libpq takes no shorter time to connect.
_SHORTEST_CONNECT_S = 2


def ours(url: URL, lost_after_s: float) -> dict[str, Any]:
    """Return the limits of our side, as libpq names them, but for those the URL names itself."""
    idle, beat = _keepalive(lost_after_s)
    limits = {
        "connect_timeout": max(_SHORTEST_CONNECT_S, round(lost_after_s)),
        "keepalives_idle": idle,
        "keepalives_interval": beat,
        "keepalives_count": 3,
        "tcp_user_timeout": round(lost_after_s * 1000),
    }
    return {name: value for name, value in limits.items() if name not in url.query}


def tell_server(connection: psycopg.Connection[Any], lost_after_s: float) -> None:
    """Set the limits of the server's side for one connection; what this server does not know is left out."""
    idle, beat = _keepalive(lost_after_s)
    milliseconds = round(lost_after_s * 1000)
    limits = {
        "tcp_keepalives_idle": f"{idle}s",
        "tcp_keepalives_interval": f"{beat}s",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": f"{milliseconds}ms",
        # A statement that runs, or waits for a lock, notices nothing of its own accord.
        "client_connection_check_interval": f"{milliseconds}ms",
        "idle_in_transaction_session_timeout": f"{milliseconds * _IDLE_TIMES}ms",
    }
    connection.autocommit = True
    connection.execute(
        "SELECT set_config(name, wanted.value, false) FROM pg_settings "
        "JOIN unnest(%s::text[], %s::text[]) AS wanted (name, value) USING (name)",
        (list(limits), list(limits.values())),
    )
    connection.autocommit = False


def see_whether_it_lives(connection: psycopg.Connection[Any], *_: object) -> None:
    """Raise DisconnectionError if the server has ended an idle connection: there is something to read on it.

    It costs no way to the server and back, which asking would before every transaction, for people as well.
    """
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    if waiting.poll(0):
        raise DisconnectionError("the server has ended this connection")


def _keepalive(lost_after_s: float) -> tuple[int, int]:
    """Return after how many seconds of silence to ask whether anybody is there, and how often; three times in all."""
    return max(1, round(lost_after_s / 2)), max(1, round(lost_after_s / 6))
