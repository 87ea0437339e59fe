"""The page on which people see what the sandbox received. What a message holds is shown, never run."""

from typing import Any

from jinja2 import Environment

# No script, no request anywhere; a frame may hold a message, in a box of its own.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'",
    "Referrer-Policy": "no-referrer",
}

_TEMPLATE = Environment(autoescape=True).from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Notifier sandbox</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 60rem; padding: 0 1rem; }
summary { padding: .4rem 0; cursor: pointer; }
details { border-top: 1px solid #767676; }
iframe { width: 100%; height: 32rem; border: 1px solid #767676; background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.status { font-weight: bold; }
</style>
</head>
<body>
<main>
<h1>Notifier sandbox</h1>
<p>Nothing here has left this machine. {{ counts.email }} emails and {{ counts.sms }} text messages were taken,
{{ counts.refused }} requests refused, {{ counts.webhooks_posted }} webhooks posted.</p>
<h2>The newest messages</h2>
{% for message in messages %}
<details>
<summary><span class="status">{{ message.status }}</span> {{ message.channel }} to {{ message.to }}:
{{ message.subject or message.text[:80] }}</summary>
<p>{{ message.received_at }}, reference {{ message.reference or "none" }}</p>
{% if message.html %}<iframe sandbox title="Email to {{ message.to }}" srcdoc="{{ message.html }}"></iframe>{% endif %}
<pre dir="auto">{{ message.text }}</pre>
</details>
{% else %}
<p>Nothing yet.</p>
{% endfor %}
</main>
</body>
</html>
""")


def render(messages: list[dict[str, Any]], counts: dict[str, int]) -> str:
    """Return the page as HTML."""
    return _TEMPLATE.render(messages=messages, counts=counts)
