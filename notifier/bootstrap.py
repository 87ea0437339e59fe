"""The composition root: from settings to a database, providers, a library of texts, a web app, a worker.

The only place that names concrete providers. Importing it also makes every table known to the metadata.
"""

from notifier.accounts import models as _accounts
from notifier.audiences import models as _audiences
from notifier.campaigns import models as _campaigns
from notifier.delivery import models as _delivery
from notifier.tracking import models as _tracking

TABLES = (_accounts, _audiences, _campaigns, _delivery, _tracking)
