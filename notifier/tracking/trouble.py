"""Trouble with an account: the provider will take nothing more of ours, so what is running on its channel is held.

A person has to look, put it right with the provider and resume. Never here: trouble of one message or one address.
"""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import control
from notifier.vocabulary import Channel, ChannelPolicy

# Which channel stops when a provider does.
_CHANNELS = {"twilio": Channel.SMS}


def hold_for_trouble(session: Session, told: Select[str, str | None], *, now: datetime) -> list[int]:
    """Hold every campaign that is sending on the channel of a provider in trouble; return their ids.

    `told` asks for the provider and the code of every event that tells of the trouble.
    """
    held = []
    for provider, reason in _reasons(session, told).items():
        channel = _CHANNELS.get(provider, Channel.EMAIL)
        running = session.execute(
            select(Campaign.id, Campaign.channels).where(Campaign.status == CampaignStatus.SENDING)
        ).all()
        for campaign_id, channels in running:
            if channel in ChannelPolicy(channels).channels:
                control.hold(session, campaign_id, reason=reason, now=now)
                held.append(campaign_id)
    return held


def _reasons(session: Session, told: Select[str, str | None]) -> dict[str, str]:
    return {
        provider: f"{provider} reports trouble with our account ({code or 'no code'}). Put it right with {provider}, "
        "then resume the campaign."
        for provider, code in session.execute(told)
    }
