"""What an operator may set about the doors."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebSettings:
    """`[web]`: the address recipients and providers reach us at, and how much anybody may send.

    `public_url` is where recipients and providers find this service; webhook signatures are checked against it, never
    against what a caller says in Host. `host` and `port` are where it listens. `webhook_max_bytes` and
    `form_max_bytes` are the largest bodies read from a provider and from a person. `events_per_commit` is how many
    events one transaction takes at most, and `waiting_max` how many posts may wait for theirs before a provider is
    asked to come again later. `inbox_lag_s` and `queue_lag_s` are the delays, in seconds, after which `/readyz` says
    that events are not being applied or batches not sent, and `unknown_lag_s` how long a call may be in doubt until
    it says so. `events_silence_s` is how long a provider may take messages and tell nothing before it says that.
    `quick_exit_url` is where the way out of young people's pages leads: an ordinary page that gives nothing
    away.
    """

    public_url: str = "http://127.0.0.1:8025"
    host: str = "127.0.0.1"
    port: int = 8025
    webhook_max_bytes: int = 4_194_304
    form_max_bytes: int = 65_536
    events_per_commit: int = 2_000
    waiting_max: int = 5_000
    inbox_lag_s: int = 300
    queue_lag_s: int = 300
    events_silence_s: int = 900
    unknown_lag_s: int = 7_200
    quick_exit_url: str = "https://www.wikipedia.org/"
