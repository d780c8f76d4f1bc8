"""Settings fragments for mail, such as ``from herokuify.mail.mailgun import *``.

``herokuify.get_email_config()`` uses the attached service.
"""

from herokuify.mail.config import get_email_config

__all__ = ["get_email_config"]
