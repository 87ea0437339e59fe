"""How fast a batch may leave: the provider's rate, its sender numbers' and its campaign's, shared by every worker."""

from dataclasses import dataclass

from notifier.content import sms
from notifier.delivery.pacing import Rate
from notifier.delivery.sender import Job
from notifier.providers.base import Provider
from notifier.vocabulary import Channel, SmsMessage
from notifier.worker.engine import Engine

# A paced group is what may leave in this time: short for what is waited for, so that an urgent message slips in
# between; longer for a campaign's own limit, whose batches go back into the queue in the meantime.
_GROUP_S = 1.0
_CAMPAIGN_GROUP_S = 10.0


@dataclass(frozen=True, slots=True)
class Tempo:
    """What a batch keeps to. `campaign` is its campaign's own limit, `group` how many messages go at a time."""

    rates: tuple[Rate, ...]
    campaign: Rate | None
    group: int

    @property
    def is_free(self) -> bool:
        """Whether nothing has to be waited for."""
        return not self.rates and self.campaign is None


def tempo_of(engine: Engine, job: Job, provider: Provider) -> Tempo:
    """Return what a batch keeps to when it goes by a provider."""
    rates = (*engine.worker.rates(job.claim.channel, provider.name), *_of_numbers(engine, job))
    campaign = None
    if job.options.max_per_minute:
        campaign = Rate(f"campaign:{job.claim.campaign_id}", job.options.max_per_minute / 60, burst_s=0.0)
    group = provider.group_size
    for rate in rates:
        group = min(group, int(rate.per_second * _GROUP_S / rate.weight))
    if campaign is not None:
        group = min(group, int(campaign.per_second * _CAMPAIGN_GROUP_S))
    return Tempo(rates, campaign, max(1, group))


def _of_numbers(engine: Engine, job: Job) -> list[Rate]:
    """Return the rates of the sender numbers: a provider counts parts there, and each number has its share of them."""
    numbers = engine.post.numbers
    if job.claim.channel is not Channel.SMS or not any(number.parts_per_second for number in numbers):
        return []
    parts = sms.size(job.message.text).parts if isinstance(job.message, SmsMessage) else 1
    weight = max(1, parts) / len(numbers)
    return [
        Rate(f"sender:{number.value}", number.parts_per_second, weight=weight)
        for number in numbers
        if number.parts_per_second
    ]
