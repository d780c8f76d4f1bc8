"""Settings fragments for mail: ``from herokuify.mail.mailgun import *``, or whichever service.

``herokuify.get_email_config()`` takes the one that is attached.
"""

from herokuify.mail.config import get_email_config

__all__ = ["get_email_config"]
