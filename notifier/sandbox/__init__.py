"""A stand-in on loopback for SendGrid and Twilio, as strict as they are."""
