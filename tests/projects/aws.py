"""Amazon S3's own hosts, served by moto's proxy on loopback."""

import re
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from botocore.config import Config

from tests import processes
from tests.projects.crawl import Answer
from tests.servers import SESSION

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# moto would write its certificates to its package's folder.
START = """
import sys
from moto import proxy
from moto.moto_proxy.certificate_creator import CertificateCreator
CertificateCreator.certdir = sys.argv[1]
proxy.main(["-H", "127.0.0.1", "-p", "0"])
"""


@dataclass(frozen=True)
class Aws:
    """A proxy for *.amazonaws.com, and the certificate to trust."""

    name: str
    proxy: str
    certificate: Path
    access_key: str = "test-key"
    secret_key: str = "test-secret"

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the config vars; as with the real S3, there is no endpoint URL."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_CA_BUNDLE": str(self.certificate),
            "HTTPS_PROXY": self.proxy,
        }

    def client(self) -> "S3Client":
        """Return a boto3 client."""
        return SESSION.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            verify=str(self.certificate),
            config=Config(proxies={"https": self.proxy}),
        )

    def fetch(self, url: str) -> Answer:
        """GET a URL anonymously, as a browser does."""
        trust = ssl.create_default_context(cafile=str(self.certificate))
        trust.verify_flags &= ~ssl.VERIFY_X509_STRICT  # for moto's certificate, since Python 3.13
        opener = build_opener(ProxyHandler({"https": self.proxy}), HTTPSHandler(context=trust))
        try:
            with opener.open(url) as response:
                return Answer(response.status, response.headers.get_content_type(), response.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, "", b"")


@contextmanager
def running(folder: Path, environment: Mapping[str, str]) -> Iterator[Aws]:
    """Run moto's proxy on a port that the system chooses."""
    import moto.moto_proxy

    package = Path(moto.moto_proxy.__file__).parent
    certificates = folder / "certificates"
    certificates.mkdir()
    shutil.copy(package / "certs" / "req.conf.tmpl", certificates)
    log = folder / "proxy.log"
    command = [sys.executable, "-u", "-c", START, str(certificates)]
    with processes.running(command, log, env=environment) as process:
        pattern = re.compile(r"Serving HTTP Proxy on (127[\d.]+:\d+)")
        found = processes.wait_until(
            lambda: pattern.search(log.read_text(errors="replace")), process=process, log=log
        )
        assert found
        yield Aws("aws", f"http://{found[1]}", package / "ca.crt")
